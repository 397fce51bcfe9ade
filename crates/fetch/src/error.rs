//! Why a document could not be had.

use std::path::PathBuf;
use std::time::Duration;

/// Why a document could not be had. The old data stays as it is in every case.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL cannot be fetched at all.
    #[error("url {url:?}: {problem}")]
    Url {
        /// The text as given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// TLS, proxy or certificates could not be set up.
    #[error("{what}")]
    Setup {
        /// What was being set up.
        what: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The address is not on this machine, and only those are allowed here.
    #[error("{url}: {host:?} is not this machine, and nothing else may be asked here")]
    NotLoopback {
        /// What was asked for.
        url: String,
        /// The host or address.
        host: String,
    },
    /// No connection, or no answer on it.
    #[error("{url}: asking the server")]
    Request {
        /// What was asked for.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered with an error.
    #[error("{url}: the server answers {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server sent us on and on, or where we do not go.
    #[error("{url}: redirected to {target:?}: {problem}")]
    Redirect {
        /// What was asked for last.
        url: String,
        /// Where the server sent us.
        target: String,
        /// Why we do not go there.
        problem: &'static str,
    },
    /// The server was silent too long.
    #[error("{url}: silent for {} s", after.as_secs_f64())]
    Stalled {
        /// What was asked for.
        url: String,
        /// How long it was waited.
        after: Duration,
    },
    /// All tries together took too long.
    #[error("{url}: not done in {} s", after.as_secs_f64())]
    TooSlow {
        /// What was asked for.
        url: String,
        /// How long it was tried.
        after: Duration,
    },
    /// The body broke off.
    #[error("{url}: the body broke off after {received} bytes")]
    Cut {
        /// What was asked for.
        url: String,
        /// How many bytes came.
        received: u64,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The body is not as long as the server said.
    #[error("{url}: {received} bytes came, {announced} were announced")]
    Length {
        /// What was asked for.
        url: String,
        /// `Content-Length`.
        announced: u64,
        /// How many bytes came.
        received: u64,
    },
    /// The body is longer than allowed.
    #[error("{url}: larger than {bytes_max} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit.
        bytes_max: u64,
    },
    /// The body has a transfer encoding that was not asked for, or a broken one.
    #[error("{url}: content encoding {encoding:?}")]
    Encoding {
        /// What was asked for.
        url: String,
        /// `Content-Encoding`.
        encoding: String,
        /// What went wrong, if it is one that we know.
        #[source]
        source: Option<std::io::Error>,
    },
    /// A file of this machine cannot be read.
    #[error("reading {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// The body cannot be put aside.
    #[error("writing to the folder {}", folder.display())]
    Spool {
        /// The folder for bodies.
        folder: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
}

impl FetchError {
    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Request { .. }
            | Self::Stalled { .. }
            | Self::TooSlow { .. }
            | Self::Cut { .. }
            | Self::Length { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=504),
            Self::Url { .. }
            | Self::Setup { .. }
            | Self::NotLoopback { .. }
            | Self::Redirect { .. }
            | Self::TooLarge { .. }
            | Self::Encoding { .. }
            | Self::File { .. }
            | Self::Spool { .. } => false,
        }
    }

    /// How long the server asked to wait before the next request.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
