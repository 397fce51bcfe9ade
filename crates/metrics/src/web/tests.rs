//! Web configurations, good and bad, and what becomes of requests under them.

use super::*;

/// bcrypt of `secret`, cost 4.
fn hash() -> String {
    bcrypt::hash("secret", 4).expect("a hash")
}

fn write(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.yaml");
    fs::write(&path, text).expect("a file");
    (folder, path)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let (_folder, path) = write(text);
    let got = match Web::open(Some(&path)) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(got.contains(expected), "{text}\nexpected: {expected}\ngot: {got}");
}

#[test]
fn what_cannot_be_done_is_refused() {
    check("", "accepted");
    check(&format!("basic_auth_users:\n  a: {}\n", hash()), "accepted");
    check("rate_limit: {interval: 100ms, burst: 2}\n", "accepted");
    check("basic_auth_users:\n  a: secret\n", "no bcrypt hash");
    check("rate_limit: {interval: 1s, burst: 0}\n", "lets nobody in");
    check("rate_limit: {interval: soon, burst: 1}\n", "no duration");
    check("http_server_config: {http2: true}\n", "http_server_config");
    check("a: [", "web.yaml");
    check("tls_server_config: {cert_file: no.pem, key_file: no.key}\n", "no.pem");
    let missing = Web::open(Some(Path::new("/no/such/file")));
    assert!(missing.is_err_and(|error| error.to_string().contains("/no/such/file")));
}

#[tokio::test]
async fn users_are_known_by_their_passwords() {
    let (_folder, path) = write(&format!("basic_auth_users:\n  a: {}\n", hash()));
    let web = Web::open(Some(&path)).expect("valid");
    let header = |text: &str| format!("Basic {}", STANDARD.encode(text));
    for _ in 0..2 {
        assert_eq!(web.judge(Some(&header("a:secret"))).await, Verdict::Allowed);
        assert_eq!(web.judge(Some(&header("a:other"))).await, Verdict::Unknown);
        assert_eq!(web.judge(Some(&header("b:secret"))).await, Verdict::Unknown);
        assert_eq!(web.judge(Some("Basic ?")).await, Verdict::Unknown);
        assert_eq!(web.judge(Some("Bearer x")).await, Verdict::Unknown);
        assert_eq!(web.judge(None).await, Verdict::Unknown);
    }
}

#[test]
fn nobody_has_a_hash_that_takes_as_long() {
    assert!(NOBODY.parse::<bcrypt::HashParts>().is_ok());
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_rate_are_refused() {
    let (_folder, path) = write("rate_limit: {interval: 1s, burst: 2}\n");
    let web = Web::open(Some(&path)).expect("valid");
    assert_eq!(web.judge(None).await, Verdict::Allowed);
    assert_eq!(web.judge(None).await, Verdict::Allowed);
    assert_eq!(web.judge(None).await, Verdict::TooMany);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(web.judge(None).await, Verdict::Allowed);
    assert_eq!(web.judge(None).await, Verdict::TooMany);
}

#[tokio::test]
async fn a_changed_file_is_read_again_and_a_broken_one_changes_nothing() {
    let (_folder, path) = write("");
    let web = Web::open(Some(&path)).expect("valid");
    assert_eq!(web.judge(None).await, Verdict::Allowed);
    let later = |seconds| {
        let file = fs::File::options().append(true).open(&path).expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).expect("a file");
    };
    fs::write(&path, format!("basic_auth_users:\n  a: {}\n", hash())).expect("a file");
    later(1);
    web.refresh();
    assert_eq!(web.judge(None).await, Verdict::Unknown);
    fs::write(&path, "basic_auth_users: [").expect("a file");
    later(2);
    web.refresh();
    assert_eq!(web.judge(None).await, Verdict::Unknown, "the rules before it stay in force");
    fs::write(&path, "").expect("a file");
    later(3);
    web.refresh();
    assert_eq!(web.judge(None).await, Verdict::Allowed);
}
