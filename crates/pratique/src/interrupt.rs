//! What Ctrl-C and SIGTERM do to a command.
//!
//! A command is ended by them at once, as any program is. Only while it has something that others
//! wait for (a lease), they ask its work to end, which takes as long as what is just being written;
//! a second one ends the command at once. SIGHUP is the same: a terminal that is closed.
//!
//! Surprising: handlers that were made stay, so after the first [`Hold`] a thread of this module
//! ends the process where the system would have done so. Services have signals of their own.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use pratique_clockwork::{Bell, Shutdown, Signals};
use tokio::runtime::{Builder, Runtime};

use crate::exit::{Exit, Failure};

static WATCH: LazyLock<Watch> = LazyLock::new(Watch::start);

/// Something is held that is to be given back before the process ends.
#[derive(Debug)]
pub(crate) struct Hold {
    stop: Shutdown,
}

/// Begins to hold something. To be called before it is taken.
pub(crate) fn hold() -> Hold {
    let watch = &*WATCH;
    *watch.hold_count() += 1;
    Hold { stop: watch.asked.clone() }
}

/// Whether somebody has asked the command to end while it held something.
pub(crate) fn is_asked() -> bool {
    WATCH.asked.is_triggered()
}

/// The failure of a command that was asked to end.
pub(crate) fn stopped() -> Failure {
    Failure::new(Exit::Failed, anyhow::anyhow!("stopped before it was done"))
}

impl Hold {
    /// Asks for what is held to be given back.
    pub(crate) fn stop(&self) -> &Shutdown {
        &self.stop
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        *WATCH.hold_count() -= 1;
    }
}

struct Watch {
    asked: Shutdown,
    hold_count: Mutex<usize>,
}

impl Watch {
    /// Takes the signals over. Where that is refused they end the process as they always do.
    fn start() -> Self {
        let asked = Shutdown::new();
        if let Ok(runtime) = Builder::new_current_thread().enable_all().build() {
            let signals = {
                let _inside = runtime.enter();
                Signals::try_new()
            };
            if let Ok(signals) = signals {
                let asked = asked.clone();
                thread::spawn(move || watch(&runtime, signals, &asked));
            }
        }
        Self { asked, hold_count: Mutex::new(0) }
    }

    fn hold_count(&self) -> MutexGuard<'_, usize> {
        self.hold_count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process at the first signal that finds nothing held, or at the second.
fn watch(runtime: &Runtime, signals: Signals, asked: &Shutdown) {
    let hangup = Bell::new();
    let mut hung_up = hangup.listen();
    runtime.block_on(async {
        tokio::spawn(signals.run(asked.clone(), hangup));
        tokio::select! {
            () = asked.triggered() => {}
            () = hung_up.rung() => asked.trigger(),
        }
        end_unless_held();
        eprintln!("pratique: stopping; once more to stop at once");
        asked.hurried().await;
        std::process::exit(Exit::Failed as i32);
    });
}

fn end_unless_held() {
    let hold_count = WATCH.hold_count();
    if *hold_count == 0 {
        // Whoever begins to hold something now waits for the lock, and ends here too.
        std::process::exit(Exit::Failed as i32);
    }
}
