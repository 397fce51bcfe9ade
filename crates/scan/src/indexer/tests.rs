//! The indexer with a real store, and shells in the place of the process that reads an image.

use pratique_model::Target;
use pratique_store::RuntimeChanges;
use tempfile::TempDir;

use super::*;

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

struct Bench {
    _folder: TempDir,
    store: Store,
    clock: Clock,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::file(&folder.path().join("node.db"));
        Self { store, _folder: folder, clock: Clock::system() }
    }

    /// Says that the node has an image whose digest is made of one digit.
    fn has(&self, digit: char, name: &str) {
        let image = NodeImage {
            namespace: "k8s.io".to_owned(),
            name: name.to_owned(),
            digest: Some(digest(digit)),
            seen_at: Clock::system().now(),
        };
        let changes = RuntimeChanges { images: vec![image], ..RuntimeChanges::default() };
        let database = self.open();
        let writer = database.take_over_runtime().expect("taken over");
        database.write_runtime(writer, &changes).expect("written");
    }

    fn open(&self) -> Database {
        self.store.open(Access::ReadWrite).expect("a store")
    }

    fn indexer(&self, script: &str, version: &str) -> Indexer {
        let command = ["sh", "-c", script, "sh"].map(OsString::from).to_vec();
        Indexer {
            store: self.store.clone(),
            clock: self.clock.clone(),
            bell: Bell::new(),
            config: Config::new(command, read_report, version.to_owned()),
            metrics: Metrics::default(),
        }
    }

    /// Runs an indexer until there is nothing to do, and gives what it wrote: digit and words.
    async fn drain(&self, script: &str, version: &str) -> Vec<String> {
        let indexer = self.indexer(script, version);
        let shutdown = Shutdown::new();
        let work = async { while indexer.next(false, &shutdown).await.expect("a store") {} };
        tokio::time::timeout(DEADLINE, work).await.expect("in time");
        let indexes = self.open().node_indexes().expect("read");
        indexes.iter().map(words).collect()
    }
}

fn digest(digit: char) -> Digest {
    format!("sha256:{}", digit.to_string().repeat(64)).parse().expect("a digest")
}

/// The report of these tests is the target that the process was given.
fn read_report(bytes: &[u8]) -> Result<IndexReport, String> {
    let text = String::from_utf8_lossy(bytes).trim().to_owned();
    let digest = text.strip_prefix("k8s.io/").and_then(|digest| digest.parse().ok());
    let digest = Some(digest.ok_or_else(|| format!("{text:?} is no target"))?);
    let target = Target { reference: text, digest, ..Target::default() };
    Ok(IndexReport { target, ..IndexReport::default() })
}

fn words(index: &NodeIndex) -> String {
    let digit = index.digest.to_string().chars().last().unwrap_or(' ');
    match &index.outcome {
        IndexOutcome::Indexed { .. } => format!("{digit} indexed"),
        IndexOutcome::Failed { error, .. } => format!("{digit} failed: {error}"),
        IndexOutcome::Quarantined { error } => format!("{digit} quarantined: {error}"),
    }
}

#[tokio::test]
async fn every_image_is_read_once_whatever_its_names() {
    let bench = Bench::new();
    bench.has('a', "app:1");
    bench.has('a', "app:latest");
    bench.has('b', "base:1");
    assert_eq!(bench.drain("echo \"$1\"", "1").await, ["a indexed", "b indexed"]);
    let images = bench.open().images_named("app:1", 9).expect("read");
    let latest = bench.open().images_named("app:latest", 9).expect("read");
    assert_eq!(images.len() + latest.len(), 1, "registered under the name it was read by");
    // Another process would fail, if it were asked.
    assert_eq!(bench.drain("exit 1", "1").await, ["a indexed", "b indexed"]);
}

#[tokio::test]
async fn an_image_that_ends_its_reader_is_quarantined_until_another_version() {
    let bench = Bench::new();
    bench.has('a', "bomb:1");
    bench.has('b', "base:1");
    let script = "case $1 in *aaaa) kill -9 $$;; esac; echo \"$1\"";
    let quarantined = ["a quarantined: ended by signal 9", "b indexed"];
    assert_eq!(bench.drain(script, "1").await, quarantined);
    assert_eq!(bench.drain("echo \"$1\"", "1").await, quarantined, "not tried again");
    assert_eq!(bench.drain("echo \"$1\"", "2").await, ["a indexed", "b indexed"]);
}

#[tokio::test]
async fn an_image_that_cannot_be_read_is_tried_again_later() {
    let bench = Bench::new();
    bench.has('a', "half:1");
    let failed = ["a failed: a layer is missing"];
    assert_eq!(bench.drain("echo 'a layer is missing' >&2; exit 3", "1").await, failed);
    assert_eq!(bench.drain("echo \"$1\"", "1").await, failed, "its time has not come");
    let index = bench.open().node_index(digest('a')).expect("read").expect("one");
    let IndexOutcome::Failed { retry_at, .. } = index.outcome else { panic!("{index:?}") };
    let due = bench.open().image_to_index("1", retry_at).expect("read");
    assert_eq!(due.map(|image| image.name), Some("half:1".to_owned()));
}

#[tokio::test]
async fn a_stop_ends_the_process_that_reads() {
    let bench = Bench::new();
    bench.has('a', "slow:1");
    let shutdown = Shutdown::new();
    let running = tokio::spawn(bench.indexer("exec sleep 600", "1").run(shutdown.clone()));
    shutdown.trigger();
    let ended = tokio::time::timeout(DEADLINE, running).await.expect("in time");
    ended.expect("no panic").expect("no error");
    assert_eq!(bench.open().node_indexes().expect("read"), [], "it says nothing of the image");
}
