//! A package found in an image.

use std::borrow::Cow;

use crate::{DiffId, Distro, Ecosystem, Purl};

/// A key that an rpm database lists among its packages; it is no software.
const RPM_PUBLIC_KEY: &str = "gpg-pubkey";

/// The source package that a binary package was built from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version, in the same scheme as the binary's.
    pub version: String,
}

/// One installed package, as the image's own records name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Which family it belongs to.
    pub ecosystem: Ecosystem,
    /// The name as its own metadata has it: Maven `group:artifact`, npm `@scope/name`, Go the raw
    /// module path with its case, `stdlib` for Go's standard library, PyPI unnormalised.
    pub name: String,
    /// The version as the ecosystem's own tool prints it: dpkg's `Version`, apk's with `-rN`,
    /// rpm's `[EPOCH:]VERSION-RELEASE` (epoch 0 left out), Go modules' with `v`, `stdlib` without.
    pub version: String,
    /// The architecture in the ecosystem's words, `amd64`, `x86_64`, `noarch`; `None` for
    /// languages.
    pub arch: Option<String>,
    /// The source package. Distro packages always have one (their own name and version when their
    /// record names none); `None` for languages. For rpm the version is `VERSION-RELEASE` of the
    /// source rpm, with the binary's epoch.
    pub source: Option<SourcePackage>,
    /// The rpm module stream that it belongs to, as its label says: `nodejs:18:8060020…:context`.
    pub module: Option<String>,
    /// Who built it, where the record says (rpm `Vendor`).
    pub vendor: Option<String>,
    /// The layer that brought the record; `None` outside images.
    pub layer: Option<DiffId>,
    /// Where the evidence lies, absolute from the image's root, sorted; a nested archive member is
    /// `outer.jar!/inner.jar`. Never empty.
    pub paths: Vec<String>,
    /// The name of the distro package that owns the files of this language package; such a package
    /// is listed but by default not matched, since the distro's advisories cover it.
    pub owned_by: Option<String>,
    /// The operating system and architecture a binary was built for, in Go's words
    /// (`linux/amd64`), where the record says; decides about advisories limited to a platform.
    pub built_for: Option<String>,
    /// Which cataloger found it.
    pub cataloger: &'static str,
}

impl Package {
    /// The package URL. `distro` gives a distro package its namespace and `distro` qualifier;
    /// language packages ignore it.
    pub fn purl(&self, distro: Option<&Distro>) -> Purl {
        Purl::of(self, distro)
    }

    /// The source package's name, or the package's own where there is none.
    pub fn source_name(&self) -> &str {
        self.source.as_ref().map_or(&*self.name, |source| &*source.name)
    }

    /// The source package's version, or the package's own where there is none.
    pub fn source_version(&self) -> &str {
        self.source.as_ref().map_or(&*self.version, |source| &*source.version)
    }

    /// The name under which feeds speak of it; see [`Ecosystem::lookup_name`].
    pub fn lookup_name(&self) -> Cow<'_, str> {
        self.ecosystem.lookup_name(&self.name)
    }

    /// Whether it is held against advisories at all: not what a distro package owns, whose
    /// advisories cover it, and not the public keys in an rpm database.
    pub fn is_matched(&self) -> bool {
        self.owned_by.is_none()
            && !(self.ecosystem == Ecosystem::Rpm && self.name == RPM_PUBLIC_KEY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(ecosystem: Ecosystem, name: &str) -> Package {
        Package {
            ecosystem,
            name: name.to_owned(),
            version: "1".to_owned(),
            arch: None,
            source: None,
            module: None,
            vendor: None,
            layer: None,
            paths: Vec::new(),
            owned_by: None,
            built_for: None,
            cataloger: "test",
        }
    }

    #[test]
    fn names_are_looked_up_as_feeds_write_them() {
        for (ecosystem, name, expected) in [
            (Ecosystem::Pypi, "Zope.Interface__x", "zope-interface-x"),
            (Ecosystem::Nuget, "Newtonsoft.Json", "newtonsoft.json"),
            (Ecosystem::Golang, "github.com/BurntSushi/toml", "github.com/BurntSushi/toml"),
        ] {
            assert_eq!(package(ecosystem, name).lookup_name(), expected);
        }
    }

    #[test]
    fn keys_and_owned_packages_are_not_matched() {
        assert!(package(Ecosystem::Rpm, "bash").is_matched());
        assert!(package(Ecosystem::Deb, "gpg-pubkey").is_matched());
        assert!(!package(Ecosystem::Rpm, "gpg-pubkey").is_matched());
        let owned_by = Some("python3-six".to_owned());
        assert!(!Package { owned_by, ..package(Ecosystem::Pypi, "six") }.is_matched());
    }
}
