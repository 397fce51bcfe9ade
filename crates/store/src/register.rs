//! Takes images in.
//!
//! Registering is idempotent by digest: the same report again only says that the image was seen.
//! Everything that is asked of the database is asked for the whole batch at once, so a batch costs
//! a handful of statements however many images it has; what is new is written in sorted order, with
//! numbers from the counters. All who write images take turns ([`Database::take_turn`]).

mod prepared;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use pratique_model::IndexReport;

use crate::package::PackageKey;
use crate::session::values;
use crate::{Database, StoreError, package_set, stored_report};
use prepared::{PackageRow, Prepared};

/// An image to be taken in.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'a> {
    /// What is in it. `target.reference` becomes one of its names.
    pub report: &'a IndexReport,
    /// More names: references, the digest of an index.
    pub references: &'a [String],
}

/// How images are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterOptions {
    /// When they were seen.
    pub now: Timestamp,
    /// Whether the whole reports are kept, compressed. Without them an image takes a tenth of the
    /// room, is matched as well, and cannot say where in it a package lies.
    pub keep_reports: bool,
}

/// What taking an image in came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// It was not known.
    New,
    /// It was known, with this very report.
    Unchanged,
    /// It was known with another report (another scanner's version), or was not watched any more.
    Changed,
}

const DOING: &str = "registering images";

impl Database {
    /// Takes one image in, with its report; see [`Database::register_images`].
    ///
    /// # Errors
    /// As [`Database::register_images`].
    pub fn register_image(
        &mut self,
        report: &IndexReport,
        references: &[String],
        now: Timestamp,
    ) -> Result<Registered, StoreError> {
        let options = RegisterOptions { now, keep_reports: true };
        let registered = self.register_images(&[Registration { report, references }], &options)?;
        Ok(registered[0])
    }

    /// Takes images in, all or none, and says in their order what it came to. Packages that are new
    /// become pending. The batch is held in memory: a thousand images are a good size.
    ///
    /// # Errors
    /// [`StoreError::Unidentified`] when a report names no digest; [`StoreError::ReadOnly`],
    /// [`StoreError::Locked`], [`StoreError::Statement`].
    pub fn register_images(
        &mut self,
        registrations: &[Registration<'_>],
        options: &RegisterOptions,
    ) -> Result<Vec<Registered>, StoreError> {
        self.require_writer()?;
        let mut prepared = Vec::with_capacity(registrations.len());
        for registration in registrations {
            prepared.push(Prepared::new(registration, options.keep_reports)?);
        }
        self.take_turn(DOING, |database| {
            let mut outcomes = Vec::with_capacity(prepared.len());
            for batch in without_repetition(&prepared) {
                outcomes.extend(Batch { database, options, images: batch }.write()?);
            }
            Ok(outcomes)
        })
    }
}

/// Cuts a list so that no image occurs twice in a piece.
fn without_repetition(images: &[Prepared]) -> Vec<&[Prepared]> {
    let mut pieces = Vec::new();
    let mut seen = HashSet::new();
    let mut start = 0;
    for (index, image) in images.iter().enumerate() {
        if !seen.insert(&*image.digest) {
            pieces.push(&images[start..index]);
            start = index;
            seen.clear();
            seen.insert(&*image.digest);
        }
    }
    pieces.push(&images[start..]);
    pieces
}

/// Images that are written together, each once.
struct Batch<'a> {
    database: &'a Database,
    options: &'a RegisterOptions,
    images: &'a [Prepared],
}

/// What is known of an image before it is written.
struct Known {
    id: i64,
    package_set: Option<i64>,
    report_hash: i64,
    has_report: bool,
}

