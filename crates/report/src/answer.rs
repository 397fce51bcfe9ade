//! What every format is made from.

use std::collections::BTreeMap;

use jiff::Timestamp;

use pratique_model::{Assessment, DataPart, Finding, IndexReport, Package, Severity, Suppression};

/// An inventory with its assessment, ready to be written.
#[derive(Debug)]
pub struct Answer<'a> {
    /// What is in the image.
    pub report: &'a IndexReport,
    /// What is wrong with it.
    pub assessment: &'a Assessment,
    /// How it is to be written.
    pub options: &'a Options,
    /// The package URLs, one per package of the report.
    purls: Vec<String>,
}

/// How an answer is written. The default is plain, complete and without a limit to its width.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The present time; gives the date of the JSON report and the ages of data. `None` leaves both
    /// out, as `--reproducible` asks.
    pub now: Option<Timestamp>,
    /// Whether the answer must be the same wherever and whenever it is made from the same input:
    /// no time of its own, and of a path that the user gave only the last part.
    pub is_reproducible: bool,
    /// Whether the table and CSV list what is suppressed too; JSON always does.
    pub shows_suppressed: bool,
    /// The width of the terminal in columns; `None` for no limit.
    pub width: Option<usize>,
    /// Whether the table is coloured.
    pub has_colour: bool,
}

/// How many findings there are, by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Findings of severity critical.
    pub critical: usize,
    /// Findings of severity high.
    pub high: usize,
    /// Findings of severity medium.
    pub medium: usize,
    /// Findings of severity low.
    pub low: usize,
    /// Findings of severity negligible.
    pub negligible: usize,
    /// Findings that nobody rates.
    pub unknown: usize,
    /// Findings with a version that mends them.
    pub fixable: usize,
}

impl<'a> Answer<'a> {
    /// Joins the three. `assessment` must be of `report`: findings name packages by their index.
    pub fn new(report: &'a IndexReport, assessment: &'a Assessment, options: &'a Options) -> Self {
        let distro = report.distro.as_ref();
        let purls = report.packages.iter().map(|package| package.purl(distro).to_string());
        Self { report, assessment, options, purls: purls.collect() }
    }

    /// The package that a finding is about.
    pub(crate) fn package(&self, finding: &Finding) -> &'a Package {
        &self.report.packages[finding.package_index]
    }

    /// The package URL of the package that a finding is about.
    pub(crate) fn purl(&self, finding: &Finding) -> &str {
        &self.purls[finding.package_index]
    }

    /// All package URLs, in the order of packages.
    pub(crate) fn purls(&self) -> &[String] {
        &self.purls
    }

    /// The findings to be listed: those shown, then those suppressed if they were asked for.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (&'a Finding, Option<Suppression>)> {
        let suppressed: &'a [_] =
            if self.options.shows_suppressed { &self.assessment.suppressed } else { &[] };
        let shown = self.assessment.findings.iter().map(|finding| (finding, None));
        shown.chain(suppressed.iter().map(|one| (&one.finding, Some(one.reason))))
    }

    /// How many findings are suppressed, by reason.
    pub(crate) fn suppressed_counts(&self) -> BTreeMap<Suppression, usize> {
        let mut counts = BTreeMap::new();
        for suppressed in &self.assessment.suppressed {
            *counts.entry(suppressed.reason).or_default() += 1;
        }
        counts
    }

    /// How the target is named: as the user did, or, to be reproducible, a path's last part.
    pub(crate) fn reference(&self) -> &'a str {
        let reference = &*self.report.target.reference;
        let is_image_name = matches!(
            self.report.target.source.as_str(),
            "registry" | "containerd" | "docker" | "podman"
        );
        if self.options.is_reproducible && !is_image_name {
            let last = reference.trim_end_matches('/').rsplit('/').next();
            last.filter(|last| !last.is_empty()).unwrap_or(reference)
        } else {
            reference
        }
    }

    /// The present time, where the answer may tell it.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.options.now.filter(|_| !self.options.is_reproducible)
    }

    /// The whole days since the data of a part was made; `None` without a present time.
    pub(crate) fn age_days(&self, part: &DataPart) -> Option<i64> {
        self.now().map(|now| (now.duration_since(part.as_of).as_hours() / 24).max(0))
    }
}

impl Summary {
    /// Counts the findings shown.
    pub fn of(assessment: &Assessment) -> Self {
        let mut summary = Self::default();
        for finding in &assessment.findings {
            let count = match finding.severity {
                Severity::Critical => &mut summary.critical,
                Severity::High => &mut summary.high,
                Severity::Medium => &mut summary.medium,
                Severity::Low => &mut summary.low,
                Severity::Negligible => &mut summary.negligible,
                Severity::Unknown => &mut summary.unknown,
            };
            *count += 1;
            summary.fixable += usize::from(finding.fixed.is_some());
        }
        summary
    }
}
