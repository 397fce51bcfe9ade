//! Folders with honest, foreign and broken state files.

#![expect(clippy::print_stderr, reason = "what is skipped is said loudly")]

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

const REGISTERED: &str = r#"{"metrics":[{"name":"/a","prometheus_name":"a"}]}"#;

struct Bench {
    folder: TempDir,
    discovery: Discovery,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let discovery = Discovery::new(&[folder.path().to_owned()], "%RUNTIME_ROOT%/m.sock");
        Self { folder, discovery, now: Instant::now() }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn write(&self, container: &str, sandbox: &str, text: &str) {
        let path = |end| self.path(&format!("{container}_sandbox:{sandbox}{end}"));
        fs::write(path(".lock"), "").expect("a file");
        fs::write(path(".state"), text).expect("a file");
    }

    /// Ids of the sandboxes after a full look.
    fn look(&mut self) -> Vec<String> {
        self.look_at(&Scope::All)
    }

    fn look_at(&mut self, scope: &Scope) -> Vec<String> {
        let (table, errors) = self.discovery.look(scope, self.now);
        assert!(errors.is_empty(), "{errors:?}");
        table.sandboxes.iter().map(|sandbox| sandbox.id.to_string()).collect()
    }

    fn refused(&self, reason: FileReason) -> u64 {
        self.discovery.refused[reason as usize]
    }
}

/// The state of a sandbox that is this very process.
fn state(container: &str, sandbox: &str, more: &str) -> String {
    let now = pratique_clockwork::Clock::system().now();
    format!(
        "{{\"id\":\"{container}\",\"createdAt\":\"{now}\",\"spec\":{{}},\"sandbox\":{{\
         \"id\":\"{sandbox}\",\"pid\":{},\"metricServerAddress\":\"%RUNTIME_ROOT%/m.sock\",\
         \"registeredMetrics\":{REGISTERED}{more}}}}}",
        std::process::id()
    )
}

#[test]
fn a_sandbox_comes_changes_and_goes() {
    let mut bench = Bench::new();
    assert!(bench.look().is_empty());
    let text = state("s", "s", "");
    bench.write("s", "s", &text);
    let name = |file: &str| Scope::Names([(0, file.to_owned())].into());
    assert_eq!(bench.look_at(&name("s_sandbox:s.state")), ["s"]);
    let (table, _) = bench.discovery.look(&Scope::All, bench.now);
    let before = Arc::clone(&table.sandboxes[0].memory);
    bench.write("s", "s", &text.replace("\"spec\":{}", "\"spec\":{\"ociVersion\":\"1.0\"}"));
    let (table, _) = bench.discovery.look(&Scope::All, bench.now);
    assert!(Arc::ptr_eq(&before, &table.sandboxes[0].memory), "it is the same sandbox");
    bench.write("s", "s", &state("s", "s", ""));
    let (table, _) = bench.discovery.look(&Scope::All, bench.now);
    assert!(!Arc::ptr_eq(&before, &table.sandboxes[0].memory), "it was created anew");
    assert_eq!(table.total, 2, "each creation counts once");
    fs::remove_file(bench.path("s_sandbox:s.state")).expect("it is there");
    assert!(bench.look_at(&name("s_sandbox:s.state")).is_empty());
}

#[test]
fn a_locked_file_is_tried_again_and_never_forgotten() {
    let mut bench = Bench::new();
    bench.write("s", "s", &state("s", "s", ""));
    let lock = fs::File::open(bench.path("s_sandbox:s.lock")).expect("a file");
    lock.lock().expect("it is free");
    assert!(bench.look().is_empty());
    let retry_at = bench.discovery.retry_at().expect("it is tried again");
    assert_eq!(retry_at - bench.now, RETRY_FIRST);
    for _ in 0..8 {
        bench.now = bench.discovery.retry_at().expect("it is tried again");
        assert!(bench.look_at(&Scope::Names(BTreeSet::new())).is_empty());
    }
    assert_eq!(bench.discovery.retry_at().expect("again") - bench.now, RETRY_MAX);
    lock.unlock().expect("it is ours");
    bench.now += RETRY_MAX;
    assert_eq!(bench.look_at(&Scope::Names(BTreeSet::new())), ["s"]);
    assert_eq!(bench.discovery.retry_at(), None);
    lock.lock().expect("it is free");
    bench.write("s", "s", &state("s", "s", ",\"podName\":\"p\""));
    assert_eq!(bench.look(), ["s"], "what was known stays");
}

#[test]
fn a_locked_sub_container_does_not_hide_its_sandbox() {
    let mut bench = Bench::new();
    bench.write("s", "s", &state("s", "s", ""));
    bench.write(
        "c",
        "s",
        &state("c", "s", "").replace("{}", "{\"process\":{\"user\":{\"uid\":7}}}"),
    );
    let lock = fs::File::open(bench.path("c_sandbox:s.lock")).expect("a file");
    lock.lock().expect("it is free");
    assert_eq!(bench.look(), ["s"]);
    lock.unlock().expect("it is ours");
    bench.now += RETRY_FIRST;
    assert_eq!(bench.look(), ["s"]);
}

