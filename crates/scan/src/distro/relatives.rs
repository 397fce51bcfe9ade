//! The files that named a distribution before os-release did, and in its place.

use pratique_model::Distro;

use super::assignments;

pub(super) const LSB_RELEASE: &str = "etc/lsb-release";
pub(super) const ALPINE_RELEASE: &str = "etc/alpine-release";
pub(super) const DEBIAN_VERSION: &str = "etc/debian_version";

/// Files of one sentence, the particular before the general: Oracle's and CentOS's systems have a
/// `redhat-release` too.
const SENTENCES: [&str; 11] = [
    "etc/almalinux-release",
    "etc/rocky-release",
    "etc/oracle-release",
    "etc/centos-release",
    "etc/fedora-release",
    "etc/azurelinux-release",
    "etc/mariner-release",
    "etc/photon-release",
    "etc/SuSE-release",
    "etc/system-release",
    "etc/redhat-release",
];

/// How those sentences begin, and the `ID` that such a system has in os-release.
const BEGINNINGS: [(&str, &str); 15] = [
    ("AlmaLinux", "almalinux"),
    ("Rocky Linux", "rocky"),
    ("Oracle Linux", "ol"),
    ("CentOS", "centos"),
    ("Red Hat Enterprise Linux", "rhel"),
    ("Fedora", "fedora"),
    ("Amazon Linux", "amzn"),
    ("VMware Photon", "photon"),
    ("CBL-Mariner", "mariner"),
    ("Microsoft Azure Linux", "azurelinux"),
    ("Azure Linux", "azurelinux"),
    ("SUSE Linux Enterprise Server", "sles"),
    ("SUSE Linux Enterprise Desktop", "sled"),
    ("openSUSE Leap", "opensuse-leap"),
    ("openSUSE", "opensuse"),
];

/// Tells the distribution by whatever file there is; `text` gives a file's text by its path.
pub(super) fn identify<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Option<Distro> {
    let sentence = SENTENCES.iter().filter_map(|path| text(path)).find_map(from_sentence);
    sentence
        .or_else(|| text(ALPINE_RELEASE).and_then(from_alpine_release))
        .or_else(|| text(LSB_RELEASE).and_then(from_lsb_release))
        .or_else(|| text(DEBIAN_VERSION).and_then(from_debian_version))
}

fn from_sentence(text: &str) -> Option<Distro> {
    let line = text.lines().next()?.trim();
    let (beginning, id) = BEGINNINGS.iter().find(|(beginning, _)| line.starts_with(beginning))?;
    let mut words = line.get(beginning.len()..)?.split_whitespace();
    let version = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let mut version = version?.to_owned();
    // SUSE's second number is the service pack, on a line of its own.
    let pack = text.lines().filter_map(|line| line.strip_prefix("PATCHLEVEL")).next();
    let pack = pack.map(|pack| pack.trim_start_matches([' ', '=']).trim());
    if let Some(pack) = pack.filter(|pack| !matches!(*pack, "" | "0")) {
        version = format!("{version}.{pack}");
    }
    Some(Distro { id: (*id).to_owned(), version, name: line.to_owned(), ..Distro::default() })
}

fn from_alpine_release(text: &str) -> Option<Distro> {
    let version = text.lines().next()?.trim();
    let name = format!("Alpine Linux {version}");
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| Distro {
        id: "alpine".to_owned(),
        version: version.to_owned(),
        name,
        ..Distro::default()
    })
}

fn from_lsb_release(text: &str) -> Option<Distro> {
    let fields = assignments(text);
    let id = fields.get("DISTRIB_ID").filter(|id| !id.is_empty())?.to_ascii_lowercase();
    let version = fields.get("DISTRIB_RELEASE").cloned().unwrap_or_default();
    let name = fields.get("DISTRIB_DESCRIPTION").cloned();
    Some(Distro {
        name: name.unwrap_or_else(|| format!("{id} {version}")),
        codename: fields.get("DISTRIB_CODENAME").filter(|name| !name.is_empty()).cloned(),
        id,
        version,
        ..Distro::default()
    })
}

/// `11.6` is Debian 11; `trixie/sid` is what both testing and unstable have.
fn from_debian_version(text: &str) -> Option<Distro> {
    let text = text.lines().next()?.trim();
    let major = text.split('.').next().filter(|major| major.parse::<u32>().is_ok());
    let codename = debian_codename(text);
    (major.is_some() || codename.is_some()).then(|| Distro {
        id: "debian".to_owned(),
        version: major.unwrap_or_default().to_owned(),
        codename,
        name: format!("Debian GNU/Linux {text}"),
        ..Distro::default()
    })
}

/// The codename in `trixie/sid`, or in a bare `sid`.
pub(super) fn debian_codename(text: &str) -> Option<String> {
    let text = text.trim();
    let name = text.strip_suffix("/sid").unwrap_or(text);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    is_name.then(|| name.to_owned())
}
