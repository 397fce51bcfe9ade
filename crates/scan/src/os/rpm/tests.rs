//! Databases in every format, made by code (`build`); cut, damaged and hostile ones.

use super::*;
use crate::cataloger::path_hash;
use crate::cataloger::testing::{catalog, packages};

pub(crate) mod build;

use build::{Order, Value, bdb, header, ndb, package, sqlite};

const SQLITE: &str = "var/lib/rpm/rpmdb.sqlite";
const NDB: &str = "usr/lib/sysimage/rpm/Packages.db";
const BDB: &str = "var/lib/rpm/Packages";
const MANIFEST: &str = "var/lib/rpmmanifest/container-manifest-2";
const NAMES: &str = "var/lib/rpmmanifest/container-manifest-1";

/// Packages short and long: on one page, on two, on many.
fn some_headers() -> Vec<Vec<u8>> {
    let mut headers = vec![package("tiny", 0), package("little", 60), package("middle", 700)];
    headers.extend((0..8).map(|index| package(&format!("long-{index}"), 450 + index * 37)));
    headers.push(package("huge", 20_000));
    headers
}

fn databases() -> Vec<(&'static str, Vec<u8>)> {
    let headers = some_headers();
    vec![
        (SQLITE, sqlite(&headers)),
        (NDB, ndb(&headers)),
        (BDB, bdb(&headers, &Order(false))),
        (BDB, bdb(&headers, &Order(true))),
    ]
}

#[test]
fn every_format_gives_all_packages() {
    let names = ["tiny", "little", "middle"].map(str::to_owned).into_iter();
    let names = names.chain((0..8).map(|index| format!("long-{index}"))).chain(["huge".to_owned()]);
    let expected: Vec<String> =
        names.map(|name| format!("rpm {name} 1.0-2.el9 x86_64 {name}-src 1.0-2.el9")).collect();
    for (path, bytes) in databases() {
        let found = catalog(&Rpm, path, &bytes);
        assert_eq!(packages(&found), expected, "{path}");
        assert!(found.problems.is_empty(), "{path}: {:?}", found.problems);
    }
}

#[track_caller]
fn check_header(header: Vec<u8>, expected: &str) -> Found {
    let found = catalog(&Rpm, NDB, &ndb(&[header]));
    assert_eq!(packages(&found).join("\n"), expected);
    found
}

#[test]
fn epoch_vendor_module_and_files_are_read() {
    let found = check_header(
        header(&[
            (63, Value::Text("region")),
            (header::NAME, Value::Text("nodejs")),
            (header::VERSION, Value::Text("18.1.0")),
            (header::RELEASE, Value::Text("3.module+el8")),
            (header::EPOCH, Value::Numbers(&[1])),
            (header::VENDOR, Value::Text("AlmaLinux")),
            (header::ARCH, Value::Text("x86_64")),
            (header::SOURCE_RPM, Value::Text("nodejs-18.1.0-3.module+el8.src.rpm")),
            (header::MODULARITY_LABEL, Value::Text("nodejs:18:8060020:ad008a3a")),
            (1117, Value::Texts(&["node", "npm", "index.js"])),
            (1118, Value::Texts(&["/usr/bin/", "/usr/lib/node_modules/npm/"])),
            (1116, Value::Numbers(&[0, 0, 1])),
        ]),
        "rpm nodejs 1:18.1.0-3.module+el8 x86_64 nodejs 1:18.1.0-3.module+el8",
    );
    assert_eq!(found.packages[0].vendor.as_deref(), Some("AlmaLinux"));
    assert_eq!(found.packages[0].module.as_deref(), Some("nodejs:18:8060020:ad008a3a"));
    let files = ["usr/bin/node", "usr/bin/npm", "usr/lib/node_modules/npm/index.js"];
    assert_eq!(found.owned[0].files, files.map(path_hash));
    assert_eq!(found.owned[0].package, "nodejs");
}

#[test]
fn a_public_key_is_listed_without_a_source() {
    check_header(
        header(&[
            (header::NAME, Value::Text("gpg-pubkey")),
            (header::VERSION, Value::Text("fd431d51")),
            (header::RELEASE, Value::Text("4ae0493b")),
            (header::EPOCH, Value::Numbers(&[0])),
            (header::ARCH, Value::Text("(none)")),
        ]),
        "rpm gpg-pubkey fd431d51-4ae0493b - - -",
    );
}

