//! Ubuntu's CVE tracker.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use pratique_model::{Range, Severity, Status};

use crate::corpus::{self, Read};

/// The archive, read once for all tests.
fn read() -> Option<&'static Read> {
    static READ: OnceLock<Option<Read>> = OnceLock::new();
    READ.get_or_init(|| corpus::read("ubuntu")).as_ref()
}

/// The first words of the lines of releases that are known by name, counted by plain text search:
/// (release, is an extension's, status word).
fn words() -> BTreeMap<(String, bool, String), usize> {
    const OTHERS: [&str; 4] = ["upstream", "devel", "product", "snap"];
    let mut words = BTreeMap::new();
    corpus::each_file(&corpus::part("ubuntu").documents[0], &mut |path, content| {
        let mut folders = path.split('/').skip(1);
        let folder = folders.next().unwrap_or_default();
        let is_cve = folders.next().is_some_and(|file| file.starts_with("CVE-"));
        if !is_cve || !matches!(folder, "active" | "retired") {
            return;
        }
        let mut text = String::new();
        content.read_to_string(&mut text).expect("the file is UTF-8");
        for line in text.lines().filter(|it| it.starts_with(|c: char| c.is_ascii_lowercase())) {
            let Some((name, status)) = line.split_once(": ") else { continue };
            let (release, _) = name.split_once('_').expect("a line of a release");
            let base = release.trim_end_matches("/esm");
            if !OTHERS.contains(&base) && !base.contains('/') {
                let word = status.split_whitespace().next().unwrap_or_default().to_owned();
                let key = (base.to_owned(), base != release, word);
                *words.entry(key).or_insert(0) += 1;
            }
        }
    });
    words
}

#[test]
fn ubuntu_whole_archive_is_read() {
    let Some(read) = read() else { return };
    assert_eq!(read.quarantined, []);
    assert!(read.notes.iter().all(|note| note.text.starts_with("CVSS")), "{:?}", read.notes);
    assert_eq!(read.advisories.len(), 6509 + 26_422);
    let words = words();
    let count = |release: &str, word: &str| {
        words.get(&(release.to_owned(), false, word.to_owned())).copied().unwrap_or_default()
    };
    // Releases without an extension in this data: every line is a statement.
    for (codename, release) in
        [("bionic", "ubuntu:18.04"), ("eoan", "ubuntu:19.10"), ("xenial", "ubuntu:16.04")]
    {
        let read_of = |status: Status, remark: &str| {
            read.statements()
                .filter(|(_, it)| it.release.as_ref().is_some_and(|it| it.as_str() == release))
                .filter(|(_, it)| it.status == status)
                .filter(|(_, it)| it.remark.as_deref().unwrap_or_default() == remark)
                .count()
        };
        for (word, statuses) in [
            ("needed", &[Status::Affected][..]),
            ("pending", &[Status::Affected]),
            ("needs-triage", &[Status::UnderInvestigation]),
            ("deferred", &[Status::FixDeferred]),
            ("ignored", &[Status::WillNotFix, Status::EndOfLife]),
        ] {
            let read_count: usize = statuses.iter().map(|it| read_of(*it, word)).sum();
            assert_eq!(read_count, count(codename, word), "{codename} {word}");
        }
        assert_eq!(read_of(Status::NotAffected, ""), count(codename, "not-affected"), "{codename}");
        let released = read_of(Status::Fixed, "") + read_of(Status::Undetermined, "released");
        assert_eq!(released, count(codename, "released"), "{codename}");
        assert!(count(codename, "released") > 1000, "{codename}");
    }
}

/// A real record for every status word of the archive.
#[test]
fn ubuntu_records_of_every_status() {
    let Some(read) = read() else { return };
    let check = |id: &str, package: &str, release: &str, status, remark, fixed: Option<&str>| {
        let about = read.about(id, package);
        let of = about
            .iter()
            .find(|it| it.release.as_ref().is_some_and(|it| it.as_str() == release))
            .unwrap_or_else(|| panic!("{id} {package} {release} is missing: {about:?}"));
        assert_eq!(of.status, status, "{id} {package} {release}");
        assert_eq!(of.remark.as_deref(), remark, "{id} {package} {release}");
        let ranges: Vec<Range> = fixed.map(Range::below).into_iter().collect();
        assert_eq!(of.ranges, ranges, "{id} {package} {release}");
    };
    for (id, package, release, status, remark, fixed) in [
        ("CVE-2018-0489", "xmltooling", "16.04", Status::Fixed, None, Some("1.5.6-2ubuntu0.2")),
        ("CVE-2019-15680", "libvncserver", "16.04", Status::Affected, Some("needed"), None),
        ("CVE-2020-8648", "linux", "18.04", Status::Affected, Some("pending"), None),
        ("CVE-2014-3969", "xen", "14.10", Status::Undetermined, Some("released"), None),
        ("CVE-2020-1773", "otrs2", "18.04", Status::UnderInvestigation, Some("needs-triage"), None),
        ("CVE-2019-15690", "x11vnc", "18.04", Status::FixDeferred, Some("deferred"), None),
        ("CVE-2019-15680", "x11vnc", "14.04", Status::EndOfLife, Some("ignored"), None),
        ("CVE-2019-2426", "openjdk-lts", "18.04", Status::NotAffected, None, None),
    ] {
        check(id, package, &format!("ubuntu:{release}"), status, remark, fixed);
    }
    let esm = Some("2.7.6-8ubuntu0.6+esm3");
    check("CVE-2019-16056", "python2.7", "ubuntu:14.04", Status::Fixed, Some("esm"), esm);
    let esm = read.statements().filter(|(_, it)| it.remark.as_deref() == Some("esm")).count();
    assert!(esm > 500, "{esm}");
    let remarks = |word: &str, status| {
        let is = |it: &&pratique_model::Affected| it.remark.as_deref() == Some(word);
        read.statements().map(|(_, it)| it).filter(is).filter(|it| it.status == status).count()
    };
    assert!(remarks("ignored", Status::EndOfLife) > 10_000);
    assert!(remarks("ignored", Status::WillNotFix) > 10_000);
    assert!(remarks("needed", Status::Affected) > 5_000);
}

#[test]
fn ubuntu_priorities_are_severities() {
    let Some(read) = read() else { return };
    let count = |severity| read.advisories.iter().filter(|it| it.severity == severity).count();
    assert_eq!(count(Some(Severity::Critical)), 10);
    assert_eq!(count(Some(Severity::Negligible)), 746);
    assert_eq!(count(Some(Severity::High)), 600);
    assert_eq!(count(None), 633 + 2921);
    let koffice = &read.about("CVE-2009-0165", "koffice");
    assert!(koffice.iter().all(|it| it.severity == Some(Severity::Low)), "{koffice:?}");
}
