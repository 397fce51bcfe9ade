//! Choosing one image of an archive, through the door that users come in by.

use std::io::Write as _;

use pratique_model::Platform;
use sha2::{Digest as _, Sha256};

use super::is_name;
use crate::build::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder, gzip, zstd};
use crate::stream::digest;
use crate::{ErrorKind, Image, ImageError, OpenOptions, open};

fn platform(text: &str) -> Platform {
    text.parse().expect("a platform")
}

/// An image whose one file says what it is.
fn image(text: &str, mark: &str) -> ImageBuilder {
    let layer = LayerBuilder::new().file("mark", mark.as_bytes());
    ImageBuilder::new(platform(text)).layer(&layer, Compression::Gzip)
}

fn temporary(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("writes");
    file
}

fn open_at(target: &str, wanted: Option<&str>) -> Result<Image, ImageError> {
    open(target, &OpenOptions { platform: wanted.map(platform), ..OpenOptions::default() })
}

fn open_bytes(bytes: &[u8], suffix: &str, wanted: Option<&str>) -> Result<Image, ImageError> {
    let file = temporary(bytes);
    open_at(&format!("{}{suffix}", file.path().display()), wanted)
}

fn shown(image: &Image) -> String {
    image.target().platform.as_ref().map_or_else(String::new, Platform::to_string)
}

#[test]
fn an_index_gives_the_platform_that_is_asked_for() {
    let host = Platform::host().to_string();
    let many = || {
        ArchiveBuilder::new()
            .image("demo:1", image("linux/s390x", "1"))
            .image("", image("linux/arm/v6", "2"))
            .image("", image("linux/arm/v7", "3"))
            .image("", image(&host, "4"))
            .image("", image("windows/amd64", "5"))
    };
    for archive in [many().to_oci_archive(), many().nested().to_oci_archive()] {
        for (wanted, expected) in [
            (Some("linux/s390x"), "linux/s390x"),
            (Some("linux/arm/v7"), "linux/arm/v7"),
            (Some("linux/arm/v6"), "linux/arm/v6"),
            (Some("linux/arm"), "linux/arm/v6"),
            (Some("windows/amd64"), "windows/amd64"),
            (None, host.as_str()),
        ] {
            let image = open_bytes(&archive, "", wanted).expect("opens");
            assert_eq!(shown(&image), expected, "{wanted:?}");
            assert_eq!(image.target().source, "oci-archive");
        }
        let error = open_bytes(&archive, "", Some("linux/riscv64")).err().expect("none");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.contains("linux/s390x, linux/arm/v6, linux/arm/v7"), "{text}");
    }
}

#[test]
fn the_only_image_is_taken_for_any_machine_unless_a_platform_is_asked_for() {
    for builder in
        [image("linux/s390x", "1"), image("linux/s390x", "1").without_platform_in_index()]
    {
        let archive = ArchiveBuilder::new().image("", builder);
        for bytes in [
            archive.to_oci_archive(),
            archive.to_docker_archive(),
            archive.to_mixed_archive(),
            gzip(&archive.to_docker_archive()),
            zstd(&archive.to_oci_archive()),
        ] {
            assert_eq!(shown(&open_bytes(&bytes, "", None).expect("opens")), "linux/s390x");
            open_bytes(&bytes, "", Some("linux/s390x")).expect("opens");
            let error = open_bytes(&bytes, "", Some("linux/arm64")).err().expect("none");
            assert!(error.to_string().contains("offered: linux/s390x"), "{error}");
        }
    }
}

#[test]
fn attestations_are_no_images() {
    let archive = ArchiveBuilder::new()
        .image("", image("unknown/unknown", "1"))
        .image(
            "",
            image("linux/amd64", "2")
                .annotation("vnd.docker.reference.type", "attestation-manifest"),
        )
        .image("", image("linux/s390x", "3"));
    let image = open_bytes(&archive.to_oci_archive(), "", None).expect("opens");
    assert_eq!(shown(&image), "linux/s390x");
}

#[test]
fn one_of_several_images_is_chosen_by_name_tag_or_digest() {
    let host = Platform::host().to_string();
    let archive = ArchiveBuilder::new()
        .image("docker.io/library/one:1.0", image(&host, "1"))
        .image("registry.example:5000/team/two:2.0", image(&host, "2"));
    let (oci, docker) =
        (temporary(&archive.to_oci_archive()), temporary(&archive.to_docker_archive()));
    let ids = |scheme: &str, file: &tempfile::NamedTempFile, suffix: &str| {
        open_at(&format!("{scheme}:{}{suffix}", file.path().display()), None)
            .map(|image| image.target().image_id.expect("it has a configuration"))
    };
    let first = ids("oci-archive", &oci, "").expect("the first");
    let second = ids("oci-archive", &oci, ":2.0").expect("the second");
    assert_ne!(first, second);
    for (suffix, expected) in [
        ("", first),
        (":1.0", first),
        (":one:1.0", first),
        (":docker.io/library/one:1.0", first),
        (":2.0", second),
        (":registry.example:5000/team/two:2.0", second),
    ] {
        assert_eq!(ids("oci-archive", &oci, suffix).expect(suffix), expected, "{suffix}");
        assert_eq!(ids("docker-archive", &docker, suffix).expect(suffix), expected, "{suffix}");
    }
    assert_eq!(ids("docker-archive", &docker, &format!("@{second}")).expect("by id"), second);
    let image = open_at(&format!("oci-archive:{}:2.0", oci.path().display()), None).expect("opens");
    let manifest = image.target().digest.expect("it has a manifest");
    assert_eq!(ids("oci-archive", &oci, &format!("@{manifest}")).expect("by digest"), second);
    for (scheme, file) in [("oci-archive", &oci), ("docker-archive", &docker)] {
        let error = ids(scheme, file, ":3.0").expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("one:1.0"), "{error}");
    }
}

