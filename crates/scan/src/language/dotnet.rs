//! Reads .NET's `*.deps.json`, which lies beside every published application and inside every
//! shared framework.
//!
//! `libraries` names everything that took part in the build, `targets` says what of it brought
//! files along. Counted is what is a package (or a runtime pack, the framework that a
//! self-contained application carries) and has files at run time; projects, references and
//! packages that only steer the build are not. A file without targets counts all its packages.
//! Names are as written; `runtimepack.` is no part of the package's name on nuget.org and is cut.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use pratique_model::Ecosystem;

use super::json::{self, HasMembers, Text};
use crate::cataloger::{CatalogError, Cataloger, Content, Evidence, FileInfo, Found};

/// How long a `deps.json` may be; the SDK's own, the largest known, are below 2 MiB.
const DEPS_BYTES_MAX: u64 = 32 << 20;

/// Finds NuGet packages.
pub(crate) struct Dotnet;

impl Cataloger for Dotnet {
    fn name(&self) -> &'static str {
        "dotnet"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["**/*.deps.json"]
    }

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        file.path.ends_with(".deps.json")
    }

    fn catalog(
        &self,
        _file: &FileInfo<'_>,
        content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        let deps: Deps = json::object(&content.bytes(DEPS_BYTES_MAX)?)?;
        let with_files = deps.with_files();
        for (key, library) in &deps.libraries {
            let kind = library.kind.as_filled().unwrap_or("");
            let is_package = kind.eq_ignore_ascii_case("package");
            let is_pack = kind.eq_ignore_ascii_case("runtimepack");
            if !is_package && !is_pack {
                continue;
            }
            if with_files.as_ref().is_some_and(|known| !known.contains(key.as_str())) {
                continue;
            }
            match key.split_once('/') {
                Some((name, version)) if !name.is_empty() && !version.is_empty() => {
                    let name = match name.strip_prefix("runtimepack.") {
                        Some(rest) if is_pack => rest,
                        _ => name,
                    };
                    found.push(Evidence::new(Ecosystem::Nuget, name, version));
                }
                _ => found.problem(format!("library {key:?} is not NAME/VERSION")),
            }
        }
        Ok(())
    }
}

/// The parts of a `deps.json` that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deps {
    #[serde(default)]
    runtime_target: Target,
    #[serde(default)]
    targets: BTreeMap<String, BTreeMap<String, Assets>>,
    libraries: BTreeMap<String, Library>,
}

/// `runtimeTarget`: an object with a name; very old files had the name alone.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Target {
    Named {
        name: String,
    },
    Text(String),
    Other(IgnoredAny),
    #[default]
    Missing,
}

/// What a library brings to the running program.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assets {
    #[serde(default)]
    runtime: HasMembers,
    #[serde(default)]
    runtime_targets: HasMembers,
    #[serde(default)]
    native: HasMembers,
    #[serde(default)]
    resources: HasMembers,
}

#[derive(Debug, Deserialize)]
struct Library {
    #[serde(default, rename = "type")]
    kind: Text,
}

