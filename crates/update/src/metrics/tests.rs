//! The exposition, and the alert rules that use it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use pratique_clockwork::lease::LeaseMetrics;

use super::*;

/// Metrics that other rooms export and the rules use.
const OTHERS: [&str; 3] = [
    "pratique_store_size_bytes",
    "pratique_matcher_duration_seconds",
    "pratique_notice_lag_seconds_bucket",
];

fn part() -> PartId {
    PartId::new("alpine", "v3.20")
}

fn exposed() -> String {
    let (metrics, leases) = (Metrics::default(), LeaseMetrics::default());
    let clock = Clock::manual("2026-09-01T00:01:00Z".parse().expect("a time"));
    metrics.state(&PartState {
        id: part(),
        generation: 3,
        fingerprint: None,
        parser_version: 1,
        entries: 7,
        quarantined: 0,
        is_absent: false,
        as_of: None,
        last_attempt: Some(clock.now()),
        last_success: Some(clock.now()),
        last_error: None,
        is_partial: false,
    });
    metrics.run(&part(), RunResult::Changed);
    metrics.run(&part(), RunResult::Failed);
    metrics.phase(&part(), Phase::Apply, Duration::from_millis(100));
    metrics.changes(&part(), &[(ChangeKind::New, 2)]);
    metrics.notes(&part(), 1);
    metrics.quarantined(&part(), 1);
    metrics.fetched(&part(), 1024);
    metrics.noticed(&part(), "2026-09-01T00:00:00Z".parse().expect("a time"), &clock);
    metrics.retention("changes", 5);
    metrics.store_unreachable();
    leases.count_loss();
    leases.set_held("part/alpine/v3.20", true);
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    leases.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("written");
    text
}

#[test]
fn every_metric_of_the_design_is_exposed_under_its_name() {
    let text = exposed();
    for line in [
        "pratique_updater_last_success_timestamp_seconds{source=\"alpine\",part=\"v3.20\"} \
         1788220860.0",
        "pratique_updater_last_attempt_timestamp_seconds{source=\"alpine\",part=\"v3.20\"} \
         1788220860.0",
        "pratique_updater_runs_total{source=\"alpine\",part=\"v3.20\",result=\"changed\"} 1",
        "pratique_updater_runs_total{source=\"alpine\",part=\"v3.20\",result=\"failed\"} 1",
        "pratique_updater_errors_total{source=\"alpine\"} 1",
        "pratique_updater_duration_seconds_count{source=\"alpine\",phase=\"apply\"} 1",
        "pratique_updater_entries{source=\"alpine\",part=\"v3.20\"} 7",
        "pratique_updater_changes_total{source=\"alpine\",kind=\"new\"} 2",
        "pratique_updater_quarantined_total{source=\"alpine\"} 1",
        "pratique_updater_notes{source=\"alpine\",part=\"v3.20\"} 1",
        "pratique_updater_fetched_bytes_total{source=\"alpine\"} 1024",
        "pratique_updater_lease_lost_total 1",
        "pratique_updater_lease_held{name=\"part/alpine/v3.20\"} 1",
        "pratique_updater_retention_deleted_total{what=\"changes\"} 5",
        "pratique_updater_store_unreachable_total 1",
        "pratique_updater_lag_seconds_sum{source=\"alpine\"} 60.0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn an_absent_part_counts_as_answered_and_a_forgotten_one_has_no_gauges() {
    let metrics = Metrics::default();
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let encode = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("written");
        text
    };
    metrics.state(&PartState {
        id: part(),
        generation: 0,
        fingerprint: None,
        parser_version: 0,
        entries: 0,
        quarantined: 0,
        is_absent: true,
        as_of: None,
        last_attempt: Some("2026-09-01T00:01:00Z".parse().expect("a time")),
        last_success: None,
        last_error: None,
        is_partial: false,
    });
    let series = "pratique_updater_last_success_timestamp_seconds{";
    assert!(encode().contains(series));
    metrics.forget(&part());
    assert!(!encode().contains(series));
}

fn rules() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus/pratique.rules.yaml")
}

#[test]
fn alert_rules_use_only_metrics_that_there_are() {
    let text = exposed();
    let known: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .chain(OTHERS)
        .collect();
    let rules = std::fs::read_to_string(rules()).expect("the rules");
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
    let used: BTreeSet<&str> =
        rules.split(|c: char| !is_name(c)).filter(|word| word.starts_with("pratique_")).collect();
    assert!(used.len() > 8, "{used:?}");
    let unknown: Vec<_> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn promtool_finds_nothing_wrong_with_the_rules_and_each_alert_fires_when_it_should() {
    let rules = rules();
    let tests = rules.with_file_name("pratique.rules.test.yaml");
    for arguments in [["check", "rules"], ["test", "rules"]] {
        let file = if arguments[0] == "check" { &rules } else { &tests };
        let output = match Command::new("promtool").args(arguments).arg(file).output() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let reason = "there is none; Debian has it in the package prometheus";
                pratique_testkit::component::absent("promtool", reason);
                return;
            }
            Err(error) => panic!("promtool: {error}"),
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}

#[test]
fn every_alert_has_a_test_of_its_own() {
    let read = |path| std::fs::read_to_string(path).expect("a file");
    let (rules, tests) = (read(rules()), read(rules().with_file_name("pratique.rules.test.yaml")));
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let mut count = 0;
    for alert in alerts {
        count += 1;
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} has no test");
    }
    assert!(count > 5, "{count} alerts");
}
