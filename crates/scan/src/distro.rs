//! Which distribution an image is made from.
//!
//! os-release says it almost always (os-release(5)); older systems have files of their own, told
//! apart by their first words. What os-release says is then set right where it is known to mislead:
//! Alpine's `edge` calls itself a future release, Debian's testing has no version at all.
//!
//! The result decides under which publisher's release an image's packages are matched, so a wrong
//! answer is worse than none.

pub(crate) mod end_of_life;
mod relatives;

use std::collections::BTreeMap;

use pratique_model::Distro;

/// The files that are read, in no order.
pub(crate) const FILES: [&str; 18] = [
    OS_RELEASE,
    USR_OS_RELEASE,
    REPOSITORIES,
    relatives::LSB_RELEASE,
    relatives::ALPINE_RELEASE,
    relatives::DEBIAN_VERSION,
    "etc/almalinux-release",
    "etc/rocky-release",
    "etc/oracle-release",
    "etc/centos-release",
    "etc/fedora-release",
    "etc/redhat-release",
    "etc/system-release",
    "etc/SuSE-release",
    "etc/photon-release",
    "etc/mariner-release",
    "etc/azurelinux-release",
    FEDORA_OS_RELEASE,
];

const OS_RELEASE: &str = "etc/os-release";
const USR_OS_RELEASE: &str = "usr/lib/os-release";
/// Where Fedora before 30 keeps what `usr/lib/os-release` is a link to.
const FEDORA_OS_RELEASE: &str = "usr/lib/os.release.d/os-release-fedora";
const REPOSITORIES: &str = "etc/apk/repositories";

/// These files are a few hundred bytes long.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 10;

/// Whether a file tells something about the distribution.
pub(crate) fn is_identity(path: &str) -> bool {
    FILES.contains(&path)
}

/// Tells the distribution by the texts of those files that the image has, by path. `None` when
/// nothing in them names one.
pub(crate) fn identify(texts: &BTreeMap<String, String>) -> Option<Distro> {
    let text = |path: &str| texts.get(path).map(String::as_str);
    let os_release = [OS_RELEASE, USR_OS_RELEASE, FEDORA_OS_RELEASE]
        .into_iter()
        .filter_map(text)
        .find_map(from_os_release);
    let mut distro = os_release.or_else(|| relatives::identify(text))?;
    match distro.id.as_str() {
        "alpine" => settle_alpine(&mut distro, text(REPOSITORIES)),
        "debian" if distro.codename.is_none() && distro.version.is_empty() => {
            distro.codename = text(relatives::DEBIAN_VERSION).and_then(relatives::debian_codename);
        }
        _ => {}
    }
    distro.eol = end_of_life::date(&distro);
    Some(distro)
}

/// Reads os-release; `None` if it names no distribution.
fn from_os_release(text: &str) -> Option<Distro> {
    let fields = assignments(text);
    let field = |name: &str| fields.get(name).filter(|value| !value.is_empty()).cloned();
    let id = field("ID")?.to_ascii_lowercase();
    let version = field("VERSION_ID").unwrap_or_default();
    let name = field("PRETTY_NAME")
        .or_else(|| field("NAME").map(|name| format!("{name} {version}").trim_end().to_owned()))
        .unwrap_or_else(|| format!("{id} {version}").trim_end().to_owned());
    let codename = field("VERSION_CODENAME").or_else(|| field("UBUNTU_CODENAME")).or_else(|| {
        // Debian before 9 has it in parentheses only, and its testing in the pretty name.
        let words = field("VERSION").unwrap_or_default();
        let (_, rest) = words.split_once('(')?;
        (id == "debian").then(|| rest.trim_end_matches(')').to_owned())
    });
    let codename = codename.or_else(|| {
        let last = name.rsplit(' ').next().filter(|_| id == "debian" && version.is_empty())?;
        relatives::debian_codename(last.strip_suffix("/sid")?)
    });
    let id_like = field("ID_LIKE").unwrap_or_default();
    let id_like = id_like.split_whitespace().map(str::to_ascii_lowercase).collect();
    Some(Distro { id, version, codename, name, id_like, eol: None })
}

/// The assignments of a file in os-release's form: shell quoting without any expansion. Of several
/// for one name the last counts, as in a shell.
fn assignments(text: &str) -> BTreeMap<&str, String> {
    let mut fields = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            fields.insert(name.trim(), unquote(value.trim()));
        }
    }
    fields
}

fn unquote(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut quote = None;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if character == open => quote = None,
            (Some('\''), _) => text.push(character),
            (_, '\\') => text.extend(characters.next()),
            _ => text.push(character),
        }
    }
    text
}

/// Alpine's repositories say which branch packages come from. `edge` has a `VERSION_ID` of the
/// release it will become, with `_alpha` and a date.
///
/// Only untagged repositories count (`@edge https://…` is used for single packages that a person
/// names), and of them only those that end in `/main` if there are any: a stable image with
/// `edge/testing` added is a stable image.
fn settle_alpine(distro: &mut Distro, repositories: Option<&str>) {
    let said: String = distro.version.split('.').take(2).collect::<Vec<_>>().join(".");
    let branches = branches(repositories.unwrap_or_default());
    if branches.iter().any(|branch| *branch == said) {
        return;
    }
    if branches.contains(&"edge") || distro.version.contains("_alpha") && branches.is_empty() {
        "edge".clone_into(&mut distro.version);
    } else if let Some(branch) = branches.iter().max_by_key(|branch| numbers(branch)) {
        (*branch).clone_into(&mut distro.version);
    }
}

/// The branches named by a repositories file, `edge` or `3.18`.
fn branches(text: &str) -> Vec<&str> {
    let mut main = Vec::new();
    let mut others = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', '@']) {
            continue;
        }
        let mut parts = line.trim_end_matches('/').rsplit('/');
        let (Some(repository), Some(branch)) = (parts.next(), parts.next()) else {
            continue;
        };
        let branch = branch.strip_prefix('v').unwrap_or(branch);
        if branch == "edge" || !numbers(branch).is_empty() {
            if repository == "main" { main.push(branch) } else { others.push(branch) }
        }
    }
    if main.is_empty() { others } else { main }
}

/// `3.18` as numbers, so that 3.9 comes before 3.18; empty for anything else.
fn numbers(branch: &str) -> Vec<u32> {
    branch.split('.').map(str::parse).collect::<Result<_, _>>().unwrap_or_default()
}

#[cfg(test)]
mod tests;
