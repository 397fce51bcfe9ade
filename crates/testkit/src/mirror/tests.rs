//! Goal: what is generated is what the scale says, and the same each time.

use super::*;

/// Every file below a folder with its content, sorted.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.file_type().expect("a type").is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().display().to_string();
                files.push((
                    name[folder.display().to_string().len()..].to_owned(),
                    fs::read(entry.path()).expect("a file"),
                ));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_seed_others() {
    let [one, two, other] = [1, 1, 2].map(|seed| {
        let folder = tempfile::tempdir().expect("a folder");
        write(Scale::Small, seed, folder.path()).expect("written");
        files(folder.path())
    });
    assert!(one == two, "two runs differ");
    assert!(one != other, "the seed changes nothing");
}

#[test]
fn the_baseline_has_as_many_entries_as_other_databases_were_made_from() {
    let sizes = Scale::Baseline.sizes();
    let osv: u64 = sizes.osv.iter().map(|zip| zip.advisories + zip.malicious).sum();
    let errata: u64 = sizes.almalinux.iter().sum();
    let secdb = sizes.alpine + sizes.wolfi + sizes.chainguard;
    let sum = sizes.debian + sizes.ubuntu + secdb + errata + sizes.azurelinux * 3 + osv + sizes.nvd;
    assert_eq!(sum, 257_488);
}

#[test]
fn shares_add_up_whatever_the_weights() {
    for weights in [&[1, 2, 3][..], &[7], &[0, 5, 0], &[1_000_003, 1, 9]] {
        let sum: u64 = (0..weights.len()).map(|index| share(1_001, weights, index)).sum();
        assert_eq!(sum, 1_001, "{weights:?}");
    }
}
