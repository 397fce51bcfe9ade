//! One question and one answer over HTTP.
//!
//! Redirects are followed here and not by the HTTP library, because every step has to be looked
//! at. A body in transfer is compressed only if its file is not: `Content-Encoding: gzip` on a
//! `.gz` file is what some servers say of the file itself, and undoing it would change the file.

use std::time::Duration;

use pratique_clockwork::Clock;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RANGE, RETRY_AFTER,
};
use reqwest::{Certificate, Proxy, Response, Url, redirect};

use crate::client::{Head, Outcome};
use crate::guard::{self, LoopbackResolver};
use crate::spool::{Spooler, TransferEncoding};
use crate::{Config, FetchError, Fingerprint, retry_after};

/// How many redirects are followed; publishers need two (GitHub's codeload).
const REDIRECTS_MAX: u32 = 5;

/// How many idle connections to one host are kept: feeds are asked two at a time.
const IDLE_CONNECTIONS_MAX: usize = 2;

/// Who asks. Publishers want a name and an address.
const USER_AGENT: &str = concat!("pratique/", env!("CARGO_PKG_VERSION"));

/// Endings of files that are compressed already.
const COMPRESSED_ENDINGS: [&str; 7] = [".gz", ".tgz", ".zip", ".bz2", ".xz", ".zst", ".jar"];

/// The connections.
pub(crate) struct Http {
    client: reqwest::Client,
}

/// What a server answers, before its body is read.
pub(crate) enum Answer {
    Unchanged,
    Absent,
    Body { url: Url, response: Box<Response> },
}

impl Http {
    /// Sets up TLS, proxy and guard.
    pub(crate) fn try_new(config: &Config) -> Result<Self, FetchError> {
        // Whoever comes first installs it; all install the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .no_gzip()
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .connect_timeout(config.connect_timeout);
        if let Some(proxy) = &config.proxy {
            let proxy = Proxy::all(proxy).map_err(|error| setup("proxy", error))?;
            builder = builder.proxy(proxy);
        } else if config.loopback_only {
            builder = builder.no_proxy();
        }
        if config.loopback_only {
            builder = builder.dns_resolver(LoopbackResolver);
        }
        let mut certificates = Vec::new();
        for path in &config.extra_ca {
            let pem = std::fs::read(path)
                .map_err(|source| FetchError::File { path: path.clone(), source })?;
            let found = Certificate::from_pem_bundle(&pem)
                .map_err(|error| setup(&format!("certificates of {}", path.display()), error))?;
            certificates.extend(found);
        }
        if !certificates.is_empty() {
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| setup("TLS and certificates", error))?;
        Ok(Self { client })
    }

