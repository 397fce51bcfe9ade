//! A folder with feeds and images, a store, and the program run between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use pratique_image::build::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};
use pratique_store::{Access, Database, Store};
use pratique_testkit::feed::{self, DebianEntry};
use pratique_testkit::postgres::{self, TestDatabase};
use pratique_testkit::process::Process;
use pratique_testkit::{FeedServer, ScriptedAnswer};
use serde_json::Value;

/// How long anything may take on a busy machine before a test gives up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// Where the scenarios' images find their packages' advisories.
pub(crate) const DEBIAN: &str = "debian";

/// A store, feeds behind a web server, and a folder for everything else.
pub(crate) struct Bed {
    folder: tempfile::TempDir,
    pub(crate) server: FeedServer,
    database: Place,
}

/// Where the database is.
enum Place {
    File(String),
    Postgres(TestDatabase<'static>),
    /// Somebody else's, at this address.
    Elsewhere(String),
}

/// What a run of the program left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A notification, without its id and time, which differ between runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Notified {
    pub(crate) vulnerability: String,
    pub(crate) package: String,
    pub(crate) reason: String,
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Ran {
    /// Fails, showing all that was printed, unless the exit code is one of these.
    #[track_caller]
    pub(crate) fn expect(self, codes: &[i32]) -> Self {
        let Self { code, stdout, stderr } = &self;
        assert!(codes.contains(code), "exit code {code}\nstdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("standard output is JSON")
    }
}

impl Bed {
    /// A bed over a new file.
    pub(crate) fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("db.sqlite").display().to_string();
        Self::new(folder, Place::File(file))
    }

    /// A bed over a new file at this place.
    pub(crate) fn on_sqlite_at(file: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::new(folder, Place::File(file.display().to_string()))
    }

    /// A bed over an empty database of a private PostgreSQL.
    pub(crate) fn on_postgresql() -> Option<Self> {
        let database = postgres::cluster()?.empty_database();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Some(Self::new(folder, Place::Postgres(database)))
    }

    /// A bed over the database at this address.
    pub(crate) fn on(address: String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::new(folder, Place::Elsewhere(address))
    }

    fn new(folder: tempfile::TempDir, database: Place) -> Self {
        for name in ["feeds", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("can be made");
        }
        let server = FeedServer::start(folder.path().join("feeds"));
        Self { folder, server, database }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The value of `--db`.
    pub(crate) fn db(&self) -> String {
        match &self.database {
            Place::File(address) | Place::Elsewhere(address) => address.clone(),
            Place::Postgres(database) => database.url(),
        }
    }

    /// The database, read beside the program.
    pub(crate) fn open(&self) -> Database {
        let store = Store::parse(&self.db()).expect("an address");
        store.open(Access::ReadOnly).expect("a database")
    }

    /// The names of the leases that are held now.
    pub(crate) fn leases(&self) -> Vec<String> {
        let leases = self.open().leases().expect("an answer");
        leases.into_iter().map(|lease| lease.name).collect()
    }

    /// Publishes a document, which lies below the mirror at `path`.
    pub(crate) fn publish(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.path("feeds").join(path);
        fs::create_dir_all(file.parent().expect("it lies in the folder")).expect("can be made");
        fs::write(file, content).expect("can be written");
    }

    /// Publishes Debian's tracker.
    pub(crate) fn publish_debian(&self, entries: &[DebianEntry]) {
        self.publish(feed::DEBIAN, feed::debian_tracker(entries));
    }

    /// Has a document answered so from now on.
    pub(crate) fn spoil(&self, path: &str, answer: ScriptedAnswer) {
        self.server.script_always(&format!("/{path}"), answer);
    }

    /// Has a document answered as it should be again.
    pub(crate) fn mend(&self, path: &str) {
        self.server.unscript(&format!("/{path}"));
    }

    /// The program with these arguments, and nothing of this machine's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.path("tmp"))
            .env("PRATIQUE_LOOPBACK_ONLY", "1")
            .env("PRATIQUE_DB", self.db())
            .env("PRATIQUE_MIRROR", self.server.url(""));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(&self.command(arguments).output().expect("the program can be started"))
    }

    /// Starts the program.
    pub(crate) fn start(&self, name: &str, arguments: &[&str]) -> Process {
        Process::spawn(name, self.command(arguments))
    }

    /// One round over these sources; 0 when all went well, 3 when a part failed.
    #[track_caller]
    pub(crate) fn update(&self, sources: &str, code: i32) -> Ran {
        self.run(&["db", "update", "--sources", sources]).expect(&[code])
    }

    /// Registers an image of Debian 12 with these source packages and versions.
    pub(crate) fn register(&self, name: &str, packages: &[(&str, &str)]) {
        let archive = self.debian_image(name, packages);
        self.run(&["scan", &archive, "--offline", "--register"]).expect(&[0, 5]);
    }

    /// The vulnerabilities that a scan of an image of Debian 12 with these packages finds now.
    pub(crate) fn scan(&self, name: &str, packages: &[(&str, &str)]) -> Vec<String> {
        let report = self.report(name, packages);
        let findings = report["findings"].as_array().expect("a list");
        let mut found: Vec<String> = findings.iter().map(|finding| text(&finding["id"])).collect();
        found.sort();
        found
    }

    /// The whole report of such a scan.
    pub(crate) fn report(&self, name: &str, packages: &[(&str, &str)]) -> Value {
        let archive = self.debian_image(name, packages);
        self.run(&["scan", &archive, "--offline", "-o", "json"]).expect(&[0, 5]).json()
    }

    /// An image of Debian 12 as an OCI archive.
    pub(crate) fn debian_image(&self, name: &str, packages: &[(&str, &str)]) -> String {
        let status: String = packages
            .iter()
            .map(|(package, version)| {
                format!(
                    "Package: {package}\nStatus: install ok installed\nArchitecture: amd64\n\
                     Version: {version}\n\n"
                )
            })
            .collect();
        let layer = LayerBuilder::new()
            .file(
                "etc/os-release",
                b"ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n\
                  PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
            )
            .file("etc/hostname", name.as_bytes())
            .file("var/lib/dpkg/status", status.as_bytes());
        let image =
            ImageBuilder::new(pratique_model::Platform::host()).layer(&layer, Compression::Plain);
        let archive = self.path(&format!("{name}.tar"));
        let reference = format!("registry.example/{name}:1");
        fs::write(&archive, ArchiveBuilder::new().image(&reference, image).to_oci_archive())
            .expect("can be written");
        archive.display().to_string()
    }

    /// All notifications so far, oldest first.
    pub(crate) fn notified(&self) -> Vec<Notified> {
        let list = self.run(&["notify", "list", "--format", "json"]).expect(&[0]).json();
        let list = list.as_array().expect("a list");
        list.iter()
            .map(|row| Notified {
                vulnerability: text(&row["vulnerability"]),
                package: text(&row["package"]),
                reason: text(&row["reason"]),
                old: text(&row["old"]),
                new: text(&row["new"]),
            })
            .collect()
    }

    /// What the notifications say so far, as `reason vulnerability`, sorted.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let notified = self.notified();
        let mut reasons: Vec<String> =
            notified.iter().map(|it| format!("{} {}", it.reason, it.vulnerability)).collect();
        reasons.sort();
        reasons
    }

