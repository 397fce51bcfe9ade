//! Brings published files onto this machine: conditional, bounded, retried, guarded.
//!
//! A [`Client`] asks for a URL and gives an [`Outcome`]: unchanged, absent, or a body spooled to a
//! file together with its [`Fingerprint`]. [`Spooled::unpack`] then gives the files inside, one
//! after the other, as bounded streams. What to fetch, how often, and what the files mean is left
//! to others. Surprising: `file://` (and a `file://` mirror) is served in place, without a copy,
//! and a spooled body has no name in the file system, so nothing is left behind however the
//! process ends.

mod client;
mod config;
mod error;
mod fingerprint;
mod guard;
mod http;
mod mirror;
mod retry_after;
mod spool;
mod unpack;

pub use client::{Client, Head, Outcome};
pub use config::Config;
pub use error::FetchError;
pub use fingerprint::{Fingerprint, FingerprintError};
pub use mirror::{Mirror, MirrorError};
pub use spool::Spooled;
pub use unpack::{Container, Entry, UnpackError, UnpackLimits, UnpackProblem};