    /// Asks once, following redirects; for the first `bytes_max` bytes, if so many are wanted.
    pub(crate) async fn ask(
        &self,
        config: &Config,
        clock: &Clock,
        url: &Url,
        known: Option<&Fingerprint>,
        bytes_max: Option<u64>,
    ) -> Result<Answer, FetchError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(config, &url, known, bytes_max).await?;
            let status = response.status().as_u16();
            let header = |name| text(response.headers(), &name);
            match status {
                206 if bytes_max.is_some() => {
                    return Ok(Answer::Body { url, response: Box::new(response) });
                }
                // A range of an empty document.
                416 if bytes_max.is_some() => return Ok(Answer::Absent),
                200 => return Ok(Answer::Body { url, response: Box::new(response) }),
                304 if known.is_some() => return Ok(Answer::Unchanged),
                404 | 410 => return Ok(Answer::Absent),
                301 | 302 | 303 | 307 | 308 => {
                    url = next(&url, header(LOCATION).unwrap_or_default())?;
                }
                _ => {
                    let retry_after = header(RETRY_AFTER)
                        .and_then(|value| retry_after::parse(value, clock.now()));
                    return Err(FetchError::Status { url: url.into(), status, retry_after });
                }
            }
        }
        let target = url.to_string();
        Err(FetchError::Redirect { url: target.clone(), target, problem: "too many redirects" })
    }

    async fn send(
        &self,
        config: &Config,
        url: &Url,
        known: Option<&Fingerprint>,
        bytes_max: Option<u64>,
    ) -> Result<Response, FetchError> {
        let not_loopback = |host: String| FetchError::NotLoopback { url: url.to_string(), host };
        if config.loopback_only && !guard::allows(url) {
            return Err(not_loopback(url.host_str().unwrap_or_default().to_owned()));
        }
        let is_plain = is_compressed(url) || bytes_max.is_some();
        let encoding = if is_plain { "identity" } else { "gzip" };
        let mut request = self.client.get(url.clone()).header(ACCEPT_ENCODING, encoding);
        if let Some(bytes_max) = bytes_max {
            request = request.header(RANGE, format!("bytes=0-{}", bytes_max.saturating_sub(1)));
        }
        if let Some(known) = known {
            if let Some(etag) = &known.etag {
                request = request.header(IF_NONE_MATCH, etag);
            }
            if let Some(last_modified) = &known.last_modified {
                request = request.header(IF_MODIFIED_SINCE, last_modified);
            }
        }
        let response = within(config.idle_timeout, url, request.send())
            .await?
            .map_err(|error| request_error(url, error))?;
        let address = response.remote_addr().map(|address| address.ip());
        match address {
            Some(address) if config.loopback_only && !address.is_loopback() => {
                Err(not_loopback(address.to_string()))
            }
            _ => Ok(response),
        }
    }
}

