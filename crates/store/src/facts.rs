//! Makes staged facts about CVEs the new state of their part.
//!
//! They are held one by one against the stored ones, because EPSS and NVD are published whole and
//! mostly say what they said before. A CVE that comes twice in a part counts once; the last stands.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};

use pratique_model::{Enrichment, Epss, KnownExploited, NvdScore};

use crate::apply::{Applied, Round};
use crate::change::{ChangeKind, EPSS_THRESHOLDS};
use crate::session::{Row, RowSink, Session, values};
use crate::stage::Staging;
use crate::term::{TermReader, TermWriter};
use crate::{StoreError, encoding, record};

/// How many facts are gathered before they replace what is stored of the same CVEs.
const RUN_ROWS: usize = 10_000;

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

/// Writes what differs and counts it in `applied`. `has_stored`: whether the part has facts.
pub(crate) fn apply(
    round: &Round<'_>,
    staging: &mut Staging,
    has_stored: bool,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let hasher = RandomState::new();
    let mut known = HashMap::new();
    if has_stored {
        read_stored(round, &hasher, &mut known)?;
    }
    if staging.facts.is_empty() && known.is_empty() {
        return Ok(());
    }
    let mut writer = FactWriter::new(round)?;
    for index in 0..staging.facts.len() {
        let bytes = staging.read(staging.facts[index])?;
        let hash = hasher.hash_one(bytes);
        let fact = record::enrichment(bytes)?;
        let key = key_of(&fact)?;
        let score = score_of(&fact);
        let before = known.insert(key, Known { hash, score, is_seen: true });
        match &before {
            None => applied.new += 1,
            Some(before) if before.hash == hash => {
                applied.unchanged += u64::from(!before.is_seen);
                continue;
            }
            Some(before) => applied.changed += u64::from(!before.is_seen),
        }
        writer.write(key, fact, before.as_ref())?;
    }
    applied.entries += known.values().filter(|fact| fact.is_seen).count() as u64;
    for (key, _) in known.iter().filter(|(_, fact)| !fact.is_seen) {
        writer.delete(*key)?;
        applied.withdrawn += 1;
    }
    writer.finish()
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

impl Table {
    const ALL: [Self; 3] = [Self::Epss, Self::Kev, Self::Nvd];

    const fn name(self) -> &'static str {
        match self {
            Self::Epss => "epss",
            Self::Kev => "kev",
            Self::Nvd => "nvd",
        }
    }

    const fn columns(self) -> &'static str {
        match self {
            Self::Epss => "cve, part, score, percentile, date",
            Self::Kev => "cve, part, added, due, is_ransomware",
            Self::Nvd => "cve, part, is_rejected, cvss",
        }
    }
}

struct FactWriter<'a> {
    round: &'a Round<'a>,
    terms: TermWriter<'a>,
    changes: Box<dyn RowSink + 'a>,
    /// What is to be stored of a CVE; `None`: nothing any more.
    waiting: HashMap<Table, BTreeMap<i64, Option<Enrichment>>>,
}

impl<'a> FactWriter<'a> {
    fn new(round: &'a Round<'a>) -> Result<Self, StoreError> {
        let columns = "part, generation, at, kind, cve, old, new";
        Ok(Self {
            round,
            terms: TermWriter::new(round.session, round.aside)?,
            changes: round.session.bulk("writing a change", "change", columns)?,
            waiting: HashMap::new(),
        })
    }

    fn write(
        &mut self,
        (table, cve): Key,
        fact: Enrichment,
        before: Option<&Known>,
    ) -> Result<(), StoreError> {
        if !self.round.is_baseline {
            self.tell(cve, &fact, before)?;
        }
        self.gather(table, cve, Some(fact))
    }

    fn delete(&mut self, (table, cve): Key) -> Result<(), StoreError> {
        self.gather(table, cve, None)
    }

    /// Writes down what is worth telling of a fact that was not so before.
    fn tell(
        &mut self,
        cve: i64,
        fact: &Enrichment,
        before: Option<&Known>,
    ) -> Result<(), StoreError> {
        let (kind, old, new) = match fact {
            Enrichment::Epss(epss) => {
                let before = before.map_or(0.0, |before| before.score);
                let reaches = |threshold: &f64| before < *threshold && epss.score >= *threshold;
                if !EPSS_THRESHOLDS.iter().any(reaches) {
                    return Ok(());
                }
                (ChangeKind::EpssCrossed, Some(before.to_string()), epss.score.to_string())
            }
            Enrichment::KnownExploited(kev) if before.is_none() => {
                (ChangeKind::KnownExploited, None, kev.added.to_string())
            }
            Enrichment::KnownExploited(_) | Enrichment::Nvd(_) => return Ok(()),
        };
        self.changes.row(values![
            self.round.part,
            self.round.generation,
            self.round.now,
            kind.code(),
            cve,
            old.as_deref(),
            &new,
        ])
    }

