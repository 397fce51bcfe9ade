//! The scenarios that the updater must come through, by the built program and with real faults.
//!
//! Goal: what is promised of feeds, findings and notifications holds whatever goes wrong around
//! it. Method: feeds lie in a folder behind a web server that misbehaves on demand, the program is
//! run as a user runs it, killed, stopped and starved, and what it stored is read back through its
//! own commands. Each scenario is written once and runs on SQLite and on PostgreSQL.

#![allow(clippy::print_stderr, reason = "seeds are printed, and what is skipped is said loudly")]

mod bed;
mod chance;
mod concurrent_images;
mod crash;
mod dead_enrichment;
mod encrypted_store;
mod failing_source;
mod full_disk;
mod hanging_server;
mod interrupted;
mod minute;
mod replicas;
mod service;
mod spoiled_feed;
mod stopped_holder;
mod withdrawal;

/// Runs a scenario, a function of a [`bed::Bed`], on both stores.
macro_rules! on_both_stores {
    ($scenario:ident) => {
        mod $scenario {
            #[test]
            fn on_sqlite() {
                super::$scenario(&crate::bed::Bed::on_sqlite());
            }

            #[test]
            fn on_postgresql() {
                if let Some(bed) = crate::bed::Bed::on_postgresql() {
                    super::$scenario(&bed);
                }
            }
        }
    };
}
use on_both_stores;
