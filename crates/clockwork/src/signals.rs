//! What the operating system tells a service: SIGTERM and SIGINT to stop, SIGHUP to look again.
//!
//! The first request to stop is patient; the second ends patience, for whoever presses Ctrl-C
//! twice.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::{Bell, Shutdown};

/// The signals that a service answers to. While this exists they do not end the process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes over the three signals, inside a runtime. To be called before anything is held that
    /// a signal should give back.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn try_new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Triggers `shutdown` at the first SIGTERM or SIGINT and hurries it at the second; rings
    /// `reload` at each SIGHUP. Ends after the second.
    pub async fn run(mut self, shutdown: Shutdown, reload: Bell) {
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.hangup.recv() => {
                    info!("SIGHUP: looking again");
                    reload.ring();
                    continue;
                }
            };
            if shutdown.is_triggered() {
                warn!("{name}: not waiting any longer");
                shutdown.hurry();
                return;
            }
            info!("{name}: stopping");
            shutdown.trigger();
        }
    }
}
