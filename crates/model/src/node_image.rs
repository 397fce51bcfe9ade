//! An image as a node's runtime names it.

use jiff::Timestamp;

use crate::Digest;

/// What a name means on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeImage {
    /// The runtime's namespace.
    pub namespace: String,
    /// The name: a reference, or for Kubernetes also the configuration's digest.
    pub name: String,
    /// What it points to, which may be an index; `None` when that is no SHA-256.
    pub digest: Option<Digest>,
    /// Since when we know that it does.
    pub seen_at: Timestamp,
}
