//! The cluster itself, on a real PostgreSQL.

use super::{Cluster, Durability, absent, cluster, fresh_database};

#[test]
fn each_database_begins_as_the_template_and_is_alone() {
    let Some(shared) = cluster() else { return };
    let migrate = |_: &str| {
        shared.query(super::TEMPLATE, "CREATE TABLE fact (text TEXT); INSERT INTO fact VALUES (1)");
    };
    let first = fresh_database(migrate).expect("it is there");
    let second = fresh_database(|_| panic!("the template was made")).expect("it is there");
    first.execute("INSERT INTO fact VALUES ('two')");
    assert_eq!(first.execute("SELECT count(*) FROM fact"), "2");
    assert_eq!(second.execute("SELECT count(*) FROM fact"), "1");
    let name = first.name.clone();
    drop(first);
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(shared.execute(&left), "0");
}

#[test]
fn what_was_committed_survives_a_crash_and_nothing_survives_the_drop() {
    let Some(own) = Cluster::start(Durability::Full) else { return absent() };
    let folder = own.folder.clone();
    let database = own.empty_database();
    database.execute("CREATE TABLE fact (number INTEGER); INSERT INTO fact VALUES (7)");
    own.crash();
    assert!(!folder.join("data/postmaster.pid").exists(), "the server still runs");
    own.restart();
    assert_eq!(database.execute("SELECT number FROM fact"), "7");
    drop(database);
    drop(own);
    assert!(!folder.exists(), "{} was left over", folder.display());
}
