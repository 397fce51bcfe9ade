//! Reading whole images: archives of every make, and ones that are cut, forged or too large.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Mutex;

use pratique_model::{DiffId, Digest, Platform};
use sha2::{Digest as _, Sha256};

use super::awaited;
use crate::build::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder, gzip, zstd};
use crate::join::tests::Texts;
use crate::stream::digest;
use crate::{
    ErrorKind, ImageError, LayerCache, LayerContent, Limits, NoCache, OpenOptions, ReadOptions,
    View, open,
};

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn image() -> ImageBuilder {
    ImageBuilder::new(Platform::host())
}

fn layer() -> LayerBuilder {
    LayerBuilder::new()
}

/// A file of some hundred kilobytes that does not compress to nothing.
fn noise(seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    (0..200_000).flat_map(|_| next()).collect()
}

fn digest_of(bytes: &[u8]) -> Digest {
    digest(Sha256::new_with_prefix(bytes))
}

fn read_bytes(bytes: &[u8], options: &ReadOptions) -> Result<View<String>, ImageError> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("writes");
    let target = file.path().to_str().expect("plain name");
    open(target, &OpenOptions::default())?.read_all(&Texts, options, &NoCache)
}

fn read(image: ImageBuilder) -> Result<View<String>, ImageError> {
    let archive = ArchiveBuilder::new().image("", image).to_oci_archive();
    read_bytes(&archive, &ReadOptions::default())
}

fn paths(view: &View<String>) -> Vec<String> {
    view.files().map(|(path, _, _)| path.to_owned()).collect()
}

#[test]
fn archives_of_every_make_give_the_same_files() {
    let image = image()
        .layer(&layer().file("skip1", &noise(1)).file("a", b"1"), Compression::Gzip)
        .layer(&layer().file("b", b"2").file("skip2", &noise(2)), Compression::Zstd)
        .layer(&layer().file("c", b"3").file("skip3", &noise(3)).whiteout("a"), Compression::Plain);
    let archive = ArchiveBuilder::new().image("demo:1", image);
    for (case, bytes) in [
        ("OCI", archive.to_oci_archive()),
        ("docker save, old", archive.to_docker_archive()),
        ("docker save, new", archive.to_mixed_archive()),
        ("OCI, gzip around it", gzip(&archive.to_oci_archive())),
        ("docker save, gzip around it", gzip(&archive.to_docker_archive())),
        ("docker save, zstd around it", zstd(&archive.to_mixed_archive())),
    ] {
        for jobs in [1, 2, 8] {
            let jobs = NonZero::new(jobs).expect("not zero");
            let options = ReadOptions { jobs, ..ReadOptions::default() };
            let view =
                read_bytes(&bytes, &options).unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(paths(&view), ["b", "c"], "{case} with {jobs} jobs");
            assert_eq!(view.partial(), [], "{case}");
        }
    }
}

#[test]
fn several_members_and_frames_are_one_stream() {
    let tar = layer().file("a", b"1").file("skip", &noise(4)).file("b", b"2").to_tar();
    let (first, rest) = tar.split_at(777);
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0], &b"foo"[..]].concat();
    for (case, blob) in [
        ("two members", [gzip(first), gzip(rest)].concat()),
        ("an empty member between", [gzip(first), gzip(b""), gzip(rest)].concat()),
        ("padding after the last", [gzip(&tar), vec![0; 100]].concat()),
        ("two frames", [zstd(first), zstd(rest)].concat()),
        (
            "skippable frames",
            [skippable.clone(), zstd(first), skippable.clone(), zstd(rest), skippable].concat(),
        ),
        ("plain, called gzip", tar.clone()),
    ] {
        let view = read(image().raw_layer(digest_of(&tar), blob, GZIP));
        let view = view.unwrap_or_else(|error| {
            panic!("{case}: {error}: {:?}", std::error::Error::source(&error))
        });
        assert_eq!(paths(&view), ["a", "b"], "{case}");
    }
}

#[test]
fn a_gzip_header_with_every_field_is_passed_over() {
    let tar = layer().file("a", b"1").to_tar();
    let plain = gzip(&tar);
    let fields =
        [&[0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 255, 4, 0], &b"abcdname\0comment\0\0\0"[..]];
    let blob = [&fields.concat(), &plain[10..]].concat();
    assert_eq!(paths(&read(image().raw_layer(digest_of(&tar), blob, GZIP)).expect("reads")), ["a"]);
}

