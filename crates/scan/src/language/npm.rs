//! Reads npm's `package.json` of installed packages.
//!
//! A package is installed where it stands directly in a `node_modules` folder, alone or under its
//! scope; nested `node_modules`, pnpm's store and npm's own bundled packages have the same shape.
//! Any other `package.json` is the application's own manifest, a fixture, or a stub that says which
//! module system a sub-folder uses, and proves nothing. Yarn, which the official Node images unpack
//! into `/opt`, is the one exception.

use serde::Deserialize;

use pratique_model::Ecosystem;

use super::json::{self, Text};
use super::split_path;
use crate::cataloger::{CatalogError, Cataloger, Content, Evidence, FileInfo, Found};

/// How long a `package.json` may be. The longest that npm's own tools write are below 1 MiB.
const MANIFEST_BYTES_MAX: u64 = 8 << 20;

/// Folders inside a package whose `node_modules` are material for its tests, not installed.
const TEST_FOLDERS: [&str; 6] =
    ["test", "tests", "__tests__", "fixture", "fixtures", "__fixtures__"];

/// Finds npm packages.
pub(crate) struct Npm;

impl Cataloger for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["**/node_modules/[@SCOPE/]NAME/package.json", "opt/yarn-vVERSION/package.json"]
    }

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        is_installed(file.path)
    }

    fn catalog(
        &self,
        _file: &FileInfo<'_>,
        content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        let manifest: Manifest = json::object(&content.bytes(MANIFEST_BYTES_MAX)?)?;
        // Without a version nothing was published, hence nothing installed.
        if let (Some(name), Some(version)) =
            (manifest.name.as_filled(), manifest.version.as_filled())
        {
            found.push(Evidence::new(Ecosystem::Npm, name, version));
        }
        Ok(())
    }
}

/// The members of a `package.json` that name the package.
#[derive(Debug, Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
}

/// Whether the path is that of an installed package's manifest.
fn is_installed(path: &str) -> bool {
    let (folder, "package.json") = split_path(path) else { return false };
    let (parent, name) = split_path(folder);
    if name.is_empty() || name == "node_modules" || name.starts_with('@') {
        return false;
    }
    if parent == "opt" {
        return name.starts_with("yarn-v");
    }
    let (above, scope) = split_path(parent);
    let (modules, base) = if scope.starts_with('@') {
        let (higher, modules) = split_path(above);
        (modules, higher)
    } else {
        (scope, above)
    };
    modules == "node_modules" && !is_test_material(base)
}

/// Whether a package's test folder lies between its `node_modules` and the folder `base`.
fn is_test_material(base: &str) -> bool {
    let mut segments = base.split('/');
    segments.by_ref().find(|segment| *segment == "node_modules");
    // What stands before the first `node_modules` is where the application lies: `/srv/test/app`.
    let mut after_modules = true;
    segments.any(|segment| {
        let is_name = after_modules && !segment.starts_with('@');
        after_modules = segment == "node_modules" || (after_modules && !is_name);
        !is_name && TEST_FOLDERS.contains(&segment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::tests::{catalog, packages};

    #[test]
    fn only_packages_directly_in_node_modules_are_installed() {
        for (path, expected) in [
            ("usr/src/app/node_modules/express/package.json", true),
            ("node_modules/express/package.json", true),
            ("app/node_modules/@babel/core/package.json", true),
            ("app/node_modules/a/node_modules/b/package.json", true),
            ("app/node_modules/a/node_modules/@s/b/package.json", true),
            ("app/node_modules/.pnpm/@s+b@1.0.0/node_modules/@s/b/package.json", true),
            ("usr/lib/node_modules/npm/package.json", true),
            ("usr/lib/node_modules/npm/node_modules/tar/package.json", true),
            ("srv/test/app/node_modules/b/package.json", true),
            ("app/node_modules/test/node_modules/b/package.json", true),
            ("app/node_modules/@test/fixtures/node_modules/b/package.json", true),
            ("app/node_modules/a/dist/node_modules/b/package.json", true),
            ("opt/yarn-v1.22.19/package.json", true),
            ("app/node_modules/a/test/node_modules/b/package.json", false),
            ("app/node_modules/a/lib/fixtures/x/node_modules/b/package.json", false),
            ("app/node_modules/@s/a/test/node_modules/b/package.json", false),
            ("app/package.json", false),
            ("package.json", false),
            ("app/node_modules/package.json", false),
            ("app/node_modules/@babel/package.json", false),
            ("app/node_modules/a/dist/package.json", false),
            ("app/node_modules/a/test/fixtures/package.json", false),
            ("app/node_modules/a/package.json5", false),
            ("app/node_modules/.package-lock.json", false),
            ("opt/other/package.json", false),
        ] {
            assert_eq!(is_installed(path), expected, "{path}");
        }
    }

    #[test]
    fn name_and_version_are_taken_as_written() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let found = catalog(&Npm, "node_modules/a/package.json", text.as_bytes());
            assert_eq!(packages(&found), expected, "{text}");
            assert!(found.problems.is_empty(), "{:?}", found.problems);
        };
        check(r#"{"name":"@S/Name","version":"1.0.0-RC.1"}"#, &[("@S/Name", "1.0.0-RC.1")]);
        check("\u{feff}{\"version\":\" 2.0.0 \",\"name\":\"b\"}", &[("b", "2.0.0")]);
        check(r#"{"scripts":{"x":[1,{}]},"name":"c","version":"1","name2":3}"#, &[("c", "1")]);
        check(r#"{"type":"module"}"#, &[]);
        check(r#"{"name":"d"}"#, &[]);
        check(r#"{"name":["e"],"version":"1"}"#, &[]);
        check(r#"{"name":"f","version":{"a":{"b":[1.5,-1,true,null]}}}"#, &[]);
        check(r#"{"name":"g","version":"  "}"#, &[]);
    }

    #[test]
    fn broken_manifests_are_named() {
        for text in [
            "",
            "{",
            "[]",
            r#"["a","1"]"#,
            "\u{0}",
            r#"{"name":"a","version":"1""#,
            "{\"name\":\"\\ud800",
        ] {
            let found = catalog(&Npm, "node_modules/a/package.json", text.as_bytes());
            assert!(found.packages.is_empty(), "{text}");
            assert_eq!(found.problems.len(), 1, "{text}");
        }
    }

    #[test]
    fn deep_nesting_ends_in_a_result() {
        let deep = format!(
            r#"{{"x":{}{},"name":"a","version":"1"}}"#,
            "[".repeat(200_000),
            "]".repeat(200_000)
        );
        let found = catalog(&Npm, "node_modules/a/package.json", deep.as_bytes());
        assert_eq!(packages(&found), [("a", "1")]);
        let found = catalog(&Npm, "node_modules/a/package.json", "[".repeat(9_000_000).as_bytes());
        assert!(found.problems[0].contains("more than the"), "{:?}", found.problems);
    }
}
