//! `pratique serve`: starts, answers, keeps fresh, listens to signals, stops.

use std::time::Duration;

use pratique_testkit::process::{self, Process, Signal};

use crate::house::House;

/// How long a machine that is busy with other tests may take for anything here.
const DEADLINE: Duration = Duration::from_secs(60);

/// A service on a free port, and where it answers.
fn serve(house: &House, db: &str, flags: &[&str]) -> (Process, String) {
    let mirror = house.mirror();
    let mut arguments = vec!["serve", "--db", db, "--mirror", &mirror, "--listen", "127.0.0.1:0"];
    arguments.extend(flags);
    let process = Process::spawn("serve", house.command(&arguments));
    let line = process.wait_for_line("metrics and health at ", DEADLINE);
    let (_, rest) = line.split_once("metrics and health at ").expect("it was waited for");
    let address = rest.split_whitespace().next().expect("an address").to_owned();
    (process, address)
}

fn get(address: &str, path: &str) -> (u16, String) {
    process::get(address, path).expect("it answers")
}

#[test]
fn a_service_loads_matches_answers_and_stops() {
    House::on_both_stores(|house, db| {
        let image = house.alpine();
        house.run(&["scan", &image, "--offline", "--register", "--db", db]).expect(0);
        let (service, address) = serve(house, db, &["--sources", "alpine/v3.10,kev"]);
        process::eventually("readiness", DEADLINE, || get(&address, "/readyz").0 == 200);
        assert_eq!(get(&address, "/healthz"), (200, "ok\n".to_owned()));
        assert_eq!(get(&address, "/").0, 404);
        let (status, metrics) = get(&address, "/metrics");
        assert_eq!(status, 200);
        let size = process::metric(&metrics, "pratique_store_size_bytes", &[]);
        assert!(size.is_some_and(|bytes| bytes > 0.0), "{metrics}");
        for name in ["pratique_updater_entries{", "pratique_matcher_duration_seconds"] {
            // Data of an earlier round make it ready before its rooms have looked.
            process::eventually(name, DEADLINE, || get(&address, "/metrics").1.contains(name));
        }
        // A signal looks at everything now, whatever the interval.
        house.musl_is_fixed_in(Some("1.1.22-r6"));
        service.signal(Signal::HUP);
        process::eventually("the notification", DEADLINE, || {
            let list = house.run(&["notify", "list", "--db", db]).expect(0);
            list.stdout.contains("1.1.22-r6")
        });
        assert!(service.terminate(DEADLINE).success(), "{}", service.said());
        assert!(service.said().contains("stopped"), "{}", service.said());
    });
}

#[test]
fn a_service_without_data_is_not_ready_and_says_why() {
    let house = House::new();
    std::fs::create_dir(house.path("feeds")).expect("can be made");
    let (service, address) = serve(&house, &house.db(), &["--only", "match"]);
    let (status, reasons) = get(&address, "/readyz");
    assert_eq!(status, 503, "{reasons}");
    assert!(reasons.contains("nothing is loaded yet"), "{reasons}");
    assert!(service.terminate(DEADLINE).success(), "{}", service.said());
}

#[test]
fn a_wrong_setting_ends_the_program_before_anything_is_opened() {
    let house = House::new();
    let serve = |flags: &[&str]| {
        let db = house.db();
        let mut arguments = vec!["serve", "--db", &db, "--listen", "127.0.0.1:0"];
        arguments.extend(flags);
        house.run(&arguments)
    };
    serve(&["--only", "sleep"]).expect(2).says(&["sleep", "update"]);
    serve(&["--sources", "debain"]).expect(2).says(&["debain", "debian"]);
    serve(&["--interval", "often"]).expect(2).says(&["often"]);
    serve(&["--mirror", "ftp://x"]).expect(2).says(&["ftp"]);
    serve(&["--lease-ttl", "0"]).expect(2).says(&["lease times"]);
    house.run(&["serve", "--listen", "nowhere"]).expect(2).says(&["nowhere", "host:port"]);
    assert_eq!(house.names(), ["stdin"]);
    house.write("foreign.sqlite", b"this is no database at all, only some text");
    house.run(&["serve", "--db", "foreign.sqlite"]).expect(2).says(&["foreign.sqlite"]);
}
