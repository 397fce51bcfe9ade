//! Each test is a rule of `docs/matching.md`, held against statements that differ in that rule
//! only.

use pratique_model::SourcePackage;

use super::*;

/// What a test expects; the proof's fixed version where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Affected(Option<&'static str>),
    OtherPackage,
    OtherVersion,
    OtherPlatform,
    Stated,
    Unknown,
}
use Expected::{Affected as Hit, OtherPackage, OtherPlatform, OtherVersion, Stated, Unknown};

fn package(ecosystem: Ecosystem, name: &str, version: &str) -> Package {
    Package {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        arch: None,
        source: None,
        module: None,
        vendor: None,
        layer: None,
        paths: vec!["/evidence".to_owned()],
        owned_by: None,
        built_for: None,
        cataloger: "test",
    }
}

fn built_from(mut package: Package, source: &str, version: &str) -> Package {
    package.source = Some(SourcePackage { name: source.to_owned(), version: version.to_owned() });
    package
}

fn statement(ecosystem: Ecosystem, name: &str, ranges: &[Range]) -> Affected {
    let mut affected = Affected::new(ecosystem, None, name, Status::Fixed);
    affected.ranges = ranges.to_vec();
    affected
}

fn range(introduced: &str, fixed: &str, last_affected: &str) -> Range {
    let bound = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Range {
        introduced: bound(introduced),
        fixed: bound(fixed),
        last_affected: bound(last_affected),
    }
}

#[track_caller]
fn check(package: &Package, affected: &Affected, expected: Expected) {
    let installed = Installed::new(package);
    let got = verdict(&installed, affected);
    let outcome = match &got {
        Verdict::Affected(proof) => Hit(proof.fixed.map(|fixed| &*fixed.to_owned().leak())),
        Verdict::NotAffected(Exemption::OtherPackage) => OtherPackage,
        Verdict::NotAffected(Exemption::OtherVersion) => OtherVersion,
        Verdict::NotAffected(Exemption::OtherPlatform(_)) => OtherPlatform,
        Verdict::NotAffected(Exemption::Stated(_)) => Stated,
        Verdict::Unknown(_) => Unknown,
    };
    assert_eq!(outcome, expected, "{package:?}\n{affected:?}\n{got:?}");
}

#[test]
fn a_source_statement_is_held_against_the_source_version() {
    // Built again without a change of the source: the binary's version is higher than the fix.
    let bash = built_from(package(Ecosystem::Deb, "bash", "5.2.15-2+b3"), "bash", "5.2.15-2");
    let mut affected = statement(Ecosystem::Deb, "bash", &[Range::below("5.2.15-2+b2")]);
    check(&bash, &affected, OtherVersion);
    affected.name_kind = NameKind::Source;
    check(&bash, &affected, Hit(Some("5.2.15-2+b2")));
    let mut other = built_from(package(Ecosystem::Deb, "bash", "5.2.15-2"), "shells", "5.2.15-2");
    check(&other, &affected, OtherPackage);
    other.source = None;
    check(&other, &affected, Hit(Some("5.2.15-2+b2")));
}

#[test]
fn a_binary_statement_is_held_against_the_binary_name_and_version() {
    let libs =
        built_from(package(Ecosystem::Rpm, "dbus-libs", "1:1.12.8-14.el8"), "dbus", "1.12.8-14");
    check(
        &libs,
        &statement(Ecosystem::Rpm, "dbus-libs", &[Range::below("1:1.12.8-18.el8")]),
        Hit(Some("1:1.12.8-18.el8")),
    );
    let of_source = statement(Ecosystem::Rpm, "dbus", &[Range::below("1:1.12.8-18.el8")]);
    check(&libs, &of_source, OtherPackage);
}

#[test]
fn a_name_of_either_kind_takes_the_binary_first() {
    let mut affected = statement(Ecosystem::Rpm, "curl", &[Range::below("7.86.0-1.cm2")]);
    affected.name_kind = NameKind::Either;
    let libs = package(Ecosystem::Rpm, "curl-libs", "7.84.0-1.cm2");
    check(&built_from(libs, "curl", "7.84.0-1.cm2"), &affected, Hit(Some("7.86.0-1.cm2")));
    let binary = package(Ecosystem::Rpm, "curl", "7.86.0-1.cm2");
    check(&built_from(binary, "curl", "7.84.0-1.cm2"), &affected, OtherVersion);
    let other = package(Ecosystem::Rpm, "wget", "1.0-1.cm2");
    check(&built_from(other, "wget", "1.0-1.cm2"), &affected, OtherPackage);
}

