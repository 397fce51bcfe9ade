//! A program under test, run beside it: stopped, continued, killed, and read.
//!
//! Standard output and standard error are read line by line as they come, so that a test waits for
//! what the program says instead of guessing a time. Signals go through a pidfd: never to another
//! process that got the same id. A process that a test leaves behind is killed with it, and when
//! the test fails, what the process said is printed.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

pub use rustix::process::Signal;

/// How long a server may take to answer on the loopback.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How often [`eventually`] looks.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A running program.
pub struct Process {
    name: String,
    id: u32,
    pidfd: OwnedFd,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    open_outputs: usize,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts a command with nothing on standard input; `name` is for messages.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(name: &str, command: Command) -> Self {
        Self::spawn_with(name, command, Stdio::null())
    }

    /// As [`spawn`](Self::spawn), with something on standard input.
    ///
    /// # Panics
    /// As that.
    pub fn spawn_with(name: &str, mut command: Command, input: Stdio) -> Self {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let id = child.id();
        let raw = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process has an id");
        // The child has not been waited for, so the id is still its own.
        let pidfd = pidfd_open(raw, PidfdFlags::empty()).expect("Linux 5.3 or later");
        let shared = Arc::new(Shared::default());
        shared.lock().open_outputs = 2;
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|output| Box::new(output) as _),
            child.stderr.take().map(|output| Box::new(output) as _),
        ];
        for output in outputs.into_iter().flatten() {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.read(output));
        }
        let waiting = Arc::clone(&shared);
        thread::spawn(move || {
            let status = child.wait().expect("the process is our child");
            waiting.lock().status = Some(status);
            waiting.changed.notify_all();
        });
        Self { name: name.to_owned(), id, pidfd, shared }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Sends a signal; to a process that has ended, nothing.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Whether it still runs, or is stopped.
    pub fn is_running(&self) -> bool {
        self.shared.lock().status.is_none()
    }

    /// Everything that it has said so far.
    pub fn said(&self) -> String {
        self.shared.lock().lines.join("\n")
    }

    /// Waits for a line, said before or from now on, that contains a text, and gives it.
    ///
    /// # Panics
    /// When it does not come within the deadline, or the process ends before.
    pub fn wait_for_line(&self, text: &str, deadline: Duration) -> String {
        self.wait_for_line_after(0, text, deadline).1
    }

    /// As [`wait_for_line`](Self::wait_for_line), but leaves out the first lines; gives the number
    /// of lines up to the one that was found, too.
    ///
    /// # Panics
    /// As that.
    pub fn wait_for_line_after(
        &self,
        skipped: usize,
        text: &str,
        deadline: Duration,
    ) -> (usize, String) {
        let find = |state: &State| {
            let mut lines = state.lines.iter().enumerate().skip(skipped);
            lines.find(|(_, line)| line.contains(text)).map(|(at, line)| (at + 1, line.clone()))
        };
        let state = self.wait_while(deadline, |state| {
            find(state).is_none() && !(state.status.is_some() && state.open_outputs == 0)
        });
        find(&state).unwrap_or_else(|| {
            let lines = state.lines.join("\n");
            panic!("{}: waited {deadline:?} for {text:?} in:\n{lines}", self.name)
        })
    }

    /// Waits until it has ended and all that it said was read.
    ///
    /// # Panics
    /// When it does not end within the deadline.
    pub fn wait(&self, deadline: Duration) -> ExitStatus {
        let state =
            self.wait_while(deadline, |state| state.status.is_none() || state.open_outputs > 0);
        state.status.unwrap_or_else(|| {
            let lines = state.lines.join("\n");
            panic!("{}: still runs after {deadline:?}; it said:\n{lines}", self.name)
        })
    }

    /// Waits for its end, but no longer than this; says whether it has ended.
    pub fn has_ended_within(&self, duration: Duration) -> bool {
        self.wait_while(duration, |state| state.status.is_none()).status.is_some()
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// When it does not end within the deadline.
    pub fn terminate(&self, deadline: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(deadline)
    }

    /// Sends SIGKILL and waits for the end.
    ///
    /// # Panics
    /// When the process had ended by itself with another status than success.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        let status = self.wait(ANSWER_TIMEOUT);
        let is_killed = status.signal() == Some(Signal::KILL.as_raw());
        assert!(is_killed || status.success(), "{}: {status}:\n{}", self.name, self.said());
    }

    fn wait_while(
        &self,
        deadline: Duration,
        condition: impl Fn(&State) -> bool,
    ) -> MutexGuard<'_, State> {
        let state = self.shared.lock();
        let waiting =
            self.shared.changed.wait_timeout_while(state, deadline, |state| condition(state));
        waiting.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Process {
    #[allow(clippy::print_stderr, reason = "what a process said before a test failed")]
    fn drop(&mut self) {
        // A stopped process is killed as well.
        self.signal(Signal::KILL);
        drop(self.wait_while(ANSWER_TIMEOUT, |state| state.status.is_none()));
        if thread::panicking() {
            eprintln!("{} (process {}) said:\n{}", self.name, self.id, self.said());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, output: Box<dyn Read + Send>) {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            self.lock().lines.push(String::from_utf8_lossy(&line).into_owned());
            self.changed.notify_all();
        }
        self.lock().open_outputs -= 1;
        self.changed.notify_all();
    }
}