    /// What `db status` says of a part.
    #[track_caller]
    pub(crate) fn status(&self, part: &str) -> Value {
        let status = self.run(&["db", "status", "--format", "json"]).expect(&[0]).json();
        let parts = status.as_array().expect("a list");
        let found = parts.iter().find(|row| row["part"] == part);
        found.unwrap_or_else(|| panic!("no part {part}: {status:#}")).clone()
    }

    /// What the database says of a package or vulnerability.
    pub(crate) fn search(&self, what: &str) -> Value {
        self.run(&["db", "search", what, "--format", "json"]).expect(&[0]).json()
    }

    /// Fails if a process of this bed left a temporary file behind.
    #[track_caller]
    pub(crate) fn expect_no_leftovers(&self) {
        let left: Vec<PathBuf> = fs::read_dir(self.path("tmp"))
            .expect("readable")
            .map(|entry| entry.expect("readable").path())
            .collect();
        assert!(left.is_empty(), "temporary files were left: {left:?}");
    }
}

/// A text, or the JSON of what is none.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Entries that nobody's image holds, so that removing one is far from a shrunken feed.
pub(crate) fn ballast(count: usize) -> Vec<DebianEntry> {
    (0..count)
        .map(|number| {
            let package = format!("ballast-{}", number / 10);
            DebianEntry::new(&package, &format!("CVE-2020-{:05}", 10_000 + number), Some("2.0"))
        })
        .collect()
}

fn ran(output: &Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
