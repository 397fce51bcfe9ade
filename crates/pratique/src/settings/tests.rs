//! Goal: every key means what its flag means, and whatever is wrong is named by line and key.

use super::*;

/// A file with every key.
const ALL: &str = r#"
[updater]
db = "postgres://pratique@db.example/pratique"
mirror = "https://mirror.example/feeds"
interval = "15m"
sources = ["debian", "alpine/v3.20"]
jobs = 2
listen = "127.0.0.1:9000"
max_data_age = "2d"
lease_ttl = "30s"
idle_timeout = "20s"

[updater.intervals]
nvd = "12h"
epss = "0"

[agent]
containerd_address = "/run/k3s/containerd/containerd.sock"
namespaces = ["k8s.io"]
state_dir = "/srv/pratique"
listen = ":9761"
index = false

[watch]
manage = ["default"]
probe = false
"#;

#[test]
fn every_key_is_read() {
    let expected = UpdaterSettings {
        db: Some("postgres://pratique@db.example/pratique".to_owned()),
        mirror: Some("https://mirror.example/feeds".to_owned()),
        interval: Some(Duration::from_mins(15)),
        intervals: BTreeMap::from([
            ("epss".to_owned(), Duration::ZERO),
            ("nvd".to_owned(), Duration::from_hours(12)),
        ]),
        sources: vec!["debian".to_owned(), "alpine/v3.20".to_owned()],
        jobs: NonZeroUsize::new(2),
        listen: Some("127.0.0.1:9000".parse().expect("an address")),
        max_data_age: Some(Duration::from_hours(48)),
        lease_ttl: Some(Duration::from_secs(30)),
        idle_timeout: Some(Duration::from_secs(20)),
    };
    let agent = NodeSettings {
        containerd_address: Some("/run/k3s/containerd/containerd.sock".into()),
        namespaces: vec!["k8s.io".to_owned()],
        state_dir: Some("/srv/pratique".into()),
        listen: Some(":9761".parse().expect("an address")),
        index: Some(false),
        ..NodeSettings::default()
    };
    let watch = NodeSettings {
        manage: vec!["default".to_owned()],
        probe: Some(false),
        ..NodeSettings::default()
    };
    assert_eq!(Settings::parse(ALL), Ok(Settings { updater: expected, agent, watch }));
    for nothing in ["", "# A remark.\n", "[updater]\n", "[updater.intervals]\n"] {
        assert_eq!(Settings::parse(nothing), Ok(Settings::default()), "{nothing:?}");
    }
}

#[test]
fn what_is_wrong_is_named_by_line_and_key() {
    for (text, wrong_line, words) in [
        (
            "[updater]\nintervall = \"1h\"",
            2,
            "updater.intervall: there is no such key; the nearest is updater.interval",
        ),
        ("[updater]\n\n[updator]\n", 3, "updator: there is no such key; the nearest is updater"),
        ("[updater.intervals]\nnvdd = \"1h\"", 2, "the nearest is updater.intervals.nvd"),
        ("[agent]\nindex = \"no\"", 2, "agent.index: expected true or false, found string"),
        ("[agent]\nmanage = [\"default\"]", 2, "agent.manage: there is no such key"),
        ("updater = 3", 1, "updater: expected a table, found integer"),
        ("[updater]\ninterval = 15", 2, "updater.interval: expected a text, found integer"),
        ("[updater]\ninterval = \"often\"", 2, "updater.interval: \"often\" is no duration"),
        ("[updater]\nsources = \"debian\"", 2, "updater.sources: expected a list of texts"),
        ("[updater]\nsources = [\"debian\", 3]", 2, "updater.sources: expected a list of texts"),
        ("[updater]\nsources = [\"debain\"]", 2, "updater.sources: no source or part \"debain\""),
        ("[updater]\nmirror = \"ftp://x\"", 2, "updater.mirror: mirror \"ftp://x\""),
        ("[updater]\ndb = \"mysql://x/y\"", 2, "updater.db: mysql://"),
        ("[updater]\nlisten = \"nowhere\"", 2, "updater.listen: "),
        ("[updater]\njobs = 0", 2, "updater.jobs: expected a whole number of at least 1"),
        ("[updater]\njobs = -1", 2, "updater.jobs: expected a whole number of at least 1"),
        ("[updater]\njobs = 1.5", 2, "updater.jobs: expected a whole number, found float"),
        ("[updater]\njobs = 1\njobs = 2", 3, "duplicate key"),
        ("[updater]\ndb = \"a\nb\"", 2, ""),
    ] {
        let Problem { line, what } = Settings::parse(text).expect_err(text);
        assert_eq!(line, wrong_line, "{text:?}: {what}");
        assert!(what.contains(words), "{text:?}: expected {words:?} in {what:?}");
    }
}

#[test]
fn only_a_file_that_was_named_must_be_there() {
    let failure = Settings::load(Some(Path::new("/nonexistent/pratique.toml"))).expect_err("gone");
    assert_eq!(failure.exit, Exit::Usage);
    assert!(told(&failure.error).contains("/nonexistent/pratique.toml"), "{failure:?}");
}