/// What a web server under test answers to a GET: status and body.
///
/// # Errors
/// Those of the connection; also when the answer is not HTTP.
pub fn get(address: &str, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let no_http = || io::Error::other(format!("no HTTP: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(no_http)?;
    Ok((status, body.to_owned()))
}

/// The sum of all samples of a metric, in Prometheus' text format, whose labels contain every one
/// of `labels` (`source="debian"`); `None` when there is none.
pub fn metric(exposition: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let samples = exposition.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (found, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let is_wanted = labels.iter().all(|label| found.contains(label));
        is_wanted.then(|| value.split(' ').next()?.parse::<f64>().ok())?
    });
    samples.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

/// Waits until a condition holds, looking often.
///
/// # Panics
/// When it does not within the deadline.
pub fn eventually(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "a deadline of a real process")]
    let now = std::time::Instant::now;
    let end = now() + deadline;
    while !condition() {
        assert!(now() < end, "waited {deadline:?} until {what}");
        #[expect(
            clippy::disallowed_methods,
            reason = "another process tells no condition variable"
        )]
        thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn("sh", command)
    }

    #[test]
    fn a_process_is_read_while_it_runs_and_ends_with_its_status() {
        let process = shell("echo begun; echo problem >&2; read x; exec sleep 100");
        process.wait_for_line("begun", DEADLINE);
        process.wait_for_line("problem", DEADLINE);
        assert_eq!(process.terminate(DEADLINE).signal(), Some(Signal::TERM.as_raw()));
        assert_eq!(shell("exit 3").wait(DEADLINE).code(), Some(3));
    }

    #[test]
    fn a_stopped_process_does_nothing_until_it_is_continued() {
        let process = shell("trap 'echo woken' USR1; echo begun; while :; do sleep 0.01; done");
        process.wait_for_line("begun", DEADLINE);
        process.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", process.id());
        eventually("the process is stopped", DEADLINE, || {
            std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "))
        });
        process.signal(Signal::USR1);
        assert!(!process.said().contains("woken"));
        process.signal(Signal::CONT);
        process.wait_for_line("woken", DEADLINE);
        process.kill();
        assert!(!process.is_running());
    }

    #[test]
    fn samples_of_a_metric_are_added_up_by_label() {
        let text = "# HELP a_total A.\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"2\"} 4 123\na 9\n";
        assert_eq!(metric(text, "a_total", &[]), Some(7.0));
        assert_eq!(metric(text, "a_total", &["x=\"1\""]), Some(3.0));
        assert_eq!(metric(text, "a", &[]), Some(9.0));
        assert_eq!(metric(text, "b", &[]), None);
    }
}
