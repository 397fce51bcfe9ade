//! Answers scrapers: routes, statuses and messages.
//!
//! Paths and messages are those of runsc's metric server, so that runsc's own health check and
//! unmodified scrapers work. How clients connect, and what one may cost, is `clockwork::http`'s.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use pratique_clockwork::Shutdown;
use pratique_clockwork::http::{self, Method, Request, Response, StatusCode, header};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use crate::collect::{COLLECT_MAX, Collector};
use crate::exposition::Timestamps;
use crate::metrics::Counters;
use crate::profile::{self, ProfileError};
use crate::query::{self, Packing};
use crate::render::{Scrape, render};
use crate::web::{Verdict, Web};

/// The longest form of a health check, in bytes: a path has at most 4,096, three each encoded.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// How hard zstd tries; 1 packs expositions as small as gzip's best, in a tenth of the time.
const ZSTD_LEVEL: i32 = 1;
/// Where profiles are, where they are allowed; runsc's paths.
const PROFILE_CPU: &str = "/runsc-metrics/profile-cpu";
const PROFILE_HEAP: &str = "/runsc-metrics/profile-heap";

/// What answering needs.
pub(crate) struct Endpoint {
    pub(crate) collector: Arc<Collector>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) looked_at: watch::Receiver<Instant>,
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) prefix: String,
    pub(crate) timestamps: Timestamps,
    pub(crate) allows_profiling: bool,
    pub(crate) started_at: Timestamp,
    pub(crate) shutdown: Shutdown,
    pub(crate) web: Arc<Web>,
}

impl Endpoint {
    /// Answers one request.
    pub(crate) async fn answer(self: Arc<Self>, request: Request) -> Response {
        let authorization = request.headers().get(header::AUTHORIZATION);
        match self.web.judge(authorization.and_then(|value| value.to_str().ok())).await {
            Verdict::Allowed => {}
            Verdict::Unknown => return unknown(),
            Verdict::TooMany => return refuse(StatusCode::TOO_MANY_REQUESTS, "too many requests"),
        }
        let (path, query) = query::route(request.uri().path(), request.uri().query());
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        match path.as_str() {
            "/metrics" if is_read => self.metrics(&request, &query).await,
            "/runsc-metrics/healthcheck" if is_read => self.health(&query),
            "/runsc-metrics/healthcheck" if request.method() == Method::POST => {
                self.posted_health(request, query).await
            }
            "/runsc-metrics/pid" if is_read => self.pid(),
            "/" if is_read => index(),
            "/runsc-metrics/healthcheck" => not_allowed("GET, HEAD, POST"),
            "/metrics" | "/runsc-metrics/pid" | "/" => not_allowed("GET, HEAD"),
            PROFILE_CPU if self.allows_profiling && is_read => self.profile(&query).await,
            PROFILE_HEAP if self.allows_profiling && is_read => {
                refuse(StatusCode::NOT_IMPLEMENTED, "this server keeps no profile of its heap")
            }
            PROFILE_CPU | PROFILE_HEAP if self.allows_profiling => not_allowed("GET, HEAD"),
            _ => refuse(StatusCode::NOT_FOUND, "path not found"),
        }
    }

