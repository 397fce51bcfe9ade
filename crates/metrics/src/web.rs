//! Who may scrape: Prometheus' web configuration file, read again when it changes.
//!
//! The format is that of Prometheus' exporter toolkit
//! (<https://prometheus.io/docs/prometheus/latest/configuration/https/>). What of it cannot be done
//! is refused at the start rather than left out: nobody shall believe in an access control that is
//! not there. A file that becomes wrong later leaves the rules before it in force. Surprising:
//! checking a password takes a tenth of a second on purpose, so it is done on a blocking thread,
//! one at a time, and a right one is remembered by its hash.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pratique_clockwork::Shutdown;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{info, warn};

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The longest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Right passwords that are remembered; far more than scrapers exist.
const KNOWN_MAX: usize = 256;
/// A hash that no password has, for users who do not exist, so that they take as long: a cost of
/// 10, which is bcrypt's usual one.
const NOBODY: &str = "$2b$10$.....................................................";

/// Why a web configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// A file that it needs cannot be read.
    #[error("web configuration: {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not YAML of the form that Prometheus documents.
    #[error("web configuration {}: {message}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
    /// It asks for what is not possible.
    #[error("web configuration {}: {what}", path.display())]
    Rule {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
    },
}

/// The rules in force, and where they come from.
pub(crate) struct Web {
    path: Option<PathBuf>,
    rules: Mutex<Arc<Rules>>,
    /// One password at a time, so that guessing cannot take the processor.
    checking: Semaphore,
}

/// What one file says.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) tls: Option<Arc<ServerConfig>>,
    users: BTreeMap<String, String>,
    rate: Option<Rate>,
    known: Mutex<HashSet<[u8; 32]>>,
    /// The files that were read, with their times.
    files: Vec<(PathBuf, Option<SystemTime>)>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    /// No user, or a wrong password.
    Unknown,
    /// Too many requests.
    TooMany,
}

impl Web {
    /// Reads the file; without one everybody may scrape.
    ///
    /// # Errors
    /// [`WebError`].
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, WebError> {
        let rules = path.map(Rules::read).transpose()?.unwrap_or_default();
        Ok(Self {
            path: path.map(Path::to_owned),
            rules: Mutex::new(Arc::new(rules)),
            checking: Semaphore::new(1),
        })
    }

    /// The rules in force.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again whenever one of them has changed, until the server stops.
    pub(crate) async fn keep(self: Arc<Self>, shutdown: Shutdown) {
        while shutdown.unless_triggered(tokio::time::sleep(LOOK_INTERVAL)).await.is_some() {
            let this = Arc::clone(&self);
            // A fault of ours leaves the rules in force.
            let _ = tokio::task::spawn_blocking(move || this.refresh()).await;
        }
    }

    fn refresh(&self) {
        let Some(path) = &self.path else { return };
        let rules = self.rules();
        if rules.files.iter().all(|(file, changed_at)| changed(file) == *changed_at) {
            return;
        }
        let fresh = match Rules::read(path) {
            Ok(fresh) => {
                info!("web configuration {}: read again", path.display());
                fresh
            }
            Err(error) => {
                warn!("{error}; the rules before it stay in force");
                let files =
                    rules.files.iter().map(|(file, _)| (file.clone(), changed(file))).collect();
                rules.with_files(files)
            }
        };
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
    }

    /// Judges a request by the value of its `Authorization` header.
    pub(crate) async fn judge(&self, authorization: Option<&str>) -> Verdict {
        let rules = self.rules();
        if rules.rate.as_ref().is_some_and(|rate| !rate.take(Instant::now())) {
            return Verdict::TooMany;
        }
        if rules.users.is_empty() {
            return Verdict::Allowed;
        }
        let Some((user, password)) = authorization.and_then(credentials) else {
            return Verdict::Unknown;
        };
        let hash = rules.users.get(&user).cloned();
        let proof: [u8; 32] =
            Sha256::digest(format!("{user}\0{hash:?}\0{password}").as_bytes()).into();
        if rules.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&proof) {
            return Verdict::Allowed;
        }
        let _turn = self.checking.acquire().await;
        let is_user = hash.is_some();
        let checking = tokio::task::spawn_blocking(move || {
            bcrypt::verify(password, hash.as_deref().unwrap_or(NOBODY)).unwrap_or(false)
        });
        if !checking.await.unwrap_or(false) || !is_user {
            return Verdict::Unknown;
        }
        let mut known = rules.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(proof);
        Verdict::Allowed
    }
}

impl Rules {
    fn read(path: &Path) -> Result<Self, WebError> {
        let rule = |what: &str| WebError::Rule { path: path.to_owned(), what: what.to_owned() };
        let length = fs::metadata(path).map_err(unreadable(path))?.len();
        if length > FILE_BYTES_MAX {
            return Err(rule("it is longer than 1 MiB"));
        }
        let mut files = vec![(path.to_owned(), changed(path))];
        let text = fs::read_to_string(path).map_err(unreadable(path))?;
        let wire: WireWeb = if text.trim().is_empty() {
            WireWeb::default()
        } else {
            serde_saphyr::from_str(&text).map_err(|error| WebError::Form {
                path: path.to_owned(),
                message: error.to_string(),
            })?
        };
        let users = wire.basic_auth_users.unwrap_or_default();
        for (user, hash) in &users {
            if hash.parse::<bcrypt::HashParts>().is_err() {
                return Err(rule(&format!("the password of {user:?} is no bcrypt hash")));
            }
        }
        let rate = wire.rate_limit.map(|wire| Rate::read(&wire)).transpose().map_err(rule)?;
        let tls = match &wire.tls_server_config {
            Some(wire) => Some(tls(path, wire, &mut files)?),
            None => None,
        };
        Ok(Self { tls, users, rate, known: Mutex::default(), files })
    }

