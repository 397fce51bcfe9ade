//! Says which Maven packages one jar is made of, and finds the jars inside it.
//!
//! What counts, in this order: every `pom.properties` (a shaded jar has several), one of which is
//! the jar's own; without an own one, manifest and file name together. The own package comes first.
//! Archives in archives are opened where they lie: stored ones as a slice of the outer one,
//! deflated ones unpacked into memory, both within the limits below.

use crate::cataloger::{Evidence, Found};

use pratique_model::Ecosystem;

use super::manifest::{Manifest, Pom};
use super::zip::{Archive, Entry, ZipError};
use super::{file_name, group, is_archive};

/// How deep archives may lie in one another, the outermost counted: `--max-archive-depth` of
/// the design (scan). An `ear` with a `war` with a shaded jar is 3.
const DEPTH_MAX: usize = 8;

/// How much may be unpacked of one outermost file in all, in bytes: `--max-archive-expanded`.
const EXPANDED_BYTES_MAX: u64 = 4 << 30;

/// How long one archive inside an archive may be when it has to be unpacked into memory.
const INNER_BYTES_MAX: u64 = 64 << 20;

/// How much of archives inside archives may be in memory at once, all depths together.
const HELD_BYTES_MAX: u64 = 96 << 20;

/// How long a manifest may be; signed jars with a digest for each class come to a few MiB.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// How long a `pom.properties` may be; it has three lines.
const PROPERTIES_BYTES_MAX: u64 = 64 << 10;

/// How many `pom.properties` of one jar are read. The largest shaded jars known have about 300.
const PROPERTIES_MAX: usize = 4096;

/// How many archives inside one outermost file are opened, all depths together. The largest
/// applications have a few thousand.
const ARCHIVES_MAX: usize = 65_536;

/// Looks through one outermost archive and all inside it.
pub(super) struct Walk<'f> {
    found: &'f mut Found,
    /// What may still be unpacked, in bytes.
    expandable: u64,
    /// How many archives may still be opened.
    openable: usize,
    /// What archives inside archives hold in memory at the moment, in bytes.
    held: u64,
}

/// What an archive's directory shows of interest.
#[derive(Default)]
struct Members<'a> {
    manifest: Option<Entry<'a>>,
    properties: Vec<Entry<'a>>,
    inner: Vec<Entry<'a>>,
    folder: CommonFolder<'a>,
}

impl<'f> Walk<'f> {
    /// Starts with all limits unused.
    pub(super) fn new(found: &'f mut Found) -> Self {
        Self { found, expandable: EXPANDED_BYTES_MAX, openable: ARCHIVES_MAX, held: 0 }
    }

    /// Catalogs one archive. `name` is its file name; `inside` where it lies in the outermost one,
    /// `None` for that itself.
    ///
    /// # Errors
    /// [`ZipError`] when it is no archive. What is wrong with members is told and passed over.
    pub(super) fn archive(
        &mut self,
        bytes: &[u8],
        name: &str,
        inside: Option<&str>,
        depth: usize,
    ) -> Result<(), ZipError> {
        let archive = Archive::parse(bytes)?;
        let members = self.members(&archive, inside);
        let manifest = members.manifest.and_then(|entry| {
            self.read(&archive, &entry, MANIFEST_BYTES_MAX, inside)
                .map(|bytes| Manifest::parse(&bytes))
        });
        let mut poms = Vec::new();
        for entry in &members.properties {
            let Some(bytes) = self.read(&archive, entry, PROPERTIES_BYTES_MAX, inside) else {
                continue;
            };
            let pom = Pom::parse(&bytes, &String::from_utf8_lossy(entry.name));
            poms.extend(pom.filter(|pom| !poms.contains(pom)));
        }
        let folder = members.folder.as_text();
        for pom in packages(poms, &manifest.unwrap_or_default(), name, &folder) {
            let name = format!("{}:{}", pom.group, pom.artifact);
            let mut evidence = Evidence::new(Ecosystem::Maven, name, pom.version);
            evidence.inside = inside.map(str::to_owned);
            self.found.push(evidence);
        }
        for entry in &members.inner {
            self.inner(&archive, entry, inside, depth);
        }
        Ok(())
    }

