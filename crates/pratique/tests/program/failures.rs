//! What goes wrong ends with the promised exit code and a message that a person can act on.

use std::fs;

use pratique_image::build::{Compression, ImageBuilder, LayerBuilder};

use crate::house::{House, alpine_layer, is_written, platform};

#[test]
fn an_unknown_flag_is_a_usage_error_and_writes_nothing() {
    let house = House::new();
    let image = house.alpine();
    house.run(&["scan", &image, "--no-such-flag"]).expect(2).says(&["--no-such-flag"]);
    house.run(&["scan", &image, "-o", "yaml"]).expect(2).says(&["yaml", "table, json, csv"]);
    house.run(&["scan", &image, "--fail-on", "bad"]).expect(2).says(&["\"bad\"", "kev"]);
    house.run(&["scan", &image, "--max-age", "soon"]).expect(2).says(&["\"soon\"", "6h"]);
    house.run(&["scan", &image, "--platform", "linux"]).expect(2).says(&["os/architecture"]);
    house.run(&["scan", &image, "--db", "mysql://me:secret@db/x"]).expect(2).says(&["mysql:"]);
    let ran = house.run(&["scan", &image, "--db", "postgres://me:secret@db:port/x"]).expect(2);
    assert!(!ran.says(&["postgres://me@db"]).stderr.contains("secret"));
    house.run(&["db", "update", "--sources", "debain"]).expect(2).says(&["debain", "debian"]);
    assert_eq!(house.names(), ["alpine.tar", "stdin"]);
}

#[test]
fn a_target_that_is_not_there_is_named_with_what_to_do() {
    let house = House::new();
    let ran = house.run(&["scan", "nginx:1.27", "--offline"]).expect(4);
    ran.says(&["nginx:1.27", "hint:", "docker save"]);
    house.run(&["scan", "sbom:none.json", "--offline"]).expect(4).says(&["none.json"]);
    house
        .run(&["scan", "registry:nginx", "--offline"])
        .expect(2)
        .says(&["`registry`", "oci-archive:"]);
}

#[test]
fn a_platform_that_is_not_offered_lists_those_that_are() {
    let house = House::new();
    let image = house.alpine();
    let ran = house.run(&["scan", &image, "--offline", "--platform", "windows/amd64"]).expect(4);
    ran.says(&["windows/amd64", "linux/"]);
}

#[test]
fn an_unreadable_file_is_named() {
    let house = House::new();
    fs::create_dir(house.path("folder.tar")).expect("can be made");
    let target = format!("oci-archive:{}", house.text_path("folder.tar"));
    let ran = house.run(&["scan", &target, "--offline"]);
    assert!([3, 4].contains(&ran.code), "{}: {}", ran.code, ran.stderr);
    ran.says(&["folder.tar"]);
    let noise = house.write("noise.tar", &[7; 4096]);
    house.run(&["scan", &noise, "--offline"]).expect(3).says(&["noise.tar"]);
}

#[test]
fn a_cut_archive_is_an_error_and_no_report() {
    let house = House::with_database();
    let image = house.alpine();
    let whole = fs::read(&image).expect("was written");
    for length in [whole.len() / 3, whole.len() / 2, whole.len() * 3 / 4] {
        let cut = house.write("cut.tar", &whole[..length]);
        let out = format!("json={}", house.text_path("out.json"));
        let ran = house.run(&["scan", &cut, "--offline", "--db", &house.db(), "-o", &out]);
        ran.expect(3).says(&["cut.tar"]);
        assert!(!is_written(&house.path("out.json")), "a report was written for {length} bytes");
    }
}

#[test]
fn a_layer_with_a_wrong_digest_is_named_with_both_digests() {
    let house = House::with_database();
    let other = LayerBuilder::new().file("etc/other", b"x").to_tar();
    let plain = pratique_model::Digest::from_bytes([0x11; 32]);
    let image = ImageBuilder::new(platform()).layer(&alpine_layer(), Compression::Gzip).raw_layer(
        plain,
        other,
        "application/vnd.oci.image.layer.v1.tar",
    );
    let image = house.archive("lying.tar", image);
    let ran = house.run(&["scan", &image, "--offline", "--db", &house.db()]).expect(3);
    ran.says(&["sha256:1111", "expected", "got"]);
}

#[test]
fn a_distro_without_data_is_never_clean() {
    let house = House::with_database();
    let layer = LayerBuilder::new()
        .file("etc/os-release", b"ID=debian\nVERSION_ID=\"10\"\nPRETTY_NAME=\"Debian 10\"\n")
        .file(
            "var/lib/dpkg/status",
            b"Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.0-4\n",
        );
    let image = ImageBuilder::new(platform()).layer(&layer, Compression::Zstd);
    let image = house.archive("old.tar", image);
    let ran = house.run(&["scan", &image, "--offline", "--db", &house.db()]).expect(5);
    ran.says(&["debian:10", "1 package"]);
}

#[test]
fn an_image_without_os_release_says_so_and_still_matches_languages() {
    let house = House::with_database();
    let layer = LayerBuilder::new()
        .file("var/lib/dpkg/status", b"Package: bash\nStatus: install ok installed\nVersion: 5\n")
        .file("app/node_modules/ms/package.json", b"{\"name\":\"ms\",\"version\":\"0.1.0\"}");
    let image = ImageBuilder::new(platform()).layer(&layer, Compression::Plain);
    let image = house.archive("bare.tar", image);
    let ran = house.run(&["scan", &image, "--offline", "--db", &house.db()]).expect(5);
    ran.says(&["does not say which distribution", "npm"]);
}

#[test]
fn a_database_that_is_missing_foreign_or_old_is_told_apart() {
    let house = House::new();
    let image = house.alpine();
    let db = house.db();
    let ran = house.run(&["scan", &image, "--offline", "--db", &db]).expect(5);
    ran.says(&["no such file", "pratique db update --db"]);
    house.run(&["db", "status", "--db", &db]).expect(5).says(&["no such file"]);
    let foreign = house.write("foreign.sqlite", b"this is no database at all, only some text");
    house.run(&["scan", &image, "--offline", "--db", &foreign]).expect(2).says(&["foreign.sqlite"]);

    let house = House::with_database();
    let image = house.alpine();
    let arguments = ["scan", &image, "--offline", "--db", &house.db(), "--max-data-age", "1d"];
    let ran = house.run(&arguments).expect(5).says(&["kev", "--max-data-age"]);
    assert!(ran.stdout.contains("CVE-2019-1551"), "the report is written all the same");
}

#[test]
fn a_mirror_that_is_away_leaves_old_data_and_a_warning() {
    let house = House::with_database();
    let image = house.alpine();
    let mirror = "http://127.0.0.1:9/";
    let arguments = ["scan", &image, "--db", &house.db(), "--mirror", mirror, "--max-age", "0"];
    let ran = house.run(&arguments).expect(0).says(&["CVE-2019-1551", "warning:", "alpine/v3.10"]);
    assert!(ran.stdout.contains("stale"), "the table says that data are stale:\n{}", ran.stdout);
}

#[test]
fn an_sbom_that_is_none_is_refused() {
    let house = House::with_database();
    let ran = house.run_with_input(&["scan", "sbom:-", "--offline", "--db", &house.db()], b"{}");
    ran.expect(3).says(&["sbom:-", "hint:"]);
}
