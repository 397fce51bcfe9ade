//! Splits a jar's file name into artifact and version, as Maven and Gradle put them together:
//! `ARTIFACT-VERSION[-CLASSIFIER].jar`.
//!
//! The name is no syntax: artifacts hold numbers (`log4j-1.2-api-2.17.1`) and versions hold words
//! (`1.0-beta-2`). A version begins at the first dash before a digit, unless a later such dash
//! comes after a word that is no qualifier.

/// Words that stand inside versions, before a number of their own.
const QUALIFIERS: [&str; 18] = [
    "alpha",
    "beta",
    "milestone",
    "m",
    "rc",
    "cr",
    "sp",
    "ga",
    "final",
    "release",
    "snapshot",
    "pre",
    "preview",
    "ea",
    "b",
    "build",
    "jre",
    "incubating",
];

/// What Maven and Gradle append to name a variant of the same artifact and version.
const CLASSIFIERS: [&str; 24] = [
    "sources",
    "javadoc",
    "tests",
    "test",
    "test-sources",
    "jar-with-dependencies",
    "all",
    "shaded",
    "fat",
    "uber",
    "exec",
    "boot",
    "plain",
    "bin",
    "no_aop",
    "nohive",
    "standalone",
    "linux-x86_64",
    "linux-aarch_64",
    "linux-riscv64",
    "osx-x86_64",
    "osx-aarch_64",
    "windows-x86_64",
    "linux-ppcle_64",
];

/// Artifact and version of a file name without its ending; a name without a version is all
/// artifact.
pub(super) fn split(stem: &str) -> (&str, Option<&str>) {
    let mut stem = stem;
    while let Some(shorter) = without_classifier(stem) {
        stem = shorter;
    }
    let mut start = None;
    let mut is_open = false;
    let mut position = 0;
    for segment in stem.split('-') {
        let is_number = segment.starts_with(|first: char| first.is_ascii_digit());
        let before = position;
        position += segment.len() + 1;
        if before == 0 {
            continue;
        }
        if is_number && (start.is_none() || is_open) {
            start = Some(before);
            is_open = false;
        } else if !is_number && start.is_some() && !is_qualifier(segment) {
            is_open = true;
        }
    }
    match start {
        Some(start) => (&stem[..start - 1], Some(&stem[start..])),
        None => (stem, None),
    }
}

/// The name without a classifier at its end; only after a version, since artifacts are named so
/// too.
fn without_classifier(stem: &str) -> Option<&str> {
    let shorter = CLASSIFIERS
        .iter()
        .find_map(|classifier| stem.strip_suffix(classifier)?.strip_suffix('-'))?;
    let has_version = shorter
        .split('-')
        .skip(1)
        .any(|segment| segment.starts_with(|first: char| first.is_ascii_digit()));
    has_version.then_some(shorter)
}

/// Whether the segment is a word of a version: `beta`, `RC1`, `M2`.
fn is_qualifier(segment: &str) -> bool {
    let word = segment.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.');
    QUALIFIERS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_where_maven_joined_them() {
        for (stem, artifact, version) in [
            ("log4j-core-2.14.1", "log4j-core", Some("2.14.1")),
            ("log4j-1.2-api-2.17.1", "log4j-1.2-api", Some("2.17.1")),
            ("hibernate-jpa-2.1-api-1.0.0.Final", "hibernate-jpa-2.1-api", Some("1.0.0.Final")),
            ("guava-31.1-jre", "guava", Some("31.1-jre")),
            ("commons-collections4-4.4", "commons-collections4", Some("4.4")),
            ("scala-library_2.12-2.12.8", "scala-library_2.12", Some("2.12.8")),
            ("app-1.0-SNAPSHOT", "app", Some("1.0-SNAPSHOT")),
            ("app-1.0-beta-2", "app", Some("1.0-beta-2")),
            ("app-1.0-RC1-3", "app", Some("1.0-RC1-3")),
            ("app-1.0-20230101.120000-7", "app", Some("1.0-20230101.120000-7")),
            ("netty-epoll-4.1.100.Final-linux-x86_64", "netty-epoll", Some("4.1.100.Final")),
            ("app-1.2-tests-sources", "app", Some("1.2")),
            ("log4j-all", "log4j-all", None),
            ("bcprov-jdk15on-1.60", "bcprov-jdk15on", Some("1.60")),
            ("servlet-api", "servlet-api", None),
            ("jsr305-3.0.2", "jsr305", Some("3.0.2")),
            ("1.0", "1.0", None),
            ("-1.0", "", Some("1.0")),
            ("", "", None),
        ] {
            assert_eq!(split(stem), (artifact, version), "{stem}");
        }
    }
}
