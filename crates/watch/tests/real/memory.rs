//! What the kernel kills for memory is told apart from what ends by itself.

use pratique_watch::Config;

use crate::bed::{Watch, on_each};

const NS: &str = "t";

/// 16 MiB.
const LIMIT: [&str; 2] = ["--memory-limit", "16777216"];

#[test]
fn init_killed_for_memory_is_oom_killed_and_a_child_is_not() {
    on_each(|containerd| {
        containerd.import_busybox(NS);
        let mut watch = Watch::following(&containerd, Config::default());
        containerd.run_container(NS, "init", &LIMIT, &["sh", "-c", "x=$(seq 1 100000000)"]);
        // On a busy machine the kernel may look for a second victim before the first one's memory
        // is free: then it shall be seq, not init.
        let greedy = "echo 1000 > /proc/self/oom_score_adj; x=$(seq 1 100000000)";
        let child = format!("sh -c '{greedy}'; sleep 2; exit 3");
        containerd.run_container(NS, "child", &LIMIT, &["sh", "-c", &child]);
        containerd.run_container(NS, "killed", &[], &["sh", "-c", "kill -9 $$; sleep 1000"]);
        containerd.run_container(NS, "alive", &[], &["sleep", "1000"]);
        containerd.ctr(NS, &["task", "kill", "-s", "SIGKILL", "alive"]);
        watch.until("both ends are told", |watch| {
            ["init", "child", "alive"].iter().all(|id| watch.ends().iter().any(|end| end.0 == *id))
        });
        let end = |id: &str| {
            let all = watch.ends().into_iter().filter(|end| end.0 == id);
            all.map(|(_, code, reason)| (code, reason)).collect::<Vec<_>>()
        };
        assert_eq!(end("init"), [(137, "OOMKilled".to_owned())]);
        assert_eq!(end("child"), [(3, "Error".to_owned())]);
        assert_eq!(end("alive"), [(137, "Error".to_owned())], "a kill is not for memory");
        assert!(watch.container(NS, "child").expect("kept").oom_count > 0);
        watch.stop();
    });
}
