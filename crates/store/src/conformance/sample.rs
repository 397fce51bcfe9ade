//! Small feeds for the cases, and what holds of every database.

use jiff::Timestamp;

use pratique_model::{
    Advisory, Affected, Cvss, Ecosystem, Enrichment, Epss, KnownExploited, NameKind, NvdScore,
    PartId, Range, Release, Severity, Status,
};

use crate::session::values;
use crate::{Applied, CommitOptions, Database, Staging, StoreError};

pub(crate) fn part() -> PartId {
    PartId::new("debian", "debian")
}

pub(crate) fn bookworm() -> Release {
    Release::new("debian", "12")
}

/// The time of the `hour`-th update.
pub(crate) fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + 3_600 * hour).expect("a time")
}

pub(crate) fn options(hour: i64) -> CommitOptions {
    CommitOptions {
        fingerprint: Some(format!("etag-{hour}")),
        parser_version: 1,
        as_of: None,
        now: at(hour),
        covers: Vec::new(),
        is_partial: false,
        force: false,
        fence: None,
    }
}

/// A statement about a source package of bookworm: fixed in `fixed`, or without a fix.
pub(crate) fn affected(package: &str, fixed: Option<&str>) -> Affected {
    let status = if fixed.is_some() { Status::Fixed } else { Status::Affected };
    Affected {
        name_kind: NameKind::Source,
        ranges: fixed.map(Range::below).into_iter().collect(),
        ..Affected::new(Ecosystem::Deb, Some(bookworm()), package, status)
    }
}

/// An advisory named like its CVE, about one package.
pub(crate) fn advisory(cve: &str, package: &str, fixed: Option<&str>) -> Advisory {
    Advisory {
        id: cve.to_owned(),
        vulnerabilities: vec![cve.to_owned()],
        url: Some(format!("https://security-tracker.debian.org/tracker/{cve}")),
        affected: vec![affected(package, fixed)],
        ..Advisory::default()
    }
}

/// An advisory that uses every field.
pub(crate) fn rich() -> Advisory {
    let cvss = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let version = |text: &str| Some(text.to_owned());
    Advisory {
        id: "ALSA-2022:1988".to_owned(),
        vulnerabilities: vec!["CVE-2020-4788".to_owned(), "CVE-2020-13974".to_owned()],
        aliases: vec!["XSA 12".to_owned()],
        url: Some("https://example.org/elsewhere".to_owned()),
        summary: Some("kernel: several flaws".to_owned()),
        published: Some(at(-100)),
        modified: Some(at(-50)),
        withdrawn: None,
        severity: Some(Severity::High),
        cvss: vec![Cvss::parse(cvss, "almalinux").expect("a vector")],
        informational: Some("notice".to_owned()),
        affected: vec![
            Affected {
                ecosystem: Ecosystem::Rpm,
                release: Some(Release::new("almalinux", "8")),
                package: "nodejs".to_owned(),
                name_kind: NameKind::Binary,
                status: Status::WillNotFix,
                remark: Some("out of support scope".to_owned()),
                ranges: vec![
                    Range { introduced: version("1:2"), fixed: version("1:3"), ..Range::default() },
                    Range { last_affected: version("9 | 10"), ..Range::default() },
                ],
                versions: vec!["1.0.0".to_owned(), "1.0.1".to_owned()],
                severity: Some(Severity::Critical),
                module: Some("nodejs:18".to_owned()),
                arches: vec!["x86_64".to_owned(), "aarch64".to_owned()],
                platforms: vec!["linux".to_owned()],
            },
            Affected::new(
                Ecosystem::Rpm,
                Some(Release::new("almalinux", "9")),
                "kernel: core",
                Status::Undetermined,
            ),
        ],
    }
}

pub(crate) fn epss(cve: &str, score: f64) -> Enrichment {
    Enrichment::Epss(Epss {
        vulnerability: cve.to_owned(),
        score,
        percentile: 0.987_65,
        date: jiff::civil::date(2026, 8, 16),
    })
}

pub(crate) fn kev(cve: &str) -> Enrichment {
    Enrichment::KnownExploited(KnownExploited {
        vulnerability: cve.to_owned(),
        added: jiff::civil::date(2021, 12, 10),
        due: Some(jiff::civil::date(2021, 12, 24)),
        ransomware: true,
    })
}

