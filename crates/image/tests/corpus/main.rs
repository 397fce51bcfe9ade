//! Reads every image of the corpus, where `PRATIQUE_CORPUS` names it: each opens, every layer's
//! digests hold, and what must be found is found at the path where it is after the last layer.

use std::io::Write;
use std::path::{Path, PathBuf};

use pratique_image::{Content, FileInfo, NoCache, OpenOptions, ReadOptions, Reader, View, open};
use pratique_model::Partial;

/// Keeps the length of every file's content.
struct Everything;

impl Reader for Everything {
    type Value = u64;

    fn wants(&self, _: &FileInfo<'_>) -> bool {
        true
    }

    fn read(
        &self,
        file: &FileInfo<'_>,
        content: &mut Content<'_>,
        _: &mut Vec<Partial>,
    ) -> Option<u64> {
        let length = content.read_rest(u64::MAX - 1).expect("reads").map(|bytes| bytes.len());
        assert_eq!(length, Some(usize::try_from(file.size).expect("fits")), "{}", file.path);
        Some(file.size)
    }
}

fn images() -> Option<PathBuf> {
    match std::env::var_os("PRATIQUE_CORPUS") {
        Some(corpus) => Some(Path::new(&corpus).join("images")),
        None => {
            // Written past the test harness, which keeps the output of tests that pass.
            let line = b"SKIPPED: PRATIQUE_CORPUS does not name the corpus of real images\n";
            std::io::stderr().write_all(line).expect("standard error takes a line");
            None
        }
    }
}

fn read(path: &Path, platform: Option<&str>) -> (pratique_image::Image, View<u64>) {
    let platform = platform.map(|text| text.parse().expect("a platform"));
    let target = path.to_str().expect("the corpus has plain names");
    let image = open(target, &OpenOptions { platform, ..OpenOptions::default() })
        .unwrap_or_else(|error| panic!("{target}: {error}"));
    let view =
        image.read_all(&Everything, &ReadOptions::default(), &NoCache).unwrap_or_else(|error| {
            panic!("{target}: {error}: {:?}", std::error::Error::source(&error))
        });
    (image, view)
}

#[test]
fn every_image_opens_and_every_layer_verifies() {
    let Some(images) = images() else { return };
    let mut count = 0;
    for entry in images.read_dir().expect("the corpus has images") {
        let path = entry.expect("reads").path();
        if path.extension().is_none_or(|extension| extension != "tar") {
            continue;
        }
        let (image, view) = read(&path, None);
        assert!(!view.is_empty(), "{}: no files", path.display());
        assert_eq!(view.partial(), [], "{}", path.display());
        assert!(!image.layers().is_empty(), "{}", path.display());
        assert!(image.target().image_id.is_some(), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 16, "images read");
}

#[test]
fn a_nested_index_gives_each_platform_its_own_image() {
    let Some(images) = images() else { return };
    let path = images.join("alpine-3.10.3-multiarch.oci.tar");
    let mut layers = Vec::new();
    for platform in ["linux/amd64", "linux/arm64", "linux/arm/v7"] {
        let (image, view) = read(&path, Some(platform));
        assert!(view.get("etc/os-release").is_some(), "{platform}");
        let shown = image.target().platform.as_ref().expect("it is named").to_string();
        assert!(shown.starts_with(platform), "{platform}: {shown}");
        layers.extend(image.target().layers.clone());
    }
    layers.sort();
    layers.dedup();
    assert_eq!(layers.len(), 3, "three different layers");
    let target = path.to_str().expect("plain name");
    let options = OpenOptions {
        platform: Some("linux/s390x".parse().expect("a platform")),
        ..OpenOptions::default()
    };
    let error = open(target, &options).err().expect("there is none").to_string();
    assert!(error.contains("linux/amd64, linux/arm64"), "{error}");
}

#[test]
fn whiteouts_and_opaque_folders_hide_what_they_say() {
    let Some(images) = images() else { return };
    let (_, view) = read(&images.join("node-python-whiteout.oci.tar"), None);
    let names: Vec<&str> = view.files().map(|(path, _, _)| path).collect();
    assert!(names.iter().all(|name| !name.contains("/.wh.")), "a marker became a file");
    let count = names
        .iter()
        .filter(|name| name.contains("node_modules/") && name.ends_with("/package.json"))
        .count();
    assert!(count > 0, "no package.json among {} files", names.len());
}
