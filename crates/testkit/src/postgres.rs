//! A private PostgreSQL: one cluster for a test process, one database for a test.
//!
//! The cluster lies in a temporary folder, listens on a unix socket in it and nowhere else, and
//! orders text as people do (ICU), because servers in the field do so and our bytewise orders must
//! survive it. A shell stands between the test process and the server: it waits for its standard
//! input to end, then stops the server and removes the folder. So nothing is left over however
//! the test process ends, even by SIGKILL.
//!
//! Surprising: PostgreSQL refuses to run as root. A test run by root starts it as the account
//! `postgres`, or else `nobody`.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::component;

pub use self::tls::TlsCluster;

mod tls;

/// The only role of a cluster; it may do everything.
const ROLE: &str = "pratique";

/// The database that fresh ones are copied from.
const TEMPLATE: &str = "pratique_template";

/// How many bytes at the end of the server's log are shown when a test failed.
const LOG_BYTES_SHOWN: usize = 8 << 10;

/// The longest name of a folder in which a socket still fits: a socket's path has at most 107
/// bytes, of which the socket's own name and the folder's take 40.
const PARENT_BYTES_MAX: usize = 64;

/// Runs the cluster in `$1` with the programs in `$2` and the settings `$3`: says `ready`, waits
/// for the end of standard input, stops the server as a crash would, and removes the folder if
/// the last line of the input was `remove`, or if there was none.
const RUN: &str = r#"
"$2/pg_ctl" start -w -s -t 60 -D "$1/data" -l "$1/log" -o "$3" </dev/null || exit 1
echo ready
word=remove
while read -r line; do word=$line; done
"$2/pg_ctl" stop -w -s -m immediate -D "$1/data"
[ "$word" = keep ] || rm -rf "$1"
"#;

/// Whether what was committed survives a crash of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing is ever synced to disk: fast, for tests that do not stop the server.
    None,
    /// As a real server does it, for tests that do.
    Full,
}

/// A running PostgreSQL with a folder of its own; it stops when it is dropped.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    account: Option<Account>,
    durability: Durability,
    /// The port on the loopback where it speaks TLS, if it does.
    port: Option<u16>,
    template: OnceLock<()>,
    keeper: Mutex<Option<Child>>,
    database_count: AtomicU64,
}

/// A database of one test; it goes when this is dropped. When the test fails, the end of the
/// server's log is printed.
pub struct TestDatabase<'cluster> {
    cluster: &'cluster Cluster,
    name: String,
}

/// Whom the server runs as instead of root.
#[derive(Clone, Copy, Debug)]
struct Account {
    user: u32,
    group: u32,
}

/// The cluster that all tests of this process share; `None`, said loudly, where PostgreSQL is
/// absent.
///
/// # Panics
/// When a cluster cannot be started, or is absent though `PRATIQUE_REQUIRE` has `postgres`.
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| Cluster::start(Durability::None));
    if cluster.is_none() {
        absent();
    }
    cluster.as_ref()
}

/// A database in the shared cluster that is as `migrate` left its template; `None`, said loudly,
/// where PostgreSQL is absent.
///
/// `migrate` gets the URL of the template and runs once in a process, by whoever comes first: all
/// callers must pass the same. It closes the connections that it opened.
///
/// # Panics
/// As [`cluster`], and when the database cannot be made.
pub fn fresh_database(migrate: impl FnOnce(&str)) -> Option<TestDatabase<'static>> {
    Some(cluster()?.fresh_database(migrate))
}

impl Cluster {
    /// Makes and starts a cluster of the caller's own; `None` where PostgreSQL is absent, which
    /// the caller says with [`absent`](component::absent) or through [`cluster`].
    ///
    /// # Panics
    /// When there is a PostgreSQL and it cannot be started; its log is part of the message.
    pub fn start(durability: Durability) -> Option<Self> {
        let cluster = Self::made(durability)?;
        cluster.run();
        Some(cluster)
    }

    /// Makes a cluster and does not start it.
    fn made(durability: Durability) -> Option<Self> {
        let programs = programs()?;
        let parent = Some(std::env::temp_dir())
            .filter(|folder| folder.as_os_str().len() <= PARENT_BYTES_MAX)
            .unwrap_or_else(|| PathBuf::from("/tmp"));
        let folder = tempfile::Builder::new()
            .prefix("pratique-pg-")
            .tempdir_in(parent)
            .expect("a temporary folder can be made")
            .keep();
        let account = unprivileged_account();
        if let Some(account) = account {
            chown(&folder, Some(account.user), Some(account.group)).expect("root may give it away");
        }
        let cluster = Self {
            folder,
            programs,
            account,
            durability,
            port: None,
            template: OnceLock::new(),
            keeper: Mutex::default(),
            database_count: AtomicU64::new(0),
        };
        cluster.make();
        Some(cluster)
    }

    /// The URL of a database of this cluster.
    pub fn url(&self, database: &str) -> String {
        let port = self.port.map(|port| format!("&port={port}")).unwrap_or_default();
        format!("postgres:///{database}?host={}&user={ROLE}{port}", self.folder.display())
    }

