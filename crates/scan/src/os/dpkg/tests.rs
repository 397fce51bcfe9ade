//! Stanzas whose answers were looked up with `dpkg-query -W`, and damaged ones.

use super::*;
use crate::cataloger::testing::{catalog, packages};

#[track_caller]
fn check(path: &str, text: &str, expected: &[&str]) {
    assert_eq!(packages(&catalog(&Dpkg, path, text.as_bytes())), expected, "{path}: {text:?}");
}

const STATUS: &str = "var/lib/dpkg/status";

fn stanza(status: &str) -> String {
    format!("Package: tool\nStatus: {status}\nArchitecture: amd64\nVersion: 1.0-1\n\n")
}

#[test]
fn packages_with_files_on_disk_count_and_others_do_not() {
    for state in [
        "install ok installed",
        "hold ok installed",
        "deinstall ok installed",
        "install ok half-configured",
        "install ok unpacked",
        "install ok triggers-awaited",
        "install ok triggers-pending",
        "install reinstreq half-installed",
    ] {
        check(STATUS, &stanza(state), &["deb tool 1.0-1 amd64 tool 1.0-1"]);
    }
    for state in ["deinstall ok config-files", "purge ok not-installed", "unknown ok"] {
        check(STATUS, &stanza(state), &[]);
    }
}

#[test]
fn stanzas_without_state_count_only_where_dpkg_never_ran() {
    let bare = "Package: tool\nVersion: 1\nArchitecture: amd64\n\n";
    let other = "Package: other\nVersion: 2\nSource: o (3)\n";
    check(STATUS, bare, &["deb tool 1 amd64 tool 1"]);
    check(STATUS, &format!("{bare}{other}"), &["deb tool 1 amd64 tool 1", "deb other 2 - o 3"]);
    let installed = stanza("install ok installed").replace("tool", "real");
    check(STATUS, &format!("{bare}{installed}"), &["deb real 1.0-1 amd64 real 1.0-1"]);
    check(STATUS, &format!("{bare}{}", stanza("purge ok not-installed")), &[]);
}

#[test]
fn source_is_read_with_its_own_version() {
    check(
        STATUS,
        "Package: libfoo1\nStatus: install ok installed\nSource: foo (1:2.0-3)\n\
         Architecture: arm64\nMulti-Arch: same\nVersion: 1:2.0-3+b2\n\n\
         Package: libbar\nStatus: install ok installed\nSource: bar\nVersion: 4\n\
         Architecture: all\n",
        &["deb libfoo1 1:2.0-3+b2 arm64 foo 1:2.0-3", "deb libbar 4 all bar 4"],
    );
}

#[test]
fn texts_are_as_dpkg_query_prints_them() {
    check(
        STATUS,
        "package: Tool\nSTATUS: install ok installed\nversion: 01:003\n\n\n\n\
         Package: zero\nStatus: install ok installed\nVersion: 0:5\nSource: zs (0:4)\n\n",
        &["deb tool 1:003 - tool 1:003", "deb zero 5 - zs 4"],
    );
}

#[test]
fn lines_of_a_long_field_are_no_fields() {
    check(
        STATUS,
        "Package: tool\nStatus: install ok installed\nDescription: text\n Version: 9\n .\n\
         \tPackage: other\nConffiles:\n /etc/a 00 obsolete\nVersion: 1\nArchitecture: all\n",
        &["deb tool 1 all tool 1"],
    );
}

#[test]
fn missing_last_newline_carriage_returns_and_foreign_bytes_do_no_harm() {
    check(
        STATUS,
        "Package: a\r\nStatus: install ok installed\r\nVersion: 1\r\n\r\n\
         Package: b\r\nStatus: install ok installed\r\nVersion: 2",
        &["deb a 1 - a 1", "deb b 2 - b 2"],
    );
    let mut text = b"Package: a\nMaintainer: J\xf6rg\nStatus: install ok installed\n".to_vec();
    text.extend_from_slice(b"Version: 1\n");
    assert_eq!(packages(&catalog(&Dpkg, STATUS, &text)), ["deb a 1 - a 1"]);
}

#[test]
fn a_bad_stanza_is_named_and_the_others_are_kept() {
    let text = "Status: install ok installed\nVersion: 1\n\n\
                Package: b\nStatus: install ok installed\n\n\
                Package: c\nStatus: install ok installed\nVersion: 3\n";
    let found = catalog(&Dpkg, STATUS, text.as_bytes());
    assert_eq!(packages(&found), ["deb c 3 - c 3"]);
    assert_eq!(found.problems, ["a stanza has no `Package`", "package \"b\" has no `Version`"]);
}

#[test]
fn split_status_needs_no_state() {
    let text = "Package: base-files\nVersion: 12.4+deb12u15\nArchitecture: amd64\n";
    let expected = ["deb base-files 12.4+deb12u15 amd64 base-files 12.4+deb12u15"];
    check("var/lib/dpkg/status.d/base-files", text, &expected);
    check("var/lib/dpkg/status.d/libstdc++6", text, &expected);
    check("var/lib/dpkg/status.d/base-files", &stanza("deinstall ok config-files"), &[]);
}

#[test]
fn only_the_database_itself_is_wanted() {
    for (path, wanted) in [
        (STATUS, true),
        ("var/lib/dpkg/status-old", false),
        ("var/lib/dpkg/available", false),
        ("var/lib/dpkg/status.d/base", true),
        ("var/lib/dpkg/status.d/deep/base", false),
        ("var/lib/dpkg/info/libc6:amd64.list", true),
        ("var/lib/dpkg/info/libc6:amd64.postinst", false),
        ("opt/var/lib/dpkg/status", false),
    ] {
        assert_eq!(Dpkg.wants(&FileInfo { path, size: 0, mode: 0o644 }), wanted, "{path}");
    }
}

#[test]
fn files_are_owned_by_the_package_in_the_lists_name() {
    let list = catalog(&Dpkg, "var/lib/dpkg/info/libc6:amd64.list", b"/.\n/lib\n/lib/ld.so\n");
    assert_eq!(list.owned[0].package, "libc6");
    assert!(list.owned[0].files.contains(&path_hash("usr/lib/ld.so")));
    for path in ["var/lib/dpkg/status.d/six.md5sums", "var/lib/dpkg/info/six.md5sums"] {
        let sums = b"0123456789abcdef0123456789abcdef  usr/lib/six.py\nshort\n";
        let found = catalog(&Dpkg, path, sums);
        assert_eq!(found.owned[0].package, "six");
        assert_eq!(found.owned[0].files, [path_hash("/usr/lib/six.py")]);
        assert!(found.packages.is_empty());
    }
}
