//! Real sandboxes: runsc, built by `cargo xtask test` into the component cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pratique_testkit::component;
use pratique_testkit::process::eventually;

use super::{DEADLINE, Served, value};

/// runsc in the component cache or the path; says loudly when it is not there.
fn runsc() -> Option<PathBuf> {
    let built = component::built("runsc", "runsc");
    if !built.is_file() {
        component::absent("runsc", &format!("{} is not there", built.display()));
        return None;
    }
    if !is_root() {
        component::absent("runsc", "sandboxes are started by root");
        return None;
    }
    Some(built)
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// A bundle whose only process sleeps.
fn bundle(folder: &Path, pod: &str) {
    let root = folder.join("rootfs");
    for name in ["bin", "proc"] {
        fs::create_dir_all(root.join(name)).expect("a folder");
    }
    copy_with_libraries(Path::new("/bin/sleep"), &root);
    let config = format!(
        r#"{{"ociVersion":"1.0.0","process":{{"user":{{"uid":0,"gid":0}},
        "args":["/bin/sleep","1000"],"env":["PATH=/bin"],"cwd":"/",
        "capabilities":{{"bounding":["CAP_KILL"]}}}},
        "root":{{"path":"rootfs","readonly":true}},"hostname":"x",
        "mounts":[{{"destination":"/proc","type":"proc","source":"proc"}}],
        "annotations":{{"io.kubernetes.cri.sandbox-name":"{pod}"}},
        "linux":{{"namespaces":[{{"type":"pid"}},{{"type":"network"}},{{"type":"mount"}}]}}}}"#
    );
    fs::write(folder.join("config.json"), config).expect("a file");
}

fn copy_with_libraries(program: &Path, root: &Path) {
    let output = Command::new("ldd").arg(program).output().expect("ldd");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.map(Path::new).chain([program]) {
        let target = root.join(file.strip_prefix("/").expect("it is absolute"));
        fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        fs::copy(file, target).expect("a file");
    }
}

struct Runtime<'a> {
    program: PathBuf,
    root: &'a Path,
    ids: Vec<String>,
}

impl Runtime<'_> {
    fn call(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new(&self.program);
        command.arg(format!("--root={}", self.root.display()));
        command.args(["--network=none", "--platform=systrap", "--ignore-cgroups"]);
        let null = [Stdio::null(), Stdio::null(), Stdio::null()];
        let [input, output, error] = null;
        command.args(arguments).stdin(input).stdout(output).stderr(error);
        command.status().is_ok_and(|status| status.success())
    }

    fn start(&mut self, id: &str, bundle: &Path, is_measured: bool) {
        let bundle = bundle.display().to_string();
        let run = ["run", "-bundle", &bundle, "-detach", id];
        let measured = ["--metric-server=%RUNTIME_ROOT%/metrics.sock"];
        let flags: &[&str] = if is_measured { &measured } else { &[] };
        assert!(self.call(&[flags, &run].concat()), "runsc runs {id}");
        self.ids.push(id.to_owned());
    }

    fn delete(&self, id: &str) -> bool {
        self.call(&["delete", "--force", id])
    }
}

impl Drop for Runtime<'_> {
    fn drop(&mut self) {
        for id in &self.ids {
            self.delete(id);
        }
    }
}

#[test]
fn real_sandboxes_are_served() {
    let Some(program) = runsc() else { return };
    let bundles = tempfile::tempdir().expect("a folder");
    for pod in ["pod-a", "pod-b"] {
        bundle(&bundles.path().join(pod), pod);
    }
    let served = Served::start(&["--min-interval=0"]);
    let (a, b) = (bundles.path().join("pod-a"), bundles.path().join("pod-b"));
    let mut runtime = Runtime { program, root: served.root(), ids: Vec::new() };
    runtime.start("one", &a, true);
    runtime.start("two", &b, true);
    runtime.start("unmeasured", &a, false);
    let success = |id: &str| {
        let text = served.metrics();
        let label = format!("sandbox=\"{id}\"");
        value(&text, "pratique_sandbox_scrape_success", &label) == Some("1")
    };
    eventually("both answer", DEADLINE, || success("one") && success("two"));
    let text = served.metrics();
    assert!(
        value(&text, "runsc_fs_opens", "pod_name=\"pod-b\",sandbox=\"two\"").is_some(),
        "{text}"
    );
    assert!(!text.contains("unmeasured"));
    let iteration = |text: &str| {
        let line = text.lines().find(|line| {
            line.starts_with("runsc_meta_sandbox_presence") && line.contains("\"one\"")
        });
        line.and_then(|line| line.split('"').nth(1)).map(str::to_owned)
    };
    let before = iteration(&text);
    assert!(runtime.delete("one"));
    eventually("it has gone", DEADLINE, || iteration(&served.metrics()).is_none());
    runtime.start("one", &a, true);
    eventually("it is there again", DEADLINE, || success("one"));
    assert_ne!(iteration(&served.metrics()), before, "another sandbox under the same id");
    assert!(runtime.call(&["kill", "two", "KILL"]));
    eventually("it does not run", DEADLINE, || {
        let text = served.metrics();
        !matches!(value(&text, "runsc_meta_sandbox_running", "sandbox=\"two\""), Some("1"))
    });
    assert!(success("one"), "the other one is not concerned");
}
