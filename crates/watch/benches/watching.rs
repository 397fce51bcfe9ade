//! What following a runtime costs, over a scripted one: `cargo bench -p pratique-watch --bench
//! watching`. Prints rows of a table: events a second from stream to store, how soon events of
//! healthy containers are written while others wait and hang, and the memory of many containers.
//! One thread works besides the store's.

#![allow(clippy::print_stdout, reason = "a program for people")]

mod bed;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pratique_model::ContainerState;
use pratique_store::Database;
use tokio::time::Instant;

use bed::scripted::Scripted;
use bed::{Bed, NS, TURN, id};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    match std::env::args().skip_while(|argument| argument != "memory").nth(1) {
        Some(count) => runtime.block_on(memory(count.parse().expect("a count"))),
        None => {
            runtime.block_on(throughput());
            runtime.block_on(latency());
            for count in [1_000, 10_000] {
                in_a_process_of_its_own(count);
            }
        }
    }
}

/// 5,000 containers live and end: four events each, all at once.
async fn throughput() {
    const COUNT: u32 = 5_000;
    let bed = Bed::start(Scripted::new()).await;
    let (began_at, cpu) = (Instant::now(), cpu_seconds());
    for number in 0..COUNT {
        let id = id(number);
        bed.runtime.run(NS, &id, number + 1);
        bed.runtime.exit(NS, &id, number % 200);
        bed.runtime.remove(NS, &id);
        if number % TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
    let all = u64::from(COUNT) * 4;
    bed.until(|database| database.last_notice().expect("an answer") >= all).await;
    let (took, cpu) = (began_at.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    // The stream has one event more for each container: its task's removal.
    let events = f64::from(COUNT) * 5.0;
    println!(
        "| stream to store | 20,000 events/s on one core | {:.0}/s; {:.0} for each second of \
         processor time |",
        events / took,
        events / cpu
    );
    bed.stop().await;
}

/// 1,000 keys in back-off, 4 handlers that hang, and one healthy container after the other.
async fn latency() {
    let bed = Bed::start(Scripted::new()).await;
    for number in 0..1_000 {
        let id = format!("failing-{number}");
        bed.runtime.set_failing(&id, true);
        bed.runtime.create(NS, &id);
    }
    for number in 0..4 {
        let id = format!("hanging-{number}");
        bed.runtime.set_hanging(&id);
        bed.runtime.create(NS, &id);
    }
    let mut lags = Vec::new();
    let database = bed.database();
    for number in 0..1_000 {
        let id = format!("healthy-{number}");
        let began_at = Instant::now();
        bed.runtime.run(NS, &id, number + 1);
        let is_running = |database: &Database| {
            let container = database.container(NS, &id).expect("an answer");
            container.is_some_and(|container| container.state == ContainerState::Running)
        };
        while !is_running(&database) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        lags.push(began_at.elapsed());
    }
    lags.sort_unstable();
    println!(
        "| creation and start of a healthy container written, 1,000 keys in back-off, 4 handlers \
         hanging | 99 % within 50 ms | 99 % within {:.1?}, median {:.1?}, worst {:.1?} |",
        lags[990], lags[500], lags[999]
    );
    bed.stop().await;
}

/// That many running containers; nothing but the watcher and its runtime in this process.
async fn memory(count: u32) {
    let bed = Bed::start(Scripted::new()).await;
    bed.run_containers(count).await;
    let promised = if count == 1_000 { "40 MiB" } else { "" };
    println!(
        "| resident, {count} containers, the scripted runtime with it | {promised} | {:.1} MiB |",
        resident_kib() as f64 / 1024.0,
    );
    bed.stop().await;
}

fn in_a_process_of_its_own(count: u32) {
    let program = std::env::current_exe().expect("this program");
    let arguments = ["memory".to_owned(), count.to_string()];
    let status = Command::new(program).args(arguments).status();
    assert!(status.expect("started").success());
}

/// User and system time of this process so far, in seconds; Linux counts in hundredths.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string(Path::new("/proc/self/stat")).expect("Linux");
    let fields = text.rsplit_once(") ").expect("a name in parentheses").1;
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// The memory this process has now, in KiB.
fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
