//! Tells whether a process is still the one that was meant.
//!
//! A process id is given again once its process has ended. The time at which a process began, in
//! ticks since the machine started, never changes, so the two together name one process. Reads
//! `/proc/<pid>/stat`; see proc(5).

use std::fs;
use std::io::Read as _;

use jiff::{SignedDuration, Timestamp};

/// Ticks of `/proc` in one second: `USER_HZ`, 100 on every platform that runsc supports.
const TICKS_PER_SECOND: u64 = 100;
/// How much later than its container a sandbox's process may begin. runsc starts it before it
/// writes the creation time; the kernel tells the machine's start in whole seconds.
const START_AFTER_MAX: SignedDuration = SignedDuration::from_secs(5);
/// How much of `/proc/<pid>/stat` is read: a name of 64 bytes at most, and 20 numbers of at most 20
/// digits, lie before what is looked for.
const STAT_BYTES: usize = 1024;
/// The field of `/proc/<pid>/stat` with the start time, counted after the name of the program.
const START_FIELD: usize = 19;
/// The field with the state, likewise.
const STATE_FIELD: usize = 0;

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pid: i32,
    started_ticks: u64,
}

impl Process {
    /// The process that has this id now; `None` if there is none or it has ended.
    pub(crate) fn find(pid: i32) -> Option<Self> {
        // A scrape asks this of every sandbox: one read, which gives all that fits.
        let mut buffer = [0; STAT_BYTES];
        let length = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
        started_ticks(&buffer[..length]).map(|started_ticks| Self { pid, started_ticks })
    }

    /// The process with this id if it began early enough to be of a container created then.
    pub(crate) fn find_for(pid: i32, created_at: Timestamp, boot: Timestamp) -> Option<Self> {
        let process = Self::find(pid)?;
        let seconds = i64::try_from(process.started_ticks / TICKS_PER_SECOND).ok()?;
        let started_at = boot.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        (started_at.duration_since(created_at) <= START_AFTER_MAX).then_some(process)
    }

    /// The process id.
    pub(crate) fn pid(self) -> i32 {
        self.pid
    }

    /// Whether it still runs.
    pub(crate) fn is_running(self) -> bool {
        Self::find(self.pid) == Some(self)
    }
}

/// When the machine started, to the second; `None` where `/proc` does not say.
pub(crate) fn boot_time() -> Option<Timestamp> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Timestamp::from_second(line.trim().parse().ok()?).ok()
}

/// The start time in the text of a `stat` file; `None` for what has ended (zombie or dead). The
/// program's name stands in parentheses and may hold any byte, so fields count from the last one.
fn started_ticks(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    if matches!(fields.nth(STATE_FIELD)?, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(START_FIELD - STATE_FIELD - 1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_does_not_move_the_fields() {
        let stat = |state: &str| {
            format!("7 (a) b ( R 1) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20")
        };
        assert_eq!(started_ticks(stat("S").as_bytes()), Some(4242));
        assert_eq!(started_ticks(stat("Z").as_bytes()), None);
        assert_eq!(started_ticks(b"7 (a"), None);
        assert_eq!(started_ticks(b"7 (a) S 1"), None);
    }

    #[test]
    fn a_process_is_itself_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep");
        let pid = i32::try_from(child.id()).expect("a process id");
        let process = Process::find(pid).expect("it runs");
        assert!(process.is_running());
        let boot = boot_time().expect("/proc/stat");
        let now = pratique_clockwork::Clock::system().now();
        assert_eq!(Process::find_for(pid, now, boot), Some(process));
        let long_ago = now - SignedDuration::from_secs(3_600);
        assert_eq!(Process::find_for(pid, long_ago, boot), None, "it began an hour too late");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert!(!process.is_running());
    }
}