pub(crate) fn nvd(cve: &str, vectors: &[&str]) -> Enrichment {
    Enrichment::Nvd(NvdScore {
        vulnerability: cve.to_owned(),
        cvss: vectors.iter().map(|text| Cvss::parse(text, "nvd").expect("a vector")).collect(),
        is_rejected: false,
        description: None,
    })
}

pub(crate) fn commit(
    database: &mut Database,
    part: &PartId,
    hour: i64,
    advisories: &[Advisory],
) -> Result<Applied, StoreError> {
    let mut staging = Staging::new(part.clone(), None);
    for advisory in advisories {
        staging.advisory(advisory);
    }
    database.commit(staging, &options(hour))
}

pub(crate) fn commit_facts(
    database: &mut Database,
    part: &PartId,
    hour: i64,
    facts: &[Enrichment],
) -> Applied {
    let mut staging = Staging::new(part.clone(), None);
    for fact in facts {
        staging.enrichment(fact);
    }
    database.commit(staging, &options(hour)).expect("a commit")
}

/// What bookworm's package `name` is said to suffer from: the advisories' ids with the ranges.
pub(crate) fn looked_up(database: &Database, name: &str) -> Vec<(String, Vec<Range>)> {
    let found = database.affected(Ecosystem::Deb, Some(&bookworm()), &[name]).expect("an answer");
    found
        .into_iter()
        .map(|found| {
            let advisories = database.advisories(&[found.advisory]).expect("an answer");
            (advisories[0].advisory.id.clone(), found.affected.ranges)
        })
        .collect()
}

/// What holds of every database whatever was done to it: no row points nowhere, the reverse index
/// and the advisories name each other, the coverage counts are those of the rows.
pub(crate) fn assert_whole(database: &Database) {
    let count = |sql: &str| -> i64 {
        database.session.one("counting", sql, &[], |row| row.integer(0)).expect("a count")
    };
    if database.session.sqlite().is_some() {
        let lost = "SELECT count(*) FROM pragma_foreign_key_check";
        assert_eq!(count(lost), 0, "rows point nowhere");
    }
    assert_eq!(
        count(
            "SELECT count(*) FROM affected JOIN advisory ON advisory.id = affected.advisory \
             WHERE state <> 0"
        ),
        0,
        "the reverse index holds advisories that are not live"
    );
    assert_eq!(
        count(
            "SELECT count(*) FROM coverage WHERE row_count <> (SELECT count(*) FROM affected \
             JOIN advisory ON advisory.id = affected.advisory \
             WHERE affected.scope = coverage.scope AND advisory.part = coverage.part)"
        ),
        0,
        "the coverage counts are wrong"
    );
    assert_eq!(
        count("SELECT CAST(coalesce(sum(row_count), 0) AS BIGINT) FROM coverage"),
        count("SELECT count(*) FROM affected"),
        "some rows are not counted in the coverage"
    );
    let ids = database
        .session
        .all("listing", "SELECT id FROM advisory", &[], |row| row.integer(0))
        .expect("numbers");
    let whole = database.rows().whole(&ids).expect("advisories");
    let named: usize = whole.values().map(|whole| whole.advisory.affected.len()).sum();
    assert_eq!(
        i64::try_from(named).expect("few"),
        count("SELECT count(*) FROM affected"),
        "advisories do not name all their rows"
    );
    assert_rolls(database);
}

/// Every roll names the advisories that its part's feed has, and no other.
fn assert_rolls(database: &Database) {
    let session = &*database.session;
    let parts = session.all("listing", "SELECT id FROM part", &[], |row| row.integer(0));
    for part in parts.expect("numbers") {
        let mut found = Vec::new();
        let take = |listed: crate::roll::Listed| {
            found.push((listed.name_hash, listed.id));
            Ok(())
        };
        crate::roll::Roll::of(session, part).expect("a roll").each(take).expect("entries");
        let sql = "SELECT name, id FROM advisory WHERE part = ?1 AND state <> 2";
        let mut expected = session
            .all("listing", sql, values![part], |row| {
                Ok((crate::record::name_hash(row.text(0)?), row.integer(1)?))
            })
            .expect("advisories");
        expected.sort_unstable();
        assert_eq!(found, expected, "the roll of part {part}");
    }
}
