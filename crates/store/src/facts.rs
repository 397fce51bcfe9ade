//! Makes staged facts about CVEs the new state of their part.
//!
//! They are held one by one against the stored ones, because EPSS and NVD are published whole and
//! mostly say what they said before. A CVE that comes twice in a part counts once; the last stands.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use rusqlite::{Connection, Row, params};

use pratique_model::{Enrichment, Epss, KnownExploited, NvdScore};

use crate::apply::{Applied, Round};
use crate::change::{ChangeKind, EPSS_THRESHOLDS};
use crate::error::Doing as _;
use crate::stage::Staging;
use crate::term::{TermReader, TermWriter};
use crate::{StoreError, encoding, record};

/// A kind of fact, and the table it is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Table {
    Epss,
    Kev,
    Nvd,
}

/// Which table and which CVE a fact is of.
type Key = (Table, i64);

/// What is known of one fact while a part is applied.
struct Known {
    /// A hash of what it says, under a key of this run.
    hash: u64,
    /// The probability, of EPSS.
    score: f64,
    /// Whether the feed still has it.
    is_seen: bool,
}

/// Writes what differs and counts it in `applied`.
pub(crate) fn apply(
    round: &Round<'_>,
    staging: &mut Staging,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let hasher = RandomState::new();
    let mut known = HashMap::new();
    if !round.is_empty {
        read_stored(round, &hasher, &mut known)?;
    }
    if staging.facts.is_empty() && known.is_empty() {
        return Ok(());
    }
    let mut writer = FactWriter { round, terms: TermWriter::default() };
    for index in 0..staging.facts.len() {
        let bytes = staging.read(staging.facts[index])?;
        let hash = hasher.hash_one(bytes);
        let fact = record::enrichment(bytes)?;
        let key = key_of(&fact)?;
        let score = score_of(&fact);
        let before = known.insert(key, Known { hash, score, is_seen: true });
        let score_before = before.as_ref().map_or(0.0, |before| before.score);
        match before {
            None => applied.new += 1,
            Some(before) if before.hash == hash => {
                applied.unchanged += u64::from(!before.is_seen);
                continue;
            }
            Some(before) => applied.changed += u64::from(!before.is_seen),
        }
        writer.write(key.1, &fact, score_before)?;
    }
    applied.entries += known.values().filter(|fact| fact.is_seen).count() as u64;
    for (key, _) in known.iter().filter(|(_, fact)| !fact.is_seen) {
        writer.delete(*key)?;
        applied.withdrawn += 1;
    }
    Ok(())
}

fn key_of(fact: &Enrichment) -> Result<Key, StoreError> {
    let id = record::vulnerability_of(fact);
    let table = match fact {
        Enrichment::Epss(_) => Table::Epss,
        Enrichment::KnownExploited(_) => Table::Kev,
        Enrichment::Nvd(_) => Table::Nvd,
    };
    let cve = encoding::cve_code(id).ok_or_else(|| StoreError::damaged("waiting fact"))?;
    Ok((table, cve))
}

fn score_of(fact: &Enrichment) -> f64 {
    match fact {
        Enrichment::Epss(epss) => epss.score,
        Enrichment::KnownExploited(_) | Enrichment::Nvd(_) => 0.0,
    }
}

struct FactWriter<'a> {
    round: &'a Round<'a>,
    terms: TermWriter,
}

