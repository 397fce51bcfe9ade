//! Debian: the security tracker's JSON, one member per source package.
//!
//! The file (about 65 MB) is cut into packages, each parsed by itself, so that memory follows the
//! largest package (the kernel, a few MB) and a broken entry costs only itself. Releases are keyed
//! by codename. What would surprise: `resolved` with the version `0` means that the release never
//! had the flaw, and one CVE comes once for each package, as an advisory of the same id. How each
//! status of the tracker is taken is in `docs/sources.md`.

use std::collections::BTreeSet;
use std::io::BufRead;

use serde::Deserialize;
use serde_json::value::RawValue;

use pratique_model::{
    Advisory, Affected, Ecosystem, NameKind, Note, PartId, Range, Release, Severity, Status, is_cve,
};

use crate::json::{self, Pairs, Text};
use crate::text;
use crate::{
    Container, Coverage, Document, FeedError, Parser, Part, Sink, Source, SourceKind, Summary,
};

/// How large the entries of one source package may be, in bytes. The kernel's, the largest, have
/// about 10 MB.
const PACKAGE_BYTES_MAX: usize = 64 << 20;

const TRACKER: &str = "https://security-tracker.debian.org/tracker";

const PARSER_VERSION: u32 = 1;

/// The source `debian`.
pub(crate) struct Debian;

impl Source for Debian {
    fn name(&self) -> &'static str {
        "debian"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Vulnerability
    }

    fn parts(&self, _year: u16) -> Vec<Part> {
        vec![Part {
            id: PartId::new("debian", "debian"),
            documents: vec![Document {
                url: format!("{TRACKER}/data/json"),
                container: Container::Plain,
                optional: false,
            }],
            covers: Coverage::Distribution("debian"),
            parser_version: PARSER_VERSION,
        }]
    }

    fn parser(&self, _part: &PartId) -> Box<dyn Parser> {
        Box::new(Tracker::default())
    }
}

#[derive(Default)]
struct Tracker {
    unknown_codenames: BTreeSet<String>,
}

/// One CVE of one source package.
#[derive(Deserialize)]
struct Issue<'a> {
    #[serde(default, borrow)]
    description: Option<Text<'a>>,
    #[serde(default, borrow)]
    releases: Pairs<Text<'a>, State<'a>>,
}

/// What the tracker says of it in one release.
#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(default, borrow)]
    fixed_version: Option<Text<'a>>,
    #[serde(default, borrow)]
    urgency: Option<Text<'a>>,
    #[serde(default, borrow)]
    nodsa: Option<Text<'a>>,
    #[serde(default, borrow)]
    nodsa_reason: Option<Text<'a>>,
}

impl Parser for Tracker {
    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        json::members(path, content, PACKAGE_BYTES_MAX, &mut |package, value| match value {
            Some(value) => self.package(package, value, sink),
            None => sink.quarantine(Note {
                subject: package.to_owned(),
                text: format!("entries of this package are longer than {PACKAGE_BYTES_MAX} bytes"),
            }),
        })
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        for codename in &self.unknown_codenames {
            sink.note(Note {
                subject: codename.clone(),
                text: "a release that is not known; its entries are left out".to_owned(),
            });
        }
        Ok(Summary::default())
    }
}

impl Tracker {
    fn package(&mut self, package: &str, value: &[u8], sink: &mut dyn Sink) {
        if let Ok(issues) = serde_json::from_slice::<Pairs<Text<'_>, Issue<'_>>>(value) {
            for (id, issue) in issues.0 {
                self.issue(package, &id, issue, sink);
            }
            return;
        }
        // Something in it is not as it should be: now entry by entry.
        match serde_json::from_slice::<Pairs<Text<'_>, &RawValue>>(value) {
            Ok(entries) => {
                for (id, entry) in entries.0 {
                    match serde_json::from_str(entry.get()) {
                        Ok(issue) => self.issue(package, &id, issue, sink),
                        Err(error) => sink.quarantine(Note {
                            subject: format!("{package} {}", &*id),
                            text: error.to_string(),
                        }),
                    }
                }
            }
            Err(error) => {
                sink.quarantine(Note { subject: package.to_owned(), text: error.to_string() });
            }
        }
    }

    fn issue(&mut self, package: &str, id: &str, issue: Issue<'_>, sink: &mut dyn Sink) {
        let mut affected = Vec::with_capacity(issue.releases.0.len());
        for (codename, state) in &issue.releases.0 {
            let Some(release) = Release::debian(codename) else {
                if !self.unknown_codenames.contains(&**codename) {
                    self.unknown_codenames.insert(codename.to_string());
                }
                continue;
            };
            match statement(package, release, state) {
                Ok(statement) => affected.push(statement),
                Err(problem) => sink.quarantine(Note {
                    subject: format!("{package} {id} {}", &**codename),
                    text: problem,
                }),
            }
        }
        let id = id.to_owned();
        sink.advisory(Advisory {
            url: Some(format!("{TRACKER}/{id}")),
            vulnerabilities: if is_cve(&id) { vec![id.clone()] } else { Vec::new() },
            summary: issue.description.and_then(|description| text::summary(&description)),
            id,
            affected,
            ..Advisory::default()
        });
    }
}

/// Brings one release's state to a statement; an error says in words what is not understood.
fn statement(package: &str, release: Release, state: &State<'_>) -> Result<Affected, String> {
    let urgency = state.urgency.as_deref().unwrap_or_default().trim_end_matches('*');
    let version = state.fixed_version.as_deref().filter(|version| !version.is_empty());
    let (status, remark) = match (&*state.status, version) {
        ("resolved", Some("0")) => (Status::NotAffected, None),
        ("resolved" | "open", Some(_)) => (Status::Fixed, None),
        // Not vulnerable as the release has it, since which version is not said.
        ("resolved", None) => (Status::Undetermined, Some("resolved")),
        ("open", None) if urgency == "end-of-life" => (Status::EndOfLife, Some(urgency)),
        ("open", None) => without_advisory(state),
        ("undetermined", _) => (Status::Undetermined, None),
        (other, _) => return Err(format!("unknown status: {}", text::quoted(other))),
    };
    let remark = if urgency == "unimportant" { Some(urgency) } else { remark };
    let severity = match urgency {
        "" | "not yet assigned" | "end-of-life" => None,
        word => Some(
            Severity::from_vendor_word(word)
                .ok_or_else(|| format!("unknown urgency: {}", text::quoted(word)))?,
        ),
    };
    let mut affected = Affected::new(Ecosystem::Deb, Some(release), package, status);
    affected.name_kind = NameKind::Source;
    affected.remark = remark.map(str::to_owned);
    affected.severity = severity;
    if status == Status::Fixed {
        affected.ranges.extend(version.map(Range::below));
    }
    Ok(affected)
}

/// An open flaw for which the security team writes no advisory: `<no-dsa>` of the tracker's lists
/// is `nodsa` without a reason, `<ignored>` and `<postponed>` are the reasons.
fn without_advisory<'a>(state: &'a State<'_>) -> (Status, Option<&'a str>) {
    match state.nodsa_reason.as_deref() {
        Some("ignored") => (Status::WillNotFix, Some("ignored")),
        Some("postponed") => (Status::FixDeferred, Some("postponed")),
        Some(reason) if !reason.is_empty() => (Status::Affected, Some(reason)),
        Some(_) => (Status::Affected, Some("no-dsa")),
        None if state.nodsa.is_some() => (Status::Affected, Some("no-dsa")),
        None => (Status::Affected, None),
    }
}

#[cfg(test)]
mod tests;
