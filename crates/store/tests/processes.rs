//! What other processes see: who holds the lock, files that are not ours, a writer that is killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use pratique_model::{Advisory, Affected, Ecosystem, PartId, Range, Release, Status};
use pratique_store::{Access, CommitOptions, Database, PartState, Staging, StoreError};

/// Set for the process that is to be killed: where its database lies.
const VICTIM: &str = "PRATIQUE_TEST_VICTIM";

/// How many advisories the feed has; enough for a commit to be interrupted in its middle.
const ADVISORIES: usize = 2_000;

/// How often the writer is killed.
const KILLS: u64 = 20;

fn part() -> PartId {
    PartId::new("debian", "debian")
}

fn bookworm() -> Release {
    Release::new("debian", "12")
}

/// Commits the feed's `version`: every advisory is fixed in it.
fn commit(database: &mut Database, version: u64) {
    let mut staging = Staging::new(part(), None);
    for index in 0..ADVISORIES {
        staging.advisory(&Advisory {
            id: format!("CVE-2024-{index:04}"),
            vulnerabilities: vec![format!("CVE-2024-{index:04}")],
            affected: vec![Affected {
                ranges: vec![Range::below(version.to_string())],
                ..Affected::new(Ecosystem::Deb, Some(bookworm()), "a", Status::Fixed)
            }],
            ..Advisory::default()
        });
    }
    let options = CommitOptions {
        fingerprint: Some(version.to_string()),
        parser_version: 1,
        as_of: None,
        now: Timestamp::UNIX_EPOCH,
        covers: Vec::new(),
        is_partial: false,
        force: false,
        fence: None,
    };
    database.commit(staging, &options).expect("a commit");
}

/// The version that all advisories are fixed in, which is also the part's fingerprint; `None`
/// before the first commit.
#[track_caller]
fn version_seen(database: &Database) -> Option<String> {
    let _hold = database.hold().expect("a hold");
    let found = database.affected(Ecosystem::Deb, Some(&bookworm()), &["a"]).expect("an answer");
    let state = database.part(&part()).expect("an answer").filter(PartState::is_loaded);
    let Some(state) = state else {
        assert_eq!(found, [], "rows without a part");
        return None;
    };
    assert_eq!(found.len(), ADVISORIES);
    for row in &found {
        let fixed = row.affected.ranges.first().and_then(|range| range.fixed.clone());
        assert_eq!(fixed, state.fingerprint, "a mixture of generations");
    }
    state.fingerprint
}

#[test]
fn a_killed_writer_leaves_the_old_or_the_new_state() {
    if let Some(path) = std::env::var_os(VICTIM) {
        return be_killed(Path::new(&path));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db.sqlite");
    // A spread of moments, the same in every run.
    let mut spread = 0x9e37_79b9_u64;
    for kill in 0..KILLS {
        spread = spread.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let mut victim = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "--nocapture", "a_killed_writer_leaves_the_old_or_the_new_state"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let output = victim.stdout.take().expect("its output");
        let mut begun = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("begin ").and_then(|text| text.parse().ok()));
        let begun: u64 = begun.nth(usize::from(kill % 2 == 1)).expect("it began a commit");
        for _ in 0..spread >> 42 {
            std::hint::spin_loop();
        }
        victim.kill().expect("killed");
        victim.wait().expect("ended");
        let database = Database::open(&path, Access::ReadWrite).expect("the lock went with it");
        let seen = version_seen(&database).and_then(|text| text.parse::<u64>().ok());
        let before = begun.checked_sub(1).filter(|version| *version > 0);
        assert!(
            seen == before || seen >= Some(begun),
            "kill {kill}: {seen:?} after version {begun} was begun"
        );
    }
}

