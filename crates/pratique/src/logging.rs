//! Where log lines go: to standard error, so that standard output holds the report alone.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::uptime;

/// Starts logging. `PRATIQUE_LOG` (directives such as `info` or `pratique_fetch=debug`) outranks
/// the flags; by default errors are shown: what a command has to say to its user it prints itself.
pub(crate) fn start(verbose: u8, is_quiet: bool) {
    let level = match (is_quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "error",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    };
    let filter = EnvFilter::try_from_env("PRATIQUE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_coloured)
        .with_target(verbose > 1)
        .with_timer(uptime())
        .init();
}