#[test]
fn a_configuration_of_any_name_gives_the_image_id_and_a_digest_in_it_must_hold() {
    let layer = LayerBuilder::new().file("a", b"1").to_tar();
    let diff_id = digest(Sha256::new_with_prefix(&layer));
    let config =
        format!(r#"{{"os":"linux","architecture":"amd64","rootfs":{{"diff_ids":["{diff_id}"]}}}}"#);
    let id = digest(Sha256::new_with_prefix(&config));
    for (name, is_right) in [
        ("config".to_owned(), true),
        (format!("{}.json", id.to_hex()), true),
        (id.to_string(), true),
        (diff_id.to_string(), false),
    ] {
        let manifest = format!(r#"[{{"Config":"{name}","RepoTags":null,"Layers":["l.tar"]}}]"#);
        let tar = LayerBuilder::new()
            .file("l.tar", &layer)
            .symlink("again.tar", "l.tar")
            .file(&name, config.as_bytes())
            .file("manifest.json", manifest.as_bytes());
        match open_bytes(&tar.to_tar(), "", None) {
            Ok(image) => {
                assert!(is_right, "{name}: a wrong digest was taken");
                assert_eq!(image.target().image_id, Some(id), "{name}");
                assert_eq!(image.target().layers[0].0, diff_id);
            }
            Err(error) => assert!(!is_right, "{name}: {error}"),
        }
    }
}

#[test]
fn names_match_with_and_without_what_docker_leaves_out() {
    for (name, asked, expected) in [
        ("docker.io/library/alpine:3.20", "alpine:3.20", true),
        ("alpine:3.20", "docker.io/library/alpine:3.20", true),
        ("alpine:3.20", "3.20", true),
        ("registry:5000/alpine", "5000/alpine", false),
        ("alpine:3.20", "alpine", false),
        ("alpine:3.20", "20", false),
    ] {
        assert_eq!(is_name(name, asked), expected, "{name} {asked}");
    }
}

#[test]
fn what_is_wrong_with_a_target_is_said_and_classified() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("text"), b"no archive at all").expect("writes");
    std::fs::write(path("empty.tar"), LayerBuilder::new().to_tar()).expect("writes");
    let archive = ArchiveBuilder::new().image("", image("linux/amd64", "1"));
    std::fs::write(path("oci.tar"), archive.to_oci_archive()).expect("writes");
    std::fs::write(path("docker.tar"), archive.to_docker_archive()).expect("writes");
    let whole = archive.to_oci_archive();
    std::fs::write(path("cut.tar"), &whole[..1000]).expect("writes");
    std::fs::write(path("cut.gz"), &gzip(&whole)[..500]).expect("writes");
    for (target, kind, text) in [
        ("", ErrorKind::NotFound, "no such file"),
        ("alpine:3.20", ErrorKind::NotFound, "no such file"),
        ("localhost:5000/alpine", ErrorKind::NotFound, "no such file"),
        ("oci-archive:", ErrorKind::NotFound, "no such file"),
        ("registry:alpine", ErrorKind::Usage, "not supported"),
        ("bogus:/tmp/x", ErrorKind::Usage, "unknown scheme `bogus`"),
        (&path("none"), ErrorKind::NotFound, "no such file"),
        (&format!("oci-archive:{}", path("none")), ErrorKind::NotFound, "no such file"),
        (&format!("rootfs:{}", path("none")), ErrorKind::NotFound, "no such file"),
        (&path("text"), ErrorKind::Broken, "text"),
        (&path("empty.tar"), ErrorKind::Broken, "neither index.json nor manifest.json"),
        (&path("cut.tar"), ErrorKind::Broken, "cut.tar"),
        (&path("cut.gz"), ErrorKind::Broken, "cut.gz"),
        (&format!("docker-archive:{}", path("oci.tar")), ErrorKind::Broken, "oci-archive:"),
        (&format!("oci-archive:{}", path("docker.tar")), ErrorKind::Broken, "docker-archive:"),
        (&format!("oci-dir:{}", path("oci.tar")), ErrorKind::Broken, "not a folder"),
        (&format!("oci-dir:{}", path("")), ErrorKind::Broken, "index.json"),
        (&format!("oci-archive:{}", path("")), ErrorKind::Broken, "not a file"),
        (&format!("rootfs:{}", path("text")), ErrorKind::Broken, "not a folder"),
    ] {
        let error = open_at(target, None).err().unwrap_or_else(|| panic!("{target}: opened"));
        assert_eq!(error.kind(), kind, "{target}: {error}");
        assert!(error.to_string().contains(text), "{target}: {error}");
    }
}

#[test]
fn a_folder_is_what_lies_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = |target: &str| open_at(target, None).expect("opens").target().source.clone();
    let path = folder.path().display().to_string();
    assert_eq!(source(&path), "dir");
    assert_eq!(source(&format!("rootfs:{path}")), "rootfs");
    std::fs::create_dir(folder.path().join("etc")).expect("makes");
    std::fs::write(folder.path().join("etc/os-release"), b"ID=x").expect("writes");
    assert_eq!(source(&path), "rootfs");
    assert_eq!(source(&format!("dir:{path}")), "dir");
    let layout = tempfile::tempdir().expect("a folder");
    let archive = ArchiveBuilder::new().image("", image("linux/amd64", "1"));
    archive.write_oci_layout(layout.path()).expect("writes");
    assert_eq!(source(&layout.path().display().to_string()), "oci-dir");
}
