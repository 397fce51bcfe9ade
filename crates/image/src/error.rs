//! Why an image could not be opened or read.

use std::io;

use pratique_model::{DiffId, Digest};

use crate::inflate::InflateError;
use crate::tar::TarError;

/// What can be done about an [`ImageError`]; the program turns it into an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong: an unknown scheme, an option that does not fit.
    Usage,
    /// Nothing is there, or nothing for the platform or name that was asked for, or access is
    /// denied.
    NotFound,
    /// It is there and cannot be read, or is not what it says it is.
    Broken,
}

/// Why an image could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The scheme is none of ours.
    #[error("unknown scheme `{scheme}` in `{target}`")]
    UnknownScheme {
        /// The scheme.
        scheme: String,
        /// The target as given.
        target: String,
    },
    /// The scheme is known and images behind it cannot be read yet.
    #[error("scheme `{scheme}` is not supported by this version")]
    UnsupportedScheme {
        /// The scheme.
        scheme: String,
    },
    /// There is no such file or folder.
    #[error("no such file or folder: `{target}`")]
    NotFound {
        /// The target as given.
        target: String,
    },
    /// containerd has no image of this name.
    #[error("no image `{reference}` in containerd's namespace `{namespace}`")]
    NotInContainerd {
        /// The name as given, without the scheme.
        reference: String,
        /// Where it was looked for last.
        namespace: String,
    },
    /// containerd cannot be asked, or refuses.
    #[error("the image cannot be had from containerd")]
    Containerd {
        /// Why.
        #[source]
        source: Box<pratique_containerd::Error>,
    },
    /// A file or folder cannot be opened, for want of permission or otherwise.
    #[error("{path}: cannot be opened")]
    Open {
        /// The file or folder.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The scheme or its sniffing does not fit what lies there.
    #[error("{path}: {problem}")]
    NotAnImage {
        /// The file or folder.
        path: String,
        /// What is missing.
        problem: String,
    },
    /// The image offers other platforms only.
    #[error("no image for platform {wanted}; offered: {offered}")]
    NoPlatform {
        /// The platform that was asked for.
        wanted: String,
        /// What there is, separated by commas.
        offered: String,
    },
    /// The archive or layout has other images only.
    #[error("no image `{wanted}`; offered: {offered}")]
    NoReference {
        /// The tag, name or digest that was asked for.
        wanted: String,
        /// What there is, separated by commas.
        offered: String,
    },
    /// A part of the image is named and is not there.
    #[error("{part} is missing")]
    Missing {
        /// The part, with its name.
        part: String,
    },
    /// A part cannot be read from where it lies.
    #[error("{part}: cannot be read")]
    Read {
        /// The part, with its name.
        part: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A document is not the JSON it should be.
    #[error("{part} is not valid")]
    Json {
        /// The document, with its name.
        part: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A document says something that cannot be.
    #[error("{part}: {problem}")]
    Invalid {
        /// The document, with its name.
        part: String,
        /// What is wrong.
        problem: String,
    },
    /// A blob or a document is not what its digest says.
    #[error("{part}: expected {expected}, got {got}")]
    Digest {
        /// The blob, with its name.
        part: String,
        /// The digest by which it is named.
        expected: Digest,
        /// The digest of what lies there.
        got: Digest,
    },
    /// A layer's tar stream is not what the configuration says.
    #[error("layer {layer}: expected diff id {expected}, got {got}")]
    DiffId {
        /// The layer.
        layer: String,
        /// The diff id in the configuration.
        expected: DiffId,
        /// The diff id of what lies there.
        got: DiffId,
    },
    /// A layer's compressed stream is cut or damaged.
    #[error("layer {layer}")]
    Inflate {
        /// The layer: its digest and diff id.
        layer: String,
        /// Where and why.
        #[source]
        source: InflateError,
    },
    /// A layer's tar stream is cut or damaged.
    #[error("layer {layer}")]
    Tar {
        /// The layer: its digest and diff id.
        layer: String,
        /// Where and why.
        #[source]
        source: TarError,
    },
    /// An archive around an image is cut or damaged.
    #[error("{path}")]
    Archive {
        /// The file.
        path: String,
        /// Where and why.
        #[source]
        source: TarError,
    },
}

impl ImageError {
    /// What can be done about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownScheme { .. } | Self::UnsupportedScheme { .. } => ErrorKind::Usage,
            Self::NotFound { .. }
            | Self::NotInContainerd { .. }
            | Self::Open { .. }
            | Self::NoPlatform { .. }
            | Self::NoReference { .. } => ErrorKind::NotFound,
            Self::Containerd { source } => match **source {
                pratique_containerd::Error::Unavailable { .. } => ErrorKind::NotFound,
                _ => ErrorKind::Broken,
            },
            _ => ErrorKind::Broken,
        }
    }

    /// What the user can do, where there is something.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownScheme { .. } | Self::UnsupportedScheme { .. } => {
                "use oci-archive:, oci-dir:, docker-archive:, rootfs: or dir: with a path, or \
                 containerd: with a name"
            }
            Self::NotFound { .. } => {
                "images are read from a file or folder; `docker save IMAGE -o image.tar` or \
                 `skopeo copy docker://IMAGE oci-archive:image.tar` makes one"
            }
            Self::NotInContainerd { .. } => {
                "names in containerd are whole, containerd:docker.io/library/alpine:3.20; another \
                 namespace stands before them, containerd:k8s.io/docker.io/library/alpine:3.20"
            }
            Self::Containerd { .. } => "say where containerd listens with --containerd-address",
            Self::NoPlatform { .. } => "choose one of the offered with --platform",
            Self::NoReference { .. } => "name one of the offered after the path, `path:tag`",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