#[test]
fn language_names_are_compared_as_feeds_write_them() {
    for (ecosystem, installed, published, is_same) in [
        (Ecosystem::Pypi, "Ruamel.Yaml__clib", "ruamel-yaml-clib", true),
        (Ecosystem::Nuget, "Newtonsoft.Json", "newtonsoft.json", true),
        (Ecosystem::Composer, "Symfony/HTTP-Kernel", "symfony/http-kernel", true),
        (Ecosystem::Golang, "github.com/Sirupsen/logrus", "github.com/sirupsen/logrus", false),
        (Ecosystem::Golang, "github.com/Sirupsen/logrus", "github.com/Sirupsen/logrus", true),
        (Ecosystem::Maven, "org.apache:log4j", "org.apache:log4j", true),
        (Ecosystem::Npm, "@angular/core", "core", false),
    ] {
        let expected = if is_same { Hit(Some("2.0.0")) } else { OtherPackage };
        check(
            &package(ecosystem, installed, "1.0.0"),
            &statement(ecosystem, published, &[Range::below("2.0.0")]),
            expected,
        );
    }
}

#[test]
fn a_range_holds_its_start_and_not_its_fix() {
    let ranges = [range("1.2.0", "1.4.0", ""), range("2.0.0", "", "2.3.0"), range("3.5.0", "", "")];
    for (version, expected) in [
        ("1.1.9", OtherVersion),
        ("1.2.0", Hit(Some("1.4.0"))),
        ("1.3.9", Hit(Some("1.4.0"))),
        ("1.4.0", OtherVersion),
        ("2.0.0", Hit(None)),
        ("2.3.0", Hit(None)),
        ("2.3.1", OtherVersion),
        ("9.0.0", Hit(None)),
    ] {
        check(
            &package(Ecosystem::Npm, "left-pad", version),
            &statement(Ecosystem::Npm, "left-pad", &ranges),
            expected,
        );
    }
}

#[test]
fn of_ranges_that_overlap_the_one_that_ends_last_counts() {
    let ranges = [Range::below("1.4.0"), range("1.0.0", "1.6.0", ""), Range::below("1.5.0")];
    let musl = package(Ecosystem::Npm, "left-pad", "1.3.0");
    check(&musl, &statement(Ecosystem::Npm, "left-pad", &ranges), Hit(Some("1.6.0")));
    let open = [Range::below("1.4.0"), range("1.0.0", "", "")];
    check(&musl, &statement(Ecosystem::Npm, "left-pad", &open), Hit(None));
}

#[test]
fn a_range_from_0_begins_before_every_version() {
    let affected = statement(Ecosystem::Deb, "hello", &[range("0", "2.0", "")]);
    check(&package(Ecosystem::Deb, "hello", "0~alpha"), &affected, Hit(Some("2.0")));
}

#[test]
fn without_ranges_and_versions_every_version_is_meant() {
    let mut affected = statement(Ecosystem::Deb, "hello", &[]);
    affected.status = Status::WillNotFix;
    check(&package(Ecosystem::Deb, "hello", "not a version!"), &affected, Hit(None));
}

#[test]
fn a_listed_version_matches_without_being_parsed() {
    let mut affected = statement(Ecosystem::Pypi, "demo", &[]);
    affected.versions = vec!["2004-final?".to_owned(), "0.1".to_owned()];
    check(&package(Ecosystem::Pypi, "demo", "2004-final?"), &affected, Hit(None));
    check(&package(Ecosystem::Pypi, "demo", "2005-final?"), &affected, OtherVersion);
}

#[test]
fn what_the_publisher_rules_out_is_not_affected() {
    let mut affected = statement(Ecosystem::Apk, "zlib", &[]);
    affected.status = Status::NotAffected;
    check(&package(Ecosystem::Apk, "zlib", "1.2.11-r3"), &affected, Stated);
    affected.ranges = vec![Range::below("1.2.10-r0")];
    check(&package(Ecosystem::Apk, "zlib", "1.2.11-r3"), &affected, OtherVersion);
}

