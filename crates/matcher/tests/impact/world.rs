//! A database with images and advisories that change, and what a reader of it expects.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use pratique_matcher::{Options, Progress, StepLimits, assess, backlog, step};
use pratique_model::{
    Advisory, Affected, Digest, Distro, Ecosystem, Enrichment, Epss, IndexReport, KnownExploited,
    NameKind, Package, PartId, Range, Release, Severity, SourcePackage, Status, Target,
};
use pratique_store::{
    ChangeKind, CommitOptions, Database, ImageFilter, NotificationFilter, Staging, StoredFinding,
    StoredPackage,
};

/// What a reader is told of one vulnerability in one package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown {
    pub(crate) advisory: String,
    pub(crate) part: String,
    pub(crate) status: Status,
    pub(crate) severity: Option<Severity>,
    pub(crate) fixed: Option<String>,
    pub(crate) suppression: Option<&'static str>,
    pub(crate) unparsable: Option<String>,
}

/// A database under test.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) now: Timestamp,
    pub(crate) limits: StepLimits,
    /// The advisories that each part holds now.
    pub(crate) parts: BTreeMap<String, BTreeMap<String, Advisory>>,
    /// The parts that hold a mere choice.
    pub(crate) choices: BTreeSet<String>,
    /// The facts that each part holds now.
    facts: BTreeMap<String, BTreeMap<String, Enrichment>>,
    /// How many notifications were read.
    read: Option<String>,
}

