//! SBOMs in the forms of their makers, written by hand, against the packages they stand for.

use pratique_model::{Ecosystem, IndexReport};

use super::*;

fn parsed(document: &serde_json::Value) -> IndexReport {
    parse_sbom(document.to_string().as_bytes(), "sbom.json").expect("a readable SBOM")
}

fn bom(components: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components})
}

/// What of a package matters for matching, in one line.
fn line(package: &Package) -> String {
    let source = package.source.as_ref();
    let source = source.map_or_else(String::new, |one| format!(" < {} {}", one.name, one.version));
    let module = package.module.as_ref().map_or_else(String::new, |one| format!(" [{one}]"));
    format!("{} {} {}{source}{module}", package.ecosystem, package.name, package.version)
}

#[track_caller]
fn check(component: &serde_json::Value, expected: &str) {
    let report = parsed(&bom(&serde_json::json!([component])));
    let lines: Vec<String> = report.packages.iter().map(line).collect();
    assert_eq!(lines, [expected], "{component}");
}

fn purl(purl: &str) -> serde_json::Value {
    serde_json::json!({"type": "library", "name": "whatever", "purl": purl})
}

#[test]
fn package_urls_of_every_ecosystem_become_packages() {
    for (text, expected) in [
        ("pkg:deb/debian/bash@5.2.15-2%2Bb2?arch=amd64", "deb bash 5.2.15-2+b2 < bash 5.2.15-2+b2"),
        ("pkg:apk/alpine/musl@1.1.22-r3", "apk musl 1.1.22-r3 < musl 1.1.22-r3"),
        ("pkg:rpm/rocky/acl@2.3.1-4.el9?epoch=0", "rpm acl 2.3.1-4.el9 < acl 2.3.1-4.el9"),
        ("pkg:npm/%40angular/core@17.0.0", "npm @angular/core 17.0.0"),
        ("pkg:pypi/ruamel-yaml@0.17", "pypi ruamel-yaml 0.17"),
        ("pkg:golang/github.com/gin-gonic/gin@v1.6.3", "golang github.com/gin-gonic/gin v1.6.3"),
        ("pkg:golang/stdlib@go1.21.3", "golang stdlib 1.21.3"),
        ("pkg:maven/org.apache.tomcat/juli@6.0", "maven org.apache.tomcat:juli 6.0"),
        ("pkg:gem/rake@13.0.6", "gem rake 13.0.6"),
        ("pkg:cargo/time@0.1.43", "cargo time 0.1.43"),
        ("pkg:nuget/Newtonsoft.Json@12.0.1", "nuget Newtonsoft.Json 12.0.1"),
        ("pkg:composer/symfony/http-kernel@5.0", "composer symfony/http-kernel 5.0"),
        ("pkg:hex/phoenix@1.7.0", "generic hex/phoenix 1.7.0"),
        ("pkg:npm/left-pad", "npm left-pad "),
    ] {
        check(&purl(text), expected);
    }
}

#[test]
fn syfts_sources_are_read_from_the_url_or_from_properties() {
    for (text, expected) in [
        (
            "pkg:deb/debian/bsdutils@1:2.38.1-5?upstream=util-linux%402.38.1-5",
            "deb bsdutils 1:2.38.1-5 < util-linux 2.38.1-5",
        ),
        (
            "pkg:apk/alpine/libssl1.1@1.1.1d-r0?upstream=openssl",
            "apk libssl1.1 1.1.1d-r0 < openssl 1.1.1d-r0",
        ),
        (
            "pkg:rpm/almalinux/dbus-libs@1.12.8-14.el8?epoch=1&upstream=dbus-1.12.8-14.el8.src.rpm",
            "rpm dbus-libs 1:1.12.8-14.el8 < dbus 1:1.12.8-14.el8",
        ),
    ] {
        check(&purl(text), expected);
    }
    let component = serde_json::json!({
        "type": "library", "name": "bsdutils",
        "purl": "pkg:deb/debian/bsdutils@1:2.38.1-5",
        "properties": [
            {"name": "syft:metadata:source", "value": "util-linux"},
            {"name": "syft:metadata:sourceVersion", "value": "2.38.1-5"},
            {"name": "syft:location:0:path", "value": "/var/lib/dpkg/status"},
        ],
    });
    check(&component, "deb bsdutils 1:2.38.1-5 < util-linux 2.38.1-5");
    let report = parsed(&bom(&serde_json::json!([component])));
    assert_eq!(report.packages[0].paths, ["/var/lib/dpkg/status"]);
}