    async fn metrics(self: Arc<Self>, request: &Request, query: &str) -> Response {
        let filters = match query::filters(query) {
            Ok(filters) => filters,
            Err(message) => return refuse(StatusCode::BAD_REQUEST, message),
        };
        let head = |name: header::HeaderName| {
            request.headers().get(name).and_then(|value| value.to_str().ok())
        };
        let name = header::HeaderName::from_static("x-prometheus-scrape-timeout-seconds");
        let patience = query::patience(head(name), COLLECT_MAX);
        let format = query::format(head(header::ACCEPT));
        let packing = query::packing(head(header::ACCEPT_ENCODING));
        let deadline = Instant::now() + patience;
        let collection = self.collector.collect(filters.metrics.as_ref(), deadline).await;
        let lag = self.looked_at.borrow().elapsed().as_secs_f64();
        let comment = self.comment(filters.metrics.as_ref().map(regex::Regex::as_str));
        // Ten thousand sandboxes are 30 MB of text: work for a thread that may block.
        let writing = tokio::task::spawn_blocking(move || {
            let body = render(&Scrape {
                collection: &collection,
                counters: &self.counters,
                prefix: &self.prefix,
                comment: &comment,
                capabilities: filters.capabilities.as_ref(),
                started_at: self.started_at,
                lag,
                format,
                timestamps: self.timestamps,
            });
            pack(body, packing)
        });
        let Ok(Some(body)) = writing.await else {
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written");
        };
        let mut response = http::bytes(StatusCode::OK, format.content_type(), body);
        let headers = response.headers_mut();
        headers.insert(header::VARY, header::HeaderValue::from_static("Accept, Accept-Encoding"));
        let encoding = match packing {
            Packing::Plain => return response,
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
        };
        headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static(encoding));
        response
    }

    fn comment(&self, filter: Option<&str>) -> String {
        let roots: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        let mut comment = format!(
            "Data for runsc metric server exporting data for sandboxes in root directory {}",
            roots.join(", ")
        );
        if let Some(filter) = filter {
            comment += &format!(" (filtered using regular expression: {filter:?})");
        }
        comment
    }

    async fn posted_health(&self, request: Request, query: String) -> Response {
        let Ok(body) = http::read_body(request, FORM_BYTES_MAX).await else {
            return refuse(StatusCode::BAD_REQUEST, "the form could not be read");
        };
        // A form outranks the query, as in Go's `ParseForm`.
        self.health(&format!("{}&{query}", String::from_utf8_lossy(&body)))
    }

    fn health(&self, form: &str) -> Response {
        if self.shutdown.is_triggered() {
            return stopping();
        }
        let root = query::value(form, "root");
        if self.roots.iter().any(|ours| ours.as_os_str() == root.as_str()) {
            return http::text(StatusCode::OK, "runsc-metrics:OK");
        }
        let roots: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        let message = format!(
            "this metric server is configured to serve root directory: {}",
            roots.join(", ")
        );
        refuse(StatusCode::BAD_REQUEST, &message)
    }

    fn pid(&self) -> Response {
        if self.shutdown.is_triggered() {
            return stopping();
        }
        http::text(StatusCode::OK, std::process::id().to_string())
    }

    async fn profile(&self, query: &str) -> Response {
        if self.shutdown.is_triggered() {
            return stopping();
        }
        let duration = profile::duration(&query::value(query, "seconds"));
        match profile::cpu(duration, &self.shutdown).await {
            Ok(body) => http::bytes(StatusCode::OK, "application/octet-stream", body),
            Err(error @ ProfileError::Busy) => refuse(StatusCode::CONFLICT, &error.to_string()),
            Err(error) => {
                warn!("profile: {error}");
                refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
            }
        }
    }
}

fn index() -> Response {
    let page = "<!DOCTYPE html><html><head><title>Sandbox metrics</title></head><body>\
        <p>The metrics of the sandboxes on this machine are at \
        <a href=\"/metrics\">/metrics</a>.</p></body></html>\n";
    http::bytes(StatusCode::OK, "text/html; charset=utf-8", page.into())
}

fn unknown() -> Response {
    let mut response = refuse(StatusCode::UNAUTHORIZED, "unauthorized");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Basic"));
    response
}

fn stopping() -> Response {
    refuse(StatusCode::SERVICE_UNAVAILABLE, "server is shutting down")
}

fn refuse(status: StatusCode, message: &str) -> Response {
    http::text(status, format!("{message}\n"))
}

fn not_allowed(methods: &'static str) -> Response {
    let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(methods));
    response
}

fn pack(body: Vec<u8>, packing: Packing) -> Option<Vec<u8>> {
    let packed = match packing {
        Packing::Plain => Ok(body),
        Packing::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body).and_then(|()| encoder.finish())
        }
        Packing::Zstd => zstd::bulk::compress(&body, ZSTD_LEVEL),
    };
    packed.inspect_err(|error| warn!("an answer could not be packed: {error}")).ok()
}
