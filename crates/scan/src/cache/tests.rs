//! Entries of the cache: whole, damaged, unwritable.

use pratique_model::{Distro, Ecosystem, Package, SourcePackage};

use super::*;

fn digest(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}

fn inventory() -> Inventory {
    Inventory {
        distro: Some(Distro {
            id: "debian".to_owned(),
            version: "12".to_owned(),
            eol: "2028-06-30".parse().ok(),
            ..Distro::default()
        }),
        packages: vec![Package {
            ecosystem: Ecosystem::Deb,
            name: "libc6".to_owned(),
            version: "2.36-9".to_owned(),
            arch: Some("amd64".to_owned()),
            source: Some(SourcePackage { name: "glibc".to_owned(), version: "2.36-9".to_owned() }),
            module: None,
            vendor: None,
            layer: Some(DiffId(digest(3))),
            paths: vec!["/var/lib/dpkg/status".to_owned()],
            owned_by: None,
            built_for: None,
            cataloger: "dpkg",
        }],
        partial: Vec::new(),
    }
}

#[test]
fn an_image_survives_a_round_trip_and_others_are_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::new(&folder.path().join("not/yet/there"));
    assert_eq!(cache.image(digest(1)), None);
    cache.keep_image(digest(1), &inventory());
    assert_eq!(cache.image(digest(1)), Some(inventory()));
    assert_eq!(cache.image(digest(2)), None);
    let files = fs::read_dir(cache.folder.join("images")).expect("the folder").count();
    assert_eq!(files, 1, "nothing else is left behind");
}

#[test]
fn a_partial_answer_is_not_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::new(folder.path());
    let mut partial = inventory();
    partial.partial.push(pratique_model::Partial {
        layer: None,
        path: None,
        problem: "cut".to_owned(),
    });
    cache.keep_image(digest(1), &partial);
    assert_eq!(cache.image(digest(1)), None);
}

#[test]
fn damaged_entries_are_ignored_and_written_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::new(folder.path());
    cache.keep_image(digest(1), &inventory());
    let path = cache.image_path(digest(1));
    let whole = fs::read(&path).expect("the entry");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("writes");
        assert_eq!(cache.image(digest(1)), None, "cut at {length}");
    }
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x10;
        fs::write(&path, &damaged).expect("writes");
        assert_eq!(cache.image(digest(1)), None, "damaged at {position}");
    }
    cache.keep_image(digest(1), &inventory());
    assert_eq!(cache.image(digest(1)), Some(inventory()));
}

#[test]
fn a_folder_that_cannot_be_written_does_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("writes");
    let cache = Cache::new(&file);
    cache.keep_image(digest(1), &inventory());
    assert_eq!(cache.image(digest(1)), None);
}