impl FactWriter<'_> {
    fn write(&mut self, cve: i64, fact: &Enrichment, before: f64) -> Result<(), StoreError> {
        match fact {
            Enrichment::Epss(epss) => self.write_epss(cve, epss, before),
            Enrichment::KnownExploited(kev) => self.write_kev(cve, kev),
            Enrichment::Nvd(nvd) => self.write_nvd(cve, nvd),
        }
    }

    fn write_epss(&self, cve: i64, epss: &Epss, before: f64) -> Result<(), StoreError> {
        let reaches = |threshold: &f64| before < *threshold && epss.score >= *threshold;
        if !self.round.is_baseline && EPSS_THRESHOLDS.iter().any(reaches) {
            let round = self.round;
            self.execute(
                "INSERT INTO change (part, generation, at, kind, cve, old, new) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    round.part,
                    round.generation.cast_signed(),
                    round.now,
                    ChangeKind::EpssCrossed.code(),
                    cve,
                    before.to_string(),
                    epss.score.to_string(),
                ],
            )?;
        }
        self.execute(
            "INSERT OR REPLACE INTO epss (cve, part, score, percentile, date) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                cve,
                self.round.part,
                epss.score,
                epss.percentile,
                encoding::date_code(epss.date)
            ],
        )
    }

    fn write_kev(&self, cve: i64, kev: &KnownExploited) -> Result<(), StoreError> {
        let round = self.round;
        if !round.is_baseline {
            self.execute(
                "INSERT INTO change (part, generation, at, kind, cve, new) \
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6 \
                 WHERE NOT EXISTS (SELECT 1 FROM kev WHERE cve = ?5 AND part = ?1)",
                params![
                    round.part,
                    round.generation.cast_signed(),
                    round.now,
                    ChangeKind::KnownExploited.code(),
                    cve,
                    kev.added.to_string(),
                ],
            )?;
        }
        self.execute(
            "INSERT OR REPLACE INTO kev (cve, part, added, due, is_ransomware) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                cve,
                round.part,
                encoding::date_code(kev.added),
                kev.due.map(encoding::date_code),
                kev.ransomware
            ],
        )
    }

    fn write_nvd(&mut self, cve: i64, nvd: &NvdScore) -> Result<(), StoreError> {
        let cvss = self.terms.cvss(self.round.connection, &nvd.cvss)?;
        self.execute(
            "INSERT OR REPLACE INTO nvd (cve, part, is_rejected, cvss) VALUES (?1, ?2, ?3, ?4)",
            params![cve, self.round.part, nvd.is_rejected, cvss],
        )
    }

    fn delete(&self, (table, cve): Key) -> Result<(), StoreError> {
        let sql = match table {
            Table::Epss => "DELETE FROM epss WHERE cve = ?1 AND part = ?2",
            Table::Kev => "DELETE FROM kev WHERE cve = ?1 AND part = ?2",
            Table::Nvd => "DELETE FROM nvd WHERE cve = ?1 AND part = ?2",
        };
        self.execute(sql, params![cve, self.round.part])
    }

    fn execute(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<(), StoreError> {
        self.round
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map(|_| ())
            .doing("writing facts")
    }
}

/// Reads the hashes of what the part's tables hold.
fn read_stored(
    round: &Round<'_>,
    hasher: &RandomState,
    known: &mut HashMap<Key, Known>,
) -> Result<(), StoreError> {
    let mut bytes = Vec::new();
    each_fact(round.connection, Some(round.part), |fact| {
        bytes.clear();
        record::push_enrichment(&mut bytes, &fact);
        let hash = hasher.hash_one(&*bytes);
        known.insert(key_of(&fact)?, Known { hash, score: score_of(&fact), is_seen: false });
        Ok(())
    })
}

/// Gives every stored fact, of one part or of all, by table and then by CVE.
pub(crate) fn each_fact(
    connection: &Connection,
    part: Option<i64>,
    mut take: impl FnMut(Enrichment) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let doing = "reading facts";
    let mut terms = TermReader::default();
    let tables = [
        (Table::Epss, "SELECT cve, score, percentile, date FROM epss"),
        (Table::Kev, "SELECT cve, added, due, is_ransomware FROM kev"),
        (Table::Nvd, "SELECT cve, is_rejected, cvss FROM nvd"),
    ];
    for (table, sql) in tables {
        let sql = format!("{sql} WHERE ?1 IS NULL OR part = ?1 ORDER BY cve, part");
        let mut statement = connection.prepare_cached(&sql).doing(doing)?;
        let mut rows = statement.query([part]).doing(doing)?;
        while let Some(row) = rows.next().doing(doing)? {
            let vulnerability = encoding::cve(row.get(0).doing(doing)?);
            take(match table {
                Table::Epss => epss_of(row, vulnerability)?,
                Table::Kev => kev_of(row, vulnerability)?,
                Table::Nvd => {
                    let cvss = row.get_ref(2).doing(doing)?.as_str_or_null();
                    let cvss = cvss.map_err(|_| StoreError::damaged("scores"))?;
                    Enrichment::Nvd(NvdScore {
                        vulnerability,
                        cvss: terms.cvss(connection, cvss)?,
                        is_rejected: row.get(1).doing(doing)?,
                        description: None,
                    })
                }
            })?;
        }
    }
    Ok(())
}

fn epss_of(row: &Row<'_>, vulnerability: String) -> Result<Enrichment, StoreError> {
    let doing = "reading EPSS";
    Ok(Enrichment::Epss(Epss {
        vulnerability,
        score: row.get(1).doing(doing)?,
        percentile: row.get(2).doing(doing)?,
        date: encoding::date(row.get(3).doing(doing)?)?,
    }))
}

fn kev_of(row: &Row<'_>, vulnerability: String) -> Result<Enrichment, StoreError> {
    let doing = "reading KEV";
    let due: Option<i64> = row.get(2).doing(doing)?;
    Ok(Enrichment::KnownExploited(KnownExploited {
        vulnerability,
        added: encoding::date(row.get(1).doing(doing)?)?,
        due: due.map(encoding::date).transpose()?,
        ransomware: row.get(3).doing(doing)?,
    }))
}
