//! How many events go through the keyed queue. An item is one event pushed, taken and done;
//! The design (watch) asks for 500,000 a second on one core.

use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;

use pratique_clockwork::Random;
use pratique_clockwork::queue::{Queue, Rules};

/// How many events a run pushes.
const EVENT_COUNT: usize = 60_000;

/// About the size of an event of the watcher.
type Event = [u64; 8];

const RULES: Rules<Event> = Rules { absorb: |_, _| false, is_expendable: |_| true };

fn main() {
    divan::main();
}

fn keys(count: usize) -> Vec<Arc<str>> {
    (0..count).map(|number| Arc::from(format!("k8s.io/task/{number:064x}"))).collect()
}

/// Everything arrives, then everything is handled.
#[divan::bench(args = [1_000, 10_000])]
fn burst(bencher: Bencher<'_, '_>, key_count: usize) {
    let keys = keys(key_count);
    bencher.counter(ItemsCount::new(EVENT_COUNT)).bench_local(|| {
        let mut queue = Queue::new(RULES, Some(Random::from_seed(1)));
        for number in 0..EVENT_COUNT {
            queue.push(Arc::clone(&keys[number % key_count]), [1; 8]);
        }
        while let Some(taken) = queue.take(Duration::ZERO) {
            queue.done(taken);
        }
        queue.counts()
    });
}

/// Every event is handled before the next arrives, while other keys wait after failures.
#[divan::bench(args = [0, 1_000, 10_000])]
fn steady(bencher: Bencher<'_, '_>, backoff_count: usize) {
    let keys = keys(1_000 + backoff_count);
    bencher.counter(ItemsCount::new(EVENT_COUNT)).bench_local(|| {
        let mut queue = Queue::new(RULES, Some(Random::from_seed(1)));
        for key in &keys[1_000..] {
            queue.push(Arc::clone(key), [1; 8]);
            let taken = queue.take(Duration::ZERO).expect("just pushed");
            queue.fail(taken, Duration::ZERO);
        }
        for number in 0..EVENT_COUNT {
            queue.push(Arc::clone(&keys[number % 1_000]), [1; 8]);
            let taken = queue.take(Duration::from_micros(number as u64)).expect("just pushed");
            queue.done(taken);
        }
        queue.counts()
    });
}
