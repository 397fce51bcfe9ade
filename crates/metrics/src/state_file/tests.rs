//! State files of newer and older runtimes, and what is none.

use super::*;

const STATE: &str = r#"{"id":"a","spec":{"ociVersion":"1.0.0",
"annotations":{"dev.gvisor.internal.nvproxy":"true"},
"process":{"user":{"uid":0,"gid":0},
"capabilities":{"bounding":["CAP_CHOWN"],"ambient":["CAP_KILL","CAP_NEW"],"effective":null}}},
"bundleDir":"/b","createdAt":"2026-11-21T04:57:26.521087632Z","status":"running",
"sandbox":{"id":"s","podName":"p","namespace":"n","pid":42,
"registeredMetrics":{"metrics":[],"stages":["a"]},
"metricMetadata":{"platform":"systrap"},"metricServerAddress":"/m","controlSocketPath":"/c",
"checkpointed":true,"restored":true,"cpuTimeSaved":1500000,"wallTimeSaved":2,"newer":[1]}}"#;

fn name(container: &str, sandbox: &str) -> ContainerName {
    ContainerName { container: container.into(), sandbox: sandbox.into() }
}

#[test]
fn file_names_are_read_or_passed_over() {
    let names = [
        ("a_sandbox:b.state", Some(("a", "b"))),
        ("a_sandbox:a.state", Some(("a", "a"))),
        ("a_x+.-_sandbox:b.1.state", Some(("a_x+.-", "b.1"))),
        ("a_sandbox:b.lock", None),
        ("a_sandbox:.state", None),
        ("_sandbox:b.state", None),
        ("a.state", None),
        ("a_sandbox:b/c.state", None),
        ("a b_sandbox:c.state", None),
        ("a_sandbox:b_sandbox:c.state", None),
        ("é_sandbox:b.state", None),
    ];
    for (text, expected) in names {
        let expected = expected.map(|(container, sandbox)| name(container, sandbox));
        assert_eq!(ContainerName::parse(text), expected, "{text}");
    }
    assert_eq!(name("a", "b").file_name(".lock"), "a_sandbox:b.lock");
}

#[test]
fn a_container_is_read_with_its_sandbox() {
    let (container, registered) = parse(&name("a", "s"), STATE.as_bytes()).expect("valid");
    assert!(!container.is_root, "its id is not that of the sandbox");
    assert_eq!(container.capabilities, 0b10_0001, "unknown ones are passed over");
    assert!(container.is_root_user && container.has_nvproxy && !container.has_tpuproxy);
    assert_eq!(container.sandbox.pid, Some(42));
    assert_eq!(container.sandbox.cpu_time_saved, 1_500_000);
    assert_eq!(registered, Some(r#"{"metrics":[],"stages":["a"]}"#));
}

#[test]
fn annotations_say_which_container_is_the_root() {
    let root = |id: &str, annotation: &str| {
        let state = STATE.replace("\"id\":\"a\"", &format!("\"id\":\"{id}\"")).replace(
            "\"dev.gvisor.internal.nvproxy\":\"true\"",
            &format!("\"io.kubernetes.cri{annotation}"),
        );
        let (container, _) = parse(&name(id, "s"), state.as_bytes()).expect("valid");
        container.is_root
    };
    assert!(root("s", "x\":\"\""));
    assert!(!root("a", "x\":\"\""));
    assert!(root("a", ".container-type\":\"sandbox\""));
    assert!(!root("s", ".container-type\":\"container\""));
    assert!(root("a", "-o.ContainerType\":\"sandbox\""));
    assert!(root("s", ".container-type\":\"other\""));
}

#[test]
fn states_that_cannot_be_used_are_errors() {
    let check = |from: &str, to: &str| {
        let state = STATE.replace(from, to);
        assert_ne!(state, STATE, "{from}");
        parse(&name("a", "s"), state.as_bytes()).map(|_| ()).expect_err(to).to_string()
    };
    assert!(check("\"id\":\"a\"", "\"id\":\"b\"").contains("ids within"));
    assert!(check("\"id\":\"s\"", "\"id\":\"t\"").contains("ids within"));
    assert!(check("2026-11-21T", "never").contains("time"));
    assert!(check("\"pid\":42", "\"pid\":\"x\"").contains("runsc writes"));
    for end in 0..STATE.len() {
        assert!(parse(&name("a", "s"), &STATE.as_bytes()[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn runtimes_of_before_metrics_ask_for_nothing() {
    let state = r#"{"id":"s","createdAt":"2022-01-01T00:00:00Z","spec":{"ociVersion":"1.0.2"},
        "sandbox":{"id":"s","pid":7}}"#;
    let (container, registered) = parse(&name("s", "s"), state.as_bytes()).expect("valid");
    assert!(container.is_root && registered.is_none());
    assert!(container.sandbox.metric_server_address.is_empty());
    let state = state.replace("\"pid\":7", "\"pid\":0,\"registeredMetrics\":null");
    let (container, registered) = parse(&name("s", "s"), state.as_bytes()).expect("valid");
    assert!(container.sandbox.pid.is_none() && registered.is_none());
}
