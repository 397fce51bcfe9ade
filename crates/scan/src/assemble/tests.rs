//! Assembling on evidence made by hand: owners, doubles, outranked records.

use pratique_model::Ecosystem;

use super::*;
use crate::cataloger::Owned;

/// A file that one cataloger found these in.
fn value(cataloger: &str, packages: Vec<Evidence>, owned: Vec<Owned>) -> FileValue {
    let found = Found { packages, owned, ..Found::default() };
    FileValue::Found(vec![(cataloger.into(), found)])
}

fn deb(name: &str) -> Evidence {
    Evidence::new(Ecosystem::Deb, name, "1")
}

fn rpm(version: &str) -> Evidence {
    Evidence::new(Ecosystem::Rpm, "bash", version)
}

fn pypi(name: &str) -> Evidence {
    Evidence::new(Ecosystem::Pypi, name, "1")
}

fn owned(package: &str, files: &[&str]) -> Owned {
    let files = files.iter().map(|path| path_hash(path)).collect();
    Owned { package: package.to_owned(), files }
}

fn layer(number: u8) -> Option<DiffId> {
    Some(DiffId(pratique_model::Digest::from_bytes([number; 32])))
}

fn inventory(files: &[(&str, u8, FileValue)]) -> Inventory {
    let files: Vec<Surviving<'_>> = files
        .iter()
        .map(|(path, number, value)| Surviving { path, layer: layer(*number), value })
        .collect();
    assemble(&files, &BTreeMap::new())
}

/// `name version owner paths` of each package.
#[track_caller]
fn check(files: &[(&str, u8, FileValue)], expected: &[&str]) -> Inventory {
    let inventory = inventory(files);
    let line = |package: &Package| {
        let owner = package.owned_by.as_deref().unwrap_or("-");
        format!("{} {} {owner} {}", package.name, package.version, package.paths.join(" "))
    };
    let lines: Vec<String> = inventory.packages.iter().map(line).collect();
    assert_eq!(lines, expected);
    inventory
}

const STATUS: &str = "var/lib/dpkg/status";
const LIST: &str = "var/lib/dpkg/info/python3-six.list";

#[test]
fn a_language_package_is_marked_with_the_package_that_owns_its_file() {
    let list = |path| value("dpkg", vec![], vec![owned("python3-six", &[path])]);
    for (own, file) in [
        ("/usr/lib/python3/six.egg-info", "usr/lib/python3/six.egg-info"),
        ("/lib/python3/six.egg-info", "usr/lib/python3/six.egg-info"),
        ("/usr/lib/python3/six.egg-info", "lib/python3/six.egg-info"),
    ] {
        let files = [
            (LIST, 1, list(own)),
            (STATUS, 1, value("dpkg", vec![deb("python3-six")], vec![])),
            (file, 1, value("dpkg", vec![pypi("six")], vec![])),
        ];
        check(
            &files,
            &["python3-six 1 - /var/lib/dpkg/status", &format!("six 1 python3-six /{file}")],
        );
    }
}

#[test]
fn a_copy_that_nobody_owns_stays_a_package_of_its_own() {
    let files = [
        (LIST, 1, value("dpkg", vec![], vec![owned("python3-six", &["/usr/lib/six/METADATA"])])),
        (STATUS, 1, value("dpkg", vec![deb("python3-six")], vec![])),
        ("usr/lib/six/METADATA", 1, value("dpkg", vec![pypi("six")], vec![])),
        ("opt/b/six/METADATA", 2, value("dpkg", vec![pypi("six")], vec![])),
        ("opt/a/six/METADATA", 3, value("dpkg", vec![pypi("six")], vec![])),
    ];
    let inventory = check(
        &files,
        &[
            "python3-six 1 - /var/lib/dpkg/status",
            "six 1 - /opt/a/six/METADATA /opt/b/six/METADATA",
            "six 1 python3-six /usr/lib/six/METADATA",
        ],
    );
    assert_eq!(inventory.packages[1].layer, layer(3), "the layer is that of the first path");
}

#[test]
fn lists_of_removed_packages_own_nothing() {
    let files = [
        (LIST, 1, value("dpkg", vec![], vec![owned("python3-six", &["/usr/lib/six/METADATA"])])),
        (STATUS, 1, value("dpkg", vec![deb("other")], vec![])),
        ("usr/lib/six/METADATA", 1, value("dpkg", vec![pypi("six")], vec![])),
    ];
    check(&files, &["other 1 - /var/lib/dpkg/status", "six 1 - /usr/lib/six/METADATA"]);
}

#[test]
fn of_several_rpm_records_in_one_folder_the_newest_format_is_believed() {
    let record = |version| value("rpm", vec![rpm(version)], vec![]);
    let files = [
        ("var/lib/rpm/Packages", 1, record("1-1")),
        ("var/lib/rpm/rpmdb.sqlite", 2, record("2-1")),
    ];
    check(&files, &["bash 2-1 - /var/lib/rpm/rpmdb.sqlite"]);
    let files = [
        ("var/lib/rpm/Packages", 1, record("1-1")),
        ("usr/lib/sysimage/rpm/rpmdb.sqlite", 2, record("2-1")),
    ];
    check(
        &files,
        &["bash 1-1 - /var/lib/rpm/Packages", "bash 2-1 - /usr/lib/sysimage/rpm/rpmdb.sqlite"],
    );
    let files = [
        ("var/lib/rpm/Packages", 1, record("1-1")),
        ("var/lib/rpm/rpmdb.sqlite", 2, value("rpm", vec![], vec![owned("x", &["y"])])),
    ];
    check(&files, &["bash 1-1 - /var/lib/rpm/Packages"]);
}

#[test]
fn members_of_archives_have_the_archives_path_before_them() {
    let mut inner = Evidence::new(Ecosystem::Maven, "g:a", "1");
    inner.inside = Some("BOOT-INF/lib/a.jar".to_owned());
    let outer = Evidence::new(Ecosystem::Maven, "g:app", "2");
    let files = [("app/app.jar", 1, value("dpkg", vec![outer, inner], vec![]))];
    check(&files, &["g:a 1 - /app/app.jar!/BOOT-INF/lib/a.jar", "g:app 2 - /app/app.jar"]);
}

#[test]
fn a_platform_is_said_only_if_all_proofs_agree() {
    let module = |platform: Option<&str>| {
        let mut evidence = Evidence::new(Ecosystem::Golang, "example.com/m", "v1.0.0");
        evidence.built_for = platform.map(str::to_owned);
        value("dpkg", vec![evidence], vec![])
    };
    for (one, other, expected) in [
        (Some("linux/amd64"), Some("linux/amd64"), Some("linux/amd64")),
        (Some("linux/amd64"), Some("windows/amd64"), None),
        (None, Some("linux/amd64"), None),
    ] {
        let files = [("bin/a", 1, module(one)), ("bin/b", 1, module(other))];
        let inventory = check(&files, &["example.com/m v1.0.0 - /bin/a /bin/b"]);
        assert_eq!(inventory.packages[0].built_for.as_deref(), expected);
    }
}

#[test]
fn problems_are_told_with_their_file_and_layer() {
    let mut found = Found::default();
    found.problem("cut off");
    let files = [("var/lib/rpm/Packages", 7, FileValue::Found(vec![("rpm".into(), found)]))];
    let expected = Partial {
        layer: layer(7),
        path: Some("/var/lib/rpm/Packages".to_owned()),
        problem: "rpm: cut off".to_owned(),
    };
    assert_eq!(inventory(&files).partial, [expected]);
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(inventory(&[]), Inventory::default());
}
