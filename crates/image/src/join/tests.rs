//! The rules by which layers hide one another, each as one row: layers in, files out. Every row is
//! read from a real archive in memory through the same code as an image from a user.

use std::io::Write as _;

use pratique_model::{Partial, Platform};

use super::View;
use crate::build::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};
use crate::{
    Budget, Content, FileInfo, LayerContent, Limits, NoCache, OpenOptions, ReadOptions, Reader,
    open,
};

/// Keeps the content of files whose path does not hold `skip`.
pub(crate) struct Texts;

impl Reader for Texts {
    type Value = String;

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        !file.path.contains("skip")
    }

    fn read(
        &self,
        _: &FileInfo<'_>,
        content: &mut Content<'_>,
        _: &mut Vec<Partial>,
    ) -> Option<String> {
        let bytes = content.read_rest(1 << 20).ok()??;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn reads_alike(&self, first: &FileInfo<'_>, second: &FileInfo<'_>) -> bool {
        first.path.ends_with("alone") == second.path.ends_with("alone")
    }
}

fn platform() -> Platform {
    Platform::host()
}

pub(crate) fn view_of(layers: &[LayerBuilder]) -> View<String> {
    let image = layers
        .iter()
        .zip([Compression::Gzip, Compression::Zstd, Compression::Plain].iter().cycle())
        .fold(ImageBuilder::new(platform()), |image, (layer, compression)| {
            image.layer(layer, *compression)
        });
    let bytes = ArchiveBuilder::new().image("", image).to_oci_archive();
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&bytes).expect("writes");
    let target = file.path().to_str().expect("plain name").to_owned();
    let image = open(&target, &OpenOptions::default()).expect("opens");
    image.read_all(&Texts, &ReadOptions::default(), &NoCache).expect("reads")
}

fn check(case: &str, layers: &[LayerBuilder], expected: &[(&str, &str)]) {
    let view = view_of(layers);
    let got: Vec<(&str, &str)> =
        view.files().map(|(path, _, text)| (path, text.as_str())).collect();
    assert_eq!(got, expected, "{case}");
    assert_eq!(view.partial(), [], "{case}");
}

fn layer() -> LayerBuilder {
    LayerBuilder::new()
}

#[test]
fn later_layers_win() {
    check(
        "a file replaces a file",
        &[layer().file("a", b"1").file("b", b"1"), layer().file("a", b"2")],
        &[("a", "2"), ("b", "1")],
    );
    check(
        "a pipe hides a file, and what leads to it",
        &[layer().symlink("x", "a").file("a", b"1"), layer().entry("a", b'6', b"")],
        &[],
    );
    check(
        "the last entry of a path counts",
        &[layer().file("a", b"1").file("./a", b"2")],
        &[("a", "2")],
    );
    check(
        "a folder merges with a folder",
        &[layer().folder("d").file("d/a", b"1"), layer().folder("d").file("d/b", b"2")],
        &[("d/a", "1"), ("d/b", "2")],
    );
}

#[test]
fn whiteouts_hide_lower_layers_only() {
    let base = || layer().folder("d").file("d/a", b"1").file("d/b", b"1").file("d/c/e", b"1");
    check("one file", &[base(), layer().whiteout("d/a")], &[("d/b", "1"), ("d/c/e", "1")]);
    check("a folder", &[base(), layer().whiteout("d")], &[]);
    check(
        "what is not there",
        &[base(), layer().whiteout("d/x")],
        &[("d/a", "1"), ("d/b", "1"), ("d/c/e", "1")],
    );
    check(
        "the layer's own file stays, whiteout last",
        &[base(), layer().file("d/a", b"2").whiteout("d/a")],
        &[("d/a", "2"), ("d/b", "1"), ("d/c/e", "1")],
    );
    check(
        "the layer's own file stays, whiteout first",
        &[base(), layer().whiteout("d").file("d/n", b"2")],
        &[("d/n", "2")],
    );
    check(
        "a whiteout in the lowest layer hides nothing and is no file",
        &[layer().file("a", b"1").whiteout("a")],
        &[("a", "1")],
    );
    check(
        "names like markers that mean nothing",
        &[base(), layer().file("d/.wh..wh.plnk", b"").file("d/.wh.", b"")],
        &[("d/a", "1"), ("d/b", "1"), ("d/c/e", "1")],
    );
    check(
        "a third layer brings the file back",
        &[base(), layer().whiteout("d"), layer().file("d/a", b"3")],
        &[("d/a", "3")],
    );
}