    fn gather(
        &mut self,
        table: Table,
        cve: i64,
        fact: Option<Enrichment>,
    ) -> Result<(), StoreError> {
        let waiting = self.waiting.entry(table).or_default();
        waiting.insert(cve, fact);
        if waiting.len() < RUN_ROWS { Ok(()) } else { self.flush(table) }
    }

    fn flush(&mut self, table: Table) -> Result<(), StoreError> {
        let Some(facts) = self.waiting.remove(&table) else { return Ok(()) };
        let doing = "writing facts";
        let Round { session, part, .. } = *self.round;
        let cves: Vec<i64> = facts.keys().copied().collect();
        let name = table.name();
        let delete = format!("DELETE FROM {name} WHERE part = ?1 AND cve IN LIST(?2)");
        session.execute(doing, &delete, values![part, &*cves])?;
        let mut rows = session.bulk(doing, name, table.columns())?;
        for (cve, fact) in facts {
            match fact {
                None => {}
                Some(Enrichment::Epss(epss)) => {
                    let date = encoding::date_code(epss.date);
                    rows.row(values![cve, part, epss.score, epss.percentile, date])?;
                }
                Some(Enrichment::KnownExploited(kev)) => {
                    let due = kev.due.map(encoding::date_code);
                    let added = encoding::date_code(kev.added);
                    rows.row(values![cve, part, added, due, kev.ransomware])?;
                }
                Some(Enrichment::Nvd(nvd)) => {
                    let cvss = self.terms.cvss(&nvd.cvss)?;
                    rows.row(values![cve, part, nvd.is_rejected, cvss.as_deref()])?;
                }
            }
        }
        rows.finish().map(|_| ())
    }

    fn finish(mut self) -> Result<(), StoreError> {
        for table in Table::ALL {
            self.flush(table)?;
        }
        self.changes.finish()?;
        self.terms.finish()
    }
}

/// Reads the hashes of what the part's tables hold.
fn read_stored(
    round: &Round<'_>,
    hasher: &RandomState,
    known: &mut HashMap<Key, Known>,
) -> Result<(), StoreError> {
    let mut bytes = Vec::new();
    each_fact(round.session, round.part, |fact| {
        bytes.clear();
        record::push_enrichment(&mut bytes, &fact);
        let hash = hasher.hash_one(&*bytes);
        known.insert(key_of(&fact)?, Known { hash, score: score_of(&fact), is_seen: false });
        Ok(())
    })
}

/// Gives every stored fact of a part, by table and then by CVE.
pub(crate) fn each_fact(
    session: &dyn Session,
    part: i64,
    mut take: impl FnMut(Enrichment) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut terms = TermReader::default();
    for table in Table::ALL {
        let sql = format!(
            "SELECT {} FROM {} WHERE part = ?1 ORDER BY cve",
            table.columns(),
            table.name()
        );
        session.stream("reading facts", &sql, values![part], &mut |row| {
            let vulnerability = encoding::cve(row.integer(0)?);
            take(match table {
                Table::Epss => Enrichment::Epss(epss_of(row, 2, vulnerability)?),
                Table::Kev => Enrichment::KnownExploited(kev_of(row, 2, vulnerability)?),
                Table::Nvd => Enrichment::Nvd(NvdScore {
                    vulnerability,
                    cvss: terms.cvss(session, row.optional_text(3)?)?,
                    is_rejected: row.flag(2)?,
                    description: None,
                }),
            })
        })?;
    }
    Ok(())
}

/// The score in a row whose columns from `first` on are score, percentile and date.
pub(crate) fn epss_of(
    row: &Row<'_>,
    first: usize,
    vulnerability: String,
) -> Result<Epss, StoreError> {
    Ok(Epss {
        vulnerability,
        score: row.real(first)?,
        percentile: row.real(first + 1)?,
        date: encoding::date(row.integer(first + 2)?)?,
    })
}

/// The entry in a row whose columns from `first` on are added, due and is_ransomware.
pub(crate) fn kev_of(
    row: &Row<'_>,
    first: usize,
    vulnerability: String,
) -> Result<KnownExploited, StoreError> {
    Ok(KnownExploited {
        vulnerability,
        added: encoding::date(row.integer(first)?)?,
        due: row.optional_integer(first + 1)?.map(encoding::date).transpose()?,
        ransomware: row.flag(first + 2)?,
    })
}
