//! How many parts of one host are fetched at once.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How many parts of one host are fetched at once; from the design (updater, *Fetch*).
const PER_HOST_MAX: usize = 2;

/// Which hosts are being asked.
#[derive(Default)]
pub(crate) struct Hosts {
    permits: HashMap<String, Arc<Semaphore>>,
    freed: Arc<Notify>,
}

/// Leave to ask one host, until it is dropped.
pub(crate) struct HostPermit {
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Drop for HostPermit {
    fn drop(&mut self) {
        // First given back, then told.
        self.permit = None;
        self.freed.notify_one();
    }
}

impl Hosts {
    /// Leave to ask a host, if there is any left.
    pub(crate) fn permit(&mut self, host: &str) -> Option<HostPermit> {
        let new = || Arc::new(Semaphore::new(PER_HOST_MAX));
        let semaphore = self.permits.entry(host.to_owned()).or_insert_with(new);
        let permit = Arc::clone(semaphore).try_acquire_owned().ok()?;
        Some(HostPermit { permit: Some(permit), freed: Arc::clone(&self.freed) })
    }

    /// Waits until some host has leave to give again. Cancel-safe.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

/// The host in an address.
pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_asked_for_two_parts_at_once_and_others_do_not_wait_for_it() {
        let mut hosts = Hosts::default();
        let a = host_of("https://a.example/1");
        assert_eq!(a, host_of("https://a.example?x"));
        let first = hosts.permit(a);
        let second = hosts.permit(a);
        assert!(first.is_some() && second.is_some());
        assert!(hosts.permit(a).is_none());
        assert!(hosts.permit(host_of("https://b.example")).is_some());
        drop(first);
        assert!(hosts.permit(a).is_some());
    }
}
