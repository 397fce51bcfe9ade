//! The metric server: what it is told, how it starts and how it stops.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pratique_clockwork::http::{self, HttpError, Limits};
use pratique_clockwork::{Clock, Shutdown};
use rustix::process::{Resource, Rlimit};
use tokio::sync::watch as channel;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::collect::{AskConfig, Collector};
use crate::discovery::{ROOT_TEMPLATE, Table, replace_root};
use crate::exposition::Timestamps;
use crate::http::Endpoint;
use crate::metrics::Counters;
use crate::resolve::Mode;
use crate::watch::Watch;
use crate::web::{Web, WebError};

/// What runsc's flag for an id looks like; it must have been replaced by who starts us.
const ID_TEMPLATE: &str = "%ID%";
/// How long running requests may go on when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Files for everything but calls to sandboxes: 256 scrapers and what a process needs.
const FILES_RESERVED: usize = 320;
/// Calls that are made at a time however few files there may be.
const CALLS_MIN: usize = 64;

/// What the server is told. Reading it opens nothing.
#[derive(Clone, Debug)]
pub struct Config {
    /// runsc's root folders, at least one.
    pub roots: Vec<PathBuf>,
    /// Where to serve: `host:port`, `:port` or an absolute path; `%RUNTIME_ROOT%` stands for the
    /// root folder.
    pub address: String,
    /// The mode of the socket, if it is a unix socket.
    pub socket_mode: u32,
    /// What the name of every metric of runsc's begins with.
    pub exporter_prefix: String,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// Whether the profiling routes exist.
    pub allows_profiling: bool,
    /// Whether root folders may be absent.
    pub allows_unknown_root: bool,
    /// Prometheus' web configuration file; without one everybody who can connect may scrape.
    pub web_config_file: Option<PathBuf>,
    /// What a bad point of a sandbox costs.
    pub mode: Mode,
    /// Whether samples carry their time.
    pub timestamps: Timestamps,
    /// The longest that a call to one sandbox may take.
    pub sandbox_timeout: Duration,
    /// How old a collection may be to be served again.
    pub min_interval: Duration,
}

