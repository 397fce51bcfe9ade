//! Says which packages Go's build information stands for.
//!
//! The lines are those of `runtime/debug.BuildInfo`'s text form: `mod`, `dep`, `=>` (what replaces
//! the module above it) and `build KEY=VALUE`, fields separated by tabs.
//! - A dependency is a package under its own name; a replaced one under the replacement's, since
//!   that is the code in the program. If it was replaced by a folder, nobody knows which version
//!   that holds: then it keeps its own name and version, rather than vanishing.
//! - The main module counts if it has a version; `(devel)` is none.
//! - Go's standard library is `stdlib`, with the compiler's version without `go` and without what
//!   follows a space (`X:boringcrypto`, a vendor's remark). A compiler built between releases says
//!   `devel go1.23-0123abc …`, or in older forms no number at all: then `devel +0123abc` is the
//!   version.

use pratique_model::Ecosystem;

use super::build_info::GoProgram;
use crate::cataloger::{Evidence, Found};

/// Adds the packages of a program.
pub(super) fn add(program: Option<GoProgram>, found: &mut Found) {
    let Some(program) = program else { return };
    let built_for = platform(&program.modules);
    let mut push = |name: &str, version: &str| {
        let mut evidence = Evidence::new(Ecosystem::Golang, name, version);
        evidence.built_for.clone_from(&built_for);
        found.packages.push(evidence);
    };
    let mut module: Option<Module<'_>> = None;
    for line in program.modules.lines() {
        let mut fields = line.split('\t');
        match fields.next() {
            Some("mod" | "dep") => {
                if let Some(module) = module.replace(Module::of(fields)) {
                    module.push(&mut push);
                }
            }
            Some("=>") => {
                let replacement = Module::of(fields);
                if replacement.is_published() {
                    module = Some(replacement);
                }
            }
            _ => {}
        }
    }
    if let Some(module) = module {
        module.push(&mut push);
    }
    match program.version.as_deref().map(standard_library) {
        Some(version) => push("stdlib", &version),
        None => found.problem("the version of Go could not be followed to its place"),
    }
}

/// One module of the list.
struct Module<'a> {
    path: &'a str,
    version: &'a str,
}

impl<'a> Module<'a> {
    fn of(mut fields: impl Iterator<Item = &'a str>) -> Self {
        Self { path: fields.next().unwrap_or(""), version: fields.next().unwrap_or("") }
    }

    fn is_published(&self) -> bool {
        !self.path.is_empty() && !self.version.is_empty() && self.version != "(devel)"
    }

    fn push(&self, push: &mut impl FnMut(&str, &str)) {
        if self.is_published() {
            push(self.path, self.version);
        }
    }
}

fn standard_library(version: &str) -> String {
    let mut words = version.split_whitespace();
    let first = words.next().unwrap_or("");
    let number = match first {
        "devel" => match words.next() {
            Some(second) if second.starts_with("go") => second,
            second => return format!("devel {}", second.unwrap_or("")).trim_end().to_owned(),
        },
        _ => first,
    };
    number.strip_prefix("go").unwrap_or(number).to_owned()
}

/// `GOOS/GOARCH` of the settings.
fn platform(modules: &str) -> Option<String> {
    let setting = |key: &str| {
        modules.lines().find_map(|line| {
            let value = line.strip_prefix("build\t")?.strip_prefix(key)?.strip_prefix('=')?;
            (!value.is_empty()).then_some(value)
        })
    };
    Some(format!("{}/{}", setting("GOOS")?, setting("GOARCH")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: &str, modules: &str, expected: &[(&str, &str)]) {
        let mut found = Found::default();
        let program = GoProgram { version: Some(version.into()), modules: modules.into() };
        add(Some(program), &mut found);
        assert_eq!(crate::language::tests::packages(&found), expected, "{version} {modules}");
    }

    #[test]
    fn modules_count_under_the_name_of_the_code_in_the_program() {
        let list = "path\texample.com/cmd\nmod\texample.com/Main\tv1.2.3\th1:x=\n\
            dep\tgithub.com/BurntSushi/toml\tv0.3.1\th1:y=\n\
            dep\texample.com/old\tv1.0.0\n\
            =>\texample.com/fork\tv1.0.1-0.20200101000000-abcdefabcdef\th1:\n\
            dep\texample.com/local\tv2.0.0+incompatible\n=>\t./local\t(devel)\n\
            dep\texample.com/nowhere\t(devel)\nbuild\tGOOS=linux\nbuild\tGOARCH=arm64\n";
        check(
            "go1.21.0",
            list,
            &[
                ("example.com/Main", "v1.2.3"),
                ("github.com/BurntSushi/toml", "v0.3.1"),
                ("example.com/fork", "v1.0.1-0.20200101000000-abcdefabcdef"),
                ("example.com/local", "v2.0.0+incompatible"),
                ("stdlib", "1.21.0"),
            ],
        );
        assert_eq!(platform(list).as_deref(), Some("linux/arm64"));
        assert_eq!(platform("build\tGOOS=linux\n"), None);
    }

    #[test]
    fn the_main_module_needs_a_version() {
        check("go1.26.8", "mod\texample.com/a\t(devel)\t\n", &[("stdlib", "1.26.8")]);
        check("go1.26.8", "mod\texample.com/a\t\n", &[("stdlib", "1.26.8")]);
        let stamped = "mod\texample.com/a\tv0.0.0-20240101000000-abcdefabcdef+dirty\t\n";
        let version = "v0.0.0-20240101000000-abcdefabcdef+dirty";
        check("go1.26.8", stamped, &[("example.com/a", version), ("stdlib", "1.26.8")]);
    }

    #[test]
    fn the_standard_library_has_the_compilers_version() {
        for (said, expected) in [
            ("go1.22.1", "1.22.1"),
            ("go1.21rc2", "1.21rc2"),
            ("go1.21.0 X:boringcrypto,nocoverageredesign", "1.21.0"),
            ("go1.19.6 (Red Hat 1.19.6-1.el9_2)", "1.19.6"),
            ("devel go1.23-0123abcdef Mon Jan 1 00:00:00 2024 +0000", "1.23-0123abcdef"),
            ("devel +0123abcdef Mon Jan 1 00:00:00 2020 +0000", "devel +0123abcdef"),
            ("devel", "devel"),
        ] {
            check(said, "", &[("stdlib", expected)]);
        }
    }

    #[test]
    fn a_program_that_is_no_go_program_adds_nothing() {
        let mut found = Found::default();
        add(None, &mut found);
        assert!(found.is_empty());
    }
}