impl Deps {
    /// The libraries that have files at run time; `None` when the file does not say.
    fn with_files(&self) -> Option<HashSet<&str>> {
        let name = match &self.runtime_target {
            Target::Named { name } | Target::Text(name) => Some(name),
            Target::Other(_) | Target::Missing => None,
        };
        let target = match name.and_then(|name| self.targets.get(name)) {
            Some(target) => target,
            None if self.targets.len() == 1 => self.targets.values().next()?,
            None => return None,
        };
        let with_files = |assets: &Assets| {
            assets.runtime.0 || assets.runtime_targets.0 || assets.native.0 || assets.resources.0
        };
        Some(
            target
                .iter()
                .filter(|(_, assets)| with_files(assets))
                .map(|(key, _)| key.as_str())
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::tests::{catalog, packages};

    const SELF_CONTAINED: &str = r#"{
        "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64", "signature": ""},
        "compilationOptions": {},
        "targets": {
            ".NETCoreApp,Version=v8.0": {},
            ".NETCoreApp,Version=v8.0/linux-x64": {
                "Shop/1.0.0": {"dependencies": {"Dapper": "2.1.1"}, "runtime": {"Shop.dll": {}}},
                "Dapper/2.1.1": {"runtime": {"lib/net5.0/Dapper.dll": {"fileVersion": "2.1.1.0"}}},
                "Only.Natives/1.0.0": {"native": {"libx.so": {"fileVersion": "0.0.0.0"}}},
                "By.Platform/3.0.0-rc.1": {"runtimeTargets": {"runtimes/unix/x.dll": {}}},
                "Words.de/1.0.0": {"resources": {"lib/de/x.resources.dll": {"locale": "de"}}},
                "NETStandard.Library/2.0.3": {"dependencies": {}},
                "Analyzer/1.0.0": {"compileOnly": true, "compile": {"a.dll": {}}},
                "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1":
                    {"runtime": {"System.Runtime.dll": {}}}
            }
        },
        "libraries": {
            "Shop/1.0.0": {"type": "project", "serviceable": false, "sha512": ""},
            "Dapper/2.1.1": {"type": "package", "serviceable": true, "sha512": "sha512-x"},
            "Only.Natives/1.0.0": {"type": "package"},
            "By.Platform/3.0.0-rc.1": {"type": "Package"},
            "Words.de/1.0.0": {"type": "package"},
            "NETStandard.Library/2.0.3": {"type": "package"},
            "Analyzer/1.0.0": {"type": "package"},
            "Gone/1.0.0": {"type": "package"},
            "Odd.Reference/1.0.0.0": {"type": "reference"},
            "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"type": "runtimepack"}
        }
    }"#;

    #[test]
    fn packages_with_files_at_run_time_are_counted() {
        let found = catalog(&Dotnet, "app/Shop.deps.json", SELF_CONTAINED.as_bytes());
        assert_eq!(
            packages(&found),
            [
                ("By.Platform", "3.0.0-rc.1"),
                ("Dapper", "2.1.1"),
                ("Only.Natives", "1.0.0"),
                ("Words.de", "1.0.0"),
                ("Microsoft.NETCore.App.Runtime.linux-x64", "8.0.1"),
            ]
        );
        assert!(found.problems.is_empty(), "{:?}", found.problems);
    }

    #[test]
    fn a_shared_framework_counts_as_its_package() {
        let text = r#"{"runtimeTarget": {"name": ".NETCoreApp,Version=v6.0/linux-x64"},
            "targets": {".NETCoreApp,Version=v6.0": {}, ".NETCoreApp,Version=v6.0/linux-x64": {
                "Microsoft.NETCore.App.Runtime.linux-x64/6.0.36":
                    {"native": {"libclrjit.so": {}}}}},
            "libraries": {"Microsoft.NETCore.App.Runtime.linux-x64/6.0.36": {"type": "package"}}}"#;
        let path =
            "usr/share/dotnet/shared/Microsoft.NETCore.App/6.0.36/Microsoft.NETCore.App.deps.json";
        let found = catalog(&Dotnet, path, text.as_bytes());
        assert_eq!(packages(&found), [("Microsoft.NETCore.App.Runtime.linux-x64", "6.0.36")]);
    }

    #[test]
    fn without_targets_every_package_counts() {
        for text in [
            r#"{"libraries": {"A/1": {"type": "package"}, "B/2": {"type": "project"}}}"#,
            r#"{"runtimeTarget": "x", "libraries": {"A/1": {"type": "package"}}}"#,
            r#"{"runtimeTarget": [], "targets": {}, "libraries": {"A/1": {"type": "package"}}}"#,
        ] {
            let found = catalog(&Dotnet, "a.deps.json", text.as_bytes());
            assert_eq!(packages(&found), [("A", "1")], "{text}");
        }
    }

    #[test]
    fn broken_files_and_libraries_are_named() {
        for text in ["", "{", "{}", "[]", r#"{"libraries": {"A": {"type": "package"}}}"#] {
            assert_eq!(
                catalog(&Dotnet, "a.deps.json", text.as_bytes()).problems.len(),
                1,
                "{text}"
            );
        }
    }
}
