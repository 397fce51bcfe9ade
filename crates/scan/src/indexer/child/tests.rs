//! The process of one image, with shells in its place.

use super::*;

const LONG: Duration = Duration::from_secs(60);

/// Runs a shell's script, which finds the target as `$1`.
async fn shell(script: &str, time_max: Duration) -> String {
    let command: Vec<OsString> = ["sh", "-c", script, "sh"].map(OsString::from).to_vec();
    match run(&command, "k8s.io/app:1", time_max).await.expect("a shell") {
        End::Report(report) => format!("report {}", String::from_utf8_lossy(&report).trim()),
        End::Refused(words) => format!("refused {words}"),
        End::Killed(words) => format!("killed {words}"),
    }
}

#[tokio::test]
async fn the_end_of_a_process_says_what_became_of_the_image() {
    for (script, expected) in [
        ("echo \"$1\"", "report k8s.io/app:1"),
        ("echo 'pratique: no such image' >&2; echo 'hint: x' >&2; exit 4", "refused no such image"),
        ("exit 3", "refused exit code 3"),
        ("echo 'slice index' >&2; exit 101", "killed a fault of the reader: slice index"),
        ("echo half; kill -9 $$", "killed ended by signal 9"),
        ("echo 'an invariant' >&2; kill -6 $$", "killed ended by signal 6: an invariant"),
        (
            "echo 'memory allocation of 9 bytes failed' >&2; echo trace: >&2; kill -6 $$",
            "killed more memory than it may take: memory allocation of 9 bytes failed",
        ),
    ] {
        assert_eq!(shell(script, LONG).await, expected, "{script}");
    }
}

#[tokio::test]
async fn a_process_that_says_much_is_read_to_its_end() {
    let end = shell("head -c 1000000 /dev/zero >&2; echo done", LONG).await;
    assert_eq!(end, "report done");
}

#[tokio::test]
async fn a_process_that_takes_too_long_is_killed() {
    let end = shell("exec sleep 600", Duration::from_millis(50)).await;
    assert_eq!(end, "killed not done in 0 s");
}

#[tokio::test]
async fn a_command_that_is_not_there_is_an_error() {
    let command = ["/nowhere/pratique".into()];
    // `ionice` is there and says so itself, or is not and the system does.
    match run(&command, "x", LONG).await {
        Ok(End::Refused(words)) => assert!(words.contains("/nowhere/pratique"), "{words}"),
        Ok(end) => panic!("{end:?}"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
    }
}
