//! How it starts, stops, and what it leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pratique_testkit::process::{Process, Signal, eventually};

use super::{DEADLINE, Served, ask, program, server};

#[track_caller]
fn check(flags: &[&str], code: i32, expected: &str) {
    let process = Process::spawn("metric-server", program(flags));
    let status = process.wait(DEADLINE);
    let said = process.said();
    assert_eq!(status.code(), Some(code), "{flags:?}: {said}");
    assert!(said.contains(expected), "{flags:?}: {said}");
}

#[test]
fn a_start_that_fails_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = format!("--root={}", folder.path().display());
    let socket = "--metric-server=%RUNTIME_ROOT%/m.sock";
    check(&["metric-server", &root], 2, "--metric-server");
    check(&["metric-server", &root, socket, "--what"], 2, "--what");
    check(&["metric-server", &root, "--metric-server="], 128, "address is empty");
    check(&["metric-server", &root, "--metric-server=/x/%ID%"], 128, "contains '%ID%'");
    check(&["metric-server", &root, "--metric-server=nowhere"], 128, "nowhere");
    check(&["metric-server", &root, "--metric-server=192.0.2.1:1"], 128, "listen on 192.0.2.1:1");
    check(&["metric-server", &root, socket, "--exporter-prefix=1"], 128, "exporter prefix");
    let missing = format!("{root}/missing");
    check(&["metric-server", &missing, socket], 128, "invalid root directory");
    let pid = format!("--pid-file={}/missing/pid", folder.path().display());
    check(&["metric-server", &root, socket, &pid], 128, "pid file");
    assert!(!folder.path().join("m.sock").exists(), "nothing stays behind");
}

#[test]
fn each_signal_stops_it_with_grace_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        let folder = tempfile::tempdir().expect("a folder");
        let pid_file = folder.path().join("pid");
        let flag = format!("-pid-file={}", pid_file.display());
        let process = server(folder.path(), &[&flag]);
        eventually("the pid file is there", DEADLINE, || pid_file.exists());
        process.wait_for_line("serving on", DEADLINE);
        assert_eq!(fs::read_to_string(&pid_file).expect("a file"), process.id().to_string());
        let mode = |path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&pid_file), 0o644);
        let socket = folder.path().join("metrics.sock");
        assert_eq!(mode(&socket), 0o660);
        process.signal(signal);
        assert_eq!(process.wait(DEADLINE).code(), Some(0), "{signal:?}: {}", process.said());
        assert!(!pid_file.exists() && !socket.exists(), "{signal:?}");
    }
}

#[test]
fn the_sockets_mode_is_as_it_was_asked_for() {
    let served = Served::start(&["--socket-mode=0600"]);
    let mode = || fs::metadata(served.socket()).expect("it is there").permissions().mode();
    eventually("the mode is set", DEADLINE, || mode() & 0o777 == 0o600);
    let root = format!("--root={}", served.root().display());
    let address = "--metric-server=/x/m.sock";
    check(&["metric-server", &root, address, "--socket-mode=9"], 2, "no mode");
}

#[test]
fn a_socket_in_use_is_left_and_a_stale_one_replaced() {
    let served = Served::start(&[]);
    let second = server(served.root(), &[]);
    assert_eq!(second.wait(DEADLINE).code(), Some(128), "{}", second.said());
    assert_eq!(served.get("/").status, 200, "the first one still answers");
    served.process.kill();
    assert!(served.socket().exists(), "it was killed");
    let third = server(served.root(), &[]);
    third.wait_for_line("serving on", DEADLINE);
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&served.socket(), request).status, 200);
}

#[test]
fn a_root_that_goes_away_stops_it_unless_it_may_be_absent() {
    let folder = tempfile::tempdir().expect("a folder");
    let (root, socket) = (folder.path().join("root"), folder.path().join("m.sock"));
    fs::create_dir(&root).expect("a folder");
    let flags = [
        "metric-server".to_owned(),
        format!("--root={}", root.display()),
        format!("--metric-server={}", socket.display()),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let process = Process::spawn("metric-server", program(&flags));
    process.wait_for_line("serving on", DEADLINE);
    fs::remove_dir(&root).expect("it is empty");
    assert_eq!(process.wait(DEADLINE).code(), Some(0), "{}", process.said());
    let flags = [flags.as_slice(), &["-allow-unknown-root"]].concat();
    let process = Process::spawn("metric-server", program(&flags));
    process.wait_for_line("serving on", DEADLINE);
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&socket, request).status, 200);
    assert!(process.is_running());
    assert_eq!(process.terminate(DEADLINE).code(), Some(0));
}

#[test]
fn several_roots_are_told_apart_by_a_label() {
    let (one, other) = (tempfile::tempdir().expect("it"), tempfile::tempdir().expect("it"));
    let socket = one.path().join("metrics.sock");
    let flags = [
        "metric-server".to_owned(),
        format!("--root={}", one.path().display()),
        format!("-root={}", other.path().display()),
        "--metric-server=%RUNTIME_ROOT%/metrics.sock".to_owned(),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let process = Process::spawn("metric-server", program(&flags));
    process.wait_for_line("serving on", DEADLINE);
    use pratique_testkit::sandbox::{Conduct, SandboxFarm};
    let sandboxes = [("s".to_owned(), Conduct::Idle)];
    let address = "%RUNTIME_ROOT%/metrics.sock";
    let _farm = SandboxFarm::start(other.path(), address, &sandboxes);
    let label = format!("runtime_root=\"{}\",sandbox=\"s\"", other.path().display());
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    eventually("it is found", DEADLINE, || ask(&socket, request).text().contains(&label));
    for root in [one.path(), other.path()] {
        let path = format!("/runsc-metrics/healthcheck?root={}", root.display());
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_eq!(ask(&socket, &request).status, 200);
    }
}
