//! From what the user typed to an [`Image`].
//!
//! `[SCHEME:]PATH[:TAG|@DIGEST]`, or `containerd:NAME`. Without a scheme an existing path is looked
//! at: a folder with an OCI layout or a tar archive is an image, any other folder is a root file
//! system if it has an os-release or a package database, else a source tree. The part after the
//! path, which chooses one image of several, is understood after a scheme only: `alpine:3.20` must
//! not become the folder `alpine` that happens to lie there.

use std::path::{Path, PathBuf};

use pratique_model::{Platform, Target};

use crate::archive::Archive;
use crate::blob::{BlobName, Blobs, LayoutFolder};
use crate::containerd::ContainerdImage;
use crate::error::ImageError;
use crate::image::{Image, Place};
use crate::manifest::{Found, Selection, find_in_layout, find_in_saved};

/// Schemes that name something in the file system.
const SCHEMES: [&str; 5] = ["oci-dir", "oci-archive", "docker-archive", "rootfs", "dir"];

/// Schemes of the design behind which this crate cannot read yet; `sbom` never reaches it.
const SCHEMES_ELSEWHERE: [&str; 4] = ["registry", "docker", "podman", "sbom"];

/// The scheme of images in a containerd on this machine.
const CONTAINERD: &str = "containerd:";

/// What makes a folder a root file system, when no scheme says so.
const ROOT_MARKS: [&str; 10] = [
    "etc/os-release",
    "usr/lib/os-release",
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d",
    "lib/apk/db/installed",
    "usr/lib/apk/db/installed",
    "var/lib/rpm",
    "usr/lib/sysimage/rpm",
    "usr/share/rpm",
    "etc/alpine-release",
];

/// How an image is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The platform to take from an index. `None` takes this machine's on Linux, or the only one
    /// there is, even when it is for another machine.
    pub platform: Option<Platform>,
    /// The socket of the containerd that `containerd:` asks; `None` for where it is by default.
    pub containerd_address: Option<PathBuf>,
}

/// Opens what `target` names; nothing but documents and the list of an archive is read.
///
/// Of several images in an archive or layout the first for the platform is taken, unless the target
/// ends with `:TAG`, `:NAME:TAG` or `@sha256:…` (a manifest's, an index's, or for old archives a
/// configuration's digest). An archive that is both an OCI layout and a `docker save` archive, as
/// Docker 25 and later write it, is read as an OCI layout unless the scheme says otherwise.
///
/// `containerd:[NAMESPACE/]NAME` names an image in the containerd on this machine, by its full name
/// there or a digest; without a namespace the one called `default` is meant. That scheme waits for
/// containerd, and must not be opened or read on a thread of an async runtime.
///
/// # Errors
/// See [`ImageError::kind`]. Trying again helps only after the file has changed.
pub fn open(target: &str, options: &OpenOptions) -> Result<Image, ImageError> {
    if let Some(reference) = target.strip_prefix(CONTAINERD) {
        return open_in_containerd(target, reference, options);
    }
    let request = Request::parse(target)?;
    let selection = Selection { reference: request.reference, platform: options.platform.clone() };
    let path = request.path.as_path();
    match request.scheme {
        "oci-dir" => open_layout(target, path, &selection),
        "oci-archive" | "docker-archive" => {
            open_archive(target, path, Some(request.scheme), &selection)
        }
        "rootfs" | "dir" => open_folder(target, path, request.scheme),
        _ if path.is_dir() => match sniff_folder(path) {
            "oci-dir" => open_layout(target, path, &selection),
            scheme => open_folder(target, path, scheme),
        },
        _ => open_archive(target, path, None, &selection),
    }
}

/// What the user typed, taken apart.
struct Request {
    /// One of [`SCHEMES`], or empty.
    scheme: &'static str,
    path: PathBuf,
    reference: Option<String>,
}

impl Request {
    fn parse(target: &str) -> Result<Self, ImageError> {
        let not_found = || ImageError::NotFound { target: target.to_owned() };
        let (scheme, rest) = target.split_once(':').unwrap_or(("", target));
        if let Some(&scheme) = SCHEMES.iter().find(|&&known| known == scheme) {
            let (path, reference) = split_reference(rest).ok_or_else(not_found)?;
            if reference.is_some() && matches!(scheme, "rootfs" | "dir") {
                return Err(not_found());
            }
            return Ok(Self { scheme, path, reference });
        }
        if !target.is_empty() && Path::new(target).exists() {
            return Ok(Self { scheme: "", path: target.into(), reference: None });
        }
        if SCHEMES_ELSEWHERE.contains(&scheme) {
            return Err(ImageError::UnsupportedScheme { scheme: scheme.to_owned() });
        }
        if is_scheme(scheme) && !may_be_image_name(rest) {
            let scheme = scheme.to_owned();
            return Err(ImageError::UnknownScheme { scheme, target: target.to_owned() });
        }
        Err(not_found())
    }
}

