//! Images in a containerd's content store are scanned like any other, without a pull.

use pratique_image::build::{ArchiveBuilder, Compression, ImageBuilder};
use pratique_testkit::containerd::{Build, Containerd};

use crate::house::{House, Ran, alpine_layer, platform};

const NAME: &str = "localhost/alpine:3.10";

fn alpine() -> ImageBuilder {
    ImageBuilder::new(platform()).layer(&alpine_layer(), Compression::Gzip)
}

/// Scans by a containerd, with what is in the house's database.
fn scan(house: &House, bed: &Containerd, target: &str) -> Ran {
    let socket = bed.socket().display().to_string();
    let address = ["--containerd-address", &socket];
    let rest = ["--offline", "--db", &house.db(), "-o", "json", "--reproducible"];
    house.run(&[&["scan", target], &address[..], &rest].concat())
}

fn archived(house: &House, bed: &Containerd, name: &str, image: ImageBuilder) -> String {
    let archive = ArchiveBuilder::new().image(name, image).to_oci_archive();
    let path = house.write("image.tar", &archive);
    bed.import("t", path.as_ref());
    bed.import("default", path.as_ref());
    path
}

#[test]
fn an_image_is_scanned_where_containerd_keeps_it() {
    for build in [Build::Packaged, Build::Second] {
        let Some(bed) = Containerd::start_build(build) else { continue };
        let house = House::with_database();
        let path = archived(&house, &bed, NAME, alpine());
        let expected = scan(&house, &bed, &path).expect(0).json();
        let digest = expected["target"]["digest"].as_str().expect("a digest").to_owned();
        let by_digest = format!("containerd:t/{digest}");
        for target in [&format!("containerd:{NAME}"), &format!("containerd:t/{NAME}"), &by_digest] {
            let got = scan(&house, &bed, target).expect(0).json();
            assert_eq!(got["target"]["source"], "containerd", "{target}");
            assert_eq!(got["target"]["digest"], expected["target"]["digest"], "{target}");
            assert_eq!(got["packages"], expected["packages"], "{target}");
            assert_eq!(got["findings"], expected["findings"], "{target}");
            assert_ne!(got["findings"].as_array().map(Vec::len), Some(0), "{target}");
        }
    }
}

#[test]
fn what_containerd_does_not_have_is_named() {
    let Some(bed) = Containerd::start() else { return };
    let house = House::with_database();
    archived(&house, &bed, NAME, alpine());
    for (target, texts) in [
        ("containerd:alpine:3.10", ["`alpine:3.10`", "`default`", "hint:"]),
        ("containerd:t/alpine:3.10", ["`t/alpine:3.10`", "`t`", "hint:"]),
        ("containerd:nowhere/localhost/alpine:3.10", ["nowhere/", "`default`", "hint:"]),
    ] {
        scan(&house, &bed, target).expect(4).says(&texts);
    }
    let target = format!("containerd:{NAME}");
    let nowhere = house.text_path("none.sock");
    house
        .run(&["scan", &target, "--offline", "--db", &house.db(), "--containerd-address", &nowhere])
        .expect(4)
        .says(&["no connection", "No such file", "--containerd-address"]);

    // As after a pull that was interrupted, or of another platform.
    let manifest = scan(&house, &bed, &target).expect(0).json();
    let digest = manifest["target"]["digest"].as_str().expect("a digest").to_owned();
    let text = bed.ctr("default", &["content", "get", &digest]);
    let layer = text.rsplit("\"digest\":\"").next().and_then(|rest| rest.split('"').next());
    let layer = layer.expect("the manifest ends with its layer");
    bed.ctr("default", &["content", "rm", layer]);
    let cold = house.text_path("cold-cache");
    let socket = bed.socket().display().to_string();
    let words = ["scan", &target, "--offline", "--db", &house.db(), "--cache-dir", &cold];
    house
        .run(&[&words[..], &["--containerd-address", &socket]].concat())
        .expect(3)
        .says(&[layer, "missing"]);
}
