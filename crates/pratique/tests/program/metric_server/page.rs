//! The page for operators says what the server does.

use std::fs;
use std::path::Path;
use std::process::Command;

use pratique_testkit::component;
use pratique_testkit::process::eventually;
use pratique_testkit::sandbox::{Conduct, SandboxFarm};

use super::{DEADLINE, Served};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sandbox-metrics.md");
    fs::read_to_string(path).expect("the page is in the tree")
}

#[test]
fn every_metric_and_reason_is_on_the_page() {
    let served = Served::start(&["--min-interval=0"]);
    let sandboxes = [("a".to_owned(), Conduct::Idle)];
    let _farm = SandboxFarm::start(served.root(), "%RUNTIME_ROOT%/metrics.sock", &sandboxes);
    eventually("the sandbox is found", DEADLINE, || served.metrics().contains("sandbox=\"a\""));
    let (body, page) = (served.metrics(), page());
    let mut count = 0;
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, _) = rest.split_once(' ').expect("a type");
            let is_sandboxs_own = name.starts_with("runsc_") && !name.starts_with("runsc_meta_");
            if !is_sandboxs_own {
                count += 1;
                let is_named = ["`", "{"].iter().any(|end| page.contains(&format!("`{name}{end}")));
                assert!(is_named, "{name}");
            }
        }
        if let Some((_, rest)) = line.split_once("reason=\"") {
            let (reason, _) = rest.split_once('"').expect("a label");
            assert!(page.contains(&format!("`{reason}`")), "{reason}");
        }
    }
    assert!(count >= 24, "{count}");
}

#[test]
fn every_flag_is_told_of() {
    let output = super::program(&["metric-server", "--help"]).output().expect("it runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    for flag in ["allow-unknown-root", "socket-mode", "verify", "web.config.file"] {
        assert!(help.contains(&format!("--{flag}")), "{help}");
        assert!(page().contains(&format!("--{flag}")), "{flag}");
    }
}

#[test]
fn prometheus_takes_the_configurations() {
    let page = page();
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prometheus.yml");
    let mut count = 0;
    for block in blocks.filter(|block| block.starts_with("scrape_configs:")) {
        fs::write(&file, block).expect("a file");
        let output = match Command::new("promtool").args(["check", "config"]).arg(&file).output() {
            Ok(output) => output,
            Err(error) => {
                component::absent("promtool", &error.to_string());
                return;
            }
        };
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
        count += 1;
    }
    assert_eq!(count, 2);
}
