//! A PostgreSQL that is reached by TLS alone: with its authority everything works, and whoever
//! cannot verify it does not speak with it.

use pratique_testkit::feed::DebianEntry;
use pratique_testkit::postgres::TlsCluster;
use pratique_testkit::process::eventually;

use crate::bed::{Bed, DEADLINE, DEBIAN, ballast};
use crate::service::{Service, wait_for_generation};

#[test]
fn a_server_is_used_by_tls_when_it_can_be_verified_and_else_not_at_all() {
    let Some(server) = TlsCluster::start() else { return };
    let database = server.cluster().empty_database();
    let authority = server.authority().display().to_string();
    let verified = format!("sslmode=verify-full&sslrootcert={authority}");
    let bed = Bed::on(server.url("localhost", database.name(), &verified));
    let mut entries = ballast(100);
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    bed.register("app", &[("bash", "5.0")]);
    let service = Service::start(&bed, "service", DEBIAN, "update,match");
    entries.push(DebianEntry::new("bash", "CVE-2026-0001", Some("5.1")));
    bed.publish_debian(&entries);
    wait_for_generation(&bed, DEBIAN, 2);
    eventually("the change is told", DEADLINE, || bed.reasons() == ["new CVE-2026-0001"]);
    let open = "FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                WHERE application_name = 'pratique'";
    assert_ne!(database.execute(&format!("SELECT count(*) {open} AND ssl")), "0");
    assert_eq!(database.execute(&format!("SELECT count(*) {open} AND NOT ssl")), "0");
    service.stop(&bed);

    let stranger = format!("sslmode=verify-full&sslrootcert={}", server.stranger().display());
    let refused = [
        ("localhost", stranger.as_str(), "certificate: UnknownIssuer"),
        // Who asks for a name that the certificate does not have.
        ("127.0.0.1", &verified, "certificate: certificate not valid for name"),
        // The authorities of the system do not know it either.
        ("localhost", "sslmode=require", "certificate: UnknownIssuer"),
        ("localhost", "sslmode=disable", "no pg_hba.conf entry"),
    ];
    for (host, options, reason) in refused {
        let address = server.url(host, database.name(), options);
        let ran = bed.run(&["db", "status", "--db", &address]).expect(&[3]);
        assert!(ran.stderr.contains(reason), "{options}: {}", ran.stderr);
        assert!(ran.stderr.contains(host), "{options}: {}", ran.stderr);
    }
}
