//! Package URLs, derived from packages and read from SBOMs.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::{Distro, Ecosystem, Package};

/// A package URL (ECMA-427): `pkg:type/namespace/name@version?qualifiers`. Two are equal if their
/// canonical texts are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    kind: String,
    namespace: Vec<String>,
    name: String,
    version: Option<String>,
    qualifiers: Vec<(String, String)>,
    subpath: Option<String>,
}

/// A text that is not a package URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("package URL {text:?}: {problem}")]
pub struct PurlError {
    /// The text as given, at most 200 characters.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Purl {
    /// The package URL of a package; see [`Package::purl`].
    pub(crate) fn of(package: &Package, distro: Option<&Distro>) -> Self {
        let (namespace, name) = namespace_and_name(package, distro);
        let mut version = package.version.clone();
        let mut qualifiers = Vec::new();
        if let Some(arch) = &package.arch {
            qualifiers.push(("arch".to_owned(), arch.clone()));
        }
        if package.ecosystem.is_distro() {
            if let Some(distro) = distro {
                let text = match distro.version.as_str() {
                    "" => distro.codename.as_ref().map_or_else(
                        || distro.id.clone(),
                        |codename| format!("{}-{codename}", distro.id),
                    ),
                    version => format!("{}-{version}", distro.id),
                };
                qualifiers.push(("distro".to_owned(), text));
            }
            if package.ecosystem == Ecosystem::Rpm
                && let Some((epoch, rest)) = package.version.split_once(':')
            {
                qualifiers.push(("epoch".to_owned(), epoch.to_owned()));
                version = rest.to_owned();
            }
        }
        qualifiers.sort();
        Self {
            kind: package.ecosystem.as_str().to_owned(),
            namespace,
            name,
            version: (!version.is_empty()).then_some(version),
            qualifiers,
            subpath: None,
        }
    }

    /// The type, `deb`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The namespace's segments, decoded; empty if there is none.
    pub fn namespace(&self) -> &[String] {
        &self.namespace
    }

    /// The name, decoded.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version, decoded.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The value of a qualifier, decoded.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.iter().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// The ecosystem that the type means; `None` for a type we do not match.
    pub fn ecosystem(&self) -> Option<Ecosystem> {
        self.kind.parse().ok()
    }
}

fn namespace_and_name(package: &Package, distro: Option<&Distro>) -> (Vec<String>, String) {
    let split = |text: &str, separator: char| -> (Vec<String>, String) {
        match text.rsplit_once(separator) {
            Some((namespace, name)) => {
                (namespace.split('/').map(str::to_owned).collect(), name.to_owned())
            }
            None => (Vec::new(), text.to_owned()),
        }
    };
    match package.ecosystem {
        Ecosystem::Deb | Ecosystem::Apk | Ecosystem::Rpm => (
            distro
                .map(|distro| distro.id.clone())
                .filter(|id| !id.is_empty())
                .into_iter()
                .collect(),
            package.name.clone(),
        ),
        Ecosystem::Pypi => (Vec::new(), pypi_name(&package.name)),
        Ecosystem::Maven => split(&package.name, ':'),
        Ecosystem::Golang => split(&package.name.to_lowercase(), '/'),
        Ecosystem::Npm | Ecosystem::Composer => split(&package.name.to_lowercase(), '/'),
        Ecosystem::Gem
        | Ecosystem::Cargo
        | Ecosystem::Nuget
        | Ecosystem::Bitnami
        | Ecosystem::Generic => (Vec::new(), package.name.clone()),
    }
}

/// PEP 503: lower case, runs of `-`, `_` and `.` are one `-`.
fn pypi_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !normal.is_empty() {
            normal.push('-');
        }
        normal.push_str(&part.to_lowercase());
    }
    normal
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}", self.kind)?;
        for segment in &self.namespace {
            f.write_char('/')?;
            encode(f, segment)?;
        }
        f.write_char('/')?;
        encode(f, &self.name)?;
        if let Some(version) = &self.version {
            f.write_char('@')?;
            encode(f, version)?;
        }
        for (index, (key, value)) in self.qualifiers.iter().enumerate() {
            f.write_char(if index == 0 { '?' } else { '&' })?;
            f.write_str(key)?;
            f.write_char('=')?;
            encode(f, value)?;
        }
        if let Some(subpath) = &self.subpath {
            write!(f, "#{subpath}")?;
        }
        Ok(())
    }
}

/// Percent-encodes all but letters, digits and `.-_~:`, as the specification's canonical form does.
fn encode(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                f.write_char(char::from(byte))?;
            }
            _ => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

impl FromStr for Purl {
    type Err = PurlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|problem| PurlError { text: text.chars().take(200).collect(), problem })
    }
}

fn parse(text: &str) -> Result<Purl, &'static str> {
    let rest = text.strip_prefix("pkg:").ok_or("it does not start with `pkg:`")?;
    let (rest, subpath) = match rest.split_once('#') {
        Some((rest, subpath)) => (rest, Some(subpath.trim_matches('/').to_owned())),
        None => (rest, None),
    };
    let (rest, qualifiers) = match rest.split_once('?') {
        Some((rest, qualifiers)) => (rest, parse_qualifiers(qualifiers)?),
        None => (rest, Vec::new()),
    };
    let rest = rest.trim_matches('/');
    let (kind, rest) = rest.split_once('/').ok_or("it has no name")?;
    // An unencoded scope (`pkg:npm/@scope/name`) has an `@` that starts no version.
    let (path, version) = match rest.rsplit_once('@') {
        Some((path, version)) if !path.is_empty() && !version.contains('/') => {
            (path, Some(decode(version).ok_or("its version is not UTF-8 percent-encoding")?))
        }
        _ => (rest, None),
    };
    let mut segments = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| decode(segment).ok_or("its name is not UTF-8 percent-encoding"))
        .collect::<Result<Vec<_>, _>>()?;
    let name = segments.pop().ok_or("it has no name")?;
    Ok(Purl {
        kind: kind.to_ascii_lowercase(),
        namespace: segments,
        name,
        version: version.filter(|version| !version.is_empty()),
        qualifiers,
        subpath,
    })
}

fn parse_qualifiers(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut qualifiers = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("a qualifier has no value")?;
        let value = decode(value).ok_or("a qualifier is not UTF-8 percent-encoding")?;
        if !value.is_empty() {
            qualifiers.push((key.to_ascii_lowercase(), value));
        }
    }
    qualifiers.sort();
    Ok(qualifiers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_texts_survive_a_round_trip() {
        for text in [
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12",
            "pkg:npm/%40angular/core@17.0.0",
            "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1",
            "pkg:golang/github.com/gin-gonic/gin@v1.6.3",
            "pkg:rpm/almalinux/dbus@1.12.8-14.el8?arch=x86_64&distro=almalinux-8.5&epoch=1",
            "pkg:generic/openssl",
        ] {
            assert_eq!(text.parse::<Purl>().expect("valid").to_string(), text);
        }
    }

    #[test]
    fn sloppy_texts_are_read_and_wrong_ones_named() {
        let purl: Purl = "pkg:NPM/@angular/core@17.0.0?b=2&a=1".parse().expect("readable");
        assert_eq!(purl.to_string(), "pkg:npm/%40angular/core@17.0.0?a=1&b=2");
        for bad in ["", "npm/core", "pkg:npm", "pkg:npm/", "pkg:npm/%zz", "pkg:npm/a?b"] {
            assert!(bad.parse::<Purl>().is_err(), "{bad:?} was taken");
        }
    }
}
