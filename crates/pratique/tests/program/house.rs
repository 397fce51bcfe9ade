//! A temporary folder with feeds and images, and the program run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pratique_image::build::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};
use pratique_testkit::postgres;

/// What a run of the program left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Fails, showing all that was printed, unless the exit code is this one.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless both outputs together contain each of these texts.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        for text in texts {
            assert!(all.contains(text), "expected {text:?} in:\n{all}");
        }
        self
    }

    /// The standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).expect("standard output is JSON")
    }
}

/// A folder of its own for one test.
pub(crate) struct House {
    folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    /// A house with a database: Alpine 3.10's `main`, KEV and EPSS, one fact each.
    pub(crate) fn with_database() -> Self {
        let house = Self::new();
        house.feeds();
        house.run(&["db", "update", "--mirror", &house.mirror(), "--db", &house.db()]).expect(0);
        house
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text_path(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn db(&self) -> String {
        self.text_path("db.sqlite")
    }

    pub(crate) fn mirror(&self) -> String {
        format!("file://{}", self.path("feeds").display())
    }

    /// Writes a file below the house and gives its path.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it lies in the house")).expect("can be made");
        fs::write(&path, content).expect("can be written");
        path.display().to_string()
    }

    /// Runs a test on a house with data in each kind of store: its file, and a PostgreSQL where
    /// there is one.
    pub(crate) fn on_both_stores(test: impl Fn(&Self, &str)) {
        let house = Self::with_database();
        test(&house, &house.db());
        // The program makes its schema itself, as at a user's.
        let Some(database) = postgres::cluster().map(|cluster| cluster.empty_database()) else {
            return;
        };
        let house = Self::new();
        house.feeds();
        let url = database.url();
        house.run(&["db", "update", "--mirror", &house.mirror(), "--db", &url]).expect(0);
        test(&house, &url);
    }

    /// Takes the fix of musl's vulnerability out of the feed, or puts it in, or gives it another
    /// version: what a publisher does next.
    pub(crate) fn musl_is_fixed_in(&self, version: Option<&str>) {
        let musl = version.map_or_else(String::new, |version| {
            format!(r#",{{"pkg":{{"name":"musl","secfixes":{{"{version}":["CVE-2020-28928"]}}}}}}"#)
        });
        let feed = format!(
            r#"{{"distroversion":"v3.10","reponame":"main","packages":[
                {{"pkg":{{"name":"openssl","secfixes":{{
                    "1.1.1d-r2":["CVE-2019-1551"],"0":["CVE-2018-0001"]}}}}}}{musl}]}}"#
        );
        self.write("feeds/secdb.alpinelinux.org/v3.10/main.json", feed.as_bytes());
    }

    /// A command of the program in this house, to be started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("PRATIQUE_LOOPBACK_ONLY", "1");
        command
    }

    /// Feeds in upstream's form.
    pub(crate) fn feeds(&self) {
        self.write(
            "feeds/secdb.alpinelinux.org/v3.10/main.json",
            br#"{"distroversion":"v3.10","reponame":"main","packages":[
                {"pkg":{"name":"openssl","secfixes":{
                    "1.1.1d-r2":["CVE-2019-1551"],"0":["CVE-2018-0001"]}}},
                {"pkg":{"name":"musl","secfixes":{"1.1.22-r4":["CVE-2020-28928"]}}}]}"#,
        );
        self.write(
            "feeds/www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
            br#"{"title":"t","catalogVersion":"2026.08.07",
                "dateReleased":"2026-08-07T16:45:47.0648Z",
                "count":1,"vulnerabilities":[{"cveID":"CVE-2020-28928","vendorProject":"musl",
                "product":"musl","vulnerabilityName":"n","dateAdded":"2026-01-02",
                "shortDescription":"s","requiredAction":"a","dueDate":"2026-02-02",
                "knownRansomwareCampaignUse":"Unknown","notes":"","cwes":[]}]}"#,
        );
    }

    /// An Alpine 3.10 image as an OCI archive.
    pub(crate) fn alpine(&self) -> String {
        let image = ImageBuilder::new(platform()).layer(&alpine_layer(), Compression::Gzip);
        self.archive("alpine.tar", image)
    }

    /// Any image as an OCI archive.
    pub(crate) fn archive(&self, name: &str, image: ImageBuilder) -> String {
        self.write(
            name,
            &ArchiveBuilder::new().image("registry.example/app:1", image).to_oci_archive(),
        )
    }

    /// Runs the program in this house.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, b"")
    }

    /// Runs the program with something on standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let input_path = self.path("stdin");
        fs::write(&input_path, input).expect("can be written");
        let output = self
            .command(arguments)
            .stdin(Stdio::from(fs::File::open(&input_path).expect("was written")))
            .output()
            .expect("the program can be started");
        ran(&output)
    }

    /// Names of all files directly in the house.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("readable");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Linux on this machine's architecture, so that no flag is needed.
pub(crate) fn platform() -> pratique_model::Platform {
    pratique_model::Platform::host()
}

/// The files that make an Alpine 3.10 with openssl and musl.
pub(crate) fn alpine_layer() -> LayerBuilder {
    LayerBuilder::new()
        .file(
            "etc/os-release",
            b"NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.10.3\n\
              PRETTY_NAME=\"Alpine Linux v3.10\"\n",
        )
        .file(
            "lib/apk/db/installed",
            b"P:libssl1.1\nV:1.1.1d-r0\nA:x86_64\no:openssl\n\n\
              P:musl\nV:1.1.22-r3\nA:x86_64\no:musl\n\n\
              P:zlib\nV:1.2.11-r1\nA:x86_64\no:zlib\n\n",
        )
}

/// Reads a file of the corpus, or says loudly that there is none.
pub(crate) fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("PRATIQUE_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: PRATIQUE_CORPUS is not set");
    }
    folder.map(|folder| fs::canonicalize(&folder).unwrap_or(folder))
}

fn ran(output: &Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Whether a file exists and is not empty.
pub(crate) fn is_written(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}