#[test]
fn trivys_sources_and_modules_are_read_from_properties() {
    let property = |name: &str, value: &str| {
        let name = format!("aquasecurity:trivy:{name}");
        serde_json::json!({"name": name, "value": value})
    };
    let component = serde_json::json!({
        "type": "library", "name": "nodejs-libs",
        "purl": "pkg:rpm/alma/nodejs-libs@18.10.0-1.el8?arch=x86_64&distro=alma-8.7&epoch=1",
        "properties": [
            property("SrcName", "nodejs"), property("SrcVersion", "18.10.0"),
            property("SrcRelease", "1.el8"), property("SrcEpoch", "1"),
            property("Modularitylabel", "nodejs:18:8070020221018:ad008a3a"),
        ],
    });
    check(
        &component,
        "rpm nodejs-libs 1:18.10.0-1.el8 < nodejs 1:18.10.0-1.el8 \
         [nodejs:18:8070020221018:ad008a3a]",
    );
}

#[test]
fn a_name_keeps_its_case_where_the_url_has_lost_it() {
    let component = serde_json::json!({
        "type": "library", "name": "github.com/Masterminds/semver",
        "purl": "pkg:golang/github.com/masterminds/semver@v1.5.0",
    });
    check(&component, "golang github.com/Masterminds/semver v1.5.0");
    let component = serde_json::json!({
        "type": "library", "name": "ruamel.yaml", "purl": "pkg:pypi/ruamel-yaml@0.17",
    });
    check(&component, "pypi ruamel.yaml 0.17");
    let component = serde_json::json!({
        "type": "library", "group": "@Angular", "name": "Core",
        "purl": "pkg:npm/%40angular/core@17.0.0",
    });
    check(&component, "npm @Angular/Core 17.0.0");
}

#[test]
fn the_distribution_is_that_of_the_system_component_else_of_the_urls() {
    let system = |name: &str, version: &str| {
        let kind = "operating-system";
        serde_json::json!({"type": kind, "name": name, "version": version})
    };
    for (components, expected) in [
        (serde_json::json!([system("debian", "12.8")]), Some("debian:12")),
        (serde_json::json!([system("alma", "8.7")]), Some("almalinux:8")),
        (serde_json::json!([system("alpine", "3.21_alpha20240923")]), Some("alpine:edge")),
        (serde_json::json!([system("wolfi", "20230201")]), Some("wolfi")),
        (serde_json::json!([purl("pkg:apk/alpine/a@1-r0?distro=3.15.0")]), Some("alpine:3.15")),
        (serde_json::json!([purl("pkg:deb/debian/a@1?distro=debian-12")]), Some("debian:12")),
        (serde_json::json!([purl("pkg:deb/debian/a@1?distro=debian-sid")]), Some("debian:sid")),
        (
            serde_json::json!([purl("pkg:rpm/opensuse/a@1-1?distro=opensuse-leap-15.5")]),
            Some("opensuse-leap:15.5"),
        ),
        (serde_json::json!([purl("pkg:npm/a@1")]), None),
        (serde_json::json!([]), None),
    ] {
        let report = parsed(&bom(&components));
        let release = report.distro.map(|distro| distro.release().to_string());
        assert_eq!(release.as_deref(), expected, "{components}");
    }
}

#[test]
fn components_in_components_are_read_and_files_and_images_are_not_packages() {
    let report = parsed(&bom(&serde_json::json!([
        {"type": "application", "name": "app", "components": [
            {"type": "library", "name": "a", "purl": "pkg:npm/a@1", "components": [
                purl("pkg:npm/b@2"),
            ]},
        ]},
        {"type": "file", "name": "/bin/sh"},
        {"type": "container", "name": "base", "purl": "pkg:oci/base@sha256%3Aabc"},
        {"type": "library", "name": "nameless", "version": "3"},
    ])));
    let lines: Vec<String> = report.packages.iter().map(line).collect();
    assert_eq!(lines, ["npm a 1", "npm b 2", "generic nameless 3"]);
    assert!(report.packages.iter().any(|package| package.ecosystem == Ecosystem::Generic));
}

#[test]
fn the_target_is_named_as_the_document_names_it() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let mut document = bom(&serde_json::json!([]));
    assert_eq!(parsed(&document).target.reference, "sbom.json");
    document["metadata"] = serde_json::json!({
        "component": {"type": "container", "name": "alpine:3.10", "version": digest},
    });
    let target = parsed(&document).target;
    assert_eq!((&*target.reference, &*target.source), ("alpine:3.10", "sbom"));
    assert_eq!(target.digest.map(|digest| digest.to_string()), Some(digest));
}

