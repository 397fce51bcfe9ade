//! TLS before HTTP, chosen anew for each connection.
//!
//! Certificates change while a service runs, so the server asks for each connection what to
//! present. Reading certificates, and deciding whom to let in, is its caller's.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;

/// Says what to present to a client that connects now; `None`: nothing, it speaks plain HTTP.
#[derive(Clone)]
pub struct Tls(Arc<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>);

impl Tls {
    /// Asks `choose` for each connection; it must not wait for anything.
    pub fn new(choose: impl Fn() -> Option<Arc<ServerConfig>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(choose))
    }

    /// What to present now.
    pub(super) fn choose(&self) -> Option<Arc<ServerConfig>> {
        (self.0)()
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new(|| None)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls")
    }
}
