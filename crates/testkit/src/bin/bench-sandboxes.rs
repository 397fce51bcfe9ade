//! Measures `pratique metric-server` over fake sandboxes, for `cargo xtask bench sandboxes`.
//!
//! `bench-sandboxes PROGRAM COUNT idle|busy HOSTILE-PERCENT SCRAPERS` starts the sandboxes in this
//! process and the server as another, scrapes it, and prints one row of a table. What the server
//! costs is the kernel's account of its process alone. Hostile sandboxes lie in 20 ways in turn.

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use pratique_testkit::process::{Process, eventually};
use pratique_testkit::sandbox::{Conduct, IDLE_POINTS, SandboxFarm};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(300);
/// Scrapes that are measured.
const SCRAPES: usize = 100;
/// Points in a scrape from which on a fifth as many are measured: 10,000 idle sandboxes have
/// 90,000 points.
const LARGE_POINTS: usize = 50_000;
/// Points of one busy sandbox, roughly.
const BUSY_POINTS: usize = 700;
/// Scrapes before those: they fill caches and open the circuits of those that lie.
const WARM_UP: usize = 4;

struct Case {
    program: PathBuf,
    count: usize,
    is_busy: bool,
    hostile_percent: usize,
    scrapers: usize,
}

fn main() -> ExitCode {
    let Some(case) = Case::read() else {
        say("usage: bench-sandboxes PROGRAM COUNT idle|busy HOSTILE-PERCENT SCRAPERS");
        return ExitCode::FAILURE;
    };
    say(&case.measure());
    ExitCode::SUCCESS
}

impl Case {
    fn read() -> Option<Self> {
        let words: Vec<String> = env::args().skip(1).collect();
        let [program, count, kind, hostile, scrapers] = words.as_slice() else { return None };
        Some(Self {
            program: PathBuf::from(program),
            count: count.parse().ok()?,
            is_busy: kind == "busy",
            hostile_percent: hostile.parse().ok()?,
            scrapers: scrapers.parse().ok()?,
        })
    }

    fn measure(&self) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let sandboxes = self.sandboxes();
        let honest = sandboxes.iter().filter(|(id, _)| id.starts_with("honest")).count();
        let farm = SandboxFarm::start(root, "%RUNTIME_ROOT%/metrics.sock", &sandboxes);
        let socket = root.join("metrics.sock");
        let started = now();
        let server = self.serve(root);
        eventually("the server listens", DEADLINE, || socket.exists());
        eventually("all honest sandboxes answer", DEADLINE, || {
            complete(&scrape(&socket)) == honest
        });
        let cold = started.elapsed();
        for _ in 0..WARM_UP {
            scrape(&socket);
        }
        let points = self.count * if self.is_busy { BUSY_POINTS } else { IDLE_POINTS };
        let rounds = if points < LARGE_POINTS { SCRAPES } else { SCRAPES / 5 };
        let late_before = farm.late_count();
        let cpu_before = cpu_ticks(server.id());
        let mut times: Vec<Duration> = Vec::new();
        let mut incomplete = 0;
        let mut buffers = vec![String::new(); self.scrapers];
        for _ in 0..rounds {
            // What came is looked at when all have ended, so that looking slows none of them.
            let scrapers: Vec<_> = std::mem::take(&mut buffers)
                .into_iter()
                .map(|mut text| {
                    let socket = socket.clone();
                    thread::spawn(move || {
                        let started = now();
                        scrape_into(&socket, &mut text);
                        (started.elapsed(), text)
                    })
                })
                .collect();
            for scraper in scrapers {
                let (time, text) = scraper.join().expect("a scrape");
                times.push(time);
                buffers.push(text);
            }
            incomplete += buffers.iter().map(|text| honest - complete(text)).sum::<usize>();
        }
        let cpu_ms = (cpu_ticks(server.id()) - cpu_before) * 10 / times.len() as u64;
        times.sort_unstable();
        // The nearest rank: of fewer than a hundred the 99th is the longest.
        let at = |part: usize| times[(times.len() * part).div_ceil(100) - 1].as_millis();
        let kind = if self.is_busy { "busy" } else { "idle" };
        format!(
            "| {} | {kind} | {} % | {} | {} | {} | {} | {cpu_ms} | {} | {} | {incomplete} | {} |",
            self.count,
            self.hostile_percent,
            self.scrapers,
            cold.as_millis(),
            at(50),
            at(99),
            peak_mib(server.id()),
            fs::read_dir(format!("/proc/{}/fd", server.id())).expect("it runs").count(),
            farm.late_count() - late_before,
        )
    }

    fn sandboxes(&self) -> Vec<(String, Conduct)> {
        let hostile = self.count * self.hostile_percent / 100;
        let honest = if self.is_busy { Conduct::Busy } else { Conduct::Idle };
        (0..self.count)
            .map(|index| match index < hostile {
                true => {
                    let conduct = Conduct::HOSTILE[index % Conduct::HOSTILE.len()];
                    (format!("hostile-{index}"), conduct)
                }
                false => (format!("honest-{index}"), honest),
            })
            .collect()
    }

    fn serve(&self, root: &Path) -> Process {
        let mut command = Command::new(&self.program);
        command.arg("metric-server").arg(format!("--root={}", root.display()));
        command.args(["--metric-server=%RUNTIME_ROOT%/metrics.sock", "--min-interval=0"]);
        Process::spawn("metric-server", command)
    }
}

fn scrape(socket: &Path) -> String {
    let mut text = String::new();
    scrape_into(socket, &mut text);
    text
}

/// Scrapes into a text whose room is used again, as a scraper does that lives long.
fn scrape_into(socket: &Path, text: &mut String) {
    text.clear();
    let mut stream = UnixStream::connect(socket).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("the server reads");
    stream.read_to_string(text).expect("the server answers");
}

/// Honest sandboxes whose answer is there.
fn complete(text: &str) -> usize {
    let lines = text.lines().filter(|line| line.starts_with("pratique_sandbox_scrape_success"));
    let honest = lines.filter(|line| line.contains("sandbox=\"honest"));
    honest.filter(|line| line.contains("} 1 ")).count()
}

/// CPU time of a process in hundredths of a second, see proc(5).
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    let fields = rest.split_ascii_whitespace().skip(11).take(2);
    fields.map(|field| field.parse::<u64>().expect("a number")).sum()
}

fn peak_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[expect(clippy::disallowed_methods, reason = "what a real process takes is measured")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "a program that is not shipped prints its row")]
fn say(text: &str) {
    println!("{text}");
}
