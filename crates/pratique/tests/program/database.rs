//! `pratique db`.

use pratique_testkit::mirror::{self, Scale};

use crate::house::House;

#[test]
fn an_update_says_what_came_and_a_second_one_that_nothing_did() {
    let house = House::new();
    house.feeds();
    let update = ["db", "update", "--mirror", &house.mirror(), "--db", &house.db()];
    let ran = house.run(&update).expect(0).says(&["alpine/v3.10", "generation 1", "parts absent"]);
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
    house.run(&update).expect(0).says(&["unchanged"]);
    let status = house.run(&["db", "status", "--format", "json", "--db", &house.db()]).expect(0);
    let status = status.json();
    let parts = status.as_array().expect("list");
    let alpine = parts.iter().find(|part| part["part"] == "alpine/v3.10").expect("it was loaded");
    assert_eq!((&alpine["generation"], &alpine["entries"]), (&1.into(), &3.into()));
    assert_eq!(alpine["stale"], false);
    house.run(&["db", "status", "--db", &house.db()]).expect(0).says(&["kev", "2026-08-07"]);
}

#[test]
fn a_broken_feed_fails_its_part_and_leaves_the_others() {
    let house = House::with_database();
    house.write("feeds/secdb.alpinelinux.org/v3.10/main.json", b"{\"packages\": [");
    let update = ["db", "update", "--mirror", &house.mirror(), "--db", &house.db()];
    house.run(&update).expect(3).says(&["alpine/v3.10", "failed", "kev"]);
    let ran = house.run(&["db", "search", "openssl", "--db", &house.db()]).expect(0);
    ran.says(&["CVE-2019-1551", "1.1.1d-r2"]);
}

#[test]
fn search_finds_by_id_and_by_package_and_says_when_there_is_nothing() {
    let house = House::with_database();
    let search = |text: &str| {
        house.run(&["db", "search", text, "--format", "json", "--db", &house.db()]).expect(0).json()
    };
    let by_id = search("cve-2020-28928");
    assert_eq!(by_id[0]["package"], "musl");
    assert_eq!(by_id[0]["fixed"][0], "1.1.22-r4");
    assert_eq!(search("openssl").as_array().map(Vec::len), Some(2));
    let ran = house.run(&["db", "search", "no-such-thing", "--db", &house.db()]).expect(0);
    ran.says(&["nothing in the database speaks of"]);
}

#[test]
fn a_scan_fetches_only_what_the_image_needs() {
    let house = House::new();
    house.feeds();
    house.write("feeds/secdb.alpinelinux.org/v3.11/main.json", br#"{"packages":[]}"#);
    let image = house.alpine();
    let ran = house.run(&["scan", &image, "--mirror", &house.mirror()]).expect(0);
    ran.says(&["CVE-2019-1551"]);
    let status = house.run(&["db", "status", "--format", "json"]).expect(0).json();
    let parts: Vec<&str> =
        status.as_array().expect("list").iter().filter_map(|part| part["part"].as_str()).collect();
    assert!(parts.contains(&"alpine/v3.10") && parts.contains(&"kev"), "{parts:?}");
    assert!(
        !parts.iter().any(|part| part.starts_with("osv") || *part == "alpine/v3.11"),
        "{parts:?}"
    );
}

#[test]
fn a_mirror_without_anything_is_a_failure_with_a_hint() {
    let house = House::new();
    std::fs::create_dir(house.path("empty")).expect("can be made");
    let mirror = format!("file://{}", house.text_path("empty"));
    let ran = house.run(&["db", "update", "--mirror", &mirror, "--db", &house.db()]).expect(3);
    ran.says(&["hint:", "--mirror"]);
}

/// Goal: the generated feeds that benchmarks use are feeds indeed. Every source but Debian and the
/// errata has an entry of its own for each one that was written: those join the packages of a CVE,
/// and leave bug fixes out.
#[test]
fn generated_feeds_are_read_without_a_note_and_to_the_last_entry() {
    let house = House::new();
    let feeds = mirror::write(Scale::Small, mirror::SEED, &house.path("feeds")).expect("written");
    let update = ["db", "update", "--mirror", &house.mirror(), "--db", &house.db()];
    let ran = house.run(&update).expect(0);
    assert!(!ran.stderr.contains("WARN"), "{}", ran.stderr);
    let status = house.run(&["db", "status", "--format", "json", "--db", &house.db()]).expect(0);
    let status = status.json();
    let parts = status.as_array().expect("list");
    for feed in feeds {
        let of_feed =
            |part: &&serde_json::Value| part["source"] == feed.feed || part["part"] == feed.feed;
        let own: Vec<_> = parts.iter().filter(of_feed).collect();
        let sum = |field: &str| -> u64 { own.iter().filter_map(|part| part[field].as_u64()).sum() };
        let notes = own.iter().map(|part| part["notes"].as_array().map_or(0, Vec::len));
        assert_eq!((sum("quarantined"), notes.sum::<usize>()), (0, 0), "{}", feed.feed);
        match feed.feed {
            "debian" | "almalinux" => assert!(sum("entries") * 2 > feed.record_count),
            _ => assert_eq!(sum("entries"), feed.record_count, "{}", feed.feed),
        }
    }
}
