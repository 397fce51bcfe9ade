//! What is counted about leases.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The leases of one process. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct LeaseMetrics {
    lost: Counter,
    held: Family<Name, Gauge>,
}

/// Which lease: parts of configured sources and rooms, so their number is bounded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    name: String,
}

impl LeaseMetrics {
    /// Adds `pratique_updater_lease_lost_total` and `pratique_updater_lease_held{name}`. All
    /// rooms of a process share them; the names are those of the design, where the updater was
    /// the first to have leases.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "pratique_updater_lease_lost",
            "Leases that were lost while work was done under them",
            self.lost.clone(),
        );
        registry.register(
            "pratique_updater_lease_held",
            "Whether this process holds the lease",
            self.held.clone(),
        );
    }

    /// Counts one lost lease.
    pub fn count_loss(&self) {
        self.lost.inc();
    }

    /// How many leases were lost since the process began.
    pub fn lost_count(&self) -> u64 {
        self.lost.get()
    }

    /// Says whether this process holds a lease now.
    pub fn set_held(&self, name: &str, is_held: bool) {
        self.held.get_or_create(&Name { name: name.to_owned() }).set(is_held.into());
    }
}