#[test]
fn a_module_statement_meets_packages_of_that_stream_only() {
    let fix = "1:18.20.0-1.module_el8.9.0+3+a";
    for (label, wanted, expected) in [
        (None, None, Hit(Some(fix))),
        (Some("nodejs:18:8060020221018161253:ad008a3a"), None, OtherPackage),
        (None, Some("nodejs:18"), OtherPackage),
        (Some("nodejs:18:8060020221018161253:ad008a3a"), Some("nodejs:18"), Hit(Some(fix))),
        (Some("nodejs:1:8060020221018161253:ad008a3a"), Some("nodejs:18"), OtherPackage),
        (Some("nodejs:180:8060020221018161253:ad008a3a"), Some("nodejs:18"), OtherPackage),
        (Some("nodejs:18:8060020221018161253:ad008a3a"), Some("*"), Hit(Some(fix))),
        (None, Some("*"), OtherPackage),
    ] {
        let mut nodejs = package(Ecosystem::Rpm, "nodejs", "1:18.10.0-1.el8");
        nodejs.module = label.map(str::to_owned);
        let mut affected = statement(Ecosystem::Rpm, "nodejs", &[Range::below(fix)]);
        affected.module = wanted.map(str::to_owned);
        check(&nodejs, &affected, expected);
    }
}

#[test]
fn a_module_build_without_a_label_is_in_doubt() {
    let nodejs = package(Ecosystem::Rpm, "nodejs", "1:18.10.0-1.module_el8.7.0+1+b");
    let fix = Range::below("1:18.20.0-1.module_el8.9.0+3+a");
    let mut affected = statement(Ecosystem::Rpm, "nodejs", &[fix]);
    check(&nodejs, &affected, OtherPackage);
    affected.module = Some("nodejs:18".to_owned());
    check(&nodejs, &affected, Unknown);
    affected.ranges = vec![Range::below("1:18.1.0-1.module_el8.5.0+1+a")];
    check(&nodejs, &affected, OtherVersion);
}

#[test]
fn an_architecture_limit_is_for_those_architectures() {
    for (arch, limit, expected) in [
        (Some("x86_64"), vec!["x86_64", "i686"], Hit(Some("2.0-1"))),
        (Some("aarch64"), vec!["x86_64", "i686"], OtherPlatform),
        (Some("noarch"), vec!["x86_64"], Hit(Some("2.0-1"))),
        (Some("aarch64"), vec!["noarch"], Hit(Some("2.0-1"))),
        (None, vec!["x86_64"], Hit(Some("2.0-1"))),
        (Some("aarch64"), vec![], Hit(Some("2.0-1"))),
    ] {
        let mut hello = package(Ecosystem::Rpm, "hello", "1.0-1");
        hello.arch = arch.map(str::to_owned);
        let mut affected = statement(Ecosystem::Rpm, "hello", &[Range::below("2.0-1")]);
        affected.arches = limit.into_iter().map(str::to_owned).collect();
        check(&hello, &affected, expected);
    }
}

#[test]
fn a_platform_limit_is_held_against_what_the_binary_was_built_for() {
    for (built_for, limit, expected) in [
        (Some("linux/amd64"), vec!["windows"], OtherPlatform),
        (Some("linux/amd64"), vec!["windows", "linux"], Hit(Some("1.21.5"))),
        (Some("linux/amd64"), vec!["linux/arm64"], OtherPlatform),
        (Some("linux/arm64"), vec!["linux/arm64"], Hit(Some("1.21.5"))),
        (None, vec!["windows"], Hit(Some("1.21.5"))),
        (Some("linux/amd64"), vec![], Hit(Some("1.21.5"))),
    ] {
        let mut stdlib = package(Ecosystem::Golang, "stdlib", "1.21.3");
        stdlib.built_for = built_for.map(str::to_owned);
        let mut affected = statement(Ecosystem::Golang, "stdlib", &[Range::below("1.21.5")]);
        affected.platforms = limit.into_iter().map(str::to_owned).collect();
        check(&stdlib, &affected, expected);
        // Outside the range the platform does not matter.
        stdlib.version = "1.21.6".to_owned();
        check(&stdlib, &affected, OtherVersion);
    }
}

#[test]
fn a_listed_version_is_mended_by_the_next_fix() {
    let mut affected =
        statement(Ecosystem::Npm, "demo", &[range("1.5.0", "1.6.0", ""), Range::below("1.1.0")]);
    affected.versions = vec!["1.2.0".to_owned()];
    check(&package(Ecosystem::Npm, "demo", "1.2.0"), &affected, Hit(Some("1.6.0")));
}

