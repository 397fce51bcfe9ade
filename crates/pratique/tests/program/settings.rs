//! `pratique.toml`: where it is looked for, what wins, what is wrong with it, reading it again.

use std::time::Duration;

use pratique_testkit::process::{self, Process, Signal};

use crate::house::House;

/// How long a machine that is busy with other tests may take for anything here.
const DEADLINE: Duration = Duration::from_secs(60);

/// The database that `db status` looks for, which is nowhere: the message names it.
#[track_caller]
fn looks_for(house: &House, flags: &[&str], environment: Option<&str>, expected: &str) {
    let mut arguments = vec!["db", "status"];
    arguments.extend(flags);
    let mut command = house.command(&arguments);
    if let Some(db) = environment {
        command.env("PRATIQUE_DB", db);
    }
    let output = command.output().expect("the program can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains(expected), "expected {expected} in {said}");
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let house = House::new();
    house.write("named.toml", b"[updater]\ndb = \"/nowhere/of-file\"\n");
    let named = ["--config", "named.toml"];
    looks_for(&house, &[], None, ".local/share/pratique/db.sqlite");
    looks_for(&house, &named, None, "/nowhere/of-file");
    looks_for(&house, &named, Some("/nowhere/of-env"), "/nowhere/of-env");
    let both = ["--config", "named.toml", "--db", "/nowhere/of-flag"];
    looks_for(&house, &both, Some("/nowhere/of-env"), "/nowhere/of-flag");
}

#[test]
fn the_file_of_the_user_is_found_and_that_of_the_folder_is_not() {
    let house = House::new();
    house.write("pratique.toml", b"[updater]\ndb = \"/nowhere/of-a-stranger\"\n");
    looks_for(&house, &[], None, ".local/share/pratique/db.sqlite");
    house.write(".config/pratique/pratique.toml", b"[updater]\ndb = \"/nowhere/of-user\"\n");
    looks_for(&house, &[], None, "/nowhere/of-user");
}

#[test]
fn what_is_wrong_with_the_file_is_wrong_usage_named_by_line_and_key() {
    let house = House::new();
    house.write("wrong.toml", b"[updater]\nmirror = \"file:///x\"\nintervall = \"1h\"\n");
    let config = ["--config", "wrong.toml"];
    for command in [["db", "status"], ["db", "update"], ["images", "list"], ["notify", "list"]] {
        let words = ["wrong.toml:3", "updater.intervall", "the nearest is updater.interval"];
        house.run(&[command, config].concat()).expect(2).says(&words);
    }
    house.run(&["serve", "--config", "wrong.toml"]).expect(2).says(&["wrong.toml:3"]);
    house.run(&["db", "status", "--config", "none.toml"]).expect(2).says(&["none.toml"]);
    house.write("wrong.toml", b"[updater\n");
    house.run(&["db", "status", "--config", "wrong.toml"]).expect(2).says(&["wrong.toml:1"]);
    house.write("wrong.toml", b"[updater.intervals]\nkev = \"1ms\"\n");
    house.run(&["serve", "--config", "wrong.toml"]).expect(2).says(&["1ms"]);
}

#[test]
fn a_round_and_the_status_go_by_the_file() {
    let house = House::with_database();
    let text = format!(
        "[updater]\ndb = \"{}\"\nmirror = \"{}\"\nsources = [\"kev\", \"alpine/v3.10\"]\n\
         [updater.intervals]\nkev = \"0\"\n",
        house.db(),
        house.mirror()
    );
    house.write("house.toml", text.as_bytes());
    let ran = house.run(&["db", "update", "--config", "house.toml"]).expect(0);
    assert!(ran.stdout.contains("alpine/v3.10"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("kev"), "it is switched off: {}", ran.stdout);
    let named = house.run(&["db", "update", "--config", "house.toml", "--sources", "kev"]);
    assert!(named.expect(0).stdout.contains("kev"), "it was named");
    let status = house.run(&["db", "status", "--config", "house.toml", "--format", "json"]);
    let parts = status.expect(0).json();
    for part in parts.as_array().expect("a list") {
        let is_off = part["part"] != "alpine/v3.10";
        assert_eq!(part["disabled"], is_off, "{part:#}");
    }
}

#[test]
fn a_signal_has_the_settings_read_again() {
    let house = House::new();
    house.feeds();
    let write = |rest: &str| {
        let (db, mirror) = (house.db(), house.mirror());
        let text =
            format!("[updater]\ndb = \"{db}\"\nmirror = \"{mirror}\"\ninterval = \"1h\"\n{rest}\n");
        house.write("house.toml", text.as_bytes());
    };
    write("listen = \"127.0.0.1:0\"\nsources = [\"kev\"]");
    let arguments = ["serve", "--config", "house.toml"];
    let service = Process::spawn("serve", house.command(&arguments));
    let line = service.wait_for_line("metrics and health at ", DEADLINE);
    let (_, rest) = line.split_once("metrics and health at ").expect("it was waited for");
    let address = rest.split_whitespace().next().expect("an address").to_owned();
    let is_loaded = |source: &str| {
        let (_, metrics) = process::get(&address, "/metrics").expect("it answers");
        let entries = process::metric(&metrics, "pratique_updater_entries", &[source]);
        entries.is_some_and(|count| count > 0.0)
    };
    let (kev, alpine) = ("source=\"kev\"", "source=\"alpine\"");
    process::eventually("the first source", DEADLINE, || is_loaded(kev));
    assert!(!is_loaded(alpine), "nobody asked for it");

    write("listen = \"127.0.0.1:1\"\nsources = [\"alpine/v3.10\"]");
    service.signal(Signal::HUP);
    service.wait_for_line("only a start reads have changed: listen", DEADLINE);
    process::eventually("the other source", DEADLINE, || is_loaded(alpine));
    assert!(!is_loaded(kev), "it is not looked at any more");

    write("sources = 3");
    service.signal(Signal::HUP);
    let line = service.wait_for_line("the settings stay as they are", DEADLINE);
    assert!(line.contains("house.toml:5: updater.sources"), "{line}");
    assert!(is_loaded(alpine));
    assert!(service.terminate(DEADLINE).success(), "{}", service.said());
}
