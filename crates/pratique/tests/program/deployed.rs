//! What is in `deploy/` for an agent: it is accepted by those who read it, and says what is so.

use std::collections::BTreeSet;
use std::process::Command;

use pratique_testkit::component;
use serde_json::Value;

use crate::house::House;

const MANIFEST: &str = include_str!("../../../../deploy/kubernetes/agent.yaml");
const UNIT: &str = include_str!("../../../../deploy/systemd/pratique-agent.service");
const DOCS: &str = include_str!("../../../../docs/agent.md");

#[test]
fn what_is_deployed_uses_flags_that_there_are() {
    let help = House::new().run(&["agent", "--help"]).expect(0).stdout;
    for (name, text) in [("agent.yaml", MANIFEST), ("agent.service", UNIT)] {
        let words = text.split_whitespace().filter_map(|word| word.strip_prefix("--"));
        let flags = words.map(|word| word.split('=').next().unwrap_or(word));
        let flags: Vec<&str> = flags.filter(|flag| flag.len() > 1 && *flag != "now").collect();
        assert!(!flags.is_empty(), "{name} gives the agent its places");
        for flag in flags {
            assert!(help.contains(&format!("--{flag} ")), "{name}: --{flag}");
        }
    }
}

/// The unit with this program in the place of the installed one, since systemd looks for it.
#[test]
fn systemd_has_nothing_to_say_against_the_unit() {
    if !component::is_in_path("systemd-analyze") {
        component::absent("systemd", "there is no systemd-analyze");
        return;
    }
    let house = House::new();
    let installed = "ExecStart=/usr/local/bin/pratique ";
    assert!(UNIT.contains(installed), "the unit starts the installed program");
    let unit = UNIT.replace(installed, &format!("ExecStart={} ", env!("CARGO_BIN_EXE_pratique")));
    let path = house.write("pratique-agent.service", unit.as_bytes());
    let verify = |path: &str| {
        // Of other units' errors, here containerd's, nothing is asked.
        let words = ["verify", "--man=no", "--recursive-errors=no", path];
        let output = Command::new("systemd-analyze").args(words).output().expect("it is there");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(verify(&path), (true, String::new()));

    let unit = unit.replace("KillMode=mixed", "KillMode=mild");
    let path = house.write("pratique-wrong.service", unit.as_bytes());
    let (_, said) = verify(&path);
    assert!(said.contains("mild"), "what is wrong is seen: {said}");
}

/// The parts of the manifest.
fn manifest() -> Vec<Value> {
    let parts: Vec<Value> = serde_saphyr::from_multiple(MANIFEST).expect("it is YAML");
    for part in &parts {
        for field in ["/apiVersion", "/kind", "/metadata/name"] {
            assert!(part.pointer(field).is_some_and(Value::is_string), "{field}: {part}");
        }
    }
    parts
}

/// A text somewhere in a value.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

/// A list somewhere in a value.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.unwrap_or_else(|| panic!("{pointer}: {value}"))
}

#[test]
fn the_manifests_parts_belong_together() {
    let parts = manifest();
    let kinds: Vec<&str> = parts.iter().map(|part| text(part, "/kind")).collect();
    assert_eq!(kinds, ["Namespace", "DaemonSet"]);
    let [namespace, agent] = &parts[..] else { panic!("{kinds:?}") };
    assert_eq!(text(agent, "/metadata/namespace"), text(namespace, "/metadata/name"));
    let selector = agent.pointer("/spec/selector/matchLabels").expect("what it selects");
    assert_eq!(Some(selector), agent.pointer("/spec/template/metadata/labels"));

    let pod = agent.pointer("/spec/template/spec").expect("a pod");
    let [container] = list(pod, "/containers") else { panic!("one container: {pod}") };
    let ports: Vec<&str> =
        list(container, "/ports").iter().map(|port| text(port, "/name")).collect();
    for probe in ["readinessProbe", "livenessProbe"] {
        assert_eq!(ports, [text(container, &format!("/{probe}/httpGet/port"))], "{probe}");
    }
    assert_eq!(container.pointer("/securityContext/privileged"), Some(&Value::Bool(false)));
    assert_eq!(list(container, "/securityContext/capabilities/drop"), ["ALL"]);
    assert_eq!(pod.pointer("/automountServiceAccountToken"), Some(&Value::Bool(false)));
}

#[test]
fn what_the_manifest_mounts_is_used_and_documented() {
    let parts = manifest();
    let pod = parts[1].pointer("/spec/template/spec").expect("a pod");
    let container = &list(pod, "/containers")[0];
    let mounts = list(container, "/volumeMounts");
    let names = |values: &[Value]| -> BTreeSet<String> {
        values.iter().map(|value| text(value, "/name").to_owned()).collect()
    };
    assert_eq!(names(mounts), names(list(pod, "/volumes")));
    let folders: Vec<&str> = mounts.iter().map(|mount| text(mount, "/mountPath")).collect();
    for folder in &folders {
        assert!(DOCS.contains(&format!("`{folder}`")), "docs/agent.md does not tell of {folder}");
    }
    for volume in list(pod, "/volumes") {
        let Some(path) = volume.pointer("/hostPath/path").and_then(Value::as_str) else { continue };
        assert!(folders.contains(&path), "{path} is elsewhere in the container than on the node");
    }
    let arguments = list(container, "/args").iter().filter_map(Value::as_str);
    let paths = arguments.filter_map(|word| word.split_once('=')?.1.strip_prefix('/'));
    for path in paths.map(|path| format!("/{path}")) {
        assert!(folders.iter().any(|folder| path.starts_with(folder)), "nothing holds {path}");
    }
}