    /// The same rules, as if they had been read from the files as they are now.
    fn with_files(&self, files: Vec<(PathBuf, Option<SystemTime>)>) -> Self {
        Self {
            tls: self.tls.clone(),
            users: self.users.clone(),
            rate: self.rate.clone(),
            known: Mutex::default(),
            files,
        }
    }
}

/// Requests that may come: one each interval, and a few at once.
#[derive(Clone, Debug)]
struct Rate {
    interval: Duration,
    burst: u32,
    /// When all of the burst is to be had again.
    full_at: Arc<Mutex<Option<Instant>>>,
}

impl Rate {
    fn read(wire: &WireRate) -> Result<Self, &'static str> {
        let interval = go_duration(&wire.interval).ok_or("the interval is no duration")?;
        if wire.burst == 0 || interval.is_zero() {
            return Err("a rate limit without interval or burst lets nobody in");
        }
        Ok(Self { interval, burst: wire.burst, full_at: Arc::default() })
    }

    /// Takes one request; `false`: there is none to be had.
    fn take(&self, now: Instant) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = full_at.map_or(now, |full_at| full_at.max(now)) + self.interval;
        let is_allowed = next - now <= self.interval * self.burst;
        if is_allowed {
            *full_at = Some(next);
        }
        is_allowed
    }
}

/// A duration as Go writes it, of one number and unit.
fn go_duration(text: &str) -> Option<Duration> {
    let end = text.find(|character: char| !character.is_ascii_digit())?;
    let number: u64 = text[..end].parse().ok()?;
    match &text[end..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3_600).map(Duration::from_secs),
        _ => None,
    }
}

/// User and password of basic authentication, RFC 7617.
fn credentials(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn tls(
    path: &Path,
    wire: &WireTls,
    files: &mut Vec<(PathBuf, Option<SystemTime>)>,
) -> Result<Arc<ServerConfig>, WebError> {
    let rule = |what: String| WebError::Rule { path: path.to_owned(), what };
    let mut beside = |name: &str| {
        let file = path.parent().unwrap_or(Path::new(".")).join(name);
        files.push((file.clone(), changed(&file)));
        file
    };
    let certificate_file = beside(&wire.cert_file);
    let certificates = certificates(&certificate_file)?;
    let key_file = beside(&wire.key_file);
    let key = PrivateKeyDer::from_pem_file(&key_file)
        .map_err(|error| WebError::Form { path: key_file.clone(), message: error.to_string() })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = versions(wire).map_err(|what| rule(what.to_owned()))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| rule(error.to_string()))?;
    let verify = |is_required: bool, name: &str| {
        let file = beside(name);
        let mut roots = RootCertStore::empty();
        for certificate in self::certificates(&file)? {
            roots.add(certificate).map_err(|error| rule(error.to_string()))?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = if is_required { verifier } else { verifier.allow_unauthenticated() };
        verifier.build().map_err(|error| rule(error.to_string()))
    };
    let mut verify = verify;
    let builder = match (wire.client_auth_type.as_str(), &wire.client_ca_file) {
        ("" | "NoClientCert", None) => builder.with_no_client_auth(),
        ("VerifyClientCertIfGiven", Some(file)) => {
            builder.with_client_cert_verifier(verify(false, file)?)
        }
        ("RequireAndVerifyClientCert", Some(file)) => {
            builder.with_client_cert_verifier(verify(true, file)?)
        }
        (kind, file) => {
            let with = if file.is_some() { "with" } else { "without" };
            return Err(rule(format!("client_auth_type {kind:?} {with} client_ca_file")));
        }
    };
    let config =
        builder.with_single_cert(certificates, key).map_err(|error| rule(error.to_string()))?;
    Ok(Arc::new(config))
}

fn versions(wire: &WireTls) -> Result<Vec<&'static SupportedProtocolVersion>, &'static str> {
    let place = |text: &str, default: usize| match text {
        "" => Ok(default),
        "TLS12" => Ok(0),
        "TLS13" => Ok(1),
        _ => Err("a TLS version is neither TLS12 nor TLS13"),
    };
    let all = [&rustls::version::TLS12, &rustls::version::TLS13];
    let (first, last) = (place(&wire.min_version, 0)?, place(&wire.max_version, 1)?);
    all.get(first..=last).map(<[_]>::to_vec).ok_or("min_version is later than max_version")
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, WebError> {
    let form = |error: rustls::pki_types::pem::Error| WebError::Form {
        path: file.to_owned(),
        message: error.to_string(),
    };
    CertificateDer::pem_file_iter(file).map_err(form)?.collect::<Result<_, _>>().map_err(form)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> WebError {
    move |source| WebError::Read { path: path.to_owned(), source }
}

/// When a file was last changed; `None` if it cannot be told.
fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireWeb {
    tls_server_config: Option<WireTls>,
    basic_auth_users: Option<BTreeMap<String, String>>,
    rate_limit: Option<WireRate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireTls {
    cert_file: String,
    key_file: String,
    #[serde(default)]
    client_auth_type: String,
    client_ca_file: Option<String>,
    #[serde(default)]
    min_version: String,
    #[serde(default)]
    max_version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRate {
    interval: String,
    burst: u32,
}

#[cfg(test)]
mod tests;
