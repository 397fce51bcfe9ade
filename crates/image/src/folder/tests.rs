//! Folders as a whole: what is read of them, and what must never be.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::join::tests::Texts;
use crate::{Limits, NoCache, OpenOptions, ReadOptions, View, open};

fn read(root: &std::path::Path, limits: Limits) -> View<String> {
    let target = format!("rootfs:{}", root.display());
    let image = open(&target, &OpenOptions::default()).expect("opens");
    let options = ReadOptions { limits, ..ReadOptions::default() };
    image.read_all(&Texts, &options, &NoCache).expect("reads")
}

#[test]
fn files_are_read_and_links_are_followed_inside_only() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), b"secret").expect("writes");
    let root = tempfile::tempdir().expect("a folder");
    let at = |path: &str| root.path().join(path);
    for folder in ["usr/lib/deep/er", "proc", "etc", "srv/proc"] {
        fs::create_dir_all(at(folder)).expect("makes");
    }
    for file in ["usr/lib/a", "usr/lib/deep/er/b", "proc/version", "srv/proc/c", "skip"] {
        fs::write(at(file), file).expect("writes");
    }
    symlink("usr/lib", at("lib")).expect("links");
    symlink(outside.path(), at("out")).expect("links");
    symlink("/usr/lib/a", at("etc/abs")).expect("links");
    symlink("../../../../../../etc/passwd", at("etc/climb")).expect("links");
    let view = read(root.path(), Limits::default());
    let files: Vec<&str> = view.files().map(|(path, _, _)| path).collect();
    assert_eq!(files, ["srv/proc/c", "usr/lib/a", "usr/lib/deep/er/b"]);
    assert_eq!(view.get("lib/a").map(String::as_str), Some("usr/lib/a"));
    assert_eq!(view.get("etc/abs").map(String::as_str), Some("usr/lib/a"));
    assert_eq!(view.get("out/secret"), None);
    assert_eq!(view.get("etc/climb"), None);
    assert_eq!(view.resolve("lib/deep/../x").as_deref(), Some("usr/lib/x"));
    assert_eq!(view.partial(), []);
}

#[test]
fn what_cannot_be_read_is_named() {
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join("a"), b"1").expect("writes");
    fs::write(root.path().join("closed"), b"1").expect("writes");
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(root.path().join("closed"), closed).expect("sets");
    // The superuser reads it all the same.
    let is_readable = fs::read(root.path().join("closed")).is_ok();
    let view = read(root.path(), Limits::default());
    let named: Vec<_> = view.partial().iter().filter_map(|partial| partial.path.clone()).collect();
    assert_eq!(named, if is_readable { vec![] } else { vec!["closed".to_owned()] });
    let view = read(root.path(), Limits { entries_max: 1, ..Limits::default() });
    assert!(view.partial().iter().any(|partial| partial.problem.contains("limit")));
    let view = read(root.path(), Limits { file_bytes_max: 0, ..Limits::default() });
    assert!(view.is_empty() && !view.partial().is_empty());
}
