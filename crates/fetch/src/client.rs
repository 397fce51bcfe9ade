//! Asks for a document and gives what came of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pratique_clockwork::{Clock, Random};
use reqwest::Url;
use tokio::sync::OnceCell;

use crate::http::Http;
use crate::mirror::{self, Location};
use crate::{Config, FetchError, Fingerprint, Spooled, spool};

/// The longest wait that a server may ask for within one fetch; a longer one ends the fetch with
/// [`FetchError::retry_after`] set, for the scheduler to honour.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The variable with which a whole test run is kept on this machine.
const LOOPBACK_ONLY_VARIABLE: &str = "PRATIQUE_LOOPBACK_ONLY";

/// Fetches documents. Clones share connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    clock: Clock,
    random: Mutex<Random>,
    /// Made with the first request over HTTP: reading the system's certificates takes longer than
    /// a scan from a local mirror.
    http: OnceCell<Http>,
}

/// What came of a fetch.
#[derive(Debug)]
pub enum Outcome {
    /// It is what the fingerprint says: the server said so, or its content is the same.
    Unchanged,
    /// There is no such document (404, 410, no such file).
    Absent,
    /// The document.
    Body(Spooled),
}

/// The beginning of a document.
#[derive(Debug)]
pub enum Head {
    /// The document is what the fingerprint says.
    Unchanged,
    /// There is no such document.
    Absent,
    /// So much of it.
    Bytes {
        /// The beginning, at most as long as was asked for.
        bytes: Vec<u8>,
        /// Whether the document goes on.
        is_cut: bool,
        /// What to know the document by; without a hash, since only a part was read.
        fingerprint: Fingerprint,
    },
}

impl Client {
    /// A client. Nothing is opened or asked yet.
    ///
    /// # Errors
    /// [`FetchError::Url`] when the proxy is no URL.
    pub fn try_new(mut config: Config, clock: Clock) -> Result<Self, FetchError> {
        config.loopback_only |=
            std::env::var(LOOPBACK_ONLY_VARIABLE).is_ok_and(|value| value == "1");
        config.attempts_max = config.attempts_max.max(1);
        if let Some(proxy) = &config.proxy {
            parse(proxy)?;
        }
        let random = Mutex::new(Random::from_system());
        Ok(Self { shared: Arc::new(Shared { config, clock, random, http: OnceCell::new() }) })
    }

    /// Brings `url` (https, http or file) here, unless it is still what `known` says.
    ///
    /// Transient failures are tried again within the limits of [`Config`]. Dropping the future
    /// stops the work and leaves nothing behind.
    ///
    /// # Errors
    /// [`FetchError`]; whether coming back later helps is [`FetchError::is_transient`]. Never a
    /// part of a body.
    pub async fn fetch(
        &self,
        url: &str,
        known: Option<&Fingerprint>,
    ) -> Result<Outcome, FetchError> {
        let asked = parse(url)?;
        let last = asked.path_segments().and_then(|mut parts| parts.next_back());
        let name = mirror::decode(last.unwrap_or_default()).unwrap_or_default();
        match self.locate(&asked)? {
            Location::File(path) => open(path, name, known).await,
            Location::Http(at) => {
                let after = self.shared.config.total_timeout;
                let work = self.fetch_http(&at, &name, known);
                tokio::time::timeout(after, work)
                    .await
                    .map_err(|_| FetchError::TooSlow { url: at.to_string(), after })?
            }
        }
    }