#[test]
fn opaque_folders_hide_lower_layers_wherever_the_marker_stands() {
    let base = || layer().file("d/a", b"1").file("d/s/b", b"1").file("e", b"1");
    for (case, top) in [
        ("first", layer().opaque("d").file("d/n", b"2").file("d/s/m", b"2")),
        ("last", layer().file("d/n", b"2").file("d/s/m", b"2").opaque("d")),
        ("between", layer().file("d/n", b"2").opaque("d").file("d/s/m", b"2")),
    ] {
        check(case, &[base(), top], &[("d/n", "2"), ("d/s/m", "2"), ("e", "1")]);
    }
}

#[test]
fn kinds_replace_one_another() {
    let base = || layer().folder("d").file("d/a", b"1").file("f", b"1");
    check("a folder becomes a file", &[base(), layer().file("d", b"2")], &[("d", "2"), ("f", "1")]);
    check(
        "a folder becomes a link, and what was beneath is gone",
        &[base(), layer().symlink("d", "e")],
        &[("f", "1")],
    );
    check(
        "a file becomes a folder",
        &[base(), layer().folder("f").file("f/g", b"2")],
        &[("d/a", "1"), ("f/g", "2")],
    );
    check(
        "a file becomes a folder that is not an entry",
        &[base(), layer().file("f/g", b"2")],
        &[("d/a", "1"), ("f/g", "2")],
    );
    check("a folder becomes a device", &[base(), layer().entry("d", b'3', b"")], &[("f", "1")]);
}

#[test]
fn linked_folders_are_followed_as_unpacking_does() {
    let base = || layer().folder("usr/lib").symlink("lib", "usr/lib").file("usr/lib/a", b"1");
    check(
        "a file",
        &[base(), layer().file("lib/b", b"2")],
        &[("usr/lib/a", "1"), ("usr/lib/b", "2")],
    );
    check("a replaced file", &[base(), layer().file("lib/a", b"2")], &[("usr/lib/a", "2")]);
    check("a whiteout", &[base(), layer().whiteout("lib/a")], &[]);
    check(
        "an opaque marker",
        &[base(), layer().opaque("lib").file("lib/n", b"2")],
        &[("usr/lib/n", "2")],
    );
    check(
        "an entry for the folder itself replaces the link",
        &[base(), layer().folder("lib").file("lib/a", b"2")],
        &[("lib/a", "2"), ("usr/lib/a", "1")],
    );
    check(
        "an absolute link stays inside the root",
        &[layer().symlink("var/run", "/run").file("run/x", b"1"), layer().file("var/run/y", b"2")],
        &[("run/x", "1"), ("run/y", "2")],
    );
    check(
        "a link that climbs stays inside the root",
        &[layer().symlink("a/up", "../../../b"), layer().file("a/up/f", b"2")],
        &[("b/f", "2")],
    );
    check(
        "an unwanted file through a link hides the wanted one",
        &[base(), layer().entry("lib/a", b'3', b"")],
        &[],
    );
}

