//! The demo's second half: an advisory that was held back appears.
//!
//! The image of the first half is registered in a small database of its own, whose data are a feed
//! in the form of Debian's tracker, read from a folder. Then one more entry stands in that feed,
//! and everything goes the way that it goes in a service: the updater finds the change, the matcher
//! holds it against what is registered, the outbox has the news. The image is not opened again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use pratique_fetch::Mirror;
use pratique_matcher::{AskOptions, Question};
use pratique_model::IndexReport;
use pratique_store::{Access, Database, NotificationFilter, Store};
use pratique_update::{PartResult, RoundConfig, Selection};

use crate::args::ListFormat;
use crate::command::{ask, notify};
use crate::database;
use crate::exit::{Exit, Failure};
use crate::matching;
use crate::progress::Progress;
use crate::refresh::{self, Refresh};
use crate::say::say;

/// The one held back, of 30 January 2024: a heap overflow in glibc's `syslog`.
const HELD_BACK: &str = "CVE-2023-6246";

/// What Debian's tracker says of it for Debian 12.
const HELD_BACK_FIXED: &str = "2.36-9+deb12u4";

/// What the tracker says before: source package, CVE, fixed version in Debian 12.
const KNOWN: &[(&str, &str, &str)] = &[
    ("glibc", "CVE-2023-4911", "2.36-9+deb12u3"),
    ("gnutls28", "CVE-2024-28834", "3.7.9-2+deb12u3"),
    ("systemd", "CVE-2023-50387", "252.23-1~deb12u1"),
];

/// Where the tracker's data lie below a mirror.
const FEED: &str = "security-tracker.debian.org/tracker/data/json";

/// A folder that goes when the demo ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // It lies among other temporary files; who cleans up those cleans it up.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Shows it.
pub(super) fn run(report: &IndexReport, now: Timestamp) -> Result<(), Failure> {
    let writing = |error: io::Error| {
        Failure::new(Exit::Failed, anyhow::Error::from(error).context("the demo's feed: writing"))
    };
    let folder = std::env::temp_dir().join(format!("pratique-demo-{}", std::process::id()));
    fs::create_dir(&folder).map_err(writing)?;
    let folder = Folder(folder);
    let store = Store::file(&folder.0.join("db.sqlite"));
    say!("\n5. The image is registered, and Debian's tracker is read up to 29 January 2024:\n");
    write_feed(&folder.0, false).map_err(writing)?;
    update(&folder.0, &store, now)?;
    let mut database = database::open(&store, Access::ReadWrite)?;
    database.register_image(report, &[], now).map_err(database::failed)?;
    tell_matching(&database)?;
    say!("\n   The next day the tracker has one entry more, {HELD_BACK}:\n");
    write_feed(&folder.0, true).map_err(writing)?;
    update(&folder.0, &store, now)?;
    tell_matching(&database)?;
    say!("\n   No image was opened for that. The outbox (`pratique notify list`):\n");
    let told = database
        .notifications(&NotificationFilter::default(), None, usize::MAX >> 1)
        .map_err(database::failed)?;
    if told.is_empty() {
        return Err(Failure::new(Exit::Failed, anyhow::anyhow!("{HELD_BACK} was not told")));
    }
    notify::print(&told, ListFormat::Table)?;
    say!("\n   And `pratique ask {HELD_BACK}`:\n");
    let question = Question::Vulnerability(HELD_BACK.to_owned());
    let answer = pratique_matcher::ask(&database, &question, &AskOptions::default())
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    ask::print(&answer)
}

/// One round of the updater over the folder, as `pratique db update --mirror file://…` does it.
fn update(folder: &Path, store: &Store, now: Timestamp) -> Result<(), Failure> {
    let selection = Selection::Named(["debian".to_owned()].into());
    let database = database::open(store, Access::ReadWrite)?;
    let planned = refresh::plan(&database, &selection, None, now)?;
    drop(database);
    let mirror = Mirror::parse(&file_url(&folder.join("feeds")))
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let refresh = Refresh::new(Some(mirror));
    let progress = Arc::new(Progress::new());
    let outcomes = refresh.run(store, planned, RoundConfig::default(), &progress)?;
    for outcome in &outcomes {
        let PartResult::Changed(applied) = &outcome.result else {
            let problem = refresh::problems(&outcomes).collect::<Vec<_>>().join("; ");
            return Err(Failure::new(Exit::Failed, anyhow::anyhow!("the demo's feed: {problem}")));
        };
        say!(
            "   updated: {} is at generation {}, {} new",
            outcome.part,
            applied.generation,
            applied.new
        );
    }
    Ok(())
}

fn tell_matching(database: &Database) -> Result<(), Failure> {
    let progress = matching::run_once(database)?;
    if let Some(words) = matching::words(progress.as_ref()) {
        say!("   {words}");
    }
    Ok(())
}

fn write_feed(folder: &Path, has_held_back: bool) -> io::Result<()> {
    let mut tracker = serde_json::Map::new();
    let held_back = [("glibc", HELD_BACK, HELD_BACK_FIXED)];
    for (package, id, fixed) in KNOWN.iter().chain(held_back.iter().filter(|_| has_held_back)) {
        let entry = serde_json::json!({
            "scope": "local",
            "releases": {"bookworm": {
                "status": "resolved",
                "repositories": {"bookworm": fixed},
                "fixed_version": fixed,
                "urgency": "not yet assigned",
            }},
        });
        tracker.entry(*package).or_insert_with(|| serde_json::json!({}))[*id] = entry;
    }
    let path = folder.join("feeds").join(FEED);
    fs::create_dir_all(path.parent().expect("the feed lies in a folder"))?;
    fs::write(path, serde_json::Value::Object(tracker).to_string())
}

/// A path as a URL, with everything escaped that has a meaning there.
fn file_url(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;

    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                url.push(char::from(*byte));
            }
            _ => write!(url, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    url
}
