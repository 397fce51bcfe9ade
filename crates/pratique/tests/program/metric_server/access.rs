//! Who may scrape: users, rate, certificates.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pratique_testkit::component;
use pratique_testkit::process::{Process, eventually};

use super::{DEADLINE, Served, program};

/// bcrypt of `secret` with cost 4, for the user `a`.
const USERS: &str = "basic_auth_users:\n  \
    a: $2b$04$WrqtzUG43SVXaP0XVvYVxOoz3auTqjS86KIyrhogTJVQWsADO3cPq\n";

#[test]
fn users_and_rate_are_kept_and_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.yaml");
    fs::write(&file, USERS).expect("a file");
    let served = Served::start(&[&format!("--web.config.file={}", file.display())]);
    let ask = |header: &str| served.ask(&format!("GET /runsc-metrics/pid HTTP/1.1\r\n{header}"));
    let refused = ask("");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Basic")));
    assert_eq!(ask("Authorization: Basic YTpzZWNyZXQ=\r\n").status, 200);
    assert_eq!(ask("Authorization: Basic YTpvdGhlcg==\r\n").status, 401);
    fs::write(&file, "rate_limit: {interval: 1h, burst: 3}\n").expect("a file");
    eventually("it is read again", DEADLINE, || ask("").status == 200);
    eventually("the burst is used up", DEADLINE, || ask("").status == 429);
    assert_eq!(ask("").text(), "too many requests\n");
}

#[test]
fn a_file_that_becomes_wrong_leaves_the_rules_before_it_in_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.yaml");
    fs::write(&file, USERS).expect("a file");
    let served = Served::start(&[&format!("--web.config.file={}", file.display())]);
    let ask = |header: &str| served.ask(&format!("GET /metrics HTTP/1.1\r\n{header}"));
    let known = "Authorization: Basic YTpzZWNyZXQ=\r\n";
    for (number, broken) in
        ["basic_auth_users: [", "what: {}", "basic_auth_users: {a: secret}"].into_iter().enumerate()
    {
        fs::write(&file, broken).expect("a file");
        eventually("it is said", DEADLINE, || {
            served.process.said().matches("the rules before it stay in force").count() > number
        });
        let refused = ask("");
        assert_eq!((refused.status, refused.text().as_str()), (401, "unauthorized\n"), "{broken}");
        assert_eq!(ask(known).status, 200, "{broken}");
    }
    // Away is as wrong as unreadable.
    fs::remove_file(&file).expect("it was there");
    eventually("it is said", DEADLINE, || {
        served.process.said().matches("the rules before it stay in force").count() > 3
    });
    assert_eq!(ask("").status, 401);
    fs::write(&file, "").expect("a file");
    eventually("it is read again", DEADLINE, || ask("").status == 200);
}

#[test]
fn every_route_asks_for_a_user() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.yaml");
    fs::write(&file, USERS).expect("a file");
    let flag = format!("--web.config.file={}", file.display());
    let served = Served::start(&[&flag, "--allow-profiling"]);
    for path in [
        "/",
        "/metrics",
        "/metrics%3Fa=b",
        "/nothing",
        "/runsc-metrics/healthcheck",
        "/runsc-metrics/pid",
        "/runsc-metrics/profile-cpu",
        "/runsc-metrics/profile-heap",
    ] {
        assert_eq!(served.get(path).status, 401, "{path}");
    }
}

#[test]
fn tls_is_as_old_as_it_may_be_and_its_certificate_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    if !make_certificates(folder.path()) {
        component::absent("openssl", "openssl and curl make certificates and show them");
        return;
    }
    let file = folder.path().join("web.yaml");
    let rules = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  \
        client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n  \
        min_version: TLS13\n";
    fs::write(&file, rules).expect("a file");
    let flag = format!("--web.config.file={}", file.display());
    let served = Served::start(&[&flag]);
    let curl = |more: &[&str]| {
        let mut command = Command::new("curl");
        command.current_dir(folder.path()).args(["-s", "--cacert", "server.pem"]).args(more);
        command.arg("--unix-socket").arg(served.socket());
        command.arg("https://localhost/runsc-metrics/pid");
        command.output().expect("curl").status.success()
    };
    assert!(curl(&[]), "no certificate is fine");
    assert!(curl(&["--cert", "client.pem", "--key", "client.key"]));
    assert!(!curl(&["--cert", "server.pem", "--key", "server.key"]), "a stranger's is not");
    assert!(!curl(&["--tls-max", "1.2"]));
    let plain = UnixStream::connect(served.socket()).and_then(|mut stream| {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).map(|_| text)
    });
    assert!(!plain.is_ok_and(|text| text.starts_with(b"HTTP")), "plain HTTP is not spoken");
    for name in ["server.pem", "server.key"] {
        fs::rename(folder.path().join(name), folder.path().join(format!("old-{name}")))
            .expect("it");
    }
    assert!(make_certificates(folder.path()));
    eventually("the new certificate is shown", DEADLINE, || curl(&[]));
}

#[test]
fn a_configuration_that_cannot_be_kept_ends_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.yaml");
    fs::write(&file, "http_server_config: {headers: {a: b}}\n").expect("a file");
    let process = super::server(folder.path(), &["-web.config.file", &file.display().to_string()]);
    assert_eq!(process.wait(DEADLINE).code(), Some(128), "{}", process.said());
    assert!(process.said().contains("web.yaml"), "{}", process.said());
}

#[test]
fn clients_without_a_certificate_are_turned_away() {
    let folder = tempfile::tempdir().expect("a folder");
    if !make_certificates(folder.path()) {
        component::absent("openssl", "openssl and curl make certificates and show them");
        return;
    }
    let file = folder.path().join("web.yaml");
    let rules = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  \
        client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    fs::write(&file, rules).expect("a file");
    let socket = folder.path().join("metrics.sock");
    let process = Process::spawn(
        "metric-server",
        program(&[
            "metric-server",
            &format!("--root={}", folder.path().display()),
            &format!("--metric-server={}", socket.display()),
            &format!("--web.config.file={}", file.display()),
        ]),
    );
    process.wait_for_line("serving on", DEADLINE);
    let curl = |more: &[&str]| {
        let mut command = Command::new("curl");
        command.current_dir(folder.path()).args(["-s", "--cacert", "server.pem"]).args(more);
        command.arg("--unix-socket").arg(&socket).arg("https://localhost/runsc-metrics/pid");
        let output = command.output().expect("curl");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert!(!curl(&[]).0, "no certificate");
    let with = ["--cert", "client.pem", "--key", "client.key"];
    assert_eq!(curl(&with), (true, process.id().to_string()));
    let own = ["--cert", "server.pem", "--key", "server.key"];
    assert!(!curl(&own).0, "a certificate of nobody known");
    assert_eq!(process.terminate(DEADLINE + Duration::from_secs(10)).code(), Some(0));
}

/// A server's certificate, an authority, and a client's certificate by it.
fn make_certificates(folder: &Path) -> bool {
    let script = "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
            -keyout server.key -out server.pem -subj /CN=localhost \
            -addext subjectAltName=DNS:localhost
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
            -keyout ca.key -out ca.pem -subj /CN=ca
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
            -keyout client.key -out client.csr -subj /CN=client
        echo extendedKeyUsage=clientAuth > client.ext
        openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
            -out client.pem -extfile client.ext
        curl --version";
    let output = Command::new("sh").args(["-c", script]).current_dir(folder).output();
    output.is_ok_and(|output| output.status.success())
}