#[test]
fn hard_links_have_the_value_of_their_file() {
    check(
        "in one layer",
        &[layer().file("a", b"1").hard_link("b", "a")],
        &[("a", "1"), ("b", "1")],
    );
    check(
        "to a lower layer",
        &[layer().file("a", b"1"), layer().hard_link("b", "./a")],
        &[("a", "1"), ("b", "1")],
    );
    check(
        "to a file that was not wanted itself",
        &[layer().file("skip", b"1").hard_link("b", "skip").hard_link("c", "skip")],
        &[("b", "1"), ("c", "1")],
    );
    check(
        "to a file of a lower layer that was not wanted itself",
        &[layer().file("skip", b"1"), layer(), layer().hard_link("b", "skip")],
        &[("b", "1")],
    );
    check(
        "to a file that reads differently under each name",
        &[layer().file("skip", b"1").hard_link("b", "skip").hard_link("alone", "skip")],
        &[("alone", "1"), ("b", "1")],
    );
    check(
        "of the file as it is then",
        &[layer().file("a", b"1"), layer().hard_link("b", "a"), layer().file("a", b"3")],
        &[("a", "3"), ("b", "1")],
    );
    check(
        "through a linked folder",
        &[
            layer().symlink("lib", "usr/lib").file("usr/lib/a", b"1"),
            layer().hard_link("b", "lib/a"),
        ],
        &[("b", "1"), ("usr/lib/a", "1")],
    );
}

#[test]
fn a_hard_link_to_nothing_is_named() {
    let view = view_of(&[layer().hard_link("b", "nowhere")]);
    assert!(view.is_empty());
    assert_eq!(view.partial().len(), 1, "{:?}", view.partial());
}

#[test]
fn paths_are_looked_up_through_links_and_never_outside() {
    let view = view_of(&[layer()
        .file("usr/lib/os-release", b"x")
        .symlink("etc/os-release", "../usr/lib/os-release")
        .symlink("abs", "/usr/lib")
        .symlink("out", "../../../../usr/lib/os-release")
        .symlink("one", "two")
        .symlink("two", "one")]);
    let x = "x".to_owned();
    for (path, expected) in [
        ("etc/os-release", Some(&x)),
        ("/etc/os-release", Some(&x)),
        ("abs/os-release", Some(&x)),
        ("./abs/../lib/os-release", Some(&x)),
        ("out", Some(&x)),
        ("../../usr/lib/os-release", Some(&x)),
        ("one", None),
        ("one/a", None),
        ("usr/lib", None),
        ("", None),
    ] {
        assert_eq!(view.get(path), expected, "{path}");
    }
    assert_eq!(view.resolve("abs/x/../y").as_deref(), Some("usr/lib/y"));
    assert_eq!(view.resolve("/etc/os-release").as_deref(), Some("usr/lib/os-release"));
    assert_eq!(view.resolve("one/x"), None);
}

#[test]
fn a_path_that_is_not_utf8_is_kept_and_hidden_by_its_bytes() {
    let raw = |content: &[u8]| layer().file_with_raw_path(b"d/\xff", content);
    let view = view_of(&[raw(b"1").file_with_raw_path(b"d/\xfe", b"1"), raw(b"2")]);
    let texts: Vec<&str> = view.files().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts.len(), 2, "both names are kept");
    assert!(texts.contains(&"1") && texts.contains(&"2"), "{texts:?}");
}

#[test]
fn a_content_survives_a_cache_and_a_damaged_one_is_refused() {
    let image = ImageBuilder::new(platform()).layer(
        &layer().file("a", b"1").symlink("l", "a").whiteout("w").hard_link("h", "lower"),
        Compression::Gzip,
    );
    let folder = tempfile::tempdir().expect("a folder");
    ArchiveBuilder::new().image("", image).write_oci_layout(folder.path()).expect("writes");
    let target = format!("oci-dir:{}", folder.path().display());
    let image = open(&target, &OpenOptions::default()).expect("opens");
    let content = image.read_layer(0, &Texts, &Budget::new(Limits::default())).expect("reads");
    let text = serde_json::to_string(&content).expect("serialises");
    let again: LayerContent<String> = serde_json::from_str(&text).expect("comes back");
    assert_eq!(again, content);
    for (from, to) in [("\"parent\":0", "\"parent\":7"), ("\"step\":0", "\"step\":99")] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from}");
        serde_json::from_str::<LayerContent<String>>(&damaged).expect_err(to);
    }
}