/// The path and what follows it: the longest part before a `:` or `@` that exists.
fn split_reference(text: &str) -> Option<(PathBuf, Option<String>)> {
    if text.is_empty() {
        return None;
    }
    if Path::new(text).exists() {
        return Some((text.into(), None));
    }
    let cuts = text.char_indices().rev().filter(|(_, letter)| matches!(letter, ':' | '@'));
    for (at, _) in cuts {
        let (path, reference) = (text.get(..at)?, text.get(at + 1..)?);
        if !path.is_empty() && !reference.is_empty() && Path::new(path).exists() {
            return Some((path.into(), Some(reference.to_owned())));
        }
    }
    // Permission may be what hides it; opening tells.
    Some((text.into(), None))
}

fn is_scheme(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase()) && text.bytes().all(is_letter)
}

/// Whether what follows the first `:` may be a tag, or the port of a registry and a name.
fn may_be_image_name(rest: &str) -> bool {
    let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let (head, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (head, digest) = head.split_once('@').unwrap_or((head, ""));
    let is_port = !head.is_empty() && head.bytes().all(|byte| byte.is_ascii_digit());
    let is_bare_tag = path.is_empty() && !rest.contains('/');
    (is_port && !path.is_empty())
        || (is_bare_tag
            && !head.is_empty()
            && head.bytes().all(is_tag)
            && (digest.is_empty() || digest.starts_with("sha256:")))
}

fn sniff_folder(path: &Path) -> &'static str {
    if path.join("oci-layout").is_file() && path.join("index.json").is_file() {
        "oci-dir"
    } else if ROOT_MARKS.iter().any(|mark| path.join(mark).exists()) {
        "rootfs"
    } else {
        "dir"
    }
}

fn open_in_containerd(
    target: &str,
    reference: &str,
    options: &OpenOptions,
) -> Result<Image, ImageError> {
    let blobs = ContainerdImage::open(options.containerd_address.as_deref(), reference)?;
    let selection = Selection { reference: None, platform: options.platform.clone() };
    let found = find_in_layout(&blobs, &selection)?;
    Ok(image(target, "containerd", found, Box::new(blobs)))
}

fn open_layout(target: &str, path: &Path, selection: &Selection) -> Result<Image, ImageError> {
    let blobs = LayoutFolder::new(path);
    let problem = |problem: &str| ImageError::NotAnImage {
        path: path.display().to_string(),
        problem: problem.to_owned(),
    };
    match path.metadata() {
        Err(source) => return Err(open_error(target, path, source)),
        Ok(metadata) if !metadata.is_dir() => return Err(problem("not a folder")),
        Ok(_) => {}
    }
    if blobs.place(&BlobName::of_path("index.json")).is_none() {
        return Err(problem("no OCI layout: it has no index.json"));
    }
    let found = find_in_layout(&blobs, selection)?;
    Ok(image(target, "oci-dir", found, Box::new(blobs)))
}

fn open_archive(
    target: &str,
    path: &Path,
    scheme: Option<&'static str>,
    selection: &Selection,
) -> Result<Image, ImageError> {
    let problem = |problem: &str| ImageError::NotAnImage {
        path: path.display().to_string(),
        problem: problem.to_owned(),
    };
    let metadata = path.metadata().map_err(|source| open_error(target, path, source))?;
    if !metadata.is_file() {
        return Err(problem("not a file"));
    }
    let archive = Archive::open(path)?;
    let (has_index, has_manifest) =
        (archive.contains("index.json"), archive.contains("manifest.json"));
    let scheme = match (scheme, has_index, has_manifest) {
        (Some("oci-archive"), false, true) => {
            return Err(problem("no OCI archive, but one of docker save: use docker-archive:"));
        }
        (Some("docker-archive"), true, false) => {
            return Err(problem("no archive of docker save, but an OCI archive: use oci-archive:"));
        }
        (_, false, false) => {
            return Err(problem("no image: it has neither index.json nor manifest.json"));
        }
        (Some(scheme), ..) => scheme,
        (None, true, _) => "oci-archive",
        (None, false, true) => "docker-archive",
    };
    let found = match scheme {
        "oci-archive" => find_in_layout(&archive, selection)?,
        _ => find_in_saved(&archive, selection)?,
    };
    Ok(image(target, scheme, found, Box::new(archive)))
}

fn open_folder(target: &str, path: &Path, scheme: &str) -> Result<Image, ImageError> {
    let metadata = path.metadata().map_err(|source| open_error(target, path, source))?;
    if !metadata.is_dir() {
        let problem = "not a folder".to_owned();
        return Err(ImageError::NotAnImage { path: path.display().to_string(), problem });
    }
    let source = scheme.to_owned();
    let target = Target { reference: target.to_owned(), source, ..Target::default() };
    Ok(Image { target, place: Place::Folder(path.to_owned()) })
}

fn open_error(target: &str, path: &Path, source: std::io::Error) -> ImageError {
    match source.kind() {
        std::io::ErrorKind::NotFound => ImageError::NotFound { target: target.to_owned() },
        _ => ImageError::Open { path: path.display().to_string(), source },
    }
}

fn image(target: &str, scheme: &str, found: Found, blobs: Box<dyn Blobs>) -> Image {
    let target = Target {
        reference: target.to_owned(),
        digest: found.manifest,
        image_id: found.config,
        platform: found.platform,
        source: scheme.to_owned(),
        layers: found.layers.iter().map(|layer| layer.diff_id).collect(),
    };
    Image { target, place: Place::Layers { blobs, layers: found.layers } }
}
