//! Images come, change and go, and what they hold is found.

use jiff::{SignedDuration, Timestamp};

use pratique_model::{
    DiffId, Digest, Distro, Ecosystem, IndexReport, Package, Partial, SourcePackage, Target,
};

use super::sample::{at, bookworm};
use super::{Case, list};
use crate::{
    Database, ImageFilter, ImageKey, PackageKey, Reach, RegisterOptions, Registered, Registration,
    StoreError, SweptCounts,
};

pub(super) const CASES: &[Case] = list![
    an_image_is_new_once_and_then_unchanged,
    another_report_of_the_same_image_replaces_the_first,
    packages_are_shared_by_images_and_pending_once,
    packages_are_found_by_their_own_and_their_sources_name,
    packages_that_are_owned_are_kept_apart,
    what_cannot_be_watched_is_said,
    images_are_found_by_digest_reference_and_prefix,
    a_report_comes_back_as_it_was,
    images_are_listed_by_key_and_filtered,
    reach_counts_each_image_once,
    holders_are_paged_without_gaps_and_repetitions,
    holders_are_found_where_thousands_of_sets_hold_a_package,
    a_batch_that_names_an_image_twice_keeps_the_last,
    a_report_without_digest_is_refused_whole,
    a_removed_image_leaves_nothing_behind_after_sweeps,
    packages_go_after_30_days_and_reports_after_180,
    a_package_that_comes_back_before_the_sweep_stays,
    a_sweep_is_bounded_by_its_limit,
];

