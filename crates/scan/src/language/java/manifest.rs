//! Reads the two texts in which a jar says what it is: `META-INF/MANIFEST.MF` and Maven's
//! `pom.properties`.
//!
//! Both are read as bytes and turned into text late, because real ones hold every encoding. Values
//! that a build tool left unexpanded (`${project.version}`) count as missing.

/// The main attributes of a manifest that help to name its jar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// `Implementation-Title`.
    pub(super) title: Option<String>,
    /// `Implementation-Version`.
    pub(super) version: Option<String>,
    /// `Implementation-Vendor-Id`.
    pub(super) vendor_id: Option<String>,
    /// `Bundle-SymbolicName`, without its parameters.
    pub(super) symbolic_name: Option<String>,
    /// `Bundle-Version`.
    pub(super) bundle_version: Option<String>,
    /// `Automatic-Module-Name`.
    pub(super) module_name: Option<String>,
    /// `Specification-Version`.
    pub(super) specification_version: Option<String>,
}

impl Manifest {
    /// Reads the main section, up to the first empty line. A line that starts with a space goes on
    /// with the line before it; names are compared without case; the first of a name counts.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut manifest = Self::default();
        let mut pending: Vec<u8> = Vec::new();
        for line in lines(bytes) {
            if let Some(more) = line.strip_prefix(b" ") {
                pending.extend_from_slice(more);
                continue;
            }
            manifest.take(&pending);
            pending.clear();
            if line.is_empty() {
                return manifest;
            }
            pending.extend_from_slice(line);
        }
        manifest.take(&pending);
        manifest
    }

    fn take(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let slots = [
            ("Implementation-Title", &mut self.title),
            ("Implementation-Version", &mut self.version),
            ("Implementation-Vendor-Id", &mut self.vendor_id),
            ("Bundle-SymbolicName", &mut self.symbolic_name),
            ("Bundle-Version", &mut self.bundle_version),
            ("Automatic-Module-Name", &mut self.module_name),
            ("Specification-Version", &mut self.specification_version),
        ];
        for (known, slot) in slots {
            if name.eq_ignore_ascii_case(known.as_bytes()) && slot.is_none() {
                let value = String::from_utf8_lossy(value);
                let value = match known {
                    "Bundle-SymbolicName" => value.split(';').next().unwrap_or(""),
                    _ => &value,
                };
                *slot = filled(value);
            }
        }
    }
}

/// What Maven wrote into a jar about the artifact, or about one that was shaded into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pom {
    /// `groupId`.
    pub(super) group: String,
    /// `artifactId`.
    pub(super) artifact: String,
    /// `version`.
    pub(super) version: String,
}

impl Pom {
    /// Reads a `pom.properties`. What it does not say of group and artifact its path says:
    /// `META-INF/maven/GROUP/ARTIFACT/pom.properties`. `None` without a version.
    pub(super) fn parse(bytes: &[u8], path: &str) -> Option<Self> {
        let (mut group, mut artifact, mut version) = (None, None, None);
        for line in lines(bytes) {
            let line = String::from_utf8_lossy(line);
            let line = line.trim();
            if line.starts_with(['#', '!']) {
                continue;
            }
            let Some((key, value)) = line.split_once(['=', ':']) else { continue };
            // `:` and `=` in values are written with a backslash by Java's own writer.
            let value = filled(&value.replace('\\', ""));
            match key.trim() {
                "groupId" => group = value,
                "artifactId" => artifact = value,
                "version" => version = value,
                _ => {}
            }
        }
        let mut folders = path.rsplit('/').skip(1);
        let artifact = artifact.or_else(|| folders.clone().next().and_then(filled));
        folders.next();
        let group = group.or_else(|| folders.next().and_then(filled));
        Some(Self { group: group?, artifact: artifact?, version: version? })
    }
}

/// The text without white space around it, unless nothing is left or it is a placeholder.
fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    let is_placeholder = text.contains("${") || (text.starts_with('@') && text.ends_with('@'));
    (!text.is_empty() && !is_placeholder).then(|| text.to_owned())
}

/// Lines that end in `\r\n`, `\n` or `\r`.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let text = rest?;
        match text.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(end) => {
                let length = if text[end..].starts_with(b"\r\n") { 2 } else { 1 };
                rest = Some(&text[end + length..]);
                Some(&text[..end])
            }
            None => {
                rest = None;
                Some(text)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_lines_are_joined_and_later_sections_ignored() {
        let text = b"Manifest-Version: 1.0\r\nbundle-symbolicname: org.apache.comm\r\n ons.io;\
            singleton:=true\r\nImplementation-Version: 2.4\rImplementation-Title: Commons IO\n\
            Bundle-Version: ${v}\n\nName: org/x/\nImplementation-Vendor-Id: no\n";
        let manifest = Manifest::parse(text);
        assert_eq!(
            manifest,
            Manifest {
                title: Some("Commons IO".into()),
                version: Some("2.4".into()),
                symbolic_name: Some("org.apache.commons.io".into()),
                ..Manifest::default()
            }
        );
        assert_eq!(Manifest::parse(b""), Manifest::default());
        assert_eq!(Manifest::parse(b" \n \xff:\n"), Manifest::default());
    }

    #[test]
    fn properties_are_read_and_their_path_fills_gaps() {
        let path = "META-INF/maven/g.path/a.path/pom.properties";
        let check = |text: &str, expected: Option<(&str, &str, &str)>| {
            let expected = expected.map(|(group, artifact, version)| Pom {
                group: group.into(),
                artifact: artifact.into(),
                version: version.into(),
            });
            assert_eq!(Pom::parse(text.as_bytes(), path), expected, "{text}");
        };
        check("#x\nversion=1.0\ngroupId=g\nartifactId=a\n", Some(("g", "a", "1.0")));
        check("version : 1.0\r\n groupId = g\r\nartifactId: a", Some(("g", "a", "1.0")));
        check("version=1", Some(("g.path", "a.path", "1")));
        check("version=1\\:2", Some(("g.path", "a.path", "1:2")));
        check("version=${project.version}\ngroupId=g\nartifactId=a", None);
        check("version=@VERSION@", None);
        check("", None);
    }
}
