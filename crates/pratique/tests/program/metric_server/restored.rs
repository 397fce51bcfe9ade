//! A sandbox that was restored from a checkpoint.

use pratique_testkit::process::eventually;
use pratique_testkit::sandbox::{Conduct, SandboxFarm};

use super::{DEADLINE, Served, value};

#[test]
fn a_restored_sandbox_is_asked_what_that_saved() {
    let served = Served::start(&["--min-interval=0"]);
    let sandboxes = [("again", Conduct::Restored), ("first", Conduct::Idle)];
    let sandboxes = sandboxes.map(|(id, conduct)| (id.to_owned(), conduct));
    let _farm = SandboxFarm::start(served.root(), "%RUNTIME_ROOT%/metrics.sock", &sandboxes);
    eventually("both answer", DEADLINE, || {
        let text = served.metrics();
        ["again", "first"].iter().all(|id| {
            let label = format!("sandbox=\"{id}\"");
            value(&text, "pratique_sandbox_scrape_success", &label) == Some("1")
        })
    });
    let text = served.metrics();
    assert!(text.contains("\nrunsc_meta_num_sandboxes_restored 1 "), "{text}");
    for (name, id, expected) in [
        ("cpu", "again", "1500"),
        ("wall", "again", "2500"),
        ("cpu", "first", "0"),
        ("wall", "first", "0"),
    ] {
        let name = format!("runsc_meta_sandbox_{name}_time_saved_milliseconds");
        let label = format!("sandbox=\"{id}\"");
        assert_eq!(value(&text, &name, &label), Some(expected), "{name} of {id}");
    }
}
