//! From a package URL to a package.
//!
//! Other tools' URLs carry what their types do not have a place for in qualifiers: Syft's
//! `upstream` is the source package (`name`, `name@version`, or a source rpm's file name), `epoch`
//! is rpm's, `distro` is `id-version`.

use pratique_model::{Distro, Ecosystem, Package, Purl, SourcePackage};

use super::{CATALOGER, NO_PATH, distro};

/// The package that a URL names. What only properties of the component say is added by the caller;
/// a distro package without a source has its own name and version there.
pub(super) fn package(purl: &Purl) -> Package {
    let ecosystem = purl.ecosystem().unwrap_or(Ecosystem::Generic);
    let version = version(purl, ecosystem);
    let name = name(purl, ecosystem);
    let source = ecosystem.is_distro().then(|| source(purl, ecosystem, &name, &version));
    let arch = purl.qualifier("arch").filter(|_| ecosystem.is_distro()).map(str::to_owned);
    Package {
        ecosystem,
        name,
        version,
        arch,
        source,
        module: None,
        vendor: None,
        layer: None,
        paths: vec![NO_PATH.to_owned()],
        owned_by: None,
        built_for: None,
        cataloger: CATALOGER,
    }
}

/// The distribution that a package's URL names, `distro=debian-12`; the version is what follows the
/// last hyphen (`opensuse-leap-15.5`), a codename for Debian's unreleased ones.
pub(super) fn distro_of(purl: &Purl) -> Option<Distro> {
    let text = purl.qualifier("distro").filter(|text| !text.is_empty())?;
    let namespace = purl.namespace().last().map(String::as_str);
    if let Some(id) = namespace.filter(|_| text.starts_with(|letter: char| letter.is_ascii_digit()))
    {
        // Older versions of Trivy: `pkg:apk/alpine/musl@1.2.2-r7?distro=3.15.0`.
        return Some(distro(id, text));
    }
    let (id, version) = text.rsplit_once('-').unwrap_or((text, ""));
    if version.starts_with(|letter: char| letter.is_ascii_digit()) || version == "edge" {
        return Some(distro(id, version));
    }
    if !version.is_empty() && namespace == Some(id) {
        return Some(Distro { codename: Some(version.to_owned()), ..distro(id, "") });
    }
    Some(distro(text, ""))
}

/// The name as [`Package::name`] has it.
fn name(purl: &Purl, ecosystem: Ecosystem) -> String {
    let joined = |separator: &str| {
        let mut parts: Vec<&str> = purl.namespace().iter().map(String::as_str).collect();
        parts.push(purl.name());
        parts.join(separator)
    };
    match ecosystem {
        Ecosystem::Deb | Ecosystem::Apk | Ecosystem::Rpm => purl.name().to_owned(),
        Ecosystem::Maven if !purl.namespace().is_empty() => {
            format!("{}:{}", purl.namespace().join("."), purl.name())
        }
        // A type that we cannot match keeps its own name in front.
        Ecosystem::Generic if purl.kind() != "generic" => {
            format!("{}/{}", purl.kind(), joined("/"))
        }
        _ => joined("/"),
    }
}

/// The version as [`Package::version`] has it.
fn version(purl: &Purl, ecosystem: Ecosystem) -> String {
    let version = purl.version().unwrap_or_default();
    match (ecosystem, purl.qualifier("epoch")) {
        (Ecosystem::Rpm | Ecosystem::Deb, Some(epoch))
            if epoch != "0" && !version.contains(':') =>
        {
            format!("{epoch}:{version}")
        }
        (Ecosystem::Golang, _) if purl.name() == "stdlib" && purl.namespace().is_empty() => {
            version.trim_start_matches("go").trim_start_matches('v').to_owned()
        }
        _ => version.to_owned(),
    }
}

/// The source package by `upstream`, else the package itself.
fn source(purl: &Purl, ecosystem: Ecosystem, name: &str, version: &str) -> SourcePackage {
    let own = || SourcePackage { name: name.to_owned(), version: version.to_owned() };
    let Some(upstream) = purl.qualifier("upstream") else { return own() };
    if ecosystem == Ecosystem::Rpm {
        let epoch = version.split_once(':').map(|(epoch, _)| epoch);
        return source_rpm(upstream, epoch).unwrap_or_else(own);
    }
    match upstream.split_once('@') {
        Some((name, version)) => {
            SourcePackage { name: name.to_owned(), version: version.to_owned() }
        }
        None => SourcePackage { name: upstream.to_owned(), version: version.to_owned() },
    }
}

/// The source package in a source rpm's file name, `bash-4.4.20-2.el8.src.rpm`, with the binary's
/// epoch.
pub(super) fn source_rpm(file: &str, epoch: Option<&str>) -> Option<SourcePackage> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    let epoch = epoch.map_or_else(String::new, |epoch| format!("{epoch}:"));
    Some(SourcePackage { name: name.to_owned(), version: format!("{epoch}{version}-{release}") })
}
