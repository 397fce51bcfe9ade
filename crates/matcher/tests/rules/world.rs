//! Small databases and inventories.

use jiff::{SignedDuration, Timestamp};

use pratique_matcher::{Options, assess};
use pratique_model::{
    Advisory, Affected, Assessment, Distro, Ecosystem, Enrichment, IndexReport, NameKind, Package,
    PartId, Range, Release, SourcePackage, Status,
};
use pratique_store::{CommitOptions, Database, Staging};

/// The time of every assessment.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().expect("a time")
}

/// A database under construction, and an image.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) report: IndexReport,
    pub(crate) options: Options,
}

impl World {
    /// An empty database, and an image of a distribution, if any.
    pub(crate) fn new(distro: Option<(&str, &str)>) -> Self {
        let distro = distro.map(|(id, version)| Distro {
            id: id.to_owned(),
            version: version.to_owned(),
            ..Distro::default()
        });
        Self {
            database: Database::in_memory().expect("a database"),
            report: IndexReport { distro, ..IndexReport::default() },
            options: Options::default(),
        }
    }

    pub(crate) fn install(mut self, package: Package) -> Self {
        self.report.packages.push(package);
        self
    }

    /// Loads a part that is whole and fresh.
    pub(crate) fn publish(self, part: &str, advisories: &[Advisory]) -> Self {
        self.load(part, advisories, &[], false, SignedDuration::ZERO)
    }

    /// Loads facts about CVEs.
    pub(crate) fn know(self, part: &str, facts: &[Enrichment]) -> Self {
        self.load(part, &[], facts, false, SignedDuration::ZERO)
    }

    pub(crate) fn load(
        mut self,
        part: &str,
        advisories: &[Advisory],
        facts: &[Enrichment],
        is_partial: bool,
        age: SignedDuration,
    ) -> Self {
        let id: PartId = part.parse().expect("a part");
        let mut staging = Staging::new(id, None);
        for advisory in advisories {
            staging.advisory(advisory);
        }
        for fact in facts {
            staging.enrichment(fact);
        }
        let options = CommitOptions {
            fingerprint: None,
            parser_version: 1,
            as_of: None,
            now: now() - age,
            covers: Vec::new(),
            is_partial,
            force: false,
            fence: None,
        };
        self.database.commit(staging, &options).expect("the part is committed");
        self
    }

    pub(crate) fn assess(&self) -> Assessment {
        assess(&self.report, &self.database, &self.options, now()).expect("an answer")
    }

    /// The findings, each in one line: id, aliases, package, fixed version, status, advisory.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.assess().findings.iter().map(|finding| self.line(finding)).collect()
    }

    /// What is suppressed, each with its reason in front.
    pub(crate) fn suppressed(&self) -> Vec<String> {
        let line = |one: &pratique_model::Suppressed| {
            format!("{}: {}", one.reason.as_str(), self.line(&one.finding))
        };
        self.assess().suppressed.iter().map(line).collect()
    }

    fn line(&self, finding: &pratique_model::Finding) -> String {
        let name = &self.report.packages[finding.package_index].name;
        let fixed = finding.fixed.as_deref().unwrap_or("-");
        let (id, status) = (&finding.id, finding.status);
        let aliases = finding.aliases.join("+");
        let mut line = format!("{id} {name} {fixed} {status} by {}", finding.advisory.id);
        if !aliases.is_empty() {
            line.push_str(" also ");
            line.push_str(&aliases);
        }
        line
    }
}

/// A package with nothing but a name and a version; of a distribution, built from a source of the
/// same name and version.
pub(crate) fn package(ecosystem: Ecosystem, name: &str, version: &str) -> Package {
    let source = SourcePackage { name: name.to_owned(), version: version.to_owned() };
    Package {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        arch: None,
        source: ecosystem.is_distro().then_some(source),
        module: None,
        vendor: None,
        layer: None,
        paths: vec![format!("/{name}")],
        owned_by: None,
        built_for: None,
        cataloger: "test",
    }
}

/// An advisory about CVEs, with other ids.
pub(crate) fn advisory(id: &str, cves: &[&str], aliases: &[&str]) -> Advisory {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    Advisory {
        id: id.to_owned(),
        vulnerabilities: owned(cves),
        aliases: owned(aliases),
        ..Advisory::default()
    }
}

/// Adds a statement to an advisory.
pub(crate) fn about(mut advisory: Advisory, affected: Affected) -> Advisory {
    advisory.affected.push(affected);
    advisory
}

/// "Language package `name` is affected below `fixed`"; all versions where `fixed` is empty.
pub(crate) fn below(ecosystem: Ecosystem, name: &str, fixed: &str) -> Affected {
    let status = if fixed.is_empty() { Status::Affected } else { Status::Fixed };
    let mut affected = Affected::new(ecosystem, None, name, status);
    if !fixed.is_empty() {
        affected.ranges.push(Range::below(fixed));
    }
    affected
}

/// The same of a source package of a release.
pub(crate) fn source_below(
    ecosystem: Ecosystem,
    release: &str,
    name: &str,
    fixed: &str,
) -> Affected {
    let mut affected = below(ecosystem, name, fixed);
    affected.release = Some(Release::from_text(release));
    affected.name_kind = NameKind::Source;
    affected
}