impl World {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            now: "2026-11-21T00:00:00Z".parse().expect("a time"),
            limits: StepLimits::default(),
            parts: BTreeMap::new(),
            choices: BTreeSet::new(),
            facts: BTreeMap::new(),
            read: None,
        }
    }

    pub(crate) fn in_memory() -> Self {
        Self::new(Database::in_memory().expect("a database"))
    }

    /// Makes these the advisories of a part, which are all that it holds.
    pub(crate) fn publish(&mut self, part: &str, advisories: &[Advisory]) {
        let by_id = advisories.iter().map(|one| (one.id.clone(), one.clone())).collect();
        self.parts.insert(part.to_owned(), by_id);
        self.commit(part, false);
    }

    /// Makes these a mere choice of what a part holds.
    pub(crate) fn publish_choice(&mut self, part: &str, advisories: &[Advisory]) {
        let by_id = advisories.iter().map(|one| (one.id.clone(), one.clone())).collect();
        self.parts.insert(part.to_owned(), by_id);
        self.commit(part, true);
    }

    /// Makes these the facts of a part, which are all that it holds.
    pub(crate) fn know(&mut self, part: &str, facts: &[Enrichment]) {
        let id = |fact: &Enrichment| match fact {
            Enrichment::Epss(epss) => epss.vulnerability.clone(),
            Enrichment::KnownExploited(kev) => kev.vulnerability.clone(),
            Enrichment::Nvd(nvd) => nvd.vulnerability.clone(),
        };
        let by_id = facts.iter().map(|fact| (id(fact), fact.clone())).collect();
        self.facts.insert(part.to_owned(), by_id);
        self.commit(part, false);
    }

    /// Commits what a part holds now.
    pub(crate) fn commit(&mut self, part: &str, is_partial: bool) {
        self.now += SignedDuration::from_secs(60);
        if is_partial {
            self.choices.insert(part.to_owned());
        } else {
            self.choices.remove(part);
        }
        let mut staging = Staging::new(part.parse::<PartId>().expect("a part"), None);
        for advisory in self.parts.get(part).into_iter().flat_map(BTreeMap::values) {
            staging.advisory(advisory);
        }
        for fact in self.facts.get(part).into_iter().flat_map(BTreeMap::values) {
            staging.enrichment(fact);
        }
        let options = CommitOptions {
            fingerprint: None,
            parser_version: 1,
            as_of: None,
            now: self.now,
            covers: Vec::new(),
            is_partial,
            force: true,
            fence: None,
        };
        self.database.commit(staging, &options).expect("the part is committed");
    }

    /// Registers an image of a release, if of any.
    pub(crate) fn register(&mut self, number: u8, release: Option<&str>, packages: &[Package]) {
        let report = IndexReport {
            target: Target {
                reference: format!("app-{number}"),
                digest: Some(Digest::from_bytes([number; 32])),
                ..Target::default()
            },
            distro: release.map(distro),
            packages: packages.to_vec(),
            partial: Vec::new(),
        };
        self.database.register_image(&report, &[], self.now).expect("registered");
    }

    /// Removes an image, if it is there.
    pub(crate) fn remove(&mut self, number: u8) {
        let name = Digest::from_bytes([number; 32]).to_string();
        for image in self.database.images_named(&name, 1).expect("an answer") {
            self.database.remove_image(image.key).expect("removed");
        }
    }

    /// Lets the matcher take one step; says whether there was one to take.
    pub(crate) fn step(&mut self) -> Option<Progress> {
        self.now += SignedDuration::from_secs(1);
        step(&self.database, None, self.limits, self.now).expect("a step")
    }

    /// Lets the matcher do all its work.
    pub(crate) fn drain(&mut self) -> Progress {
        let mut progress = Progress::default();
        while let Some(more) = self.step() {
            progress.add(&more);
            assert!(progress.step_count < 10_000, "the matcher finds no end: {progress:?}");
        }
        assert!(backlog(&self.database).expect("an answer").is_empty());
        progress
    }

    /// The notifications since this was asked last: reason, vulnerability, place/name, old, new.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        let filter = NotificationFilter::default();
        let found = self
            .database
            .notifications(&filter, self.read.as_deref(), 100_000)
            .expect("the outbox");
        if let Some(last) = found.last() {
            self.read = Some(last.id.clone());
        }
        let told = |notification: pratique_store::Notification| {
            let content = notification.content;
            let place = match &content.release {
                Some(release) => release.to_string(),
                None => content.ecosystem.to_string(),
            };
            Told {
                reason: content.reason,
                vulnerability: content.vulnerability,
                package: format!("{place}/{}", content.package),
                old: content.old,
                new: content.new,
                image_count: content.image_count,
            }
        };
        found.into_iter().map(told).collect()
    }

    /// The packages that images hold, whatever the matcher did with them.
    pub(crate) fn held(&self) -> BTreeMap<pratique_store::PackageKey, StoredPackage> {
        let filter = ImageFilter::default();
        let images = self.database.images(&filter, None, 10_000).expect("the images");
        let mut keys = BTreeSet::new();
        for image in images {
            keys.extend(self.database.image_packages(image.key).expect("an image's packages"));
        }
        let keys: Vec<_> = keys.into_iter().collect();
        let packages = self.database.packages(&keys).expect("packages");
        packages.into_iter().map(|package| (package.key, package)).collect()
    }

    /// What is stored of a package.
    pub(crate) fn stored(&self, package: &StoredPackage) -> BTreeMap<String, Shown> {
        let shown = |finding: StoredFinding| {
            let shown = Shown {
                advisory: finding.advisory,
                part: finding.part.to_string(),
                status: finding.status,
                severity: finding.severity,
                fixed: finding.fixed,
                suppression: finding.suppression.map(pratique_model::Suppression::as_str),
                unparsable: finding.unparsable,
            };
            (finding.vulnerability, shown)
        };
        let findings = self.database.findings_of(&[package.key], None).expect("findings");
        findings.into_iter().map(shown).collect()
    }

    /// What a scan of an image with nothing but this package shows, with the aliases of each.
    pub(crate) fn scanned(
        &self,
        package: &StoredPackage,
    ) -> BTreeMap<String, (Shown, Vec<String>)> {
        let report = IndexReport {
            distro: package.release.as_ref().map(|release| distro(release.as_str())),
            packages: vec![package.package.clone()],
            ..IndexReport::default()
        };
        let answer =
            assess(&report, &self.database, &Options::default(), self.now).expect("an answer");
        let suppressed = answer.suppressed.into_iter().map(|one| (one.finding, Some(one.reason)));
        let all = answer.findings.into_iter().map(|finding| (finding, None)).chain(suppressed);
        all.map(|(finding, reason)| {
            let shown = Shown {
                advisory: finding.advisory.id,
                part: finding.explanation.part.to_string(),
                status: finding.status,
                severity: finding.severity_source.map(|_| finding.severity),
                fixed: finding.fixed,
                suppression: reason.map(pratique_model::Suppression::as_str),
                unparsable: finding.unparsable,
            };
            (finding.id, (shown, finding.aliases))
        })
        .collect()
    }

    /// Whether all findings are what a scan shows.
    #[track_caller]
    pub(crate) fn check_findings(&self, context: &str) {
        for package in self.held().into_values() {
            let scanned = self.scanned(&package);
            let scanned: BTreeMap<String, Shown> =
                scanned.into_iter().map(|(id, (shown, _))| (id, shown)).collect();
            let stored = self.stored(&package);
            assert_eq!(stored, scanned, "{context}: stored (left) and scanned of {package:?}");
        }
    }
}