impl Config {
    /// The server's user and group: the endpoint names every container, so others are given
    /// access by their group. runsc's server lets everybody in (0777).
    pub const SOCKET_MODE: u32 = 0o660;
    /// The seed's `--exporter-prefix`.
    pub const EXPORTER_PREFIX: &str = "runsc_";
    /// Busy honest sandboxes answer within 100 ms.
    pub const SANDBOX_TIMEOUT: Duration = Duration::from_secs(2);
    /// Scrapers come every 10 to 60 s; what comes sooner is another scraper.
    pub const MIN_INTERVAL: Duration = Duration::from_secs(1);
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address was given.
    #[error("the metric server's address is empty")]
    NoAddress,
    /// A template was not replaced.
    #[error("the metric server's address contains '%ID%': {0}; who starts it must replace that")]
    Template(String),
    /// The prefix does not begin a metric's name.
    #[error("exporter prefix {0:?} is not the beginning of a metric's name")]
    Prefix(String),
    /// A root folder cannot be listed.
    #[error("invalid root directory {}", path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The address cannot be had.
    #[error(transparent)]
    Listen(#[from] HttpError),
    /// The socket's mode cannot be set.
    #[error("mode of {path}")]
    Mode {
        /// The socket.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Who may scrape cannot be told.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The process id cannot be written.
    #[error("pid file {}", path.display())]
    PidFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A server that listens; it answers once it [runs](MetricServer::run).
pub struct MetricServer {
    server: http::Server,
    config: Config,
    clock: Clock,
    watch: Watch,
    seen: Seen,
    started_at: Timestamp,
    pid_file: Option<PidFile>,
    call_max: usize,
    web: Arc<Web>,
}

/// What following the folders gives.
struct Seen {
    table: channel::Receiver<Arc<Table>>,
    looked_at: channel::Receiver<Instant>,
}

impl MetricServer {
    /// Looks at the root folders, listens and writes the pid file, in this order, so that a wrong
    /// folder or address ends it before anybody can see it. A `given` socket is served in place
    /// of the address, which then only says which sandboxes are ours; its mode and its file are
    /// left alone.
    ///
    /// # Errors
    /// [`Error`]; trying again helps only where the cause says so.
    pub async fn start(
        config: Config,
        given: Option<http::Given>,
        clock: Clock,
    ) -> Result<Self, Error> {
        let address = check(&config)?;
        let call_max = allow_files();
        let web = Arc::new(Web::open(config.web_config_file.as_deref())?);
        let allows = config.allows_unknown_root;
        let (mut watch, table, looked_at) =
            Watch::new(config.roots.clone(), &config.address, allows);
        watch
            .start()
            .await
            .map_err(|error| Error::Root { path: error.path, source: error.source })?;
        let started_at = clock.now();
        let limits = Limits { stop_timeout: STOP_TIMEOUT, ..Limits::default() };
        let server = match given {
            Some(given) => http::Server::adopt(given, limits)?,
            None => bind(&address, limits, config.socket_mode).await?,
        };
        let presented = Arc::clone(&web);
        let server = server.with_tls(http::Tls::new(move || presented.rules().tls.clone()));
        let pid_file = config.pid_file.as_deref().map(PidFile::write).transpose()?;
        let seen = Seen { table, looked_at };
        Ok(Self { server, config, clock, watch, seen, started_at, pid_file, call_max, web })
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Answers until `shutdown`, or until a root folder goes away; running requests may then end.
    pub async fn run(self, shutdown: Shutdown) {
        let Self { server, config, clock, watch, seen, started_at, pid_file, call_max, web } = self;
        let Seen { table, looked_at } = seen;
        let counters = Arc::new(Counters::default());
        let asking = AskConfig {
            sandbox_timeout: config.sandbox_timeout,
            min_interval: config.min_interval,
            mode: config.mode,
            call_max,
        };
        let collector = Collector::new(asking, clock, table, Arc::clone(&counters));
        let roots: Vec<String> =
            config.roots.iter().map(|root| root.display().to_string()).collect();
        info!("serving on {} for root directory {}", server.address(), roots.join(", "));
        let endpoint = Arc::new(Endpoint {
            collector: Arc::new(collector),
            counters,
            looked_at,
            roots: config.roots,
            prefix: config.exporter_prefix,
            timestamps: config.timestamps,
            allows_profiling: config.allows_profiling,
            started_at,
            shutdown: shutdown.clone(),
            web: Arc::clone(&web),
        });
        let answering =
            server.run(shutdown.clone(), move |request| Arc::clone(&endpoint).answer(request));
        tokio::join!(answering, web.keep(shutdown.clone()), watch.run(shutdown));
        drop(pid_file);
        info!("stopped");
    }
}

async fn bind(address: &str, limits: Limits, mode: u32) -> Result<http::Server, Error> {
    if address.starts_with(':') {
        warn!("listening on all interfaces: everybody who can connect sees all containers");
    }
    let server = http::Server::bind(&address.parse()?, limits).await?;
    if address.starts_with('/') {
        set_mode(address, mode)?;
    }
    Ok(server)
}

fn set_mode(path: &str, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|source| Error::Mode { path: path.to_owned(), source })
}

/// Raises the limit of open files as far as it may be, as Go's programs do, and says how many calls
/// to sandboxes it leaves room for.
fn allow_files() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    files.saturating_sub(FILES_RESERVED).max(CALLS_MIN)
}

/// Checks what can be checked without opening anything; gives the address to listen on.
fn check(config: &Config) -> Result<String, Error> {
    if config.address.is_empty() {
        return Err(Error::NoAddress);
    }
    if config.address.contains(ID_TEMPLATE) {
        return Err(Error::Template(config.address.clone()));
    }
    let prefix = config.exporter_prefix.as_bytes();
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':');
    let is_name = prefix.first().is_none_or(|byte| is_start(*byte))
        && prefix.iter().all(|byte| is_start(*byte) || byte.is_ascii_digit());
    if !is_name {
        return Err(Error::Prefix(config.exporter_prefix.clone()));
    }
    let first = config.roots.first().map_or(Path::new(""), PathBuf::as_path);
    if config.address.contains(ROOT_TEMPLATE) {
        return Ok(replace_root(&config.address, first));
    }
    Ok(config.address.clone())
}

/// A file with our process id; it goes when this does.
struct PidFile(PathBuf);

impl PidFile {
    fn write(path: &Path) -> Result<Self, Error> {
        // The mode is what the usual umask makes of it: 0644.
        fs::write(path, std::process::id().to_string())
            .map_err(|source| Error::PidFile { path: path.to_owned(), source })?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            warn!("pid file {}: {error}", self.0.display());
        }
    }
}
