//! Alpine's secdb, and Wolfi's and Chainguard's in the same form: for each source package the
//! versions that mend flaws, with the ids of those.
//!
//! Packages are origins (source names). What would surprise: the version `0` means that the package
//! never had the flaw; one string may hold several ids, which are written by hand (see
//! [`identifiers`]); and the files have no date. Alpine's two repositories of a branch make one
//! part, since a package lives in one of them.

mod identifiers;

use std::io::BufRead;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use pratique_model::{
    Advisory, Affected, Ecosystem, NameKind, Note, PartId, Range, Release, Status,
};

use self::identifiers::Identifiers;
use crate::json::{self, Pairs, Text};
use crate::text;
use crate::{
    Container, Coverage, Document, EVERY_MINUTE, FeedError, HOURLY, Parser, Part, Sink, Source,
    SourceKind, Summary,
};

/// How large one secdb file may be, in bytes. Alpine's have a few hundred KB, Chainguard's some
/// tens of MB.
const DOCUMENT_BYTES_MAX: usize = 256 << 20;

/// The first branch that has a secdb, v3.2.
const BRANCH_FIRST: u16 = 2;

/// Alpine branches twice a year: v3.18 and v3.19 are of 2023. A branch of this year that is not
/// there yet is absent, which is no failure.
const BRANCH_OF_2023: u16 = 19;

/// No branch beyond this one is asked for, whatever year the clock says.
const BRANCH_MAX: u16 = 60;

/// How many branches count as mended: four, and those of a year that are not there yet.
const BRANCHES_MENDED: u16 = 6;

const PARSER_VERSION: u32 = 1;

/// The source `alpine`.
pub(crate) static ALPINE: Secdb = Secdb { name: "alpine", url: None };

/// The source `wolfi`.
pub(crate) static WOLFI: Secdb =
    Secdb { name: "wolfi", url: Some("https://packages.wolfi.dev/os/security.json") };

/// The source `chainguard`. Its images hold packages of Wolfi too.
pub(crate) static CHAINGUARD: Secdb =
    Secdb { name: "chainguard", url: Some("https://packages.cgr.dev/chainguard/security.json") };

/// A distribution that publishes in secdb's form; `url` is that of a rolling one.
pub(crate) struct Secdb {
    name: &'static str,
    url: Option<&'static str>,
}

impl Source for Secdb {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Vulnerability
    }

    fn parts(&self, year: u16) -> Vec<Part> {
        let part = |name: &str, release: Release, documents: Vec<Document>| Part {
            id: PartId::new(self.name, name),
            documents,
            covers: Coverage::Release(release),
            parser_version: PARSER_VERSION,
        };
        if let Some(url) = self.url {
            let documents = vec![document(url.to_owned(), false)];
            return vec![part(self.name, Release::new(self.name, ""), documents)];
        }
        let mut branches: Vec<String> =
            (BRANCH_FIRST..=newest_branch(year)).map(|minor| format!("v3.{minor}")).collect();
        branches.push("edge".to_owned());
        let parts = branches.iter().map(|branch| {
            let url = |repository| format!("https://secdb.alpinelinux.org/{branch}/{repository}");
            let documents =
                vec![document(url("main.json"), false), document(url("community.json"), true)];
            part(branch, release_of(self.name, branch), documents)
        });
        parts.collect()
    }

    fn parser(&self, part: &PartId) -> Box<dyn Parser> {
        let release = match self.url {
            Some(_) => Release::new(self.name, ""),
            None => release_of(self.name, part.part()),
        };
        Box::new(Reader { branch: part.part().to_owned(), release, buffer: Vec::new() })
    }

    /// Branches that Alpine still mends (two years, four branches) and rolling ones change any
    /// time; others hardly ever.
    fn interval(&self, part: &PartId, year: u16) -> Duration {
        let minor = part.part().strip_prefix("v3.").and_then(|minor| minor.parse::<u16>().ok());
        match minor {
            Some(minor) if minor.saturating_add(BRANCHES_MENDED) <= newest_branch(year) => HOURLY,
            _ => EVERY_MINUTE,
        }
    }
}

/// The newest branch that a year can have.
fn newest_branch(year: u16) -> u16 {
    let newest = BRANCH_OF_2023.saturating_add(year.saturating_sub(2023).saturating_mul(2));
    newest.min(BRANCH_MAX)
}

fn document(url: String, optional: bool) -> Document {
    Document { url, container: Container::Plain, optional }
}

fn release_of(name: &str, branch: &str) -> Release {
    Release::new(name, branch.trim_start_matches('v'))
}

