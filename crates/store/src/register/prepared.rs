//! What is worked out of a report before the database is asked anything.

use std::collections::BTreeMap;

use jiff::Timestamp;

use pratique_model::{IndexReport, Package, Partial, Platform, Release};
use sha2::{Digest as _, Sha256};

use super::Registration;
use crate::session::Value;
use crate::{StoreError, encoding, image, package, stored_report};

/// How many problems of an image are kept beside its report, and how long each may be in
/// characters: enough to say what is wrong in a list of images.
const PROBLEMS_MAX: usize = 10;
const PROBLEM_CHARACTERS_MAX: usize = 300;

/// How long a name of an image may be, in bytes: twice what registries allow. What is longer could
/// not be indexed by PostgreSQL and names no image of a registry.
const NAME_BYTES_MAX: usize = 1_000;

/// The columns of an image. When it is known already, all but the last are written anew.
const COLUMNS: [&str; 13] = [
    "id",
    "digest",
    "reference",
    "platform",
    "\"release\"",
    "distro",
    "package_set",
    "package_count",
    "problem_count",
    "problems",
    "report_hash",
    "last_seen_at",
    "registered_at",
];

/// How many of them are written when an image changed.
pub(super) const UPDATED_COUNT: usize = COLUMNS.len() - 1;

/// A package as its row has it.
pub(super) struct PackageRow {
    pub(super) identity: String,
    pub(super) lookup_name: String,
    release: String,
    package: Package,
}

/// An image as its rows have it.
pub(super) struct Prepared {
    pub(super) digest: String,
    pub(super) reference: String,
    pub(super) aliases: Vec<String>,
    pub(super) set_digest: String,
    /// Sorted by identity, each once.
    pub(super) packages: Vec<PackageRow>,
    pub(super) report_hash: i64,
    /// The report, not yet compressed, if it is to be kept.
    pub(super) report: Option<Vec<u8>>,
    platform: Option<String>,
    release: Option<Release>,
    distro: Option<String>,
    package_count: u64,
    problem_count: u64,
    problems: Option<String>,
}

impl Prepared {
    pub(super) fn new(
        registration: &Registration<'_>,
        keep_report: bool,
    ) -> Result<Self, StoreError> {
        let report = registration.report;
        let target = &report.target;
        let digest = target
            .identity()
            .ok_or_else(|| StoreError::Unidentified { reference: target.reference.clone() })?;
        let release = report.distro.as_ref().map(pratique_model::Distro::release);
        let mut problems: Vec<String> = report.partial.iter().map(problem).collect();
        let packages = packages(report, release.as_ref(), &mut problems);
        let identities: Vec<&str> = packages.iter().map(|package| &*package.identity).collect();
        let plain = stored_report::plain(report);
        let hash: [u8; 32] = Sha256::digest(&plain).into();
        let (hash, _) = hash.split_first_chunk::<8>().expect("32 bytes");
        let aliases = aliases(registration, digest);
        let is_name = |name: &&str| !name.is_empty() && name.len() <= NAME_BYTES_MAX;
        let reference = Some(&*target.reference).filter(is_name);
        Ok(Self {
            digest: image::digits(digest),
            reference: reference.map_or_else(|| digest.to_string(), str::to_owned),
            aliases,
            set_digest: package::set_digest(&identities),
            packages,
            report_hash: i64::from_le_bytes(*hash),
            report: keep_report.then_some(plain),
            platform: target.platform.as_ref().map(Platform::to_string),
            release,
            distro: report.distro.as_ref().map(|distro| distro.name.clone()),
            package_count: report.packages.len() as u64,
            problem_count: problems.len() as u64,
            problems: encoding::list(&problems[..problems.len().min(PROBLEMS_MAX)]),
        })
    }

    /// The values of [`COLUMNS`].
    pub(super) fn values(&self, id: i64, set: i64, now: Timestamp) -> [Value<'_>; 13] {
        [
            Value::Integer(id),
            Value::from(&self.digest),
            Value::from(&self.reference),
            Value::from(self.platform.as_ref()),
            Value::from(self.release.as_ref().map(Release::as_str)),
            Value::from(self.distro.as_ref()),
            Value::Integer(set),
            Value::from(self.package_count),
            Value::from(self.problem_count),
            Value::from(self.problems.as_ref()),
            Value::Integer(self.report_hash),
            Value::from(now),
            Value::from(now),
        ]
    }
}

/// The columns of a new image.
pub(super) fn columns() -> String {
    COLUMNS.join(", ")
}

/// The statement that takes the first [`UPDATED_COUNT`] values into a known image.
pub(super) fn update() -> String {
    let assignments: Vec<String> = (1..)
        .zip(&COLUMNS[..UPDATED_COUNT])
        .skip(1)
        .map(|(number, column)| format!("{column} = ?{number}"))
        .collect();
    format!("UPDATE image SET {} WHERE id = ?1", assignments.join(", "))
}

impl PackageRow {
    /// Ecosystem and release, which is empty where there is none.
    pub(super) fn scope_key(&self) -> (&str, &str) {
        (self.package.ecosystem.as_str(), &self.release)
    }

    /// The columns `id, identity, scope, name, lookup_name, version, arch, source_name,
    /// source_version, module, built_for, is_owned`.
    pub(super) fn values(&self, id: i64, scope: i64) -> [Value<'_>; 12] {
        let package = &self.package;
        let source = package.source.as_ref();
        [
            Value::Integer(id),
            Value::from(&self.identity),
            Value::Integer(scope),
            Value::from(&package.name),
            Value::from(&self.lookup_name),
            Value::from(&package.version),
            Value::from(package.arch.as_ref()),
            Value::from(source.map(|source| &source.name)),
            Value::from(source.map(|source| &source.version)),
            Value::from(package.module.as_ref()),
            Value::from(package.built_for.as_ref()),
            Value::from(package.owned_by.is_some()),
        ]
    }
}

/// The packages to be watched; those that cannot be are said among the problems.
fn packages(
    report: &IndexReport,
    release: Option<&Release>,
    problems: &mut Vec<String>,
) -> Vec<PackageRow> {
    let mut rows = BTreeMap::new();
    for package in &report.packages {
        if !package.is_matched() && package.owned_by.is_none() {
            continue;
        }
        if let Some(why) = package::unfit(package) {
            let name: String = package.name.chars().take(50).collect();
            problems.push(format!("package {name:?} is not watched: {why}"));
            continue;
        }
        let release = release.filter(|_| package.ecosystem.is_distro());
        let identity = package::identity(package, release);
        rows.entry(identity).or_insert_with_key(|identity| PackageRow {
            identity: identity.clone(),
            lookup_name: package.lookup_name().into_owned(),
            release: release.map_or_else(String::new, |release| release.as_str().to_owned()),
            package: Package { paths: Vec::new(), ..package.clone() },
        });
    }
    rows.into_values().collect()
}

/// What could not be read, as one clause.
fn problem(partial: &Partial) -> String {
    let text = match &partial.path {
        Some(path) => format!("{path}: {}", partial.problem),
        None => partial.problem.clone(),
    };
    text.chars().take(PROBLEM_CHARACTERS_MAX).collect()
}

/// All names but the identity itself, sorted.
fn aliases(registration: &Registration<'_>, identity: &pratique_model::Digest) -> Vec<String> {
    let target = &registration.report.target;
    let digests = target.digest.iter().chain(&target.image_id);
    let mut names: Vec<String> = digests
        .filter(|digest| *digest != identity)
        .map(ToString::to_string)
        .chain(std::iter::once(target.reference.clone()))
        .chain(registration.references.iter().cloned())
        .filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