    fn members<'a>(&mut self, archive: &Archive<'a>, inside: Option<&str>) -> Members<'a> {
        let mut members = Members::default();
        for entry in archive.entries() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.found.problem(place(inside, &error.to_string()));
                    break;
                }
            };
            if entry.name.ends_with(b".class") {
                members.folder.add(entry.name);
            } else if is_manifest(entry.name) {
                members.manifest = Some(entry);
            } else if is_properties(entry.name) {
                members.properties.push(entry);
            } else if is_archive(entry.name) && members.inner.len() <= ARCHIVES_MAX {
                members.inner.push(entry);
            }
        }
        let count = members.properties.len();
        if count > PROPERTIES_MAX {
            let problem = format!("{count} pom.properties, {PROPERTIES_MAX} are read");
            self.found.problem(place(inside, &problem));
            members.properties.truncate(PROPERTIES_MAX);
        }
        members
    }

    /// Reads a member, or tells why not.
    fn read<'a>(
        &mut self,
        archive: &Archive<'a>,
        entry: &Entry<'_>,
        limit: u64,
        inside: Option<&str>,
    ) -> Option<std::borrow::Cow<'a, [u8]>> {
        let is_last = limit > self.expandable;
        match archive.read(entry, limit.min(self.expandable)) {
            Ok(bytes) => {
                self.expandable = self.expandable.saturating_sub(bytes.len() as u64);
                Some(bytes)
            }
            Err(error) => {
                let at = nested(inside, entry.name);
                if is_last && matches!(error, ZipError::TooLarge(_)) {
                    self.found.problem(format!(
                        "{at}: more than the {EXPANDED_BYTES_MAX} bytes that are unpacked of a file"
                    ));
                } else {
                    self.found.problem(format!("{at}: {error}"));
                }
                None
            }
        }
    }

    fn inner(
        &mut self,
        archive: &Archive<'_>,
        entry: &Entry<'_>,
        inside: Option<&str>,
        depth: usize,
    ) {
        let at = nested(inside, entry.name);
        if depth >= DEPTH_MAX {
            self.found.problem(format!("{at}: more than {DEPTH_MAX} archives in one another"));
            return;
        }
        let Some(openable) = self.openable.checked_sub(1) else {
            self.found.problem(format!("{at}: more than {ARCHIVES_MAX} archives in one file"));
            return;
        };
        self.openable = openable;
        let limit = match entry.is_stored() {
            true => u64::MAX,
            false => INNER_BYTES_MAX.min(HELD_BYTES_MAX - self.held),
        };
        let Some(bytes) = self.read(archive, entry, limit, inside) else { return };
        let held = match &bytes {
            std::borrow::Cow::Borrowed(_) => 0,
            std::borrow::Cow::Owned(bytes) => bytes.len() as u64,
        };
        self.held += held;
        let name = String::from_utf8_lossy(file_name(entry.name)).into_owned();
        if let Err(error) = self.archive(&bytes, &name, Some(&at), depth + 1) {
            self.found.problem(format!("{at}: {error}"));
        }
        self.held -= held;
    }
}

/// The packages of one jar, its own first: see the module's prose.
fn packages(mut poms: Vec<Pom>, manifest: &Manifest, name: &str, folder: &str) -> Vec<Pom> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if let Some(own) = own_pom(&poms, manifest, stem) {
        poms[..=own].rotate_right(1);
        return poms;
    }
    // Several foreign poms without a name that says more: the jar adds nothing of its own.
    let (artifact, version) = super::file_name::split(stem);
    if !poms.is_empty() && version.is_none() {
        return poms;
    }
    if let Some(own) = own_package(artifact, version, manifest, folder)
        && !poms.contains(&own)
    {
        poms.insert(0, own);
    }
    poms
}