struct Reader {
    branch: String,
    release: Release,
    buffer: Vec<u8>,
}

/// The whole file; the packages are parsed one by one.
#[derive(Deserialize)]
struct Database<'a> {
    #[serde(default, borrow)]
    distroversion: Option<Text<'a>>,
    #[serde(borrow)]
    packages: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    pkg: Package<'a>,
}

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    secfixes: Pairs<Text<'a>, Option<Vec<Text<'a>>>>,
}

impl Parser for Reader {
    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        json::read_whole(path, content, DOCUMENT_BYTES_MAX, &mut buffer)?;
        let database: Database<'_> = serde_json::from_slice(&buffer)
            .map_err(|error| FeedError::form(path, format!("not a secdb: {error}")))?;
        if let Some(branch) = database.distroversion.as_deref().filter(|it| *it != self.branch) {
            let problem = format!("is of branch {}, not {}", text::quoted(branch), self.branch);
            return Err(FeedError::form(path, problem));
        }
        for (index, package) in database.packages.iter().enumerate() {
            match serde_json::from_str::<Entry<'_>>(package.get()) {
                Ok(entry) => self.package(&entry.pkg, sink),
                Err(error) => sink.quarantine(Note {
                    subject: format!("{path}: packages[{index}]"),
                    text: format!("{error}: {}", text::quoted(package.get())),
                }),
            }
        }
        self.buffer = buffer;
        Ok(())
    }

    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        Ok(Summary::default())
    }
}

impl Reader {
    fn package(&self, package: &Package<'_>, sink: &mut dyn Sink) {
        let mended = self.mended_ids(package);
        for (version, strings) in &package.secfixes.0 {
            let clean = version.trim_matches(|c: char| c == '"' || c.is_whitespace());
            if clean != &**version {
                sink.note(note(package, version, &format!("read as {}", text::quoted(clean))));
            }
            if clean.is_empty() {
                sink.quarantine(note(package, version, "an empty version"));
                continue;
            }
            for string in strings.iter().flatten() {
                let found = Identifiers::parse(string);
                if let Some(problem) = &found.problem {
                    sink.note(note(package, version, problem));
                }
                if found.cves.is_empty() && found.others.is_empty() {
                    let problem = format!("no id in {}", text::quoted(string));
                    sink.quarantine(note(package, version, &problem));
                    continue;
                }
                if clean == "0" && found.ids().any(|id| mended.binary_search(id).is_ok()) {
                    let problem =
                        format!("{} also has a version that mends it", text::quoted(string));
                    sink.note(note(package, version, &problem));
                    continue;
                }
                self.statement(package, clean, &found, sink);
            }
        }
    }

    /// The ids that some version other than `0` mends, sorted; empty unless the package has a `0`.
    fn mended_ids(&self, package: &Package<'_>) -> Vec<String> {
        let is_never = |version: &str| version.trim_matches('"') == "0";
        if !package.secfixes.0.iter().any(|(version, _)| is_never(version)) {
            return Vec::new();
        }
        let mended = package.secfixes.0.iter().filter(|(version, _)| !is_never(version));
        let mut ids: Vec<String> = mended
            .flat_map(|(_, strings)| strings.iter().flatten())
            .flat_map(|string| Identifiers::parse(string).ids().cloned().collect::<Vec<_>>())
            .collect();
        ids.sort_unstable();
        ids
    }

    fn statement(
        &self,
        package: &Package<'_>,
        version: &str,
        found: &Identifiers,
        sink: &mut dyn Sink,
    ) {
        let status = if version == "0" { Status::NotAffected } else { Status::Fixed };
        let release = Some(self.release.clone());
        let mut affected = Affected::new(Ecosystem::Apk, release, &*package.name, status);
        affected.name_kind = NameKind::Source;
        affected.remark.clone_from(&found.comment);
        if status == Status::Fixed {
            affected.ranges.push(Range::below(version));
        }
        for advisory in found.advisories() {
            let url = self.url(&advisory);
            sink.advisory(Advisory { url, affected: vec![affected.clone()], ..advisory });
        }
    }

    fn url(&self, advisory: &Advisory) -> Option<String> {
        match self.release.distribution() {
            "alpine" => Some(format!("https://security.alpinelinux.org/vuln/{}", advisory.id)),
            _ => None,
        }
    }
}

fn note(package: &Package<'_>, version: &str, problem: &str) -> Note {
    Note { subject: format!("{} {version}", &*package.name), text: problem.to_owned() }
}

#[cfg(test)]
mod tests;
