//! Python metadata in all its places and spellings.

use std::io::Write as _;

use super::*;
use crate::language::tests::{catalog, packages};

const WHEEL: &str = "usr/lib/python3.7/site-packages/Flask-0.12.2.dist-info/METADATA";

#[test]
fn every_form_has_its_place_and_vendored_copies_have_none() {
    for (path, expected) in [
        (WHEEL, Some(Place::Headers("Flask-0.12.2"))),
        ("x/numpy-1.19.5-py3.7.egg-info/PKG-INFO", Some(Place::Headers("numpy-1.19.5-py3.7"))),
        ("x/PyYAML-5.1-py3.7.egg-info", Some(Place::Headers("PyYAML-5.1-py3.7"))),
        ("x/a-1-py2.7.egg/EGG-INFO/PKG-INFO", Some(Place::Headers("a-1-py2.7"))),
        ("x/a-1-py2.7.egg", Some(Place::Egg("a-1-py2.7"))),
        ("x/setuptools/_vendor/wheel-0.43.0.dist-info/METADATA", None),
        ("x/Flask-0.12.2.dist-info/RECORD", None),
        ("x/METADATA", None),
        ("x/PKG-INFO", None),
        ("x/EGG-INFO/PKG-INFO", None),
        ("app/requirements.txt", None),
    ] {
        assert_eq!(place_of(path), expected, "{path}");
    }
}

#[test]
fn headers_are_read_as_mail_headers_are() {
    let check = |text: &[u8], expected: (&str, &str)| {
        let found = catalog(&Pypi, WHEEL, text);
        assert_eq!(packages(&found), [expected], "{}", String::from_utf8_lossy(text));
        assert!(found.problems.is_empty(), "{:?}", found.problems);
    };
    check(
        b"Metadata-Version: 2.1\nName: zope.interface\nVersion: 5.0\n",
        ("zope.interface", "5.0"),
    );
    check(b"NAME:a\r\nversion :  1.0 \r\n\r\nName: b\r\n", ("a", "1.0"));
    check(b"Description: x\n Name: no\n\tVersion: no\nName: c\nVersion: 1\n", ("c", "1"));
    check(b"Author: J\xf6rg\nName: d\nVersion: 1", ("d", "1"));
    check("\u{feff}Name: e\nVersion: 1".as_bytes(), ("e", "1"));
    check(b"Name: first\nName: second\nVersion: 1\nVersion: 2\n", ("first", "1"));
    check(b"no colon here\nName: f\nVersion: 1\n", ("f", "1"));
}

#[test]
fn the_path_stands_in_for_missing_headers() {
    let check = |path: &str, text: &str, expected: (&str, &str)| {
        let found = catalog(&Pypi, path, text.as_bytes());
        assert_eq!(packages(&found), [expected], "{path}");
    };
    check(WHEEL, "", ("Flask", "0.12.2"));
    check(WHEEL, "Name: flask\n\nVersion: 9", ("flask", "0.12.2"));
    check("x/a_b-1.0+local-py3.9.egg-info", "Name: UNKNOWN\nVersion: 1.0\n", ("a_b", "1.0"));
    check("x/c-2-py3.9-linux-x86_64.egg-info/PKG-INFO", "Name: c\n", ("c", "2"));
}

#[test]
fn metadata_without_name_or_version_anywhere_is_named() {
    for (path, text) in
        [("x/develop.egg-info/PKG-INFO", "Name: a"), ("x/.egg-info", ""), ("x/a-b.egg-info", "")]
    {
        let found = catalog(&Pypi, path, text.as_bytes());
        assert!(found.packages.is_empty(), "{path}");
        assert_eq!(found.problems.len(), 1, "{path}");
    }
}

#[test]
fn a_header_at_the_edge_of_a_read_is_not_cut() {
    for pad in 4080..4110 {
        let text = format!("Name: n\nSummary: {}\nVersion: 1.234567\n\nbody", "x".repeat(pad - 24));
        assert_eq!(packages(&catalog(&Pypi, WHEEL, text.as_bytes())), [("n", "1.234567")], "{pad}");
    }
    let late = format!("Description: x\n{}Name: n\nVersion: 1\n", " more\n".repeat(100_000));
    assert_eq!(packages(&catalog(&Pypi, WHEEL, late.as_bytes())), [("n", "1")]);
}

#[test]
fn a_zipped_egg_is_opened() {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default();
    writer.start_file("a/__init__.py", options).unwrap();
    writer.start_file("EGG-INFO/PKG-INFO", options).unwrap();
    writer.write_all(b"Metadata-Version: 1.0\nName: Old-Egg\nVersion: 0.9\n").unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let found = catalog(&Pypi, "x/old_egg-0.9-py2.7.egg", &bytes);
    assert_eq!(packages(&found), [("Old-Egg", "0.9")]);
    assert!(catalog(&Pypi, "x/link.egg", b"/src/link").is_empty());
}