impl Batch<'_> {
    fn write(&self) -> Result<Vec<Registered>, StoreError> {
        let known = self.known()?;
        let outcomes: Vec<Registered> = self
            .images
            .iter()
            .map(|image| outcome(image, known.get(&image.digest), self.options))
            .collect();
        let sets = self.sets(&outcomes)?;
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        for (image, outcome) in self.images.iter().zip(&outcomes) {
            if *outcome == Registered::Unchanged {
                continue;
            }
            *counts.entry(sets[&image.set_digest]).or_default() += 1;
            if let Some(before) = known.get(&image.digest).and_then(|known| known.package_set) {
                *counts.entry(before).or_default() -= 1;
            }
        }
        package_set::add_counts(self.database, DOING, counts)?;
        let ids = self.write_images(&outcomes, &known, &sets)?;
        self.write_reports(&outcomes, &ids)?;
        self.write_aliases(&ids)?;
        Ok(outcomes)
    }

    fn known(&self) -> Result<HashMap<String, Known>, StoreError> {
        let mut known = HashMap::new();
        let digests: Vec<&str> = self.images.iter().map(|image| &*image.digest).collect();
        self.database.session.query(
            DOING,
            "SELECT digest, id, package_set, report_hash, \
             CASE WHEN image IS NULL THEN 0 ELSE 1 END \
             FROM image LEFT JOIN image_report ON image = id WHERE digest IN LIST(?1)",
            values![&*digests],
            &mut |row| {
                let image = Known {
                    id: row.integer(1)?,
                    package_set: row.optional_integer(2)?,
                    report_hash: row.integer(3)?,
                    has_report: row.flag(4)?,
                };
                known.insert(row.string(0)?, image);
                Ok(())
            },
        )?;
        Ok(known)
    }

    /// The numbers of the sets that images get, by digest; those that are new are made.
    fn sets(&self, outcomes: &[Registered]) -> Result<HashMap<String, i64>, StoreError> {
        let mut wanted: BTreeMap<&str, &Prepared> = BTreeMap::new();
        for (image, outcome) in self.images.iter().zip(outcomes) {
            if *outcome != Registered::Unchanged {
                wanted.insert(&image.set_digest, image);
            }
        }
        let digests: Vec<&str> = wanted.keys().copied().collect();
        let sql = "SELECT digest, id FROM package_set WHERE digest IN LIST(?1)";
        let mut sets = numbers(self.database, sql, &digests)?;
        let missing: Vec<&Prepared> =
            wanted.into_values().filter(|image| !sets.contains_key(&image.set_digest)).collect();
        if missing.is_empty() {
            return Ok(sets);
        }
        let members = self.members(&missing)?;
        let first = self.database.numbers_from("package_set", missing.len())?;
        let mut rows = self.database.session.bulk(
            DOING,
            "package_set",
            "id, digest, image_count, packages",
        )?;
        let mut pairs: Vec<(PackageKey, i64)> = Vec::new();
        for (set, (image, members)) in (first..).zip(missing.iter().zip(&members)) {
            rows.row(values![set, &image.set_digest, 0_i64, &*package_set::blob(members)])?;
            pairs.extend(members.iter().map(|package| (*package, set)));
            sets.insert(image.set_digest.clone(), set);
        }
        rows.finish()?;
        pairs.sort_unstable();
        let columns = "package, package_set";
        let mut rows = self.database.session.bulk(DOING, "package_in_set", columns)?;
        for (package, set) in pairs {
            rows.row(values![package.0, set])?;
        }
        rows.finish()?;
        Ok(sets)
    }

    /// The packages of each image, in ascending order; those that are new are made.
    fn members(&self, images: &[&Prepared]) -> Result<Vec<Vec<PackageKey>>, StoreError> {
        let mut wanted: BTreeMap<&str, &PackageRow> = BTreeMap::new();
        for image in images {
            wanted.extend(image.packages.iter().map(|package| (&*package.identity, package)));
        }
        let identities: Vec<&str> = wanted.keys().copied().collect();
        let sql = "SELECT identity, id FROM package WHERE identity IN LIST(?1)";
        let mut ids = numbers(self.database, sql, &identities)?;
        let mut missing: Vec<&PackageRow> =
            wanted.into_values().filter(|package| !ids.contains_key(&package.identity)).collect();
        // By name, so that the versions of one package lie together.
        missing.sort_unstable_by_key(|package| (package.scope_key(), &package.lookup_name));
        self.insert_packages(&missing, &mut ids)?;
        let members = |image: &&Prepared| {
            let ids = image.packages.iter().map(|package| PackageKey(ids[&package.identity]));
            let mut members: Vec<PackageKey> = ids.collect();
            members.sort_unstable();
            members
        };
        Ok(images.iter().map(members).collect())
    }

    /// Makes packages, all pending, and adds their numbers to those that are known.
    fn insert_packages(
        &self,
        packages: &[&PackageRow],
        ids: &mut HashMap<String, i64>,
    ) -> Result<(), StoreError> {
        if packages.is_empty() {
            return Ok(());
        }
        let scopes = self.scopes(packages)?;
        let first = self.database.numbers_from("package", packages.len())?;
        let mut rows = self.database.session.bulk(
            DOING,
            "package",
            "id, identity, scope, name, lookup_name, version, arch, source_name, source_version, \
             module, built_for, is_owned",
        )?;
        for (id, package) in (first..).zip(packages) {
            rows.row(&package.values(id, scopes[&package.scope_key()]))?;
            ids.insert(package.identity.clone(), id);
        }
        rows.finish()?;
        let mut rows = self.database.session.bulk(DOING, "pending", "package")?;
        for (id, _) in (first..).zip(packages) {
            rows.row(values![id])?;
        }
        rows.finish()?;
        Ok(())
    }

    /// The numbers of the packages' scopes; those that are new are made.
    fn scopes<'b>(
        &self,
        packages: &[&'b PackageRow],
    ) -> Result<HashMap<(&'b str, &'b str), i64>, StoreError> {
        let wanted: BTreeSet<(&str, &str)> =
            packages.iter().map(|package| package.scope_key()).collect();
        let mut scopes = HashMap::new();
        for (ecosystem, release) in wanted {
            self.database.session.execute(
                DOING,
                "INSERT INTO scope (ecosystem, \"release\") VALUES (?1, ?2) \
                 ON CONFLICT (ecosystem, \"release\") DO NOTHING",
                values![ecosystem, release],
            )?;
            let scope = self.database.session.one(
                DOING,
                "SELECT id FROM scope WHERE ecosystem = ?1 AND \"release\" = ?2",
                values![ecosystem, release],
                |row| row.integer(0),
            )?;
            scopes.insert((ecosystem, release), scope);
        }
        Ok(scopes)
    }

    /// Writes the images' own rows and gives their numbers, in the order of the batch.
    fn write_images(
        &self,
        outcomes: &[Registered],
        known: &HashMap<String, Known>,
        sets: &HashMap<String, i64>,
    ) -> Result<Vec<i64>, StoreError> {
        let is = |wanted: Registered| outcomes.iter().filter(move |one| **one == wanted).count();
        let mut next = self.database.numbers_from("image", is(Registered::New))?;
        let session = &self.database.session;
        let mut inserts = session.bulk(DOING, "image", &prepared::columns())?;
        let mut ids = Vec::with_capacity(self.images.len());
        for (image, outcome) in self.images.iter().zip(outcomes) {
            if *outcome != Registered::New {
                ids.push(known[&image.digest].id);
                continue;
            }
            inserts.row(&image.values(next, sets[&image.set_digest], self.options.now))?;
            ids.push(next);
            next += 1;
        }
        inserts.finish()?;
        let mut updates = session.batch(DOING, &prepared::update())?;
        for ((image, outcome), id) in self.images.iter().zip(outcomes).zip(&ids) {
            if *outcome == Registered::Changed {
                let values = image.values(*id, sets[&image.set_digest], self.options.now);
                updates.row(&values[..prepared::UPDATED_COUNT])?;
            }
        }
        updates.finish()?;
        let sql = "UPDATE image SET reference = ?2, last_seen_at = ?3 WHERE id = ?1";
        let mut seen = session.batch(DOING, sql)?;
        for ((image, outcome), id) in self.images.iter().zip(outcomes).zip(&ids) {
            if *outcome == Registered::Unchanged {
                seen.row(values![*id, &image.reference, self.options.now])?;
            }
        }
        seen.finish()?;
        Ok(ids)
    }

    fn write_reports(&self, outcomes: &[Registered], ids: &[i64]) -> Result<(), StoreError> {
        let session = &self.database.session;
        let changed: Vec<i64> = outcomes
            .iter()
            .zip(ids)
            .filter(|(outcome, _)| **outcome == Registered::Changed)
            .map(|(_, id)| *id)
            .collect();
        if !changed.is_empty() {
            let sql = "DELETE FROM image_report WHERE image IN LIST(?1)";
            session.execute(DOING, sql, values![&*changed])?;
        }
        let mut rows = session.bulk(DOING, "image_report", "image, report")?;
        for ((image, outcome), id) in self.images.iter().zip(outcomes).zip(ids) {
            if *outcome != Registered::Unchanged
                && let Some(report) = &image.report
            {
                rows.row(values![*id, &*stored_report::compressed(report)])?;
            }
        }
        rows.finish()?;
        Ok(())
    }

    fn write_aliases(&self, ids: &[i64]) -> Result<(), StoreError> {
        let mut names: BTreeSet<(&str, i64)> = BTreeSet::new();
        for (image, id) in self.images.iter().zip(ids) {
            names.extend(image.aliases.iter().map(|name| (&**name, *id)));
        }
        let mut rows = self.database.session.batch(
            DOING,
            "INSERT INTO image_alias (name, image, seen_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT (name, image) DO UPDATE SET seen_at = excluded.seen_at",
        )?;
        for (name, id) in names {
            rows.row(values![name, id, self.options.now])?;
        }
        rows.finish()?;
        Ok(())
    }
}

fn outcome(image: &Prepared, known: Option<&Known>, options: &RegisterOptions) -> Registered {
    let Some(known) = known else { return Registered::New };
    let is_same = known.report_hash == image.report_hash
        && known.package_set.is_some()
        && (known.has_report || !options.keep_reports);
    if is_same { Registered::Unchanged } else { Registered::Changed }
}

/// Numbers of rows by the text that a statement asks a list of.
fn numbers(
    database: &Database,
    sql: &str,
    texts: &[&str],
) -> Result<HashMap<String, i64>, StoreError> {
    let mut numbers = HashMap::with_capacity(texts.len());
    database.session.query(DOING, sql, values![texts], &mut |row| {
        numbers.insert(row.string(0)?, row.integer(1)?);
        Ok(())
    })?;
    Ok(numbers)
}