    /// A database that is as `migrate` left its template; see [`fresh_database`].
    ///
    /// # Panics
    /// When the database cannot be made.
    pub fn fresh_database(&self, migrate: impl FnOnce(&str)) -> TestDatabase<'_> {
        self.template.get_or_init(|| {
            self.execute(&format!("CREATE DATABASE {TEMPLATE}"));
            migrate(&self.url(TEMPLATE));
            // A connection that is still being closed would make copying fail.
            self.execute(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = \
                 '{TEMPLATE}'"
            ));
        });
        self.make_database(TEMPLATE)
    }

    /// A database without any table.
    ///
    /// # Panics
    /// When the database cannot be made.
    pub fn empty_database(&self) -> TestDatabase<'_> {
        self.make_database("template1")
    }

    /// Ends the server as a crash would: all connections break, nothing is written any more.
    ///
    /// # Panics
    /// When the server does not end.
    pub fn crash(&self) {
        self.end("keep\n");
    }

    /// Starts the server again after [`crash`](Self::crash), over the same data.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&self) {
        self.run();
    }

    /// Runs statements in the database `postgres` and gives what they print: a line a row.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn execute(&self, sql: &str) -> String {
        self.query("postgres", sql)
    }

    /// The end of the server's log.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        let start = log.len().saturating_sub(LOG_BYTES_SHOWN);
        String::from_utf8_lossy(&log[start..]).into_owned()
    }

    fn query(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database)])
            .args(["-c", sql])
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .expect("psql can be started");
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {problem}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn make_database(&self, template: &str) -> TestDatabase<'_> {
        let number = self.database_count.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        TestDatabase { cluster: self, name }
    }

    /// A program of PostgreSQL, run as the account that the server has.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // Without a home of its own the account may not be able to enter the present folder.
        command.current_dir(&self.folder).env_clear().env("PATH", "/usr/bin:/bin");
        // A ^C at the terminal is for the test process; the server outlives it by a moment.
        command.process_group(0);
        if let Some(account) = self.account {
            command.uid(account.user).gid(account.group);
        }
        command
    }

    /// Makes the data folder: with ICU's order where this PostgreSQL knows it (15 and later,
    /// unless built without), else with the C locale's.
    fn make(&self) {
        let mut said = String::new();
        for order in [&["--locale-provider=icu", "--icu-locale=en-US"][..], &[]] {
            let output = self
                .command(&self.programs.join("initdb"))
                .arg("-D")
                .arg(self.folder.join("data"))
                .args(["-U", ROLE, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
                .args(order)
                .stdin(Stdio::null())
                .output()
                .expect("initdb can be started");
            if output.status.success() {
                return;
            }
            said.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        panic!("initdb: {said}");
    }

    fn run(&self) {
        let mut settings = format!(
            "-c unix_socket_directories={} -c max_connections=200 {}",
            self.folder.display(),
            self.listening()
        );
        if self.durability == Durability::None {
            settings.push_str(" -c fsync=off -c synchronous_commit=off -c full_page_writes=off");
        }
        let mut keeper = self
            .command(Path::new("/bin/sh"))
            .args(["-c", RUN, "sh"])
            .args([self.folder.as_os_str(), self.programs.as_os_str()])
            .arg(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        let output = keeper.stdout.take().expect("standard output was piped");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        assert!(read.is_ok() && line == "ready\n", "PostgreSQL does not start: {}", self.log());
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
    }

    /// The settings of what it listens on besides its socket.
    fn listening(&self) -> String {
        match self.port {
            Some(port) => tls::settings(&self.folder, port),
            None => "-c listen_addresses=".to_owned(),
        }
    }

    /// Closes the keeper's standard input with a last word, and waits until it has ended.
    fn end(&self, word: &str) {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut keeper) = keeper else { return };
        if let Some(mut input) = keeper.stdin.take() {
            // A keeper that has gone needs no word.
            let _ = std::io::Write::write_all(&mut input, word.as_bytes());
        }
        keeper.wait().expect("the keeper is our child");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end("remove\n");
        // What the keeper removes; it is there when the server was crashed and never restarted.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl TestDatabase<'_> {
    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL with which a client connects.
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// Runs statements in this database through `psql` and gives what they print: a line a row,
    /// columns separated by `|`.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn execute(&self, sql: &str) -> String {
        self.cluster.query(&self.name, sql)
    }

    /// Breaks every connection to this database, as a server does that is shut down.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn disconnect_all(&self) {
        self.cluster.execute(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        ));
    }
}

impl Drop for TestDatabase<'_> {
    #[allow(clippy::print_stderr, reason = "the log of a failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the end of PostgreSQL's log:\n{}", self.cluster.log());
            return;
        }
        let is_running =
            self.cluster.keeper.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if is_running {
            self.cluster.execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// Says loudly that tests on PostgreSQL are skipped.
///
/// # Panics
/// When `PRATIQUE_REQUIRE` has `postgres`.
pub fn absent() {
    component::absent("postgres", "no initdb in PATH or /usr/lib/postgresql/*/bin");
}

/// The folder with `initdb` and its kin: of the PATH, else the newest that Debian or the
/// project's own RPM packages installed.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has_all = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "psql"].iter().all(|name| folder.join(name).is_file())
    };
    if let Some(folder) = std::env::split_paths(&path).find(has_all) {
        return Some(folder);
    }
    let mut installed = Vec::new();
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name: OsString = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse().ok());
            installed.extend(number.map(|number: u32| (number, entry.path().join("bin"))));
        }
    }
    installed.sort();
    installed.into_iter().rev().map(|(_, folder)| folder).find(has_all)
}

/// Whom to run the server as: nobody else unless this process is root's.
fn unprivileged_account() -> Option<Account> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
    let find = |wanted: &str| {
        let mut lines = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let line = lines.find(|fields| fields.first() == Some(&wanted))?;
        let (user, group) = (line.get(2)?.parse().ok()?, line.get(3)?.parse().ok()?);
        Some(Account { user, group })
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("every system has `nobody`"))
}

#[cfg(test)]
mod tests;
