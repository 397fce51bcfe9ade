//! Connections to a PostgreSQL server: how they are made, bounded, and kept for the next user.
//!
//! Where there is TLS, the server's certificate is always verified, by the authorities in the file
//! that the address names or by the system's.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Cause, StoreError};

/// How long making a connection may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one statement may take on the server; the longest of ours (a megabyte of new rows, an
/// index over a large table) take seconds.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(2);

/// How long a statement waits for a lock of somebody else, as long as with SQLite.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// After which time the server ends a transaction whose client says nothing: a client that was
/// stopped must not block others for longer than its lease lives (60 s; design, updater, *Lease*).
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long we wait for any answer: a little longer than the server may work on it, so that it is
/// the server that says what happened, unless it is gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(130);

/// After which time of silence the system asks whether the server is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How many unused connections are kept; rooms that work at the same time are fewer.
const IDLE_MAX: usize = 4;

/// A server and a database of it, with the connections that nobody uses now.
#[derive(Clone)]
pub(crate) struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    shown: String,
    /// A file of authorities instead of the system's.
    authorities: Option<PathBuf>,
    idle: Mutex<Vec<Link>>,
}

/// A connection with its runtime.
pub(crate) struct Link {
    /// Only [`Drop`] takes it out.
    runtime: Option<Runtime>,
    pub(super) client: Client,
    pub(super) statements: HashMap<Box<str>, Statement>,
}

impl Server {
    /// Takes note of where a server is; connects to nothing. `shown` is its address for people.
    pub(crate) fn new(mut config: Config, shown: String, authorities: Option<PathBuf>) -> Self {
        config.connect_timeout(CONNECT_TIMEOUT);
        config.keepalives(true);
        config.keepalives_idle(KEEPALIVE);
        config.tcp_user_timeout(ANSWER_TIMEOUT);
        if config.get_application_name().is_none() {
            config.application_name("pratique");
        }
        Self { inner: Arc::new(Inner { config, shown, authorities, idle: Mutex::default() }) }
    }

    /// The address for people, without password.
    pub(crate) fn shown(&self) -> &str {
        &self.inner.shown
    }

    /// A connection from the pool, or a new one.
    pub(super) fn link(&self) -> Result<Link, StoreError> {
        loop {
            let kept = self.idle().pop();
            let Some(link) = kept else { break };
            let check = link.wait(link.client.check_connection());
            if matches!(check, Ok(Ok(()))) {
                return Ok(link);
            }
        }
        self.connect()
    }

    /// Keeps a connection for the next user. It must have no open transaction.
    pub(super) fn give_back(&self, link: Link) {
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push(link);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self) -> Result<Link, StoreError> {
        let refused = |source| StoreError::Connect { address: self.inner.shown.clone(), source };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| refused(Box::new(error)))?;
        let config = &self.inner.config;
        let client = match self.tls().map_err(refused)? {
            Some(tls) => begin(&runtime, config, tls),
            None => begin(&runtime, config, NoTls),
        };
        let client = client.map_err(refused)?;
        let link = Link { runtime: Some(runtime), client, statements: HashMap::new() };
        let limits = format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; \
             SET idle_in_transaction_session_timeout = {}; SET timezone = 'UTC'; \
             SET standard_conforming_strings = on",
            STATEMENT_TIMEOUT.as_millis(),
            LOCK_TIMEOUT.as_millis(),
            IDLE_TIMEOUT.as_millis(),
        );
        link.wait(link.client.batch_execute(&limits))
            .map_err(|late| refused(Box::new(late)))?
            .map_err(|error| refused(Box::new(error)))?;
        Ok(link)
    }

    pub(super) fn config(&self) -> &Config {
        &self.inner.config
    }

    /// How connections are encrypted, if they are.
    pub(super) fn tls(&self) -> Result<Option<MakeRustlsConnect>, Cause> {
        let config = &self.inner.config;
        let is_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        if is_local || config.get_ssl_mode() == SslMode::Disable {
            return Ok(None);
        }
        Ok(Some(MakeRustlsConnect::new(tls_config(self.inner.authorities.as_deref())?)))
    }
}

/// Connects. The connection works while the runtime is waited on; its errors reach the client.
fn begin<T>(runtime: &Runtime, config: &Config, tls: T) -> Result<Client, Cause>
where
    T: MakeTlsConnect<Socket, Stream: Send + 'static>,
{
    let connect = async { tokio::time::timeout(CONNECT_TIMEOUT, config.connect(tls)).await };
    let (client, connection) = runtime.block_on(connect)??;
    runtime.spawn(connection);
    Ok(client)
}

impl Link {
    /// Waits for an answer, at most as long as one may take.
    pub(super) fn wait<T>(
        &self,
        answer: impl Future<Output = T>,
    ) -> Result<T, tokio::time::error::Elapsed> {
        let runtime = self.runtime.as_ref().expect("it is taken out only when this is dropped");
        runtime.block_on(async { tokio::time::timeout(ANSWER_TIMEOUT, answer).await })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Without waiting for anything: a database may be let go by async code, which must not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// TLS with the authorities of a file, or with the system's, of which those that cannot be read are
/// passed over.
fn tls_config(authorities: Option<&Path>) -> Result<rustls::ClientConfig, Cause> {
    let mut roots = rustls::RootCertStore::empty();
    match authorities {
        Some(file) => {
            for certificate in CertificateDer::pem_file_iter(file)? {
                roots.add(certificate?)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