#[test]
fn source_is_told_by_the_name_of_its_file() {
    for (file, expected) in [
        ("bash-5.1.8-9.el9.src.rpm", Some(("bash", "5.1.8-9.el9"))),
        ("java-17-openjdk-17.0.1-1.nosrc.rpm", Some(("java-17-openjdk", "17.0.1-1"))),
        ("(none)", None),
        ("bash-5.src.rpm", None),
        ("-1-2.src.rpm", None),
        ("", None),
    ] {
        let expected = expected.map(|(name, version)| (name.to_owned(), version.to_owned()));
        assert_eq!(source(0, file), expected, "{file}");
    }
    assert_eq!(source(2, "a-1-2.src.rpm"), Some(("a".to_owned(), "2:1-2".to_owned())));
}

#[test]
fn a_bad_header_is_named_and_the_others_are_kept() {
    let nameless = header(&[(header::VERSION, Value::Text("1"))]);
    let mut lying = package("lying", 0);
    lying[7] = 0xff;
    lying[6] = 0xff;
    let mut many = package("many", 0);
    many[0] = 0x10;
    let found = catalog(&Rpm, NDB, &ndb(&[nameless, lying, many, vec![1, 2], package("good", 0)]));
    assert_eq!(packages(&found), ["rpm good 1.0-2.el9 x86_64 good-src 1.0-2.el9"]);
    assert_eq!(found.problems.len(), 4, "{:?}", found.problems);
}

#[test]
fn entries_that_point_nowhere_are_as_good_as_absent() {
    let mut bytes = package("tool", 10);
    // The offset of the sixth entry, the source rpm.
    bytes[8 + 5 * 16 + 8..8 + 5 * 16 + 12].copy_from_slice(&u32::MAX.to_be_bytes());
    check_header(bytes, "rpm tool 1.0-2.el9 x86_64 - -");
    let files = header(&[
        (header::NAME, Value::Text("a")),
        (header::VERSION, Value::Text("1")),
        (header::RELEASE, Value::Text("2")),
        (1117, Value::Texts(&["x", "y"])),
        (1118, Value::Texts(&["/"])),
        (1116, Value::Numbers(&[0, 77])),
    ]);
    assert_eq!(check_header(files, "rpm a 1-2 - - -").owned[0].files, [path_hash("x")]);
}

#[test]
fn cut_off_databases_end_in_a_named_problem() {
    for (path, bytes) in databases() {
        for length in (1..bytes.len()).step_by(97) {
            let found = catalog(&Rpm, path, &bytes[..length]);
            assert!(!found.problems.is_empty(), "{path} cut at {length}");
        }
    }
}

/// Changes every byte in turn: any answer is right but a panic or a hang.
#[test]
fn damaged_databases_end() {
    let headers = [package("tiny", 0), package("long", 600)];
    for (path, bytes) in [
        (SQLITE, sqlite(&headers)),
        (NDB, ndb(&headers)),
        (BDB, bdb(&headers, &Order(false))),
        (BDB, bdb(&headers, &Order(true))),
    ] {
        for position in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[position] = value;
                catalog(&Rpm, path, &damaged);
            }
        }
    }
}

#[test]
fn pages_in_a_circle_end_in_a_named_problem() {
    let mut database = sqlite(&[package("a", 0), package("b", 0)]);
    // The right-most child of the root of `Packages` is made the root itself.
    database[512 + 8..512 + 12].copy_from_slice(&2_u32.to_be_bytes());
    let found = catalog(&Rpm, SQLITE, &database);
    assert_eq!(found.problems, ["page 2 is used twice"]);
    assert_eq!(found.packages.len(), 1);

    let mut database = bdb(&[package("a", 2000)], &Order(false));
    // The first overflow page is followed by itself.
    let overflow = database.chunks(512).position(|page| page[25] == 7).expect("overflow");
    let number = u32::try_from(overflow).unwrap().to_le_bytes();
    database[overflow * 512 + 16..overflow * 512 + 20].copy_from_slice(&number);
    let found = catalog(&Rpm, BDB, &database);
    let problem = format!("page 2: overflow page {overflow} is used twice");
    assert_eq!(found.problems, [problem]);
}

