//! Cases about what changes are about.

use pratique_model::{Ecosystem, PartId, Release};

use super::sample::{advisory, affected, bookworm, commit, commit_facts, epss, kev, part};
use super::{Case, list};
use crate::{ChangeCursor, ChangeKind, ChangedKey, Database};

pub(super) const CASES: &[Case] = list![
    a_change_knows_its_packages_whatever_became_of_its_advisory,
    what_an_advisory_was_about_is_known_after_it_came_back,
    a_fact_is_about_the_packages_of_all_advisories,
    a_score_that_reaches_a_threshold_is_told_once,
    changes_can_be_read_in_slices,
];

fn keys(database: &Database, part: &PartId, generation: u64) -> Vec<ChangedKey> {
    let after = ChangeCursor::after_generation(generation);
    database.changed_keys(part, after, 100).expect("changes")
}

/// What each change is about, in short.
fn told(database: &Database, generation: u64) -> Vec<(ChangeKind, String, String, String)> {
    let short = |key: ChangedKey| {
        let packages: Vec<String> = key
            .packages
            .iter()
            .map(|(_, release, name)| match release {
                Some(release) => format!("{release}/{name}"),
                None => name.clone(),
            })
            .collect();
        let advisory = key.advisory.unwrap_or_default();
        (key.kind, advisory, key.vulnerabilities.join(" "), packages.join(" "))
    };
    keys(database, &part(), generation).into_iter().map(short).collect()
}

fn a_change_knows_its_packages_whatever_became_of_its_advisory(database: &mut Database) {
    let mut two = advisory("CVE-2024-0001", "a", None);
    let mut older = affected("a", None);
    older.release = Some(Release::new("debian", "11"));
    two.affected.push(older);
    two.affected.push(affected("b", None));
    let other = advisory("CVE-2024-0002", "c", None);
    commit(database, &part(), 1, std::slice::from_ref(&other)).expect("a commit");
    let baseline = keys(database, &part(), 0);
    assert_eq!((baseline[0].kind, baseline.len()), (ChangeKind::Baseline, 1));
    assert!(baseline[0].packages.is_empty());
    let word = str::to_owned;
    let id = "CVE-2024-0001";
    commit(database, &part(), 2, &[other.clone(), two.clone()]).expect("a commit");
    let all = word("debian:11/a debian:12/a debian:12/b");
    assert_eq!(told(database, 1), [(ChangeKind::New, word(id), word(id), all.clone())]);
    let mut narrow = two.clone();
    narrow.affected.pop();
    commit(database, &part(), 3, &[other.clone(), narrow]).expect("a commit");
    let gone = (ChangeKind::Withdrawn, word(id), word(id), word("debian:12/b"));
    assert_eq!(told(database, 2), [gone]);
    commit(database, &part(), 4, std::slice::from_ref(&other)).expect("a commit");
    let gone = (ChangeKind::Withdrawn, word(id), word(id), word("debian:11/a debian:12/a"));
    assert_eq!(told(database, 3), [gone]);
    commit(database, &part(), 5, &[other.clone(), two.clone()]).expect("a commit");
    assert_eq!(told(database, 4), [(ChangeKind::New, word(id), word(id), all.clone())]);
    two.vulnerabilities = vec![word("CVE-2024-0009"), word(id)];
    commit(database, &part(), 6, &[other, two]).expect("a commit");
    assert_eq!(told(database, 5), [(ChangeKind::New, word(id), word("CVE-2024-0009"), all)]);
}

fn what_an_advisory_was_about_is_known_after_it_came_back(database: &mut Database) {
    let other = advisory("CVE-2024-0002", "c", None);
    let mut old = advisory("CVE-2024-0001", "a", None);
    old.affected.push(affected("b", None));
    commit(database, &part(), 1, &[other.clone(), old]).expect("a commit");
    commit(database, &part(), 2, std::slice::from_ref(&other)).expect("a commit");
    let new = advisory("CVE-2024-0001", "b", None);
    commit(database, &part(), 3, &[other, new]).expect("a commit");
    let word = str::to_owned;
    let id = "CVE-2024-0001";
    let new = (ChangeKind::New, word(id), word(id), word("debian:12/b"));
    let gone = (ChangeKind::Withdrawn, word(id), word(id), word("debian:12/a"));
    assert_eq!(told(database, 2), [new, gone]);
}

fn a_fact_is_about_the_packages_of_all_advisories(database: &mut Database) {
    let id = "CVE-2024-0001";
    let other = PartId::new("ubuntu", "ubuntu");
    commit(database, &part(), 1, &[advisory(id, "a", None)]).expect("a commit");
    commit(database, &other, 1, &[advisory(id, "b", None)]).expect("a commit");
    let facts = PartId::new("kev", "kev");
    commit_facts(database, &facts, 1, &[kev("CVE-2024-0005")]);
    commit_facts(database, &facts, 2, &[kev("CVE-2024-0005"), kev(id), kev("CVE-2024-0006")]);
    let found = keys(database, &facts, 1);
    let name = |name: &str| (Ecosystem::Deb, Some(bookworm()), name.to_owned());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].vulnerabilities, [id]);
    assert_eq!(found[0].packages, [name("a"), name("b")]);
    assert!(found[1].packages.is_empty(), "nobody speaks of it");
}

fn a_score_that_reaches_a_threshold_is_told_once(database: &mut Database) {
    let scores = PartId::new("epss", "epss");
    let mut hour = 0;
    let mut commit = |score: f64, fresh: f64| {
        hour += 1;
        let facts = [epss("CVE-2024-0001", score), epss(&format!("CVE-2025-{hour:04}"), fresh)];
        commit_facts(database, &scores, hour, &facts).generation
    };
    let steps =
        [(0.6, 0.0), (0.05, 0.09), (0.1, 0.0), (0.3, 0.0), (0.09, 0.0), (0.9, 0.0), (0.95, 0.2)];
    for (score, fresh) in steps {
        commit(score, fresh);
    }
    let found = keys(database, &scores, 1);
    let told: Vec<_> = found
        .iter()
        .map(|key| {
            assert_eq!(key.kind, ChangeKind::EpssCrossed);
            let value = |value: &Option<String>| value.clone().unwrap_or_default();
            (key.cursor.generation, value(&key.old), value(&key.new))
        })
        .collect();
    let expected = [(3, "0.05", "0.1"), (6, "0.09", "0.9"), (7, "0", "0.2")];
    let expected = expected.map(|(generation, old, new)| (generation, old.into(), new.into()));
    assert_eq!(told, expected);
}

fn changes_can_be_read_in_slices(database: &mut Database) {
    let feed = |count: usize| -> Vec<_> {
        (0..count).map(|index| advisory(&format!("CVE-2024-{index:04}"), "a", None)).collect()
    };
    commit(database, &part(), 1, &feed(1)).expect("a commit");
    commit(database, &part(), 2, &feed(8)).expect("a commit");
    commit(database, &part(), 3, &feed(10)).expect("a commit");
    let mut cursor = ChangeCursor::default();
    let mut seen = Vec::new();
    loop {
        let slice = database.changed_keys(&part(), cursor, 3).expect("changes");
        let Some(last) = slice.last() else { break };
        cursor = last.cursor;
        seen.extend(slice);
    }
    assert_eq!(seen, database.changed_keys(&part(), ChangeCursor::default(), 100).expect("all"));
    assert_eq!(seen.len(), 1 + 7 + 2);
}
