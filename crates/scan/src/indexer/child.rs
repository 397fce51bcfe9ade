//! One image in one process: started, watched, and judged by its end.
//!
//! The process limits itself ([`confine`]) before it opens anything; from here it gets a time and
//! a bound on what it may say. Its input/output class is set by `ionice` of util-linux, which every
//! distribution has, because no safe binding of that system call is kept; without it the kernel
//! derives the lowest best-effort level from the niceness.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// How much an index report may be long, in bytes: some hundred thousand packages.
const REPORT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How much of what the process says on standard error is kept, in bytes.
const WORDS_BYTES_MAX: u64 = 4 * 1024;

/// The exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// How Rust's runtime begins to say that there is no memory; it goes on with a trace, and aborts.
const OUT_OF_MEMORY: &str = "memory allocation of ";

/// The lowest priority there is.
const NICENESS: i32 = 19;

/// What became of the process.
#[derive(Debug)]
pub(super) enum End {
    /// It wrote a report.
    Report(Vec<u8>),
    /// It said that it cannot.
    Refused(String),
    /// It did not come to an end of its own.
    Killed(String),
}

/// Makes this process one that disturbs nobody: the lowest priority, and `memory_max` bytes of data
/// at most, beyond which it ends itself. To be called before threads are started.
///
/// # Errors
/// When the operating system refuses.
pub fn confine(memory_max: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
    setpriority_process(None, NICENESS)?;
    let limit = Some(memory_max);
    setrlimit(Resource::Data, Rlimit { current: limit, maximum: limit })?;
    Ok(())
}

/// Runs `command` with `target` behind it, for at most `time_max`. It is killed when this is
/// dropped.
///
/// # Errors
/// When the process cannot be started or waited for, which says nothing of the image.
pub(super) async fn run(command: &[OsString], target: &str, time_max: Duration) -> io::Result<End> {
    let mut child = start(command, target)?;
    let report = child.stdout.take().expect("it is piped");
    let words = child.stderr.take().expect("it is piped");
    let work = async {
        let (report, words) =
            tokio::try_join!(read(report, REPORT_BYTES_MAX), read(words, WORDS_BYTES_MAX))?;
        io::Result::Ok((report, words, child.wait().await?))
    };
    let Ok(ended) = tokio::time::timeout(time_max, work).await else {
        child.kill().await?;
        return Ok(End::Killed(format!("not done in {} s", time_max.as_secs())));
    };
    let (report, words, status) = ended?;
    if report.len() as u64 > REPORT_BYTES_MAX {
        return Ok(End::Killed(format!("a report of more than {REPORT_BYTES_MAX} bytes")));
    }
    Ok(judge(status, report, &words))
}

/// What the end of a process says of the image.
fn judge(status: ExitStatus, report: Vec<u8>, words: &[u8]) -> End {
    if let Some(said) = line(words, |line| line.starts_with(OUT_OF_MEMORY))
        && status.signal().is_some()
    {
        return End::Killed(format!("more memory than it may take: {said}"));
    }
    let words = last_line(words);
    match (status.code(), status.signal()) {
        (Some(0), _) => End::Report(report),
        (Some(PANICKED), _) => End::Killed(format!("a fault of the reader: {words}")),
        (Some(_), _) if !words.is_empty() => End::Refused(words),
        (Some(code), _) => End::Refused(format!("exit code {code}")),
        (None, signal) => {
            let signal = signal.unwrap_or(0);
            End::Killed(match words.is_empty() {
                true => format!("ended by signal {signal}"),
                false => format!("ended by signal {signal}: {words}"),
            })
        }
    }
}

fn start(command: &[OsString], target: &str) -> io::Result<Child> {
    let spawn = |words: &mut dyn Iterator<Item = &OsString>| {
        let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
        Command::new(program)
            .args(words)
            .arg(target)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    };
    // Class 3 is idle; -t goes on where that is refused.
    let idle: [OsString; 4] = ["ionice".into(), "-t".into(), "-c".into(), "3".into()];
    match spawn(&mut idle.iter().chain(command)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => spawn(&mut command.iter()),
        started => started,
    }
}

/// Reads to the end and keeps one byte more than the limit at most, so that nobody waits for a
/// reader.
async fn read(mut source: impl AsyncRead + Unpin, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    (&mut source).take(bytes_max + 1).read_to_end(&mut kept).await?;
    tokio::io::copy(&mut source, &mut tokio::io::sink()).await?;
    Ok(kept)
}

/// The last line that is not a hint, without the program's name.
fn last_line(words: &[u8]) -> String {
    let said = line(words, |line| !line.is_empty() && !line.starts_with("hint: "));
    let said = said.unwrap_or_default();
    said.strip_prefix("pratique: ").unwrap_or(&said).to_owned()
}

/// The last line that is such a one.
fn line(words: &[u8], is_it: impl Fn(&str) -> bool) -> Option<String> {
    let words = String::from_utf8_lossy(words);
    words.lines().map(str::trim).rfind(|line| is_it(line)).map(str::to_owned)
}

#[cfg(test)]
mod tests;
