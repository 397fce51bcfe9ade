//! What the watcher keeps of a container on the heap: `cargo bench -p pratique-watch --bench
//! memory`. Prints rows of a table.
//!
//! Every allocation is counted (`dhat`), so the program is slow and its resident memory means
//! nothing. SQLite allocates by itself and is not counted. What the scripted runtime keeps is
//! measured alone and taken off. With a file's name behind `profile`, where it was allocated is
//! written there at the end, as dhat's viewer reads it.

#![allow(clippy::print_stdout, reason = "a program for people")]

mod bed;

use std::time::Duration;

use dhat::{HeapStats, Profiler};
use pratique_containerd::{Client, Error, Exit};
use pratique_testkit::containerd::Containerd;
use tokio::task::JoinSet;

use bed::scripted::Scripted;
use bed::{Bed, NS, id};

#[global_allocator]
static COUNTED: dhat::Alloc = dhat::Alloc;

/// How many containers run.
const COUNTS: [u32; 2] = [1_000, 10_000];

/// How many waits there are over gRPC; a connection takes a thousand.
const WAIT_COUNT: u32 = 900;

/// What did not change for so long does not change any more.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

fn main() {
    let file = std::env::args().skip_while(|argument| argument != "profile").nth(1);
    let profiler = match file {
        Some(file) => Profiler::builder().file_name(file).trim_backtraces(Some(30)).build(),
        None => Profiler::builder().testing().build(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for count in COUNTS {
            watched(count).await;
        }
        waiting().await;
    });
    drop(profiler);
}

/// That many running containers, each waited for.
async fn watched(count: u32) {
    let scripted = scripted_bytes(count);
    let bed = Bed::start(Scripted::new()).await;
    let before = live_bytes();
    bed.run_containers(count).await;
    let grown = live_bytes() - before;
    let each = (grown - scripted) as f64 / f64::from(count) / 1024.0;
    println!("| heap of a container, of {count}, with a wait | 2 KiB | {each:.2} KiB |");
    bed.stop().await;
}

/// Waits as they are made of a real containerd: many for the end of one container.
async fn waiting() {
    let Some(bed) = Containerd::start() else {
        println!("| heap of a wait over gRPC | | not measured: containerd cannot be run here |");
        return;
    };
    bed.import_busybox(NS);
    bed.run_container(NS, "long", &[], &["sleep", "100000"]);
    let client = Client::connect(bed.socket());
    let mut waits = JoinSet::new();
    wait_often(&client, &mut waits, 1).await;
    let before = live_bytes();
    wait_often(&client, &mut waits, WAIT_COUNT).await;
    let each = (live_bytes() - before) as f64 / f64::from(WAIT_COUNT) / 1024.0;
    println!("| heap of a wait over gRPC, of {WAIT_COUNT} over one connection | | {each:.2} KiB |");
}

/// Makes so many waits, and comes back when all were sent: what sending takes is given back then,
/// so nothing changes any more.
async fn wait_often(client: &Client, waits: &mut JoinSet<Result<Exit, Error>>, count: u32) {
    for _ in 0..count {
        let client = client.clone();
        waits.spawn(async move { client.wait(NS, "long").await });
    }
    let mut last = 0;
    while last != live_bytes() {
        last = live_bytes();
        tokio::time::sleep(SETTLED_AFTER).await;
    }
}

/// What a scripted runtime keeps of so many containers.
fn scripted_bytes(count: u32) -> usize {
    let before = live_bytes();
    let runtime = Scripted::new();
    for number in 0..count {
        runtime.run(NS, &id(number), number + 1);
    }
    let bytes = live_bytes() - before;
    drop(runtime);
    bytes
}

fn live_bytes() -> usize {
    HeapStats::get().curr_bytes
}