    /// The first `bytes_max` bytes of `url`, unless the document is still what the headers in
    /// `known` say. A server that gives no ranges is listened to for as long.
    ///
    /// Asks once: who wants the beginning of a list comes back anyway. Dropping the future stops
    /// the work.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch_head(
        &self,
        url: &str,
        bytes_max: u64,
        known: Option<&Fingerprint>,
    ) -> Result<Head, FetchError> {
        let asked = parse(url)?;
        match self.locate(&asked)? {
            Location::File(path) => open_head(path, bytes_max, known).await,
            Location::Http(at) => {
                let Shared { config, clock, http, .. } = &*self.shared;
                let http = http.get_or_try_init(|| async { Http::try_new(config) }).await?;
                let after = config.total_timeout;
                let work = async {
                    let answer = http.ask(config, clock, &at, known, Some(bytes_max)).await?;
                    answer.into_head(config, bytes_max).await
                };
                tokio::time::timeout(after, work)
                    .await
                    .map_err(|_| FetchError::TooSlow { url: at.to_string(), after })?
            }
        }
    }

    /// Where a document really is: at the mirror, if there is one.
    fn locate(&self, url: &Url) -> Result<Location, FetchError> {
        let error = |problem: String| FetchError::Url { url: url.to_string(), problem };
        match (url.scheme(), &self.shared.config.mirror) {
            ("file", _) => mirror::file_path(url).map(Location::File).map_err(error),
            ("http" | "https", Some(mirror)) => mirror.locate(url).map_err(error),
            ("http" | "https", None) => Ok(Location::Http(url.clone())),
            _ => Err(error("expected https, http or file".to_owned())),
        }
    }

    async fn fetch_http(
        &self,
        url: &Url,
        name: &str,
        known: Option<&Fingerprint>,
    ) -> Result<Outcome, FetchError> {
        let Shared { config, clock, random, http } = &*self.shared;
        let http = http.get_or_try_init(|| async { Http::try_new(config) }).await?;
        let mut failure_count = 0;
        loop {
            let error = match http.ask(config, clock, url, known, None).await {
                Ok(answer) => match answer.into_outcome(config, name, known).await {
                    Ok(outcome) => return Ok(outcome),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            failure_count += 1;
            if !error.is_transient() || failure_count >= config.attempts_max {
                return Err(error);
            }
            let wait = match error.retry_after() {
                Some(asked) if asked > RETRY_AFTER_MAX => return Err(error),
                Some(asked) => asked,
                None => {
                    let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
                    config.backoff.delay(failure_count, &mut random)
                }
            };
            tokio::time::sleep(wait).await;
        }
    }
}

/// Opens a file of this machine in place.
async fn open(
    path: PathBuf,
    name: String,
    known: Option<&Fingerprint>,
) -> Result<Outcome, FetchError> {
    let known = known.and_then(|known| known.sha256);
    let work = tokio::task::spawn_blocking(move || match Spooled::in_place(&path, name) {
        Ok(spooled) if known.is_some() && spooled.fingerprint().sha256 == known => {
            Ok(Outcome::Unchanged)
        }
        Ok(spooled) => Ok(Outcome::Body(spooled)),
        Err(error) if is_missing(&error) => Ok(Outcome::Absent),
        Err(source) => Err(FetchError::File { path, source }),
    });
    work.await.expect("reading a file does not panic")
}

/// Reads the beginning of a file of this machine.
async fn open_head(
    path: PathBuf,
    bytes_max: u64,
    known: Option<&Fingerprint>,
) -> Result<Head, FetchError> {
    let known = known.and_then(|known| known.last_modified.clone());
    let work = tokio::task::spawn_blocking(move || match spool::head(&path, bytes_max) {
        Ok((_, _, fingerprint)) if known.is_some() && fingerprint.last_modified == known => {
            Ok(Head::Unchanged)
        }
        Ok((bytes, is_cut, fingerprint)) => Ok(Head::Bytes { bytes, is_cut, fingerprint }),
        Err(error) if is_missing(&error) => Ok(Head::Absent),
        Err(source) => Err(FetchError::File { path, source }),
    });
    work.await.expect("reading a file does not panic")
}

/// Whether a file is simply not there. A file where a folder should be means the same.
fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn parse(url: &str) -> Result<Url, FetchError> {
    Url::parse(url).map_err(|problem| FetchError::Url {
        url: url.chars().take(200).collect(),
        problem: problem.to_string(),
    })
}

#[cfg(test)]
mod tests;