/// Which pom describes the jar itself: the one that the file is named after (`ARTIFACT-…` or, as
/// Eclipse names its plugins, `GROUP.ARTIFACT-…`), or the manifest, or an only one that nothing
/// speaks against.
fn own_pom(poms: &[Pom], manifest: &Manifest, stem: &str) -> Option<usize> {
    let named = |pom: &Pom| {
        // Both ways are tried: group and artifact may be one word (`dom4j:dom4j`), or the artifact
        // begin with the group (`org.apache.felix:org.apache.felix.framework`).
        let in_group = stem.strip_prefix(&*pom.group).and_then(|rest| rest.strip_prefix('.'));
        [Some(stem), in_group].into_iter().flatten().any(|stem| {
            let rest = stem.strip_prefix(&*pom.artifact);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    let longest = poms
        .iter()
        .enumerate()
        .filter(|(_, pom)| named(pom))
        .max_by_key(|(index, pom)| (pom.artifact.len(), std::cmp::Reverse(*index)));
    if let Some((index, _)) = longest {
        return Some(index);
    }
    let says_manifest = |pom: &Pom| {
        manifest.title.as_deref() == Some(&*pom.artifact)
            || manifest.symbolic_name.as_deref().is_some_and(|name| {
                name.strip_suffix(&*pom.artifact).is_some_and(|rest| {
                    rest.is_empty() || rest.strip_suffix('.') == Some(&*pom.group)
                })
            })
    };
    if let Some(index) = poms.iter().position(says_manifest) {
        return Some(index);
    }
    let [only] = poms else { return None };
    let versions = [
        super::file_name::split(stem).1,
        manifest.version.as_deref(),
        manifest.bundle_version.as_deref(),
    ];
    let speaks_for = versions.into_iter().flatten().any(|version| version == only.version);
    (speaks_for || versions[0].is_none()).then_some(0)
}

/// What manifest and file name say together; `None` when neither knows a version.
fn own_package(
    artifact: &str,
    version: Option<&str>,
    manifest: &Manifest,
    folder: &str,
) -> Option<Pom> {
    let said = [&manifest.version, &manifest.bundle_version, &manifest.specification_version];
    let said = said.into_iter().flatten().map(String::as_str).find(|text| is_version(text));
    let version = match (version, manifest.version.as_deref()) {
        // `1.2.3-acme` beside a manifest that says `1.2.3`: an unknown classifier.
        (Some(file), Some(said)) if file.strip_prefix(said).is_some_and(|r| r.starts_with('-')) => {
            said
        }
        (Some(file), _) => file,
        (None, _) => said?,
    };
    let artifact = match (group::tomcat_artifact(manifest), manifest.title.as_deref()) {
        (Some(tomcat), _) => tomcat,
        // A file without a version was renamed, or never was in a repository.
        (None, Some(title)) if artifact.is_empty() && group::is_artifact(title) => title,
        _ => artifact,
    };
    if !group::is_artifact(artifact) {
        return None;
    }
    let group = group::of(artifact, version, manifest, folder);
    Some(Pom { group, artifact: artifact.to_owned(), version: version.to_owned() })
}

fn is_version(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && group::is_artifact(text)
}

/// `META-INF/MANIFEST.MF`, in any case.
pub(super) fn is_manifest(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"META-INF/MANIFEST.MF")
}

/// `META-INF/maven/GROUP/ARTIFACT/pom.properties`, at the root or among an application's classes.
pub(super) fn is_properties(name: &[u8]) -> bool {
    let Some(folders) = name.strip_suffix(b"/pom.properties") else { return false };
    let rest = ["", "BOOT-INF/classes/", "WEB-INF/classes/"]
        .iter()
        .find_map(|above| folders.strip_prefix(above.as_bytes())?.strip_prefix(b"META-INF/maven/"));
    rest.is_some_and(|rest| rest.iter().filter(|byte| **byte == b'/').count() == 1)
}

/// Where a member lies, counted from the outermost archive.
fn nested(inside: Option<&str>, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    match inside {
        Some(inside) => format!("{inside}!/{name}"),
        None => name.into_owned(),
    }
}

fn place(inside: Option<&str>, problem: &str) -> String {
    match inside {
        Some(inside) => format!("{inside}: {problem}"),
        None => problem.to_owned(),
    }
}

/// The deepest folder above all classes; those that a multi-release jar or an application archive
/// keeps elsewhere are not counted.
#[derive(Default)]
struct CommonFolder<'a>(Option<&'a [u8]>);

impl<'a> CommonFolder<'a> {
    fn add(&mut self, name: &'a [u8]) {
        if [&b"META-INF/"[..], b"BOOT-INF/", b"WEB-INF/"].iter().any(|top| name.starts_with(top)) {
            return;
        }
        let end = name.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let folder = &name[..end];
        // `module-info.class` lies at the root of every modular jar.
        if folder.is_empty() {
            return;
        }
        let Some(common) = self.0 else {
            self.0 = Some(folder);
            return;
        };
        if folder == common {
            return;
        }
        let same = common.iter().zip(folder).take_while(|(a, b)| a == b).count();
        let is_cut = |path: &[u8]| path.get(same).is_none_or(|byte| *byte == b'/');
        let end = if is_cut(common) && is_cut(folder) {
            same
        } else {
            common[..same].iter().rposition(|byte| *byte == b'/').unwrap_or(0)
        };
        self.0 = Some(&common[..end]);
    }

    fn as_text(&self) -> String {
        String::from_utf8_lossy(self.0.unwrap_or(b"")).into_owned()
    }
}

#[cfg(test)]
mod tests;
