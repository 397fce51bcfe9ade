//! Reads Composer's `vendor/composer/installed.json`.
//!
//! Composer writes this file after each installation; it lists what lies in `vendor`, development
//! packages too if they were installed. Composer 1 wrote a list, Composer 2 an object with the list
//! in `packages`. Versions stay as the file has them, with or without `v`.

use serde::Deserialize;

use pratique_model::Ecosystem;

use super::json::{self, Text};
use crate::cataloger::{CatalogError, Cataloger, Content, Evidence, FileInfo, Found};

/// How long an `installed.json` may be; the largest applications stay below 5 MiB.
const INSTALLED_BYTES_MAX: u64 = 64 << 20;

/// Finds Composer packages.
pub(crate) struct Composer;

impl Cataloger for Composer {
    fn name(&self) -> &'static str {
        "composer"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["**/composer/installed.json"]
    }

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        file.path.ends_with("/composer/installed.json") || file.path == "composer/installed.json"
    }

    fn catalog(
        &self,
        _file: &FileInfo<'_>,
        content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        let bytes = content.bytes(INSTALLED_BYTES_MAX)?;
        let installed: Installed = match json::first(&bytes) {
            Some(b'[') => Installed { packages: json::value(&bytes)? },
            _ => json::object(&bytes)?,
        };
        for package in installed.packages {
            match (package.name.as_filled(), package.version.as_filled()) {
                (Some(name), Some(version)) => {
                    found.push(Evidence::new(Ecosystem::Composer, name, version));
                }
                (Some(name), None) => found.problem(format!("{name:?}: no version")),
                (None, _) => found.problem("a package without a name"),
            }
        }
        Ok(())
    }
}

/// Composer 2's form.
#[derive(Debug, Deserialize)]
struct Installed {
    packages: Vec<Package>,
}

/// The members of a package that name it.
#[derive(Debug, Deserialize)]
struct Package {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::tests::{catalog, packages};

    const PATH: &str = "var/www/vendor/composer/installed.json";

    #[test]
    fn both_forms_are_read_and_versions_stay_as_written() {
        let list = r#"[{"name":"monolog/monolog","version":"1.25.1","version_normalized":"1.25.1.0",
            "require":{"php":">=5.3"}},{"name":"acme/tool","version":"dev-master"}]"#;
        let object =
            format!(r#"{{"packages":{list},"dev":true,"dev-package-names":["acme/tool"]}}"#);
        for text in [list, &object] {
            let found = catalog(&Composer, PATH, text.as_bytes());
            let expected = [("monolog/monolog", "1.25.1"), ("acme/tool", "dev-master")];
            assert_eq!(packages(&found), expected, "{text}");
        }
        let text = r#"{"packages":[{"name":"symfony/http-kernel","version":"v4.4.13"}]}"#;
        let found = catalog(&Composer, PATH, text.as_bytes());
        assert_eq!(packages(&found), [("symfony/http-kernel", "v4.4.13")]);
    }

    #[test]
    fn one_bad_package_does_not_lose_the_others() {
        let text = r#"[{"name":"a/a"},{"version":"1"},{"name":3,"version":"1"},
            {"name":"b/b","version":"1"}]"#;
        let found = catalog(&Composer, PATH, text.as_bytes());
        assert_eq!(packages(&found), [("b/b", "1")]);
        assert_eq!(found.problems.len(), 3);
    }

    #[test]
    fn broken_files_are_named_and_other_files_not_wanted() {
        for text in ["", "{", "{}", "[{]", "\"packages\""] {
            assert_eq!(catalog(&Composer, PATH, text.as_bytes()).problems.len(), 1, "{text}");
        }
        for (path, expected) in [
            (PATH, true),
            ("composer/installed.json", true),
            ("app/composer.lock", false),
            ("app/vendor/composer/installed.php", false),
            ("app/mycomposer/installed.json", false),
        ] {
            assert_eq!(
                Composer.wants(&FileInfo { path, size: 1, mode: 0o644 }),
                expected,
                "{path}"
            );
        }
    }
}
