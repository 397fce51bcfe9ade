//! The images of a node as its agent shows them, over a real containerd.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pratique_image::build::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};
use pratique_testkit::containerd::{Build, Containerd};
use pratique_testkit::process::{eventually, metric};
use serde_json::Value;

use crate::agent::{Agent, DEADLINE, socket};
use crate::house::{House, alpine_layer, platform};

const APP: &str = "localhost/app:1";
const BOMB: &str = "localhost/bomb:1";

/// Namespaces of these tests.
const NAMESPACES: [&str; 2] = ["t", "u"];

/// A namespace and a name in it, and what it means.
type View = BTreeMap<(String, String), String>;

/// Imports an image of one layer.
fn import(house: &House, bed: &Containerd, namespace: &str, name: &str, layer: &LayerBuilder) {
    let image = ImageBuilder::new(platform()).layer(layer, Compression::Zstd);
    let archive = ArchiveBuilder::new().image(name, image).to_oci_archive();
    let path = house.write("image.tar", &archive);
    bed.import(namespace, path.as_ref());
}

/// What `ctr` says is there.
fn listed(bed: &Containerd) -> View {
    let mut view = View::new();
    for namespace in NAMESPACES {
        for row in bed.ctr(namespace, &["images", "ls"]).lines().skip(1) {
            let mut words = row.split_whitespace();
            let (name, digest) = (words.next(), words.nth(1));
            let [name, digest] = [name, digest].map(|word| word.expect("a name and its digest"));
            view.insert((namespace.to_owned(), name.to_owned()), digest.to_owned());
        }
    }
    view
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}

/// What the agent says is there.
fn shown(agent: &Agent) -> View {
    let rows = agent.list("/api/v1/node/images").into_iter();
    let present = rows.filter(|row| row["present"] == true);
    let entry = |row: Value| ((text(&row, "namespace"), text(&row, "name")), text(&row, "digest"));
    present.map(entry).collect()
}

#[test]
fn the_images_shown_are_those_that_the_names_mean_now() {
    for build in [Build::Packaged, Build::Second] {
        let Some(bed) = Containerd::start_build(build) else { continue };
        let house = House::new();
        let word = |word: &str| LayerBuilder::new().file("etc/word", word.as_bytes());
        import(&house, &bed, "t", APP, &word("one"));
        import(&house, &bed, "u", APP, &word("one"));
        let agent = Agent::start(&house, &["agent", "--no-index"], &socket(&bed));
        let check = |what: &str| {
            let expected = listed(&bed);
            eventually(what, DEADLINE, || shown(&agent) == expected);
            expected
        };
        let at = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
        let before = check("what was there before");
        let id = before[&at("t", APP)].clone();
        bed.ctr("t", &["images", "tag", APP, &id]);
        check("a second name");
        import(&house, &bed, "t", APP, &word("two"));
        let moved = check("a name that moved");
        assert_ne!(moved[&at("t", APP)], id);
        assert_eq!((&moved[&at("u", APP)], &moved[&at("t", &id)]), (&id, &id), "others stay");
        bed.ctr("t", &["images", "rm", APP]);
        let left = check("a name that is gone");
        assert_eq!(left.into_keys().collect::<Vec<_>>(), [at("t", &id), at("u", APP)]);
        agent.stop();
    }
}

/// An image of some megabytes whose reading takes more than the 512 MiB that one may take: dpkg's
/// list of as many packages as are read, with versions of a thousand letters.
fn bomb() -> LayerBuilder {
    const PACKAGES: u32 = 200_000;
    let version = "1".repeat(1_100);
    let mut status = String::new();
    for number in 0..PACKAGES {
        let stanza = format_args!(
            "Package: p{number}\nStatus: install ok installed\nVersion: {version}\n\n"
        );
        status.write_fmt(stanza).expect("memory takes it");
    }
    LayerBuilder::new()
        .file("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n")
        .file("var/lib/dpkg/status", status.as_bytes())
}

#[test]
fn an_image_that_takes_too_much_memory_is_quarantined_and_harms_no_other() {
    let Some(bed) = Containerd::start() else { return };
    let house = House::with_database();
    let agent = Agent::start(&house, &["agent"], &socket(&bed));
    agent.until_ready();
    let row = |agent: &Agent, name: &str| {
        agent.list("/api/v1/node/images").into_iter().find(|row| row["name"] == name)
    };
    let is_indexed = |agent: &Agent, name: &str| {
        row(agent, name).is_some_and(|row| row["indexed_at"].is_string())
    };
    import(&house, &bed, "t", BOMB, &bomb());
    import(&house, &bed, "t", APP, &alpine_layer());
    eventually("the bomb has gone off", DEADLINE, || {
        row(&agent, BOMB).is_some_and(|row| row["index_error"].is_string())
    });
    eventually("another image is read", DEADLINE, || is_indexed(&agent, APP));
    let quarantined = row(&agent, BOMB).expect("it is there");
    let error = text(&quarantined, "index_error");
    assert!(error.starts_with("more memory than it may take: "), "{error}");
    assert_eq!((&quarantined["indexed_at"], &quarantined["present"]), (&Value::Null, &true.into()));
    let count = |agent: &Agent, result: &str| {
        let exposition = agent.get("/metrics").1;
        metric(&exposition, "pratique_index_runs_total", &[&format!("result=\"{result}\"")])
    };
    assert_eq!(count(&agent, "quarantined"), Some(1.0));
    agent.until_ready();
    agent.stop();

    // Another agent of this version reads what is new and does not try the bomb again.
    let agent = Agent::start(&house, &["agent"], &socket(&bed));
    let other = alpine_layer().file("etc/word", b"other");
    import(&house, &bed, "t", "localhost/app:2", &other);
    eventually("a later image is read", DEADLINE, || is_indexed(&agent, "localhost/app:2"));
    assert_eq!(count(&agent, "quarantined"), None);
    assert_eq!(text(&row(&agent, BOMB).expect("it is there"), "index_error"), error);
    agent.stop();
}
