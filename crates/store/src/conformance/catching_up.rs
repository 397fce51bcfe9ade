//! Cases about what the matcher asks when it has something to catch up with.

use pratique_model::{Ecosystem, PartId};

use super::registering::{deb, npm, register};
use super::sample::{advisory, at, bookworm, commit, commit_facts, kev, options, part};
use super::{Case, list};
use crate::{CommitOptions, Database, Impact, PackageKey, Staging};

pub(super) const CASES: &[Case] = list![
    the_last_first_load_of_a_part_is_known,
    the_packages_that_a_part_speaks_of_are_paged,
    packages_are_pending_until_they_were_assessed,
    a_package_is_held_since_the_first_of_the_images_that_hold_it_now,
];

fn the_last_first_load_of_a_part_is_known(database: &mut Database) {
    let baseline = |database: &Database| database.baseline_generation(&part()).expect("an answer");
    assert_eq!(baseline(database), None);
    let mut staging = Staging::new(part(), None);
    staging.advisory(&advisory("CVE-2024-0001", "a", None));
    let choice = CommitOptions { is_partial: true, ..options(1) };
    database.commit(staging, &choice).expect("a commit");
    assert_eq!(baseline(database), Some(1));
    commit(database, &part(), 2, &[advisory("CVE-2024-0001", "a", None)]).expect("a commit");
    assert_eq!(baseline(database), Some(2), "the first whole load");
    commit(database, &part(), 3, &[advisory("CVE-2024-0001", "b", None)]).expect("a commit");
    assert_eq!(baseline(database), Some(2));
}

fn the_packages_that_a_part_speaks_of_are_paged(database: &mut Database) {
    let kevs = PartId::new("kev", "kev");
    commit(database, &part(), 1, &[advisory("CVE-2024-0001", "a", None)]).expect("a commit");
    commit_facts(database, &kevs, 1, &[kev("CVE-2024-0001")]);
    assert_eq!(database.covered_by(&kevs).expect("an answer"), []);
    let covered = database.covered_by(&part()).expect("an answer");
    assert_eq!(covered, [(Ecosystem::Deb, Some(bookworm()))]);
    register(database, 1, &[deb("a", "1"), npm("n", "1"), deb("b", "1"), deb("c", "1")], at(2));
    let page = |after, limit| {
        let found = database.packages_of(&covered, after, limit).expect("an answer");
        found.into_iter().map(|found| (found.key, found.package.name)).collect::<Vec<_>>()
    };
    let all = page(None, 9);
    let mut names: Vec<&str> = all.iter().map(|(_, name)| &**name).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(page(None, 2), all[..2]);
    assert_eq!(page(Some(all[1].0), 2), all[2..]);
    assert_eq!(page(Some(all[2].0), 2), []);
    assert_eq!(database.packages_of(&[], None, 9).expect("an answer"), []);
}

fn packages_are_pending_until_they_were_assessed(database: &mut Database) {
    register(database, 1, &[deb("a", "1"), deb("b", "1"), deb("c", "1")], at(2));
    let pending = database.pending_packages(9).expect("an answer");
    let keys: Vec<PackageKey> = pending.iter().map(|package| package.key).collect();
    let impact = Impact { assessed: vec![keys[1]], ..Impact::default() };
    database.write_impact(&impact, at(3)).expect("written");
    let left = database.pending_among(&keys).expect("an answer");
    assert_eq!(left, [keys[0], keys[2]]);
    assert_eq!(database.pending_among(&keys[1..2]).expect("an answer"), []);
}

fn a_package_is_held_since_the_first_of_the_images_that_hold_it_now(database: &mut Database) {
    register(database, 1, &[deb("a", "1"), deb("b", "1")], at(2));
    register(database, 2, &[deb("b", "1"), deb("c", "1")], at(3));
    register(database, 2, &[deb("b", "1"), deb("c", "1")], at(4));
    let pending = database.pending_packages(9).expect("an answer");
    let key = |name: &str| {
        let found = pending.iter().find(|stored| stored.package.name == name);
        found.expect("it is pending").key
    };
    let keys = [key("a"), key("b"), key("c")];
    let since = database.held_since(&keys).expect("an answer");
    assert_eq!(since, [(keys[0], at(2)), (keys[1], at(2)), (keys[2], at(3))]);
    let image = database.images_named("registry.example/app-1:1", 1).expect("an answer")[0].key;
    database.remove_image(image).expect("removed");
    let since = database.held_since(&keys).expect("an answer");
    assert_eq!(since, [(keys[1], at(3)), (keys[2], at(3))]);
}