#[test]
fn a_listed_version_matches_what_its_ecosystem_calls_equal() {
    for (ecosystem, installed, listed, expected) in [
        (Ecosystem::Pypi, "1.0", "1.0.0", Hit(None)),
        (Ecosystem::Pypi, "1.0.0.RC1", "1.0.0rc1", Hit(None)),
        (Ecosystem::Pypi, "1.13.1+cu117", "1.13.1", Hit(None)),
        (Ecosystem::Pypi, "1.13.1", "1.13.1+cu117", OtherVersion),
        (Ecosystem::Pypi, "1.13.1+cu117", "1.13.2", OtherVersion),
        (Ecosystem::Gem, "2.0", "2.0.0", Hit(None)),
        (Ecosystem::Npm, "2.0.0", "2.0.1", OtherVersion),
    ] {
        let mut affected = statement(ecosystem, "demo", &[]);
        affected.versions = vec![listed.to_owned()];
        check(&package(ecosystem, "demo", installed), &affected, expected);
    }
}

#[test]
fn an_installed_version_that_cannot_be_read_is_in_doubt_and_never_clean() {
    let affected = statement(Ecosystem::Pypi, "demo", &[range("1.0", "2.0", "")]);
    check(&package(Ecosystem::Pypi, "demo", "unknown"), &affected, Unknown);
    check(&package(Ecosystem::Pypi, "demo", ""), &affected, Unknown);
    // Nothing needs to be compared where everything is meant.
    let everything = statement(Ecosystem::Pypi, "demo", &[Range::default()]);
    check(&package(Ecosystem::Pypi, "demo", "unknown"), &everything, Hit(None));
}

#[test]
fn a_bound_that_cannot_be_read_is_in_doubt_only_where_it_decides() {
    for (version, ranges, expected) in [
        ("1.5.0", vec![range("1.0.0", "soon", "")], Unknown),
        ("0.9.0", vec![range("1.0.0", "soon", "")], OtherVersion),
        ("0.9.0", vec![range("once", "2.0.0", "")], Unknown),
        ("2.5.0", vec![range("once", "2.0.0", "")], OtherVersion),
        ("1.5.0", vec![range("1.0.0", "", "soon")], Unknown),
        (
            "1.5.0",
            vec![range("once", "2.0.0", ""), range("1.4.0", "1.6.0", "")],
            Hit(Some("1.6.0")),
        ),
    ] {
        check(
            &package(Ecosystem::Npm, "demo", version),
            &statement(Ecosystem::Npm, "demo", &ranges),
            expected,
        );
    }
}

#[test]
fn doubt_about_what_the_publisher_rules_out_is_silence() {
    let mut affected = statement(Ecosystem::Pypi, "demo", &[Range::below("2.0")]);
    affected.status = Status::NotAffected;
    check(&package(Ecosystem::Pypi, "demo", "unknown"), &affected, OtherVersion);
}

#[test]
fn versions_are_ordered_as_their_ecosystem_does() {
    for (ecosystem, installed, fixed, expected) in [
        (Ecosystem::Deb, "1.9-1", "1.10-1", Hit(Some("1.10-1"))),
        (Ecosystem::Deb, "1:1.0-1", "2.0-1", OtherVersion),
        (Ecosystem::Rpm, "2.0-1", "1:1.0-1", Hit(Some("1:1.0-1"))),
        (Ecosystem::Rpm, "1:1.0-2", "1:1.0-1", OtherVersion),
        (Ecosystem::Apk, "1.1.1d-r0", "1.1.1d-r2", Hit(Some("1.1.1d-r2"))),
        (Ecosystem::Golang, "v1.6.3", "1.7.7", Hit(Some("1.7.7"))),
        (
            Ecosystem::Golang,
            "v0.0.0-20200622213623-75b288015ac9",
            "0.0.0-20201216223049-8b5274cf687f",
            Hit(Some("0.0.0-20201216223049-8b5274cf687f")),
        ),
        (Ecosystem::Maven, "2.14.1", "2.15.0-rc1", Hit(Some("2.15.0-rc1"))),
        (Ecosystem::Pypi, "2.0rc1", "2.0", Hit(Some("2.0"))),
        (Ecosystem::Gem, "2.0.0.pre", "2.0.0", Hit(Some("2.0.0"))),
        (Ecosystem::Nuget, "12.0.1", "13.0.1", Hit(Some("13.0.1"))),
        (Ecosystem::Composer, "v4.4.9", "4.4.13", Hit(Some("4.4.13"))),
        (Ecosystem::Cargo, "0.1.43", "0.2.23", Hit(Some("0.2.23"))),
    ] {
        check(
            &package(ecosystem, "demo", installed),
            &statement(ecosystem, "demo", &[Range::below(fixed)]),
            expected,
        );
    }
}
