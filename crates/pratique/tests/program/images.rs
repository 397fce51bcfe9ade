//! Registered images: what is known of them, asked of them and told about them.

use crate::house::House;

/// Writes the report of the Alpine image and gives its path.
fn report(house: &House, db: &str) -> String {
    let file = house.text_path("alpine.json");
    let output = format!("json={file}");
    house.run(&["scan", &house.alpine(), "--offline", "--db", db, "-o", &output]).expect(0);
    file
}

#[test]
fn a_report_is_registered_once_however_often_it_is_added() {
    House::on_both_stores(|house, db| {
        let report = report(house, db);
        let add = ["images", "add", &report, "--db", db];
        house.run(&add).expect(0).says(&["1 image: 1 new", "3 findings written"]);
        house.run(&add).expect(0).says(&["1 image: 0 new, 0 changed, 1 unchanged"]);
        house
            .run(&["images", "add", &report, &report, "--db", db])
            .expect(0)
            .says(&["2 unchanged"]);
        let list = house.run(&["images", "list", "--format", "json", "--db", db]).expect(0).json();
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
        assert_eq!(list[0]["packages"], 3);
        assert_eq!(list[0]["release"], "alpine:3.10");
        let none = house.run(&["notify", "list", "--format", "json", "--db", db]).expect(0).json();
        assert_eq!(none, serde_json::json!([]), "a new image is nobody's news");
    });
}

