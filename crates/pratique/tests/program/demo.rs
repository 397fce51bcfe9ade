//! `pratique demo`.

use crate::house::House;

#[test]
fn the_demo_shows_the_chain_and_what_the_last_layer_removed_is_gone() {
    let house = House::new();
    let ran = house.run(&["demo", "--skip-host"]).expect(0).says(&[
        "log4j-core",
        "CVE-2021-44228",
        "orders.jar!/BOOT-INF/lib/log4j-core-2.14.1.jar",
        "CVE-2023-4911",
        "lodash",
        "days old",
        "generation 2, 1 new",
        "1 notification in the outbox",
        "debian:12/glibc",
        "yes: CVE-2023-6246 concerns 1 of 1 image",
        "Try next",
    ]);
    assert!(!ran.stdout.contains("minimist"), "a removed package was reported:\n{}", ran.stdout);
    let (_, suggestions) = ran.stdout.split_once("Try next:\n").expect("they come last");
    let remarks: Vec<usize> = suggestions.lines().filter_map(|line| line.find("  # ")).collect();
    assert!(remarks.len() > 3 && remarks.iter().all(|at| *at == remarks[0]), "{suggestions}");
    assert_eq!(house.names(), ["pratique-demo.oci.tar", "stdin"], "nothing else is left behind");
    let archive = house.text_path("pratique-demo.oci.tar");
    // What the bundled excerpts do not name is not assessed, and that is never "clean".
    let again = house.run(&["scan", &archive, "--offline", "-o", "json"]).expect(5);
    let again = again.says(&["bundled snapshot", "not assessed"]).json();
    assert!(again["findings"].as_array().is_some_and(|findings| findings.len() > 10));
}