/// A digest that ends in a number.
pub(super) fn digest(number: u64) -> Digest {
    let mut bytes = [0xab; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Digest::from_bytes(bytes)
}

/// A deb package, of a source package named after the part before `/`.
pub(super) fn deb(name: &str, version: &str) -> Package {
    let (source, name) = name.split_once('/').unwrap_or((name, name));
    Package {
        ecosystem: Ecosystem::Deb,
        name: name.to_owned(),
        version: version.to_owned(),
        arch: Some("amd64".to_owned()),
        source: Some(SourcePackage { name: source.to_owned(), version: version.to_owned() }),
        module: None,
        vendor: None,
        layer: None,
        paths: vec!["/var/lib/dpkg/status".to_owned()],
        owned_by: None,
        built_for: None,
        cataloger: "store",
    }
}

pub(super) fn npm(name: &str, version: &str) -> Package {
    Package {
        ecosystem: Ecosystem::Npm,
        arch: None,
        source: None,
        paths: vec![format!("/app/node_modules/{name}/package.json")],
        ..deb(name, version)
    }
}

/// The report of the `number`-th image, of bookworm.
pub(super) fn report(number: u64, packages: &[Package]) -> IndexReport {
    IndexReport {
        target: Target {
            reference: format!("registry.example/app-{number}:1"),
            digest: Some(digest(number)),
            image_id: Some(digest(1_000_000 + number)),
            platform: Some("linux/arm64/v8".parse().expect("a platform")),
            source: "registry".to_owned(),
            layers: Vec::new(),
        },
        distro: Some(Distro {
            id: "debian".to_owned(),
            version: "12".to_owned(),
            name: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            ..Distro::default()
        }),
        packages: packages.to_vec(),
        partial: Vec::new(),
    }
}

pub(super) fn register(
    database: &mut Database,
    number: u64,
    packages: &[Package],
    now: Timestamp,
) -> Registered {
    database.register_image(&report(number, packages), &[], now).expect("registered")
}

fn key_of(database: &Database, number: u64) -> ImageKey {
    let found = database.images_named(&digest(number).to_string(), 2).expect("an answer");
    assert_eq!(found.len(), 1, "image {number}");
    found[0].key
}

/// The keys of all packages of a name in bookworm, or of an npm name.
fn keys(database: &Database, name: &str) -> Vec<PackageKey> {
    let debs = database.packages_named(Ecosystem::Deb, Some(&bookworm()), &[name]);
    let npms = database.packages_named(Ecosystem::Npm, None, &[name]);
    let found = debs.expect("an answer").into_iter().chain(npms.expect("an answer"));
    found.map(|package| package.key).collect()
}

/// Sweeps until nothing is left to remove, and gives the sums.
fn sweep(database: &mut Database, now: Timestamp) -> SweptCounts {
    let mut sum = SweptCounts::default();
    for _ in 0..1_000 {
        let swept = database.sweep_images(now, 5_000).expect("swept");
        if swept.is_empty() {
            return sum;
        }
        sum.unwatched += swept.unwatched;
        sum.images += swept.images;
        sum.package_sets += swept.package_sets;
        sum.packages += swept.packages;
    }
    panic!("sweeping does not end: {sum:?}");
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

fn an_image_is_new_once_and_then_unchanged(database: &mut Database) {
    let packages = [deb("openssl/libssl3", "3.0.11-1")];
    assert_eq!(register(database, 1, &packages, at(0)), Registered::New);
    assert_eq!(register(database, 1, &packages, at(1)), Registered::Unchanged);
    let image = &database.images(&ImageFilter::default(), None, 10).expect("an answer")[0];
    assert_eq!(image.registered_at, at(0));
    assert_eq!(image.last_seen_at, at(1));
    assert_eq!(image.digest, digest(1));
    assert_eq!(image.platform.as_ref().expect("a platform").to_string(), "linux/arm64/v8");
    assert_eq!(image.release, Some(bookworm()));
    assert_eq!(image.distro.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
    assert_eq!((image.package_count, image.problem_count, image.is_watched), (1, 0, true));
    assert_eq!(database.image_counts().expect("counts").watched, 1);
}

fn another_report_of_the_same_image_replaces_the_first(database: &mut Database) {
    register(database, 1, &[deb("bash", "5.2"), deb("zlib", "1.2")], at(0));
    register(database, 2, &[deb("bash", "5.2"), deb("zlib", "1.2")], at(0));
    let outcome = register(database, 1, &[deb("bash", "5.2"), deb("zlib", "1.3")], at(1));
    assert_eq!(outcome, Registered::Changed);
    let image = key_of(database, 1);
    let packages = database.image_packages(image).expect("packages");
    let packages = database.packages(&packages).expect("packages");
    let versions: Vec<&str> = packages.iter().map(|stored| &*stored.package.version).collect();
    assert_eq!(versions, ["5.2", "1.3"]);
    let counts = database.image_counts().expect("counts");
    assert_eq!((counts.watched, counts.package_sets), (2, 2));
    let report = database.image_report(image).expect("an answer").expect("a report");
    assert_eq!(report.packages[1].version, "1.3");
}

fn packages_are_shared_by_images_and_pending_once(database: &mut Database) {
    let both = [deb("bash", "5.2"), npm("lodash", "4.17.20")];
    register(database, 1, &both, at(0));
    register(database, 2, &both, at(0));
    register(database, 3, &both[..1], at(0));
    let pending = database.pending_packages(10).expect("an answer");
    let names: Vec<&str> = pending.iter().map(|stored| &*stored.package.name).collect();
    assert_eq!(names, ["bash", "lodash"]);
    assert_eq!(pending[0].release, Some(bookworm()));
    assert_eq!(pending[1].release, None);
    assert_eq!(database.pending_packages(1).expect("an answer").len(), 1);
    let counts = database.image_counts().expect("counts");
    assert_eq!((counts.watched, counts.package_sets, counts.pending), (3, 2, 2));
}

fn packages_are_found_by_their_own_and_their_sources_name(database: &mut Database) {
    let pypi = Package { ecosystem: Ecosystem::Pypi, ..npm("Zope.Interface", "5.0") };
    register(
        database,
        1,
        &[deb("xz-utils/liblzma5", "5.4.1"), deb("xz-utils", "5.4.1"), pypi],
        at(0),
    );
    let find = |ecosystem, names: &[&str]| -> Vec<String> {
        let release = (ecosystem == Ecosystem::Deb).then(bookworm);
        let found = database.packages_named(ecosystem, release.as_ref(), names);
        found.expect("an answer").into_iter().map(|stored| stored.package.name).collect()
    };
    let mut both = find(Ecosystem::Deb, &["xz-utils"]);
    both.sort();
    assert_eq!(both, ["liblzma5", "xz-utils"]);
    assert_eq!(find(Ecosystem::Deb, &["liblzma5"]), ["liblzma5"]);
    assert_eq!(find(Ecosystem::Pypi, &["zope-interface", "other"]), ["Zope.Interface"]);
    assert_eq!(find(Ecosystem::Npm, &["xz-utils"]), [""; 0]);
    assert_eq!(find(Ecosystem::Deb, &[]), [""; 0]);
    assert_eq!(
        database.releases_of(Ecosystem::Deb).expect("an answer"),
        [Some(bookworm())],
        "a release is known as soon as a package of it is"
    );
}

fn packages_that_are_owned_are_kept_apart(database: &mut Database) {
    let free = npm("six", "1.16");
    let owned = Package { owned_by: Some("node-six".to_owned()), ..free.clone() };
    let key = Package { ecosystem: Ecosystem::Rpm, ..deb("gpg-pubkey", "1") };
    register(database, 1, std::slice::from_ref(&free), at(0));
    register(database, 2, &[owned, key], at(0));
    let mut found = database.packages_named(Ecosystem::Npm, None, &["six"]).expect("an answer");
    assert_eq!(found.len(), 2);
    assert!(found[0].package.is_matched());
    assert!(!found.pop().expect("two").package.is_matched());
    assert_eq!(database.image_packages(key_of(database, 2)).expect("an answer").len(), 1);
}

fn what_cannot_be_watched_is_said(database: &mut Database) {
    let mut report = report(1, &[deb(&"x".repeat(1_001), "1"), deb("bash", "5.2"), deb("", "1")]);
    report.partial = vec![Partial {
        layer: None,
        path: Some("/a file".to_owned()),
        problem: "it is cut".to_owned(),
    }];
    database.register_image(&report, &["n".repeat(2_000)], at(0)).expect("registered");
    let filter = ImageFilter { has_problems: true, ..ImageFilter::default() };
    let found = database.images(&filter, None, 10).expect("an answer");
    assert_eq!((found[0].package_count, found[0].problem_count), (3, 3));
    assert_eq!(found[0].problems[0], "/a file: it is cut");
    assert!(found[0].problems[1].ends_with("longer than 1000 bytes"), "{:?}", found[0].problems);
    assert_eq!(database.image_packages(found[0].key).expect("an answer").len(), 1);
    assert_eq!(database.image_counts().expect("counts").with_problems, 1);
}

fn images_are_found_by_digest_reference_and_prefix(database: &mut Database) {
    for number in 1..=3 {
        let names = ["registry.example/latest".to_owned()];
        let report = report(number, &[deb("bash", "5.2")]);
        database.register_image(&report, &names, at(number.cast_signed())).expect("registered");
    }
    let find = |name: &str| -> Vec<Digest> {
        let found = database.images_named(name, 10).expect("an answer");
        found.into_iter().map(|image| image.digest).collect()
    };
    assert_eq!(find(&digest(2).to_string()), [digest(2)]);
    assert_eq!(find(&digest(2).to_hex()), [digest(2)]);
    assert_eq!(find(&digest(1_000_002).to_string()), [digest(2)], "the configuration's digest");
    assert_eq!(find("registry.example/app-3:1"), [digest(3)]);
    assert_eq!(find("registry.example/latest"), [digest(3), digest(2), digest(1)]);
    assert_eq!(database.images_named("registry.example/latest", 1).expect("one").len(), 1);
    assert_eq!(find(&digest(2).to_string()[..7 + 16]), [digest(2)]);
    assert_eq!(find("00000000"), [digest(3), digest(2), digest(1)]);
    for nothing in ["00000", "", "sha256:", "registry.example/app-4:1", "ffffffff"] {
        assert_eq!(find(nothing), [], "{nothing:?}");
    }
    let aliases = database.image_aliases(key_of(database, 1)).expect("an answer");
    let configuration = digest(1_000_001).to_string();
    assert_eq!(aliases, ["registry.example/app-1:1", "registry.example/latest", &configuration]);
}

fn a_report_comes_back_as_it_was(database: &mut Database) {
    let layer = DiffId(digest(77));
    let mut report = report(1, &[deb("bash", "5.2"), npm("lodash", "4.17.20")]);
    report.target.layers = vec![DiffId(digest(76)), layer];
    report.packages[0].layer = Some(layer);
    report.packages[0].vendor = Some("Debian".to_owned());
    report.packages[1].owned_by = Some("node-lodash".to_owned());
    report.packages[1].built_for = Some("linux/amd64".to_owned());
    report.packages[1].module = Some("nodejs:18".to_owned());
    report.partial =
        vec![Partial { layer: Some(layer), path: None, problem: "a zip bomb".to_owned() }];
    report.distro.as_mut().expect("a distro").eol = Some(jiff::civil::date(2028, 6, 30));
    database.register_image(&report, &[], at(0)).expect("registered");
    let image = key_of(database, 1);
    assert_eq!(database.image_report(image).expect("an answer"), Some(report.clone()));
    let options = RegisterOptions { now: at(1), keep_reports: false };
    let registration = Registration { report: &report, references: &[] };
    let outcome = database.register_images(&[registration], &options).expect("registered");
    assert_eq!(outcome, [Registered::Unchanged]);
    report.packages.pop();
    let registration = Registration { report: &report, references: &[] };
    database.register_images(&[registration], &options).expect("registered");
    assert_eq!(database.image_report(image).expect("an answer"), None);
    let outcome = database.register_image(&report, &[], at(2)).expect("registered");
    assert_eq!(outcome, Registered::Changed, "its report is kept now");
    assert_eq!(database.image_report(image).expect("an answer"), Some(report));
}

fn images_are_listed_by_key_and_filtered(database: &mut Database) {
    for number in 1..=7 {
        let mut report = report(number, &[deb("bash", "5.2")]);
        if number % 3 == 0 {
            report.distro = None;
        }
        database.register_image(&report, &[], at(0)).expect("registered");
    }
    let mut after = None;
    let mut listed = Vec::new();
    loop {
        let page = database.images(&ImageFilter::default(), after, 2).expect("an answer");
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        listed.extend(page.into_iter().map(|image| image.digest));
    }
    assert_eq!(listed, (1..=7).map(digest).collect::<Vec<_>>());
    let filter = ImageFilter { release: Some(bookworm()), ..ImageFilter::default() };
    assert_eq!(database.images(&filter, None, 10).expect("an answer").len(), 5);
    let filter = ImageFilter { has_problems: true, ..ImageFilter::default() };
    assert_eq!(database.images(&filter, None, 10).expect("an answer"), []);
}

fn reach_counts_each_image_once(database: &mut Database) {
    let libraries = [deb("openssl/libssl3", "3.0.11"), deb("openssl/libcrypto3", "3.0.11")];
    register(database, 1, &libraries, at(0));
    register(database, 2, &libraries, at(0));
    register(database, 3, &libraries[..1], at(0));
    register(database, 4, &[deb("bash", "5.2")], at(0));
    let openssl = keys(database, "openssl");
    assert_eq!(openssl.len(), 2);
    let reach = |keys: &[PackageKey]| database.reach(keys).expect("an answer");
    assert_eq!(reach(&openssl), Reach { image_count: 3, set_count: 2 });
    assert_eq!(reach(&keys(database, "libcrypto3")), Reach { image_count: 2, set_count: 1 });
    assert_eq!(reach(&[]), Reach::default());
    assert_eq!(reach(&[PackageKey(i64::MAX)]), Reach::default());
}

fn holders_are_paged_without_gaps_and_repetitions(database: &mut Database) {
    for number in 1..=20 {
        let mut packages = vec![deb("bash", "5.2"), deb("filler", &number.to_string())];
        if number % 2 == 0 {
            packages.push(deb("zlib", "1.2"));
        }
        register(database, number, &packages, at(0));
    }
    let wanted: Vec<PackageKey> =
        keys(database, "zlib").into_iter().chain(keys(database, "filler")).collect();
    let even = keys(database, "zlib");
    for limit in [1, 7, 1_000] {
        let mut after = None;
        let mut found = Vec::new();
        loop {
            let page = database.images_holding(&even, after, limit).expect("an answer");
            let Some(last) = page.last() else { break };
            after = Some(last.image.key);
            found.extend(page.into_iter().map(|holder| (holder.image.digest, holder.packages)));
        }
        let expected: Vec<_> = (1..=10).map(|number| (digest(2 * number), even.clone())).collect();
        assert_eq!(found, expected, "limit {limit}");
    }
    let all = database.images_holding(&wanted, None, 100).expect("an answer");
    let counts: Vec<usize> = all.iter().map(|holder| holder.packages.len()).collect();
    assert_eq!(counts, [1, 2].repeat(10));
}

fn holders_are_found_where_thousands_of_sets_hold_a_package(database: &mut Database) {
    let reports: Vec<IndexReport> = (1..=2_500)
        .map(|number| {
            let name = if number % 5 == 0 { "rare" } else { "common" };
            report(number, &[deb(name, "1"), deb("filler", &number.to_string())])
        })
        .collect();
    let batch: Vec<Registration<'_>> =
        reports.iter().map(|report| Registration { report, references: &[] }).collect();
    let options = RegisterOptions { now: at(0), keep_reports: false };
    database.register_images(&batch, &options).expect("registered");
    for (name, limit) in [("common", 999), ("common", 1), ("rare", 99), ("filler", 1_001)] {
        let wanted = keys(database, name);
        let mut after = None;
        let mut found = 0;
        for _ in 0..3 {
            let page = database.images_holding(&wanted, after, limit).expect("an answer");
            found += page.len();
            assert!(page.iter().all(|holder| holder.packages.len() == 1), "{name}");
            assert!(page.is_sorted_by_key(|holder| holder.image.key), "{name}");
            let last = page.last().expect("a page that is not empty").image.key;
            assert!(after.is_none_or(|after| after < page[0].image.key), "{name}");
            after = Some(last);
        }
        let reach = database.reach(&wanted).expect("a reach").image_count;
        assert_eq!(found as u64, reach.min(3 * limit as u64), "{name}");
    }
}

fn a_batch_that_names_an_image_twice_keeps_the_last(database: &mut Database) {
    let first = report(1, &[deb("bash", "5.1")]);
    let other = report(2, &[deb("bash", "5.1")]);
    let last = report(1, &[deb("bash", "5.2")]);
    let batch: Vec<Registration<'_>> = [&first, &other, &last, &last]
        .map(|report| Registration { report, references: &[] })
        .into();
    let options = RegisterOptions { now: at(0), keep_reports: true };
    let outcomes = database.register_images(&batch, &options).expect("registered");
    let expected = [Registered::New, Registered::New, Registered::Changed, Registered::Unchanged];
    assert_eq!(outcomes, expected);
    let report = database.image_report(key_of(database, 1)).expect("an answer");
    assert_eq!(report, Some(last));
    assert_eq!(database.register_images(&[], &options).expect("nothing"), []);
}

fn a_report_without_digest_is_refused_whole(database: &mut Database) {
    let good = report(1, &[deb("bash", "5.1")]);
    let mut bad = report(2, &[deb("bash", "5.1")]);
    bad.target.digest = None;
    bad.target.image_id = None;
    let batch = [&good, &bad].map(|report| Registration { report, references: &[] });
    let options = RegisterOptions { now: at(0), keep_reports: true };
    let error = database.register_images(&batch, &options).expect_err("refused");
    assert!(
        matches!(&error, StoreError::Unidentified { reference } if reference.contains("app-2")),
        "{error}"
    );
    assert_eq!(database.images(&ImageFilter::default(), None, 10).expect("an answer"), []);
    bad.target.image_id = Some(digest(9));
    database.register_image(&bad, &[], at(0)).expect("registered by its configuration");
    assert_eq!(database.images_named(&digest(9).to_string(), 1).expect("an answer").len(), 1);
}

fn a_removed_image_leaves_nothing_behind_after_sweeps(database: &mut Database) {
    register(database, 1, &[deb("bash", "5.2"), deb("zlib", "1.2")], at(0));
    register(database, 2, &[deb("bash", "5.2")], at(0));
    let zlib = keys(database, "zlib");
    let image = key_of(database, 1);
    assert!(database.remove_image(image).expect("removed"));
    assert!(!database.remove_image(image).expect("it is gone"));
    assert_eq!(database.reach(&zlib).expect("an answer"), Reach::default());
    assert_eq!(database.images_holding(&zlib, None, 9).expect("an answer"), []);
    assert_eq!(database.image_aliases(image).expect("an answer"), [""; 0]);
    assert_eq!(database.image_report(image).expect("an answer"), None);
    let swept = sweep(database, at(1));
    assert_eq!(swept, SweptCounts { package_sets: 1, packages: 1, ..SweptCounts::default() });
    assert_eq!(keys(database, "zlib"), []);
    assert_eq!(keys(database, "bash").len(), 1);
    let counts = database.image_counts().expect("counts");
    assert_eq!((counts.watched, counts.package_sets, counts.pending), (1, 1, 1));
    register(database, 1, &[deb("zlib", "1.2")], at(2));
    assert_ne!(key_of(database, 1), image, "no key is given twice");
    assert_ne!(keys(database, "zlib"), zlib);
}

fn packages_go_after_30_days_and_reports_after_180(database: &mut Database) {
    let packages = [deb("bash", "5.2")];
    register(database, 1, &packages, at(0));
    register(database, 2, &[deb("zlib", "1.2")], at(0) + days(20));
    assert_eq!(sweep(database, at(0) + days(30)), SweptCounts::default());
    let swept = sweep(database, at(0) + days(31));
    let gone = SweptCounts { package_sets: 1, packages: 1, ..SweptCounts::default() };
    let expected = SweptCounts { unwatched: 1, ..gone };
    assert_eq!(swept, expected);
    let image = key_of(database, 1);
    let listed = database.images(&ImageFilter::default(), None, 1).expect("an answer");
    assert!(!listed[0].is_watched);
    assert!(database.image_report(image).expect("an answer").is_some());
    assert_eq!(database.image_packages(image).expect("an answer"), []);
    assert_eq!(register(database, 1, &packages, at(0) + days(40)), Registered::Changed);
    assert_eq!(database.reach(&keys(database, "bash")).expect("an answer").image_count, 1);
    let swept = sweep(database, at(0) + days(201));
    let gone = SweptCounts { package_sets: 2, packages: 2, ..SweptCounts::default() };
    let expected = SweptCounts { unwatched: 2, images: 1, ..gone };
    assert_eq!(swept, expected, "the second image was not seen for 181 days");
    assert_eq!(sweep(database, at(0) + days(221)).images, 1);
    assert_eq!(database.images(&ImageFilter::default(), None, 9).expect("an answer"), []);
}

fn a_package_that_comes_back_before_the_sweep_stays(database: &mut Database) {
    register(database, 1, &[deb("bash", "5.2"), deb("zlib", "1.2")], at(0));
    let bash = keys(database, "bash");
    database.remove_image(key_of(database, 1)).expect("removed");
    register(database, 2, &[deb("bash", "5.2")], at(0));
    assert_eq!(sweep(database, at(1)).packages, 1);
    assert_eq!(keys(database, "bash"), bash);
    assert_eq!(database.reach(&bash).expect("an answer").image_count, 1);
}

fn a_sweep_is_bounded_by_its_limit(database: &mut Database) {
    for number in 1..=6 {
        let packages: Vec<Package> =
            (0..4).map(|index| deb(&format!("p{number}-{index}"), "1")).collect();
        register(database, number, &packages, at(0));
    }
    let later = at(0) + days(31);
    let swept = database.sweep_images(later, 5).expect("swept");
    assert_eq!(swept.unwatched, 5);
    assert_eq!(swept.package_sets, 1, "two sets have more than five packages");
    assert_eq!(swept.packages, 4);
    assert_eq!(sweep(database, later).packages, 20);
}
