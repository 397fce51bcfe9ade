//! `pratique metric-server`: runsc's command line, one endpoint for all sandboxes of this machine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use listenfd::ListenFd;
use pratique_clockwork::http::Given;
use pratique_clockwork::{Clock, Shutdown};
use pratique_metrics::{Config, MetricServer, Mode, Timestamps};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::units;

/// The word that chooses this command.
const WORD: &str = "metric-server";
/// Flags that take a value, as runsc writes them.
const VALUE_FLAGS: [&str; 10] = [
    "root",
    "metric-server",
    "exporter-prefix",
    "pid-file",
    "verify",
    "timestamps",
    "sandbox-timeout",
    "min-interval",
    "socket-mode",
    "web.config.file",
];
/// Flags that are there or not.
const SWITCHES: [&str; 2] = ["allow-profiling", "allow-unknown-root"];

/// Serve the metrics of the gVisor sandboxes on this machine, none of which is trusted.
///
/// Takes runsc's command line: flags may stand before the command and begin with one dash. Exit
/// codes: 0 stopped by a signal; 2 wrong usage; 128 the root folder or the address cannot be had.
#[derive(Debug, Args)]
pub(crate) struct MetricServerArguments {
    /// runsc's root folder; may be given several times. Default: $XDG_RUNTIME_DIR/runsc, or
    /// /var/run/runsc where that variable is not set.
    #[arg(long = "root", value_name = "DIR")]
    roots: Vec<PathBuf>,

    /// Where to serve: host:port, :port or the absolute path of a unix socket; %RUNTIME_ROOT%
    /// stands for the root folder. Sandboxes started with the same --metric-server are served.
    /// A socket given by systemd (LISTEN_FDS) is served in its place.
    #[arg(long = "metric-server", value_name = "ADDR", required = true)]
    address: String,

    /// The mode of a unix socket, octal.
    #[arg(long, value_name = "MODE", value_parser = mode, default_value = "0660")]
    socket_mode: u32,

    /// What the name of every metric begins with.
    #[arg(long, value_name = "PREFIX", default_value = Config::EXPORTER_PREFIX)]
    exporter_prefix: String,

    /// Write the process id to this file, and remove it at the end.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,

    /// Let everybody who may scrape take a profile of this server, at
    /// /runsc-metrics/profile-cpu?seconds=N; for development only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_profiling: Option<bool>,

    /// Go on when the root folder is not there or cannot be listed.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_unknown_root: Option<bool>,

    /// TLS, client certificates, users and a rate limit, in the format of Prometheus' web
    /// configuration; read again when it changes.
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<PathBuf>,

    /// What one bad series of a sandbox costs: its whole answer, or itself.
    #[arg(long, value_name = "PART", value_enum, default_value_t = Verify::Snapshot)]
    verify: Verify,

    /// Whether samples carry the time at which they were taken.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = KeepDrop::Keep)]
    timestamps: KeepDrop,