#[test]
fn a_layer_that_is_cut_is_an_error_that_names_it() {
    let tar = layer().file("a", b"1").file("skip", &noise(5)).to_tar();
    for (case, blob) in [("gzip", gzip(&tar)), ("zstd", zstd(&tar)), ("plain", tar.clone())] {
        for cut in [0, 1, 5, 9, 13, 100, blob.len() / 2, blob.len() - 9, blob.len() - 1] {
            let cut_blob = blob[..cut].to_vec();
            let named = digest_of(&cut_blob).to_string();
            let error = read(image().raw_layer(digest_of(&tar), cut_blob, GZIP)).err();
            let error = error.unwrap_or_else(|| panic!("{case} cut at {cut} was read"));
            assert_eq!(error.kind(), ErrorKind::Broken);
            let text = error.to_string();
            let is_named = text.contains(&named) && text.contains(&digest_of(&tar).to_string());
            assert!(is_named, "{case} cut at {cut}: {text}");
        }
    }
}

#[test]
fn digests_that_do_not_hold_are_told_with_both_values() {
    let (good, evil) = (layer().file("a", b"1").to_tar(), layer().file("a", b"2").to_tar());
    let error = read(image().raw_layer(digest_of(&good), gzip(&evil), GZIP)).expect_err("forged");
    let text = error.to_string();
    assert!(matches!(error, ImageError::DiffId { .. }), "{text}");
    for digest in [digest_of(&good), digest_of(&evil)] {
        assert!(text.contains(&digest.to_string()), "{text}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let image = image().raw_layer(digest_of(&good), gzip(&good), GZIP);
    ArchiveBuilder::new().image("", image).write_oci_layout(folder.path()).expect("writes");
    let blob = folder.path().join("blobs/sha256").join(digest_of(&gzip(&good)).to_hex());
    std::fs::write(blob, gzip(&evil)).expect("writes");
    let opened = open(folder.path().to_str().expect("plain"), &OpenOptions::default());
    let error = opened.expect("opens").read_all(&Texts, &ReadOptions::default(), &NoCache);
    let text = error.as_ref().expect_err("forged").to_string();
    assert!(matches!(error, Err(ImageError::Digest { .. })), "{text}");
    assert!(text.contains(&digest_of(&gzip(&evil)).to_string()), "{text}");
}

#[test]
fn damage_anywhere_in_a_layer_is_an_error_and_never_a_panic() {
    let tar =
        layer().folder("d").file("d/a", b"1").symlink("l", "d").file("skip", &noise(6)).to_tar();
    for blob in [gzip(&tar), zstd(&tar), tar.clone()] {
        for at in (0..blob.len()).step_by(blob.len() / 97 + 1).chain(0..64) {
            let mut damaged = blob.clone();
            damaged[at] ^= 0x55;
            let is_harmless = damaged.len() == tar.len() && digest_of(&damaged) == digest_of(&tar);
            let result = read(image().raw_layer(digest_of(&tar), damaged, GZIP));
            // The flags and times of a gzip header may change without harm to the content.
            assert!(result.is_err() || is_harmless || at < 10, "byte {at} of {}", blob.len());
        }
    }
}

#[test]
fn limits_cut_and_are_named() {
    let base = layer().file("a", b"1").file("skip", &noise(7)).file("z", b"2");
    let archive =
        ArchiveBuilder::new().image("", image().layer(&base, Compression::Gzip)).to_oci_archive();
    let limits = Limits::default();
    for (case, limits, expected, text) in [
        (
            "expanded bytes",
            Limits { expanded_bytes_max: 300_000, ..limits },
            vec!["a"],
            "expanded size",
        ),
        ("entries", Limits { entries_max: 2, ..limits }, vec!["a"], "entries"),
        ("a wanted file", Limits { file_bytes_max: 0, ..limits }, vec![], "larger than the limit"),
    ] {
        for jobs in [1, 4] {
            let jobs = NonZero::new(jobs).expect("not zero");
            let view = read_bytes(&archive, &ReadOptions { jobs, limits }).expect(case);
            assert_eq!(paths(&view), expected, "{case}");
            let problem = &view.partial().first().expect("a limit was passed").problem;
            assert!(problem.contains(text), "{case}: {problem}");
        }
    }
    let bomb = layer().file("a", b"1").file("skip", &vec![0; 40_000_000]).file("z", b"2");
    let archive = ArchiveBuilder::new().image("", image().layer(&bomb, Compression::Gzip));
    let limits = Limits { expanded_bytes_max: 1_000_000, ..limits };
    let options = ReadOptions { limits, ..ReadOptions::default() };
    let view = read_bytes(&archive.to_oci_archive(), &options).expect("a cut is no error");
    assert_eq!(paths(&view), ["a"], "what came before the limit is kept");
}

#[test]
fn entries_that_would_leave_the_root_are_skipped_and_named() {
    let long = format!("{}/f", "d".repeat(5000));
    let view = read(
        image().layer(
            &layer()
                .file("../etc/shadow", b"1")
                .file("/abs", b"2")
                .file("a/../../b", b"3")
                .file(&long, b"4")
                .hard_link("h", "../../etc/shadow")
                .entry("dev", b'3', b"")
                .file("good", b"5"),
            Compression::Gzip,
        ),
    )
    .expect("reads");
    assert_eq!(paths(&view), ["abs", "good"]);
    assert_eq!(view.partial().len(), 4, "{:?}", view.partial());
    assert!(view.partial().iter().all(|partial| partial.layer.is_some()));
}

#[test]
fn a_foreign_layer_that_is_not_there_is_named_and_another_is_an_error() {
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    for (media_type, is_error) in [(foreign, false), (GZIP, true)] {
        let blob = gzip(&layer().file("f", b"1").to_tar());
        let hex = digest_of(&blob).to_hex();
        let image = image()
            .raw_layer(digest_of(b"somewhere"), blob, media_type)
            .layer(&layer().file("a", b"1"), Compression::Gzip);
        let folder = tempfile::tempdir().expect("a folder");
        ArchiveBuilder::new().image("", image).write_oci_layout(folder.path()).expect("writes");
        std::fs::remove_file(folder.path().join("blobs/sha256").join(hex)).expect("removes");
        let image = open(folder.path().to_str().expect("plain"), &OpenOptions::default());
        let result = image.expect("opens").read_all(&Texts, &ReadOptions::default(), &NoCache);
        match result {
            Ok(view) => {
                assert!(!is_error, "a missing layer was passed over");
                assert_eq!((paths(&view).len(), view.partial().len()), (1, 1));
            }
            Err(error) => assert!(is_error, "{error}"),
        }
    }
}

/// Remembers contents, and how often it was asked.
#[derive(Default)]
struct Memory(Mutex<(HashMap<DiffId, LayerContent<String>>, usize)>);

impl LayerCache<String> for Memory {
    fn load(&self, layer: DiffId) -> Option<LayerContent<String>> {
        self.0.lock().expect("not poisoned").0.get(&layer).cloned()
    }

    fn store(&self, content: &LayerContent<String>) {
        let mut state = self.0.lock().expect("not poisoned");
        state.1 += 1;
        state.0.insert(content.diff_id().expect("a layer"), content.clone());
    }
}

#[test]
fn a_layer_that_the_cache_knows_is_not_read() {
    let image = image()
        .layer(&layer().file("skip", b"0").file("a", b"1"), Compression::Gzip)
        .layer(&layer().file("b", b"2").hard_link("c", "skip"), Compression::Gzip);
    let folder = tempfile::tempdir().expect("a folder");
    ArchiveBuilder::new().image("", image).write_oci_layout(folder.path()).expect("writes");
    let image = open(folder.path().to_str().expect("plain"), &OpenOptions::default());
    let (image, memory) = (image.expect("opens"), Memory::default());
    let read = || image.read_all(&Texts, &ReadOptions::default(), &memory).expect("reads");
    let first = paths(&read());
    assert_eq!(first, ["a", "b", "c"]);
    assert_eq!(paths(&read()), first);
    assert_eq!(memory.0.lock().expect("not poisoned").1, 2, "each layer was stored once");
}

#[test]
fn a_layer_that_others_would_wait_for_gets_threads_of_its_own() {
    let check = |jobs: usize, sizes: &[u64], expected: &[bool]| {
        assert_eq!(awaited(sizes, jobs), expected, "{sizes:?} on {jobs}");
    };
    check(2, &[], &[]);
    check(2, &[100], &[true]);
    check(2, &[61, 60], &[false, false]);
    check(2, &[90, 40], &[true, false]);
    check(2, &[60, 60, 60, 60, 60], &[false, false, false, false, true]);
    check(2, &[60, 60, 60, 60], &[false; 4]);
    check(4, &[60, 60], &[true, true]);
    check(0, &[60], &[false]);
}
