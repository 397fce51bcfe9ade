//! Many processes that want one lease, as threads with a connection each.

use std::sync::atomic::{AtomicU64, Ordering};

use pratique_clockwork::lease::Owner;

use super::*;
use crate::conformance::{on_disk, on_server};
use crate::{Access, Store};

const THREADS: usize = 8;

/// How often the lease is to change hands. With eight threads that wait for it all the time.
const TENURES: u64 = 100;

/// Long enough that nobody's lease expires here.
const TTL: Duration = Duration::from_mins(5);

/// Every thread takes the lease, looks whether it is alone, and gives it back.
fn check(store: &Store) {
    // The token of whoever has the lease, as the threads see it; 0 when nobody has.
    let holder = AtomicU64::new(0);
    let last_token = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let owner = Owner::draw();
                let database = store.open(Access::ReadWrite).expect("open");
                while last_token.load(Ordering::SeqCst) < TENURES {
                    let answer = database.acquire_lease("part", &owner, TTL).expect("an answer");
                    let Acquisition::Acquired(lease) = answer else { continue };
                    let other = holder.swap(lease.token, Ordering::SeqCst);
                    assert_eq!(other, 0, "beside {}", lease.token);
                    let last = last_token.swap(lease.token, Ordering::SeqCst);
                    assert_eq!(lease.token, last + 1);
                    database.set_flag("holder", owner.as_str(), Some(&lease)).expect("fenced");
                    let renewed = database.renew_lease(&lease, TTL).expect("held");
                    let flag = database.flag("holder").expect("an answer").expect("set");
                    assert_eq!(flag.value, owner.as_str(), "another wrote");
                    let other = holder.swap(0, Ordering::SeqCst);
                    assert_eq!(other, lease.token, "another came");
                    assert!(database.release_lease(&renewed).expect("an answer"));
                }
            });
        }
    });
}

#[test]
fn of_eight_threads_one_has_the_lease_in_a_file() {
    check(&on_disk().store.expect("a file"));
}

#[test]
fn of_eight_threads_one_has_the_lease_on_a_server() {
    let Some(place) = on_server() else { return };
    check(place.store.as_ref().expect("a server"));
}