#[test]
fn files_that_are_not_plainly_runscs_are_refused() {
    let mut bench = Bench::new();
    bench.write("good", "good", &state("good", "good", ""));
    bench.write("torn", "torn", &state("torn", "torn", "")[..100]);
    bench.write("other", "other", &state("x", "x", ""));
    bench.write("huge", "huge", &" ".repeat(usize::try_from(STATE_BYTES_MAX).expect("4 MiB") + 1));
    bench.write("bad", "bad", &state("bad", "bad", "").replace("\"a\"", "\"process_threads\""));
    let target = bench.path("good_sandbox:good.state");
    symlink(target, bench.path("link_sandbox:link.state")).expect("a link");
    fs::create_dir(bench.path("dir_sandbox:dir.state")).expect("a folder");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bench.path("pipe_sandbox:pipe.state"),
        FileType::Fifo,
        Mode::RUSR,
        0,
    )
    .expect("a pipe");
    assert_eq!(bench.look(), ["good"]);
    let counts: Vec<u64> =
        FileReason::ALL.iter().map(|(reason, _)| bench.refused(*reason)).collect();
    assert_eq!(counts, [3, 0, 1, 0, 1, 1, 0, 1], "{:?}", FileReason::ALL);
    assert_eq!(bench.look(), ["good"]);
    let again: Vec<u64> =
        FileReason::ALL.iter().map(|(reason, _)| bench.refused(*reason)).collect();
    assert_eq!(again, counts, "an unchanged file is not read again");
}

#[test]
fn sandboxes_of_others_and_dead_ones_are_passed_over_quietly() {
    let mut bench = Bench::new();
    let other = state("a", "a", "").replace("/m.sock", "/other.sock");
    bench.write("a", "a", &other);
    bench.write("b", "b", &state("b", "b", "").replace(REGISTERED, "null"));
    bench.write("c", "c", &state("c", "c", "").replace("%RUNTIME_ROOT%/m.sock", ""));
    let pid = format!("\"pid\":{}", std::process::id());
    bench.write("d", "d", &state("d", "d", "").replace(&pid, "\"pid\":0"));
    bench.write("e", "e", &state("e", "e", "").replace(&pid, "\"pid\":2147483647"));
    let year = state("f", "f", "").replace("\"createdAt\":\"20", "\"createdAt\":\"19");
    bench.write("f", "f", &year);
    bench.write("only", "g", &state("only", "g", ""));
    fs::write(bench.path("README"), "x").expect("a file");
    assert!(bench.look().is_empty());
    assert_eq!(bench.discovery.refused, [0; 8]);
}

#[test]
fn a_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    let mut bench = Bench::new();
    for id in ["ours", "theirs"] {
        bench.write(id, id, &state(id, id, ""));
    }
    let nobody = rustix::fs::Uid::from_raw(65_534);
    rustix::fs::chown(bench.path("theirs_sandbox:theirs.state"), Some(nobody), None)
        .expect("we are root");
    assert_eq!(bench.look(), ["ours"]);
    assert_eq!(bench.refused(FileReason::Owner), 1);
    let root = rustix::fs::Uid::ROOT;
    rustix::fs::chown(bench.path("theirs_sandbox:theirs.state"), Some(root), None)
        .expect("we are root");
    // A change of owner alone is no change of content; runsc writes the file anew.
    bench.write("theirs", "theirs", &(state("theirs", "theirs", "") + " "));
    assert_eq!(bench.look(), ["ours", "theirs"]);
}

#[test]
fn ten_thousand_files_are_found_in_one_look_and_kept_while_they_do_not_change() {
    const COUNT: usize = 10_000;
    let mut bench = Bench::new();
    let id = |index: usize| format!("s{index:05}");
    for index in 0..COUNT {
        bench.write(&id(index), &id(index), &state(&id(index), &id(index), ""));
    }
    let (before, _) = bench.discovery.look(&Scope::All, bench.now);
    assert_eq!(before.sandboxes.len(), COUNT);
    assert_eq!(bench.discovery.registrations.len(), 1, "equal registrations are one");
    bench.write("s00007", "s00007", &state("s00007", "s00007", ",\"podName\":\"p\""));
    fs::remove_file(bench.path("s00008_sandbox:s00008.state")).expect("it is there");
    bench.write("new", "new", &state("new", "new", ""));
    let (after, _) = bench.discovery.look(&Scope::All, bench.now);
    assert_eq!(after.sandboxes.len(), COUNT);
    let kept: BTreeSet<_> = before.sandboxes.iter().map(Arc::as_ptr).collect();
    let made = after.sandboxes.iter().filter(|one| !kept.contains(&Arc::as_ptr(one)));
    let made: Vec<&str> = made.map(|one| &*one.id).collect();
    assert_eq!(made, ["new", "s00007"], "only what changed was put together again");
}

#[test]
fn two_root_containers_are_one_too_many() {
    let mut bench = Bench::new();
    bench.write("s", "s", &state("s", "s", ""));
    assert_eq!(bench.look(), ["s"]);
    let annotation =
        "\"spec\":{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\"}}";
    bench.write("c", "s", &state("c", "s", "").replace("\"spec\":{}", annotation));
    for _ in 0..2 {
        assert!(bench.look().is_empty());
        assert_eq!(bench.refused(FileReason::Root), 1, "it is counted once");
    }
    // A server that starts later says so too.
    let mut later = Discovery::new(&[bench.folder.path().to_owned()], "%RUNTIME_ROOT%/m.sock");
    later.look(&Scope::All, bench.now);
    assert_eq!(later.refused[FileReason::Root as usize], 1);
    fs::remove_file(bench.path("c_sandbox:s.state")).expect("it is there");
    assert_eq!(bench.look(), ["s"]);
}

#[test]
fn a_root_that_has_gone_takes_its_sandboxes_with_it() {
    let mut bench = Bench::new();
    bench.write("s", "s", &state("s", "s", ""));
    assert_eq!(bench.look(), ["s"]);
    fs::remove_dir_all(bench.folder.path()).expect("it is ours");
    let (table, errors) = bench.discovery.look(&Scope::All, bench.now);
    assert!(table.sandboxes.is_empty());
    assert_eq!(errors.len(), 1);
}
