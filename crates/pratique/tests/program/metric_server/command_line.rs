//! How it starts, stops, and what it leaves behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;

use pratique_testkit::component;
use pratique_testkit::process::{Process, Signal, eventually, get};
use pratique_testkit::sandbox::{Conduct, SandboxFarm};

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
fn what_is_wrong_first_is_told_first_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let pid = format!("--pid-file={}", path("pid"));
    // The root comes before the address.
    let root = format!("--root={}", path("missing"));
    check(&["metric-server", &root, "--metric-server=nowhere", &pid], 128, "invalid root");
    // A folder that is none.
    fs::write(path("file"), "").expect("a file");
    let root = format!("--root={}", path("file"));
    let socket = format!("--metric-server={}", path("m.sock"));
    check(&["metric-server", &root, &socket, &pid], 128, "invalid root");
    // The address comes before the pid file, and what lies in its place is not touched.
    let root = format!("--root={}", folder.path().display());
    let occupied = format!("--metric-server={}", path("file"));
    let said = "a file that is not a socket is there";
    check(&["metric-server", &root, &occupied, &pid], 128, said);
    assert!(fs::metadata(path("file")).expect("it stays").is_file());
    // Nobody else's process id is taken away.
    fs::write(path("pid"), "1").expect("a file");
    check(&["metric-server", &root, &occupied, &pid], 128, said);
    assert_eq!(fs::read_to_string(path("pid")).expect("it stays"), "1");
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["file", "pid"]);
}

#[test]
fn a_socket_of_another_user_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.sock");
    drop(UnixListener::bind(&path).expect("a socket"));
    if chown(&path, Some(65_534), None).is_err() {
        component::absent("root", "a socket is given to another user by root");
        return;
    }
    let root = format!("--root={}", folder.path().display());
    let address = format!("--metric-server={}", path.display());
    check(&["metric-server", &root, &address], 128, "a socket of another user is there");
    assert!(path.exists());
}

#[test]
fn the_root_is_runscs_unless_another_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("runsc");
    fs::create_dir(&root).expect("a folder");
    let mut command = program(&["metric-server", "--metric-server=%RUNTIME_ROOT%/m.sock"]);
    command.env("XDG_RUNTIME_DIR", folder.path());
    let process = Process::spawn("metric-server", command);
    let line = process.wait_for_line("serving on", DEADLINE);
    assert!(line.ends_with(&format!("for root directory {}", root.display())), "{line}");
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&root.join("m.sock"), request).status, 200);
}

#[test]
fn an_address_of_all_interfaces_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = format!("--root={}", folder.path().display());
    let warning = "everybody who can connect sees all containers";
    for (address, is_warned) in [(":0", true), ("127.0.0.1:0", false)] {
        let flag = format!("--metric-server={address}");
        let process = Process::spawn("metric-server", program(&["metric-server", &root, &flag]));
        let line = process.wait_for_line("serving on", DEADLINE);
        assert_eq!(process.said().contains(warning), is_warned, "{}", process.said());
        let (_, rest) = line.split_once("serving on ").expect("it stands there");
        let port = rest.split(' ').next().and_then(|address| address.rsplit(':').next());
        let address = format!("127.0.0.1:{}", port.expect("a port"));
        let (status, body) = get(&address, "/runsc-metrics/pid").expect("an answer");
        assert_eq!((status, body), (200, process.id().to_string()), "{line}");
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
    assert_eq!(process.said().matches("stopping").count(), 1, "{}", process.said());
    assert!(!socket.exists());
    let flags = [flags.as_slice(), &["-allow-unknown-root"]].concat();
    let process = Process::spawn("metric-server", program(&flags));
    process.wait_for_line("serving on", DEADLINE);
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&socket, request).status, 200);
    assert!(process.is_running());
    // It comes, what is in it is served, and it goes again.
    fs::create_dir(&root).expect("a folder");
    let sandboxes = [("s".to_owned(), Conduct::Idle)];
    let farm = SandboxFarm::start(&root, &socket.display().to_string(), &sandboxes);
    let is_served = || ask(&socket, request).text().contains("sandbox=\"s\"");
    eventually("the sandbox is found", DEADLINE, is_served);
    drop(farm);
    fs::remove_dir_all(&root).expect("a folder");
    eventually("the sandbox has gone", DEADLINE, || !is_served());
    let complaints = process.said().matches("waiting for it").count();
    assert_eq!(complaints, 2, "one for each time: {}", process.said());
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