#[test]
fn rows_that_share_their_pages_are_stopped() {
    let headers: Vec<Vec<u8>> = (0..30).map(|index| package(&format!("p{index}"), 5000)).collect();
    let mut database = ndb(&headers);
    let first: Vec<u8> = database[48..64].to_vec();
    for slot in 4..34 {
        database[slot * 16..slot * 16 + 16].copy_from_slice(&first);
    }
    let blob_blocks = 40_000_u32.to_le_bytes();
    for slot in 3..34 {
        database[slot * 16 + 12..slot * 16 + 16].copy_from_slice(&blob_blocks[..4]);
    }
    database.resize(4096 + 40_000 * 16, 0);
    database[4096 + 12..4096 + 16].copy_from_slice(&600_000_u32.to_le_bytes());
    let found = catalog(&Rpm, NDB, &database);
    assert_eq!(
        found.problems.last().map(String::as_str),
        Some("its packages are longer than the file: they overlap")
    );
}

#[test]
fn foreign_files_are_named() {
    for (path, bytes) in [
        (SQLITE, &b"not a database at all"[..]),
        (NDB, b"RpmX"),
        (BDB, &[0; 4096]),
        (SQLITE, &sqlite(&[package("a", 0)])[..512]),
    ] {
        let found = catalog(&Rpm, path, bytes);
        assert_eq!(found.problems.len(), 1, "{path}: {:?}", found.problems);
    }
    assert!(catalog(&Rpm, SQLITE, b"").is_empty(), "an empty file is a placeholder");
}

#[test]
fn manifest_columns_are_read() {
    let text = "openssl-libs\t1.1.1k-27.cm2\t1700000000\t1690000000\tMicrosoft Corporation\t\
                (none)\t123\tx86_64\t0\topenssl-1.1.1k-27.cm2.src.rpm\n\
                shadow-utils\t4.9-12.cm2\t1\t1\tMicrosoft Corporation\t2\t5\tx86_64\t2\t\
                shadow-utils-4.9-12.cm2.src.rpm\n\n\
                gpg-pubkey\t3135ce90-5e6fda74\t1\t1\t(none)\t(none)\t0\t(none)\t0\t(none)\n\
                broken line\n";
    let found = catalog(&Rpm, MANIFEST, text.as_bytes());
    assert_eq!(
        packages(&found),
        [
            "rpm openssl-libs 1.1.1k-27.cm2 x86_64 openssl 1.1.1k-27.cm2",
            "rpm shadow-utils 2:4.9-12.cm2 x86_64 shadow-utils 2:4.9-12.cm2",
            "rpm gpg-pubkey 3135ce90-5e6fda74 - - -",
        ]
    );
    assert_eq!(found.packages[0].vendor.as_deref(), Some("Microsoft Corporation"));
    assert_eq!(found.problems, ["line 5 is no package: \"broken line\""]);
    assert_eq!(catalog(&Rpm, MANIFEST, b"\xff\xfe").problems.len(), 1);
}

#[test]
fn manifest_of_names_is_read() {
    let found = catalog(&Rpm, NAMES, b"glibc-2.35-4.cm2.x86_64\nca-certs-1-2.noarch\nodd\n");
    assert_eq!(
        packages(&found),
        ["rpm glibc 2.35-4.cm2 x86_64 - -", "rpm ca-certs 1-2 noarch - -"]
    );
    assert_eq!(found.problems, ["line 3 is no package: \"odd\""]);
}

#[test]
fn newer_records_of_one_folder_take_precedence() {
    assert!(precedence(SQLITE) < precedence("var/lib/rpm/Packages.db"));
    assert!(precedence("var/lib/rpm/Packages.db") < precedence(BDB));
    assert!(precedence(MANIFEST) < precedence(NAMES));
    for path in ["var/lib/rpm/Name", "opt/var/lib/rpm/Packages", "var/lib/rpm/rpmdb.sqlite-wal"] {
        assert_eq!(precedence(path), None, "{path}");
    }
}