/// Commits one version after the other, saying which, until it is killed.
fn be_killed(path: &Path) {
    use std::io::Write as _;
    let mut database = Database::open(path, Access::ReadWrite).expect("a database");
    let seen = version_seen(&database).and_then(|text| text.parse::<u64>().ok());
    for version in seen.unwrap_or(0) + 1.. {
        let mut output = std::io::stdout().lock();
        writeln!(output, "\nbegin {version}").and_then(|()| output.flush()).expect("a reader");
        drop(output);
        commit(&mut database, version);
    }
}

#[test]
fn readers_see_one_generation_while_others_are_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db.sqlite");
    let mut database = Database::open(&path, Access::ReadWrite).expect("a database");
    commit(&mut database, 1);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = || {
            let reader = Database::open(&path, Access::ReadOnly).expect("a reader");
            let mut count = 0;
            while !is_done.load(Ordering::Relaxed) {
                version_seen(&reader).expect("a version");
                count += 1;
            }
            count
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for version in 2..=6 {
            commit(&mut database, version);
        }
        is_done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().expect("no mixture") > 0);
        }
    });
    let reader = Database::open(&path, Access::ReadOnly).expect("a reader");
    assert_eq!(version_seen(&reader).as_deref(), Some("6"));
}

#[test]
fn two_writers_take_turns() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sub folder/we?ird #1%41.sqlite");
    let mut first = Database::open(&path, Access::ReadWrite).expect("a database");
    let mut second = Database::open(&path, Access::ReadWrite).expect("nobody writes now");
    commit(&mut first, 1);
    commit(&mut second, 2);
    commit(&mut first, 3);
    assert_eq!(version_seen(&second).as_deref(), Some("3"));
}

#[test]
fn what_is_no_database_of_ours_is_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let open = |access| Database::open(&path, access).err().expect("refused");
    assert!(matches!(open(Access::ReadOnly), StoreError::Missing { .. }));
    let text = "x".repeat(10_000);
    std::fs::write(&path, &text).expect("written");
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let error = open(access);
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), text);
    std::fs::write(&path, "").expect("written");
    assert!(matches!(open(Access::ReadOnly), StoreError::Older { found: 0, .. }));
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("a folder");
    assert!(matches!(open(Access::ReadOnly), StoreError::Open { .. }));
}

#[test]
fn a_file_cut_short_is_an_error_and_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db.sqlite");
    commit(&mut Database::open(&path, Access::ReadWrite).expect("a database"), 1);
    let bytes = std::fs::read(&path).expect("a file");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("cut");
    let answer = Database::open(&path, Access::ReadOnly)
        .and_then(|database| database.affected(Ecosystem::Deb, Some(&bookworm()), &["a"]));
    assert!(answer.is_err(), "{:?}", answer.map(|found| found.len()));
}

/// Set for the process that has no right to write beside the database: where that lies.
const STRANGER: &str = "PRATIQUE_TEST_STRANGER";

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn a_database_in_a_folder_that_cannot_be_written_to_is_read() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    if let Some(path) = std::env::var_os(STRANGER) {
        let database = Database::open(Path::new(&path), Access::ReadOnly).expect("a database");
        assert_eq!(version_seen(&database).as_deref(), Some("1"));
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db.sqlite");
    commit(&mut Database::open(&path, Access::ReadWrite).expect("a database"), 1);
    set_permissions(folder.path(), Permissions::from_mode(0o555)).expect("our own folder");
    let mut stranger = Command::new(std::env::current_exe().expect("this test"));
    let name = "a_database_in_a_folder_that_cannot_be_written_to_is_read";
    stranger.args(["--exact", name]).env(STRANGER, &path);
    if std::fs::write(folder.path().join("probe"), "").is_ok() {
        // Whoever may do everything cannot be kept out; nobody can.
        stranger.uid(65_534);
    }
    let status = stranger.stdout(Stdio::null()).status();
    set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("our own folder");
    match status {
        Ok(status) => assert!(status.success(), "{status}"),
        Err(error) => eprintln!("SKIPPED: this test cannot be run by another user: {error}"),
    }
}