impl Answer {
    /// Reads the body, if there is one.
    pub(crate) async fn into_outcome(
        self,
        config: &Config,
        name: &str,
        known: Option<&Fingerprint>,
    ) -> Result<Outcome, FetchError> {
        let (url, response) = match self {
            Self::Unchanged => return Ok(Outcome::Unchanged),
            Self::Absent => return Ok(Outcome::Absent),
            Self::Body { url, response } => (url, response),
        };
        let headers = response.headers();
        let fingerprint = Fingerprint {
            sha256: None,
            etag: Fingerprint::header(text(headers, &ETAG)),
            last_modified: Fingerprint::header(text(headers, &LAST_MODIFIED)),
        };
        let announced = text(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if let Some(announced) = announced
            && announced > config.body_bytes_max
        {
            return Err(FetchError::TooLarge { url: url.into(), bytes_max: config.body_bytes_max });
        }
        let encoding = match text(headers, &CONTENT_ENCODING) {
            None | Some("" | "identity") => TransferEncoding::Identity,
            Some("gzip" | "x-gzip") if is_compressed(&url) => TransferEncoding::Identity,
            Some("gzip" | "x-gzip") => TransferEncoding::Gzip,
            Some(other) => {
                let encoding = other.chars().take(40).collect();
                return Err(FetchError::Encoding { url: url.into(), encoding, source: None });
            }
        };
        let mut spooler = Spooler::start(config, &url, encoding);
        let received = transfer(config, &url, *response, &mut spooler).await?;
        let spooled = spooler.finish(name, fingerprint).await?;
        match announced {
            Some(announced) if announced != received => {
                Err(FetchError::Length { url: url.into(), announced, received })
            }
            _ if known.is_some_and(|known| known.sha256 == spooled.fingerprint().sha256) => {
                Ok(Outcome::Unchanged)
            }
            _ => Ok(Outcome::Body(spooled)),
        }
    }
}

impl Answer {
    /// Reads the beginning of the body, if there is one, and leaves the rest.
    pub(crate) async fn into_head(
        self,
        config: &Config,
        bytes_max: u64,
    ) -> Result<Head, FetchError> {
        let (url, mut response) = match self {
            Self::Unchanged => return Ok(Head::Unchanged),
            Self::Absent => return Ok(Head::Absent),
            Self::Body { url, response } => (url, response),
        };
        let headers = response.headers();
        if let Some(encoding) = text(headers, &CONTENT_ENCODING).filter(|it| *it != "identity") {
            let encoding = encoding.chars().take(40).collect();
            return Err(FetchError::Encoding { url: url.into(), encoding, source: None });
        }
        let fingerprint = Fingerprint {
            sha256: None,
            etag: Fingerprint::header(text(headers, &ETAG)),
            last_modified: Fingerprint::header(text(headers, &LAST_MODIFIED)),
        };
        let whole = whole_length(response.status().as_u16(), headers);
        let announced = response.content_length();
        let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        while bytes.len() < limit {
            let piece = within(config.idle_timeout, &url, response.chunk()).await?;
            let piece = piece.map_err(|source| FetchError::Cut {
                url: url.to_string(),
                received: bytes.len() as u64,
                source: source.without_url(),
            })?;
            let Some(piece) = piece else { break };
            bytes.extend_from_slice(piece.get(..limit - bytes.len()).unwrap_or(&piece));
        }
        let received = bytes.len() as u64;
        // A server that does not say how long the document is may have more of it.
        let is_cut = whole.map_or(received >= bytes_max, |whole| whole > received);
        match announced {
            Some(announced) if received < announced.min(bytes_max) => {
                Err(FetchError::Length { url: url.into(), announced, received })
            }
            _ => Ok(Head::Bytes { bytes, is_cut, fingerprint }),
        }
    }
}

/// The length of the whole document: what follows the stroke of `Content-Range: bytes 0-9/100`, or
/// the length of an answer that is no range.
fn whole_length(status: u16, headers: &HeaderMap) -> Option<u64> {
    if status == 206 {
        return text(headers, &CONTENT_RANGE)?.rsplit_once('/')?.1.trim().parse().ok();
    }
    text(headers, &CONTENT_LENGTH)?.parse().ok()
}

/// Hands the body over, piece by piece; how many bytes came over the wire.
async fn transfer(
    config: &Config,
    url: &Url,
    mut response: Response,
    spooler: &mut Spooler,
) -> Result<u64, FetchError> {
    let mut received = 0_u64;
    loop {
        let piece = within(config.idle_timeout, url, response.chunk()).await?;
        let piece = piece.map_err(|source| FetchError::Cut {
            url: url.to_string(),
            received,
            source: source.without_url(),
        })?;
        let Some(piece) = piece else {
            return Ok(received);
        };
        received = received.saturating_add(piece.len() as u64);
        // What is inflated is counted where it is written; this is for what inflates to nothing.
        if received > config.body_bytes_max {
            let bytes_max = config.body_bytes_max;
            return Err(FetchError::TooLarge { url: url.to_string(), bytes_max });
        }
        if !spooler.take(piece).await {
            // It has stopped with an error, which `finish` gives.
            return Ok(received);
        }
    }
}

/// The address that a redirect leads to.
fn next(url: &Url, location: &str) -> Result<Url, FetchError> {
    let error = |problem| FetchError::Redirect {
        url: url.to_string(),
        target: location.chars().take(200).collect(),
        problem,
    };
    let target = url.join(location).map_err(|_| error("no address"))?;
    match (url.scheme(), target.scheme()) {
        _ if location.is_empty() => Err(error("no address")),
        ("https", "http") => Err(error("from https to http")),
        (_, "http" | "https") => Ok(target),
        _ => Err(error("neither https nor http")),
    }
}

/// Waits for `work`, but not longer than a server may be silent.
async fn within<T>(
    after: Duration,
    url: &Url,
    work: impl Future<Output = T>,
) -> Result<T, FetchError> {
    tokio::time::timeout(after, work)
        .await
        .map_err(|_| FetchError::Stalled { url: url.to_string(), after })
}

/// The guard's refusal, or what went wrong.
fn request_error(url: &Url, error: reqwest::Error) -> FetchError {
    FetchError::Request { url: url.to_string(), source: error.without_url() }
}

fn setup(what: &str, error: reqwest::Error) -> FetchError {
    FetchError::Setup { what: format!("setting up {what}"), source: error.into() }
}

fn is_compressed(url: &Url) -> bool {
    COMPRESSED_ENDINGS.iter().any(|ending| url.path().ends_with(ending))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