    /// The longest that one sandbox may take to answer.
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "2s")]
    sandbox_timeout: Duration,

    /// How old answers may be to be served to another scraper.
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "1s")]
    min_interval: Duration,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Verify {
    Snapshot,
    Series,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeepDrop {
    Keep,
    Drop,
}

/// Serves until a signal comes.
pub(crate) fn run(arguments: &MetricServerArguments) -> Result<Exit, Failure> {
    let config = config(arguments);
    // Takes variables out of the environment, so it comes before there are threads.
    let given = given_socket(&mut ListenFd::from_env())
        .map_err(|error| Failure::new(Exit::Fatal, error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        stop_at_signals(&shutdown).map_err(|error| Failure::new(Exit::Failed, error))?;
        let server = MetricServer::start(config, given, Clock::system())
            .await
            .map_err(|error| Failure::new(Exit::Fatal, error))?;
        server.run(shutdown).await;
        Ok(Exit::Clean)
    })
}

fn config(arguments: &MetricServerArguments) -> Config {
    let roots = match arguments.roots.as_slice() {
        [] => vec![default_root()],
        roots => roots.to_vec(),
    };
    Config {
        roots,
        address: arguments.address.clone(),
        socket_mode: arguments.socket_mode,
        exporter_prefix: arguments.exporter_prefix.clone(),
        pid_file: arguments.pid_file.clone(),
        allows_profiling: arguments.allow_profiling.unwrap_or(false),
        allows_unknown_root: arguments.allow_unknown_root.unwrap_or(false),
        web_config_file: arguments.web_config_file.clone(),
        mode: match arguments.verify {
            Verify::Snapshot => Mode::Snapshot,
            Verify::Series => Mode::Series,
        },
        timestamps: match arguments.timestamps {
            KeepDrop::Keep => Timestamps::Keep,
            KeepDrop::Drop => Timestamps::Drop,
        },
        sandbox_timeout: arguments.sandbox_timeout,
        min_interval: arguments.min_interval,
    }
}

/// The socket that systemd, or who else starts us as it does (`LISTEN_FDS`, `LISTEN_PID`), has
/// opened for us, if any; more than one is an error, because which to serve cannot be told.
fn given_socket(listening: &mut ListenFd) -> anyhow::Result<Option<Given>> {
    match listening.len() {
        0 => return Ok(None),
        1 => {}
        count => anyhow::bail!("{count} sockets were given by LISTEN_FDS; one can be served"),
    }
    if let Ok(Some(socket)) = listening.take_unix_listener(0) {
        return Ok(Some(Given::Unix(socket)));
    }
    let socket = listening.take_tcp_listener(0).context("the socket given by LISTEN_FDS")?;
    Ok(socket.map(Given::Tcp))
}

/// Reads a file's mode as chmod(1) takes it.
fn mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777)
        .ok_or_else(|| format!("{text:?} is no mode; write 0660 or 0600"))
}

/// runsc's default: `XDG_RUNTIME_DIR` outranks the user, as in its `config.NewFromFlags`.
fn default_root() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder).join("runsc"),
        _ => PathBuf::from("/var/run/runsc"),
    }
}

/// SIGINT, SIGTERM and SIGQUIT stop the server with grace, as in runsc.
fn stop_at_signals(shutdown: &Shutdown) -> std::io::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::quit()] {
        let mut signals = signal(kind)?;
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            signals.recv().await;
            shutdown.trigger();
        });
    }
    Ok(())
}

/// Puts runsc's command line into the order and form that the parser knows: the command first,
/// long flags with two dashes. Every other command line is left as it is.
pub(crate) fn normalize(words: Vec<OsString>) -> Vec<OsString> {
    let mut rest = words.iter().skip(1).peekable();
    let mut flags = Vec::new();
    let mut is_ours = false;
    while let Some(word) = rest.next() {
        let text = word.to_string_lossy();
        let flag = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).unwrap_or_default();
        let (name, has_value) = match flag.split_once('=') {
            Some((name, _)) => (name, true),
            None => (flag, false),
        };
        if !is_ours && text == WORD {
            is_ours = true;
        } else if VALUE_FLAGS.contains(&name) || SWITCHES.contains(&name) {
            flags.push(OsString::from(format!("--{flag}")));
            if VALUE_FLAGS.contains(&name) && !has_value {
                flags.extend(rest.next().cloned());
            }
        } else if is_ours || text.starts_with('-') {
            flags.push(word.clone());
        } else {
            return words;
        }
    }
    if !is_ours {
        return words;
    }
    let program = words.first().cloned();
    program.into_iter().chain([OsString::from(WORD)]).chain(flags).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let words = line.split(' ').map(OsString::from).collect();
        let got: Vec<String> =
            normalize(words).iter().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(got.join(" "), expected, "{line}");
    }

    #[test]
    fn runscs_command_lines_are_understood() {
        check(
            "pratique -root=/r --metric-server :1 metric-server -exporter-prefix=x_",
            "pratique metric-server --root=/r --metric-server :1 --exporter-prefix=x_",
        );
        check(
            "pratique metric-server -root /r -metric-server=a -allow-unknown-root=true -v",
            "pratique metric-server --root /r --metric-server=a --allow-unknown-root=true -v",
        );
        check("pratique -v metric-server --help", "pratique metric-server -v --help");
    }

    #[test]
    fn other_commands_are_left_alone() {
        check("pratique scan metric-server", "pratique scan metric-server");
        check("pratique scan -o table=metric-server x", "pratique scan -o table=metric-server x");
        check("pratique --help", "pratique --help");
    }
}