#[test]
fn a_bad_report_is_named_and_none_is_registered() {
    let house = House::with_database();
    let (db, good) = (house.db(), report(&house, &house.db()));
    let bad = house.write("bad.json", br#"{"schema": "pratique.report/1", "packages": 1}"#);
    let folder = std::fs::read_to_string(&good).expect("was written");
    let mut folder: serde_json::Value = serde_json::from_str(&folder).expect("a report");
    folder["target"]["digest"] = serde_json::Value::Null;
    folder["target"]["image_id"] = serde_json::Value::Null;
    let folder = house.write("folder.json", folder.to_string().as_bytes());
    let ran = house.run(&["images", "add", &good, &bad, &folder, "--db", &db]).expect(2);
    ran.says(&["bad.json: report: ", "folder.json: report of ", "nothing was registered"]);
    house.run(&["images", "add", "absent.json", "--db", &db]).expect(2).says(&["absent.json"]);
    house.run(&["images", "list", "--db", &db]).expect(0).says(&["no images"]);
    let text = std::fs::read(&good).expect("was written");
    let ran = house.run_with_input(&["images", "add", "-", "--db", &db], &text);
    ran.expect(0).says(&["1 new"]);
}

#[test]
fn a_scan_registers_and_the_image_is_shown_by_any_of_its_names() {
    House::on_both_stores(|house, db| {
        let image = house.alpine();
        let scan = ["scan", &image, "--offline", "--register", "--db", db];
        house.run(&scan).expect(0).says(&["registered: ", "CVE-2019-1551"]);
        house.run(&scan).expect(0).says(&["registered already"]);
        let show = |name: &str| {
            let ran = house.run(&["images", "show", name, "--format", "json", "--db", db]);
            ran.expect(0).json()
        };
        let page = show(&image);
        assert_eq!(page["findings"]["fixable"], 2, "{page}");
        assert_eq!(page["findings"]["suppressed"], 1, "{page}");
        assert_eq!(page["packages_by_type"]["apk"], 3, "{page}");
        let digest = page["digest"].as_str().expect("text");
        assert_eq!(show(digest), page);
        assert_eq!(show(&digest["sha256:".len()..][..8]), page);
        house.run(&["images", "show", digest, "--db", db]).expect(0).says(&["2 with a fix"]);
        house.run(&["images", "show", "nginx:1", "--db", db]).expect(4).says(&["nginx:1"]);
        let wrong = ["images", "remove", digest, "nginx:1", "--db", db];
        house.run(&wrong).expect(4).says(&["nginx:1"]);
        house.run(&["images", "remove", digest, "--db", db]).expect(0).says(&["forgotten"]);
        house.run(&["images", "list", "--db", db]).expect(0).says(&["no images"]);
    });
}

#[test]
fn what_has_no_digest_is_scanned_and_not_registered() {
    let house = House::with_database();
    let report = report(&house, &house.db()).replace(".json", "");
    std::fs::create_dir(house.path("tree")).expect("can be made");
    let target = format!("dir:{}", house.text_path("tree"));
    let ran = house.run(&["scan", &target, "--offline", "--register", "--db", &house.db()]);
    ran.expect(2).says(&["hint:", "digest"]);
    assert!(!report.is_empty());
}

#[test]
fn a_list_goes_on_where_it_was_cut() {
    let house = House::with_database();
    let db = house.db();
    for number in 0..3 {
        let layer = crate::house::alpine_layer().file("etc/number", &[number]);
        let image = pratique_image::build::ImageBuilder::new(crate::house::platform())
            .layer(&layer, pratique_image::build::Compression::Gzip);
        let archive = house.archive(&format!("{number}.tar"), image);
        house.run(&["scan", &archive, "--offline", "--register", "--db", &db]).expect(0);
    }
    let first = house.run(&["images", "list", "--limit", "2", "--db", &db, "--format", "json"]);
    let first = first.expect(0);
    let after = first.stderr.trim().rsplit(' ').next().expect("a number").to_owned();
    let rest = house
        .run(&["images", "list", "--after", &after, "--db", &db, "--format", "json"])
        .expect(0);
    assert!(rest.stderr.is_empty(), "{}", rest.stderr);
    let digests = |list: serde_json::Value| -> Vec<String> {
        let list = list.as_array().expect("a list").clone();
        list.iter().map(|image| image["digest"].to_string()).collect()
    };
    let (first, rest) = (digests(first.json()), digests(rest.json()));
    assert_eq!((first.len(), rest.len()), (2, 1));
    assert!(!first.contains(&rest[0]));
}

#[test]
fn a_changed_advisory_is_told_once_without_reading_the_image_again() {
    House::on_both_stores(|house, db| {
        let image = house.alpine();
        house.run(&["scan", &image, "--offline", "--register", "--db", db]).expect(0);
        std::fs::remove_file(&image).expect("it is not needed any more");
        let update = ["db", "update", "--mirror", &house.mirror(), "--db", db];
        house.musl_is_fixed_in(Some("1.1.22-r5"));
        house.run(&update).expect(0).says(&["1 notification in the outbox"]);
        house.run(&update).expect(0).says(&["unchanged"]);
        let list = house.run(&["notify", "list", "--format", "json", "--db", db]).expect(0).json();
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
        let told = &list[0];
        assert_eq!(told["vulnerability"], "CVE-2020-28928");
        assert_eq!(
            (&told["package"], &told["reason"]),
            (&"alpine:3.10/musl".into(), &"fix_changed".into())
        );
        assert_eq!((&told["old"], &told["new"]), (&"1.1.22-r4".into(), &"1.1.22-r5".into()));
        assert_eq!(told["reach"]["images"], 1);
        let id = told["id"].as_str().expect("text");
        let rest = house.run(&["notify", "list", "--after", id, "--db", db]).expect(0);
        rest.says(&["no notifications"]);
        house
            .run(&["notify", "list", "--since", "1h", "--db", db])
            .expect(0)
            .says(&["fix_changed"]);
        house.run(&["notify", "list", "--since", "soon", "--db", db]).expect(2).says(&["soon"]);
        let changes = house.run(&["db", "changes", "--since", "1", "--format", "json", "--db", db]);
        let changes = changes.expect(0).json();
        let kinds: Vec<&str> =
            changes.as_array().expect("a list").iter().filter_map(|c| c["kind"].as_str()).collect();
        assert!(kinds.contains(&"fix_changed") && !kinds.contains(&"baseline"), "{changes:#}");
    });
}

#[test]
fn a_question_is_answered_with_yes_or_a_proven_no() {
    House::on_both_stores(|house, db| {
        let ask = |question: &str| house.run(&["ask", question, "--db", db]);
        ask("apk/musl").expect(5).says(&["no image is registered"]);
        let image = house.alpine();
        house.run(&["scan", &image, "--offline", "--register", "--db", db]).expect(0);
        ask("CVE-2019-1551").expect(1).says(&["yes", "1 of 1 image", "libssl1.1 1.1.1d-r0"]);
        ask("apk/musl<1.1.22-r4").expect(1).says(&["yes", "musl 1.1.22-r3"]);
        ask("apk/musl>=1.2").expect(0).says(&["no", "0 of 1 image", "in no version"]);
        ask("deb/xz-utils>=5.6.0").expect(0).says(&["no: deb/xz-utils>=5.6.0 concerns 0 of 1"]);
        ask("CVE-2018-0001").expect(0).says(&["suppressed"]);
        ask("CVE-1999-0001").expect(3).says(&["nobody can tell", "no source at hand knows it"]);
        ask("musl").expect(2).says(&["hint:"]);
        let page = house.run(&["ask", "CVE-2020-28928", "--format", "json", "--db", db]);
        let page = page.expect(1).json();
        assert_eq!((&page["verdict"], &page["image_count"]), (&"yes".into(), &1.into()));
        assert_eq!(page["images"][0]["packages"][0]["finding"]["fixed"], "1.1.22-r4");
    });
}

#[test]
fn everything_goes_to_another_store_and_back() {
    House::on_both_stores(|house, db| {
        let image = house.alpine();
        house.run(&["scan", &image, "--offline", "--register", "--db", db]).expect(0);
        let size = house.run(&["db", "size", "--format", "json", "--db", db]).expect(0).json();
        assert!(size["size_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{size}");
        house.run(&["db", "size", "--db", db]).expect(0).says(&["package_set", "KiB"]);
        let (backup, copy) = (house.text_path("all.zst"), house.text_path("copy.sqlite"));
        house.run(&["db", "backup", &backup, "--db", db]).expect(0).says(&["rows"]);
        house.run(&["db", "restore", &backup, "--db", &copy]).expect(0).says(&["copy.sqlite"]);
        house.run(&["db", "restore", &backup, "--db", &copy]).expect(2).says(&["not empty"]);
        let again = house.text_path("again.sqlite");
        house.run(&["db", "move", db, &again]).expect(0).says(&["again.sqlite"]);
        house.run(&["db", "move", "none.sqlite", &again]).expect(5).says(&["none.sqlite"]);
        for place in [&copy, &again] {
            house.run(&["ask", "CVE-2019-1551", "--db", place]).expect(1).says(&["yes"]);
        }
    });
}
