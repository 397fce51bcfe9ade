//! Whether the service is of use: `/readyz`, and the metric of the store's size.
//!
//! The store is asked when somebody asks, on a blocking thread and with a deadline. Ready means:
//! the store answers, there are data, and no part is older than its limit; what is missing is said
//! line by line.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use pratique_clockwork::{Clock, http};
use pratique_model::PartId;
use pratique_store::{Access, Store, StoreError};
use pratique_update::{PartStatus, status};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;

use super::live::Live;
use crate::units::age_words;

/// How long the store may take to answer; who asks waits about as long.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many reasons are named; with all sources stale there are a hundred.
const REASONS_MAX: usize = 20;

/// What is asked of the store.
pub(super) struct Health {
    store: Store,
    live: watch::Receiver<Live>,
    size: Gauge<u64, AtomicU64>,
}

impl Health {
    /// Adds `pratique_store_size_bytes` to the registry.
    pub(super) fn new(store: Store, live: watch::Receiver<Live>, registry: &mut Registry) -> Self {
        let size = Gauge::default();
        registry.register_with_unit(
            "pratique_store_size",
            "Room that the database takes, what is free for reuse included",
            Unit::Bytes,
            size.clone(),
        );
        Self { store, live, size }
    }

    /// The answer of `/readyz`.
    pub(super) async fn ready(&self) -> http::Response {
        let reasons = match self.ask(pratique_store::Database::parts).await {
            Ok(states) => {
                let (sources, now) = (pratique_feeds::sources(), Clock::system().now());
                let update = self.live.borrow().update.clone();
                let looks_at = |part: &PartId| update.looks_at(part);
                let parts = status(states, sources, looks_at, update.max_age, now);
                reasons(&parts, now)
            }
            Err(reason) => vec![reason],
        };
        if reasons.is_empty() {
            return http::text(http::StatusCode::OK, "ready\n");
        }
        let mut text =
            format!("not ready\n{}\n", reasons[..reasons.len().min(REASONS_MAX)].join("\n"));
        if reasons.len() > REASONS_MAX {
            text.push_str(&format!("and {} more\n", reasons.len() - REASONS_MAX));
        }
        http::text(http::StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// Brings the metric up to date; it keeps its value when the store does not answer.
    pub(super) async fn measure(&self) {
        if let Ok(size) = self.ask(pratique_store::Database::size_bytes).await {
            self.size.set(size);
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&pratique_store::Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, String> {
        let store = self.store.clone();
        let asked = tokio::task::spawn_blocking(move || {
            store.open(Access::ReadOnly).and_then(|database| question(&database))
        });
        match tokio::time::timeout(STORE_TIMEOUT, asked).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(format!("store: {:#}", anyhow::Error::from(error))),
            Ok(Err(_)) => Err("store: the question was dropped".to_owned()),
            Err(_) => Err(format!("store: no answer within {} s", STORE_TIMEOUT.as_secs())),
        }
    }
}

/// What keeps the service from being ready; empty when nothing does.
fn reasons(parts: &[PartStatus], now: jiff::Timestamp) -> Vec<String> {
    if parts.iter().all(|part| !part.state.is_loaded()) {
        return vec!["data: nothing is loaded yet".to_owned()];
    }
    let stale = parts.iter().filter(|part| part.is_stale);
    stale
        .map(|part| match part.state.last_success {
            Some(at) => {
                let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
                format!("data of {}: last found fresh {} ago", part.state.id, age_words(age))
            }
            None => format!("data of {}: never loaded", part.state.id),
        })
        .collect()
}
