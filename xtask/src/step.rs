//! One external command: announced, timed, and judged by its exit code.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

/// How many tests `cargo test` and kin said had passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, and steps that failed without running a test.
    pub(crate) failed: u64,
}

impl Tally {
    /// Adds another step's counts.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Takes the counts out of a line of libtest, `test result: ok. 3 passed; 0 failed; …`.
    fn read_line(&mut self, line: &str) {
        let Some(counts) = line.trim().strip_prefix("test result: ") else { return };
        for part in counts.split([';', '.']) {
            if let Some((number, word)) = part.trim().split_once(' ') {
                let number = number.parse::<u64>().unwrap_or(0);
                match word {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    _ => {}
                }
            }
        }
    }
}

/// Runs a command whose output goes straight through; a step that is not a test program counts as
/// one check.
pub(crate) fn check(name: &str, command: &mut Command) -> Tally {
    let started = begin(name);
    let is_good = matches!(command.status(), Ok(status) if status.success());
    end(name, started, is_good);
    Tally { passed: u64::from(is_good), failed: u64::from(!is_good) }
}

/// Does a chore of this program as a step; it counts as one check.
pub(crate) fn call(name: &str, chore: impl FnOnce() -> Result<(), String>) -> Tally {
    let started = begin(name);
    let outcome = chore();
    if let Err(problem) = &outcome {
        println!("{problem}");
    }
    end(name, started, outcome.is_ok());
    Tally { passed: u64::from(outcome.is_ok()), failed: u64::from(outcome.is_err()) }
}

/// Runs a test program, passes its output on and adds up its results; one that fails without a
/// failed test (it did not build) counts as one failure.
pub(crate) fn tests(name: &str, command: &mut Command) -> Tally {
    let started = begin(name);
    let mut tally = Tally::default();
    let is_good = match command.stdout(Stdio::piped()).spawn() {
        Err(problem) => {
            println!("{name}: {problem}");
            false
        }
        Ok(mut child) => {
            let output = child.stdout.take().expect("standard output was piped");
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                tally.read_line(&line);
                println!("{line}");
            }
            matches!(child.wait(), Ok(status) if status.success())
        }
    };
    if !is_good && tally.failed == 0 {
        tally.failed = 1;
    }
    end(name, started, is_good);
    tally
}

fn begin(name: &str) -> Instant {
    println!("=== {name}");
    #[expect(clippy::disallowed_methods, reason = "chores are timed by the machine's clock")]
    Instant::now()
}

fn end(name: &str, started: Instant, is_good: bool) {
    let word = if is_good { "ok" } else { "FAILED" };
    println!("=== {name}: {word}, {:.1} s", started.elapsed().as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_libtest_are_added_up() {
        let mut tally = Tally::default();
        tally.read_line("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 1 filtered");
        tally.read_line("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured");
        tally.read_line("test sums_are_right ... ok");
        assert_eq!(tally, Tally { passed: 5, failed: 4 });
    }
}
