//! The order of a body: the same values are the same bytes.

use pratique_testkit::process::eventually;
use pratique_testkit::sandbox::{Conduct, SandboxFarm};

use super::{DEADLINE, Served};

/// The names and values of a sample's labels, in their order; no value of these needs an escape.
fn labels(line: &str) -> Vec<(&str, &str)> {
    let Some((_, rest)) = line.split_once('{') else { return Vec::new() };
    let (inside, _) = rest.rsplit_once('}').expect("it is closed");
    let pairs = inside.split("\",").map(|pair| pair.split_once("=\"").expect("a label"));
    pairs.map(|(name, value)| (name, value.trim_end_matches('"'))).collect()
}

#[test]
fn families_sandboxes_and_labels_are_sorted_and_every_sample_has_its_time() {
    let served = Served::start(&["--min-interval=0"]);
    let sandboxes =
        [("b", Conduct::Busy), ("c", Conduct::Idle), ("a", Conduct::Garbage), ("B", Conduct::Idle)]
            .map(|(id, conduct)| (id.to_owned(), conduct));
    let _farm = SandboxFarm::start(served.root(), "%RUNTIME_ROOT%/metrics.sock", &sandboxes);
    eventually("the sandboxes are found", DEADLINE, || {
        served.metrics().contains("runsc_meta_num_sandboxes_running 4 ")
    });
    let body = served.metrics();
    let (mut family, mut last_sandbox, mut help) = ("", "", "");
    for line in body.lines().skip(1) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            (help, _) = rest.split_once(' ').expect("a text");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, _) = rest.split_once(' ').expect("a type");
            assert!(family < name, "{family} before {name}");
            assert_eq!(help, name, "its help stands before it");
            (family, last_sandbox) = (name, "");
        } else {
            assert!(line.starts_with(family), "{line} below {family}");
            let labels = labels(line);
            let names: Vec<&str> =
                labels.iter().map(|(name, _)| *name).filter(|name| *name != "le").collect();
            assert!(names.is_sorted(), "{line}");
            let le = labels.iter().position(|(name, _)| *name == "le");
            assert!(le.is_none_or(|place| place + 1 == labels.len()), "{line}");
            if let Some((_, sandbox)) = labels.iter().find(|(name, _)| *name == "sandbox") {
                assert!(last_sandbox <= *sandbox, "{line} after {last_sandbox}");
                last_sandbox = sandbox;
            }
            let (_, time) = line.rsplit_once(' ').expect("a time");
            assert!(time.len() == 13 && time.parse::<u64>().is_ok(), "{line}");
        }
    }
    assert!(!body.contains("=\"\""), "empty labels are left out");
}