/// A notification, in short.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    pub(crate) reason: ChangeKind,
    pub(crate) vulnerability: String,
    pub(crate) package: String,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
    pub(crate) image_count: u64,
}

/// `new CVE-2024-0001 debian:12/openssl - fixed 2`.
impl std::fmt::Display for Told {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = |value: &Option<String>| value.as_deref().unwrap_or("-").to_owned();
        let (old, new) = (value(&self.old), value(&self.new));
        let Self { reason, vulnerability, package, image_count, .. } = self;
        write!(formatter, "{} {vulnerability} {package} {old} {new} {image_count}", reason.as_str())
    }
}

fn distro(release: &str) -> Distro {
    let (id, version) = release.split_once(':').unwrap_or((release, ""));
    Distro { id: id.to_owned(), version: version.to_owned(), ..Distro::default() }
}

/// A binary package, built from a source of that version.
pub(crate) fn built(ecosystem: Ecosystem, name: &str, source: &str, version: &str) -> Package {
    let source = SourcePackage { name: source.to_owned(), version: version.to_owned() };
    Package {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        arch: Some("amd64".to_owned()),
        source: Some(source),
        module: None,
        vendor: None,
        layer: None,
        paths: Vec::new(),
        owned_by: None,
        built_for: None,
        cataloger: "test",
    }
}

/// A package of Debian.
pub(crate) fn deb(name: &str, source: &str, version: &str) -> Package {
    built(Ecosystem::Deb, name, source, version)
}

/// A package of a language.
pub(crate) fn pypi(name: &str, version: &str) -> Package {
    let ecosystem = Ecosystem::Pypi;
    Package { arch: None, source: None, ..built(ecosystem, name, name, version) }
}

/// An advisory about CVEs (or none), of high severity.
pub(crate) fn advisory(id: &str, cves: &[&str], affected: &[Affected]) -> Advisory {
    Advisory {
        id: id.to_owned(),
        vulnerabilities: cves.iter().map(|cve| (*cve).to_owned()).collect(),
        affected: affected.to_vec(),
        severity: Some(Severity::High),
        ..Advisory::default()
    }
}

/// An advisory named like its CVE about a source package of bookworm, fixed in a version or in
/// none (`""`).
pub(crate) fn cve(id: &str, source: &str, fixed: &str) -> Advisory {
    advisory(id, &[id], &[below("debian:12", source, fixed)])
}

/// "The source package is affected below `fixed`", or in every version (`""`).
pub(crate) fn below(release: &str, source: &str, fixed: &str) -> Affected {
    let status = if fixed.is_empty() { Status::Affected } else { Status::Fixed };
    let ecosystem = match release {
        "wolfi" | "chainguard" => Ecosystem::Apk,
        _ => Ecosystem::Deb,
    };
    let mut affected = Affected::new(ecosystem, Some(Release::from_text(release)), source, status);
    affected.name_kind = NameKind::Source;
    if !fixed.is_empty() {
        affected.ranges.push(Range::below(fixed));
    }
    affected
}

/// The same of a Python package.
pub(crate) fn pypi_below(name: &str, fixed: &str) -> Affected {
    let status = if fixed.is_empty() { Status::Affected } else { Status::Fixed };
    let mut affected = Affected::new(Ecosystem::Pypi, None, name, status);
    if !fixed.is_empty() {
        affected.ranges.push(Range::below(fixed));
    }
    affected
}

/// "This CVE is known to be exploited."
pub(crate) fn kev(id: &str) -> Enrichment {
    Enrichment::KnownExploited(KnownExploited {
        vulnerability: id.to_owned(),
        added: jiff::civil::date(2026, 11, 20),
        due: None,
        ransomware: false,
    })
}

/// "This CVE is exploited with that probability."
pub(crate) fn epss(id: &str, score: f64) -> Enrichment {
    Enrichment::Epss(Epss {
        vulnerability: id.to_owned(),
        score,
        percentile: score,
        date: jiff::civil::date(2026, 11, 20),
    })
}