#[test]
fn what_is_no_inventory_is_refused_with_its_form() {
    for (document, message) in [
        ("", "the document is not JSON, or is cut off"),
        ("<bom/>", "the document is not JSON, or is cut off"),
        (
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": ["#,
            "the document is not JSON, or is cut off",
        ),
        ("[]", "the document is not JSON, or is cut off"),
        (
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.3"}"#,
            "the document is CycloneDX 1.3; expected pratique.report/1 or CycloneDX JSON 1.4 to \
             1.6",
        ),
        (
            r#"{"spdxVersion": "SPDX-2.3"}"#,
            "the document is SPDX-2.3; expected pratique.report/1 or CycloneDX JSON 1.4 to 1.6",
        ),
        (
            r#"{"schema": "pratique.report/2"}"#,
            "the document is pratique.report/2; expected pratique.report/1 or CycloneDX JSON 1.4 \
             to 1.6",
        ),
        (
            r#"{"schema": "pratique.report/1", "packages": 1}"#,
            "report: invalid type: integer `1`, expected a sequence at line 1 column 45",
        ),
    ] {
        let error = parse_sbom(document.as_bytes(), "x").expect_err("no inventory").to_string();
        assert_eq!(error, message, "{document}");
    }
}

#[test]
fn a_component_that_cannot_be_read_is_named_and_the_others_are_kept() {
    let report = parsed(&bom(&serde_json::json!([purl("pkg:npm/"), purl("pkg:npm/a@1")])));
    assert_eq!(report.packages.len(), 1);
    let problems: Vec<&str> = report.partial.iter().map(|one| &*one.problem).collect();
    assert_eq!(problems, ["components[0]: package URL \"pkg:npm/\": it has no name"]);
}

#[test]
fn a_document_of_endless_depth_is_refused() {
    let open = r#"{"type": "library", "components": ["#.repeat(5_000);
    let document =
        format!(r#"{{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{open}"#);
    assert!(parse_sbom(document.as_bytes(), "x").is_err());
}

#[test]
fn only_our_own_report_is_read_back() {
    let error = parse_report(br#"{"bomFormat": "CycloneDX"}"#).expect_err("not our own");
    assert!(error.to_string().starts_with("the document is JSON without `schema`"), "{error}");
}

/// A report of one package with `field` replaced, as our own JSON.
fn own_report(field: &str, value: serde_json::Value) -> Vec<u8> {
    let mut report = serde_json::json!({
        "schema": "pratique.report/1",
        "target": {"reference": "a", "digest": null, "platform": null, "source": "dir"},
        "distro": {"id": null, "version": null, "codename": null, "eol": null},
        "packages": [{
            "purl": "pkg:npm/ms@1", "type": "npm", "name": "ms", "version": "1", "arch": null,
            "source": {"name": null, "version": null}, "layer": null, "paths": ["/a"],
            "owned_by": null,
        }],
    });
    *report.pointer_mut(field).expect("the field is there") = value;
    report.to_string().into_bytes()
}

#[test]
fn an_inventory_without_findings_is_a_report_too() {
    let report = own_report("/target/reference", "b".into());
    let read = parse_report(&report).expect("findings are not needed");
    assert_eq!((read.packages.len(), &*read.target.reference), (1, "b"));
    let marked = [b"\xef\xbb\xbf", &*report].concat();
    assert_eq!(parse_report(&marked).expect("a byte order mark is no fault"), read);
}

#[test]
fn what_no_scan_writes_is_refused_with_its_place() {
    let long = "x".repeat(70_000);
    for (field, value, message) in [
        ("/schema", "pratique.report/9".into(), "the document is of schema pratique.report/9; "),
        ("/packages/0/type", "nmp".into(), "packages[0].type: unknown ecosystem: \"nmp\""),
        ("/packages/0/name", "".into(), "packages[0].name: it is empty"),
        ("/packages/0/name", long.clone().into(), "packages[0].name: 70000 bytes, more than"),
        ("/packages/0/version", long.into(), "packages[0].version: 70000 bytes, more than"),
        ("/packages/0/layer", "sha256:12".into(), "packages[0].layer: "),
        ("/packages/0/paths", serde_json::Value::Null, "report: invalid type: null, expected "),
        ("/target/digest", "latest".into(), "target.digest: "),
        ("/distro", serde_json::Value::Null, "report: invalid type: null, expected "),
    ] {
        let error = parse_report(&own_report(field, value)).expect_err(field).to_string();
        assert!(error.starts_with(message), "{field}: {error}");
    }
}
