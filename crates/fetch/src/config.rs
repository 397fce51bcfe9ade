//! What a client may do and how long it may take.

use std::path::PathBuf;
use std::time::Duration;

use pratique_clockwork::Backoff;

use crate::Mirror;

/// How long connecting (name, TCP, TLS) may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a server may stay silent, before the first byte and between two.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// How long one fetch may take with all its retries: the largest feeds (hundreds of MB) over a
/// slow line, and still an end for a server that trickles.
const TOTAL_TIMEOUT: Duration = Duration::from_mins(30);

/// How often one fetch is tried. The scheduler comes back later anyway.
const ATTEMPTS_MAX: u32 = 4;

/// Waits between the tries of one fetch: short, because a lease is held meanwhile.
const BACKOFF: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(20)];

/// How large a body may be, also after its transfer encoding was undone. The largest feed known
/// (Red Hat's VEX archive) is about 300 MB.
const BODY_BYTES_MAX: u64 = 2 << 30;

/// What a client may do. Plain values; [`crate::Client::try_new`] checks them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where bodies are spooled to; made when it is first needed.
    pub spool_folder: PathBuf,
    /// Where everything is taken from instead of the publishers.
    pub mirror: Option<Mirror>,
    /// The proxy for all requests, `http://proxy:3128`; `None`: the one that `HTTP_PROXY`,
    /// `HTTPS_PROXY` and `NO_PROXY` name.
    pub proxy: Option<String>,
    /// Files of PEM certificates that are trusted besides the system's.
    pub extra_ca: Vec<PathBuf>,
    /// Whether connecting to anything but this machine is an error; for tests. The environment
    /// variable `PRATIQUE_LOOPBACK_ONLY=1` has the same effect.
    pub loopback_only: bool,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a server may stay silent.
    pub idle_timeout: Duration,
    /// How long one fetch may take with all its retries and waits.
    pub total_timeout: Duration,
    /// How often one fetch is tried; at least once.
    pub attempts_max: u32,
    /// Waits between tries.
    pub backoff: Backoff,
    /// How large a body may be, in bytes.
    pub body_bytes_max: u64,
}

impl Config {
    /// The defaults, with bodies spooled to `spool_folder`.
    pub fn new(spool_folder: impl Into<PathBuf>) -> Self {
        let [least, first, cap] = BACKOFF;
        Self {
            spool_folder: spool_folder.into(),
            mirror: None,
            proxy: None,
            extra_ca: Vec::new(),
            loopback_only: false,
            connect_timeout: CONNECT_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            total_timeout: TOTAL_TIMEOUT,
            attempts_max: ATTEMPTS_MAX,
            backoff: Backoff::try_new(least, first, cap).expect("the defaults are in order"),
            body_bytes_max: BODY_BYTES_MAX,
        }
    }
}
