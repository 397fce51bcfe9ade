//! Goal: on a real containerd with runc, whatever is killed, the store says in the end what is
//! true, and each end was told once. Method: the watcher in a process of its own with its real
//! store, over a private containerd (the packaged one, and 2.x where it was built); every fault is
//! a signal.
#![allow(missing_docs, reason = "tests")]

mod bed;
#[path = "../chance/mod.rs"]
mod chance;
mod ends;
mod managing;
mod memory;
mod naming;
