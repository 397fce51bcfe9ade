//! What Pratique remembers: advisories, facts about CVEs, images with their packages, findings, and
//! what is to be told about them.
//!
//! A [`Store`] says where: one SQLite file, or a PostgreSQL server that many share. It opens a
//! [`Database`], which belongs to one thread at a time and whose calls block: asynchronous rooms
//! call them from a blocking thread. Any number of processes read and write; a reader sees every
//! part as it was before or after an update, never in between.
//!
//! The rest of the workspace speaks to [`Database`] in types of `model`; SQL, rows and their
//! encodings do not leave this crate. Within it, every statement is written once for both databases
//! and goes through a `Session` (`session.rs` has the rules).

mod apply;
mod aside;
mod bell;
mod catch_up;
mod change;
mod changed;
#[cfg(test)]
mod conformance;
mod container;
mod database;
mod encoding;
mod error;
mod facts;
mod fence;
mod finding;
mod flag;
mod history;
mod image;
mod keeper;
mod lease;
mod lock;
mod node_index;
mod notice;
mod outbox;
mod package;
mod package_set;
mod part;
mod plan;
mod query;
mod reach;
mod read;
mod record;
mod register;
mod retention;
mod roll;
mod schema;
mod search;
mod session;
mod snapshot;
mod stage;
mod store;
mod stored_report;
mod sweep;
mod term;
mod transfer;
mod turn;
mod unused_term;
mod write;

pub use apply::{Applied, CommitOptions};
pub use bell::Channel;
pub use change::{Change, ChangeKind};
pub use changed::{ChangeCursor, ChangedKey, PackageName};
pub use container::{DELETED_CONTAINERS_KEPT, RuntimeChanges, RuntimeWriter, SweptRuntime};
pub use database::{Access, Database, Hold};
pub use error::{Cause, StoreError};
pub use finding::{Cursor, Impact, StoredFinding};
pub use flag::Flag;
pub use image::{ImageCounts, ImageFilter, ImageKey, StoredImage};
pub use keeper::{Attempt, HeldLease, LeaseKeeper};
pub use lease::Acquisition;
pub use node_index::{GONE_INDEXES_KEPT, IndexOutcome, NodeIndex};
pub use notice::{NOTICES_KEPT, NOTICES_MAX, NoticeFilter};
pub use outbox::{NewNotification, Notification, NotificationFilter};
pub use package::{PackageKey, StoredPackage};
pub use part::PartState;
pub use query::{AdvisoryKey, Facts, StoredAdvisory, StoredAffected, VendorSeverity};
pub use reach::{Holder, Reach};
pub use register::{RegisterOptions, Registered, Registration};
pub use retention::{CHANGES_KEPT, RETIRED_ROWS_MAX, Retired};
pub use search::{StatedPackage, Statement};
pub use snapshot::{SnapshotFilter, load_snapshot, write_snapshot};
pub use stage::{KeptNote, Staging};
pub use store::Store;
pub use sweep::{NOTIFICATIONS_KEPT, PACKAGES_KEPT, REPORTS_KEPT, SWEEP_ROWS_MAX, SweptCounts};
pub use transfer::{TableCount, TableSize, backup, move_database, restore};
