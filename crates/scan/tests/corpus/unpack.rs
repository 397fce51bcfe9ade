//! Unpacks an image with the system's tar, layer by layer, whiteouts applied.
//!
//! Deliberately naive and independent of `pratique-image`: the images of the corpus are known to be
//! harmless.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Unpacks the image for `platform` (or the only one) below `root`.
pub(crate) fn unpack(archive: &Path, platform: Option<&str>, root: &Path) {
    let work = tempfile::tempdir().expect("a folder");
    tar(&["-xf", &archive.to_string_lossy()], work.path());
    fs::create_dir_all(root).expect("a folder");
    for layer in layers(work.path(), platform) {
        apply(&layer, root);
    }
}

fn tar(arguments: &[&str], folder: &Path) -> String {
    let output = Command::new("tar").args(arguments).current_dir(folder).output().expect("tar");
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tar {arguments:?}: {problems}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(path: &Path) -> Value {
    serde_json::from_reader(File::open(path).expect("a document")).expect("JSON")
}

fn layers(folder: &Path, platform: Option<&str>) -> Vec<PathBuf> {
    if !folder.join("index.json").exists() {
        let manifest = json(&folder.join("manifest.json"));
        let layers = manifest[0]["Layers"].as_array().expect("layers").iter();
        return layers.map(|layer| folder.join(layer.as_str().expect("a path"))).collect();
    }
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().expect("a digest");
        folder.join("blobs").join(digest.replace(':', "/"))
    };
    let mut document = json(&folder.join("index.json"));
    while let Some(manifests) = document["manifests"].as_array() {
        let is_chosen = |descriptor: &&Value| {
            let part = |name: &str| descriptor["platform"][name].as_str().map(str::to_owned);
            let parts = [part("os"), part("architecture"), part("variant")];
            let text = parts.into_iter().flatten().collect::<Vec<_>>().join("/");
            platform.is_none_or(|platform| text.is_empty() || text == platform)
        };
        let chosen = manifests.iter().find(is_chosen).expect("the platform");
        document = json(&blob(chosen));
    }
    document["layers"].as_array().expect("layers").iter().map(blob).collect()
}

fn apply(layer: &Path, root: &Path) {
    let layer = layer.to_string_lossy();
    for name in tar(&["-tf", &layer], root).lines() {
        let (folder, name) = name.trim_start_matches("./").rsplit_once('/').unwrap_or(("", name));
        let folder = root.join(folder);
        if name == ".wh..wh..opq" {
            let _ = fs::remove_dir_all(&folder);
        } else if let Some(removed) = name.strip_prefix(".wh.") {
            let path = folder.join(removed);
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
    }
    tar(&["--no-same-owner", "--exclude=.wh.*", "-xf", &layer], root);
}
