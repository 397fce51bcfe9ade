//! Takes images out: one that somebody removes, and what nobody has seen for long; and with them
//! what was told long ago.
//!
//! What an image leaves behind (its set, packages, findings) goes later and in slices, so that
//! removing is as cheap as registering and readers never wait. Everything happens under the turn
//! that registering takes too, so a set that is found unused stays unused until it is gone.

use jiff::{SignedDuration, Timestamp};

use crate::image::ImageKey;
use crate::session::values;
use crate::{Database, StoreError, package_set};

/// How long after an image was last seen its packages go. From the design, *Store*.
pub const PACKAGES_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long after an image was last seen its report goes, and with it the image. From the design,
/// *Store*.
pub const REPORTS_KEPT: SignedDuration = SignedDuration::from_hours(180 * 24);

/// How long a notification stays in the outbox. From the design, *Reading* of the notifier: that is
/// how long one is kept that was delivered, or that nobody wants.
pub const NOTIFICATIONS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The most rows that are removed at once, so that one slice takes well under a second. From the
/// design, *Retention*.
pub const SWEEP_ROWS_MAX: usize = 5_000;

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweptCounts {
    /// Images whose packages are not watched any more.
    pub unwatched: u64,
    /// Images that are gone with their reports.
    pub images: u64,
    /// Sets of packages that no image had.
    pub package_sets: u64,
    /// Packages that no set held, with their findings.
    pub packages: u64,
    /// Notifications that were old.
    pub notifications: u64,
}

impl SweptCounts {
    /// Whether there was nothing to remove.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The counts with the names that metrics have for them.
    pub fn counts(&self) -> [(&'static str, u64); 5] {
        let Self { unwatched, images, package_sets, packages, notifications } = *self;
        [
            ("unwatched_images", unwatched),
            ("images", images),
            ("package_sets", package_sets),
            ("packages", packages),
            ("notifications", notifications),
        ]
    }
}

const DOING: &str = "removing images";

impl Database {
    /// Forgets an image, and says whether there was one. Its packages are forgotten by a later
    /// sweep, if no other image has them.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Locked`], [`StoreError::Statement`].
    pub fn remove_image(&mut self, image: ImageKey) -> Result<bool, StoreError> {
        self.require_writer()?;
        self.take_turn(DOING, |database| Ok(database.forget_images(&[image.0])? > 0))
    }

    /// Removes what is due at `now`, about `limit` rows at most (never more than
    /// [`SWEEP_ROWS_MAX`], but whole sets). Call it again until it removes nothing. Anybody may, at
    /// any time; two at once take turns.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Locked`], [`StoreError::Statement`],
    /// [`StoreError::Damaged`].
    pub fn sweep_images(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<SweptCounts, StoreError> {
        self.require_writer()?;
        let limit = limit.min(SWEEP_ROWS_MAX) as u64;
        self.take_turn(DOING, |database| {
            Ok(SweptCounts {
                unwatched: database.unwatch(now, limit)?,
                images: database.sweep_old(now, limit)?,
                package_sets: database.sweep_sets(limit)?,
                packages: database.sweep_packages(limit)?,
                notifications: database.sweep_notifications(now, limit)?,
            })
        })
    }

    fn sweep_notifications(&self, now: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let ids = self.session.all(
            DOING,
            "SELECT id FROM notification WHERE created_at < ?1 ORDER BY created_at LIMIT ?2",
            values![now - NOTIFICATIONS_KEPT, limit],
            |row| row.string(0),
        )?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let sql = "DELETE FROM notification WHERE id IN LIST(?1)";
        self.session.execute(DOING, sql, values![&*ids])
    }

    /// Takes the packages from images that were not seen for long.
    fn unwatch(&self, now: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let ids = self.session.all(
            DOING,
            "SELECT id FROM image WHERE last_seen_at < ?1 AND package_set IS NOT NULL \
             ORDER BY last_seen_at LIMIT ?2",
            values![now - PACKAGES_KEPT, limit],
            |row| row.integer(0),
        )?;
        self.release_sets(&ids)?;
        let sql = "UPDATE image SET package_set = NULL WHERE id IN LIST(?1)";
        self.session.execute(DOING, sql, values![&*ids])
    }

    /// Forgets images that were not seen for so long that their reports go.
    fn sweep_old(&self, now: Timestamp, limit: u64) -> Result<u64, StoreError> {
        let ids = self.session.all(
            DOING,
            "SELECT id FROM image WHERE last_seen_at < ?1 ORDER BY last_seen_at LIMIT ?2",
            values![now - REPORTS_KEPT, limit],
            |row| row.integer(0),
        )?;
        self.forget_images(&ids)
    }

    fn forget_images(&self, ids: &[i64]) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        self.release_sets(ids)?;
        for sql in [
            "DELETE FROM image_report WHERE image IN LIST(?1)",
            "DELETE FROM image_alias WHERE image IN LIST(?1)",
        ] {
            self.session.execute(DOING, sql, values![ids])?;
        }
        self.session.execute(DOING, "DELETE FROM image WHERE id IN LIST(?1)", values![ids])
    }

    /// Counts the images out of the sets that they have.
    fn release_sets(&self, ids: &[i64]) -> Result<(), StoreError> {
        let counts = self.session.all(
            DOING,
            "SELECT package_set, count(*) FROM image \
             WHERE id IN LIST(?1) AND package_set IS NOT NULL GROUP BY package_set",
            values![ids],
            |row| Ok((row.integer(0)?, row.integer(1)?)),
        )?;
        let counts = counts.into_iter().map(|(set, count): (i64, i64)| (set, -count));
        package_set::add_counts(self, DOING, counts.collect())
    }

    /// Removes sets that no image has, and queues the packages that no other set holds.
    fn sweep_sets(&self, limit: u64) -> Result<u64, StoreError> {
        let unused = self.session.all(
            DOING,
            "SELECT id, packages FROM package_set WHERE image_count = 0 ORDER BY id LIMIT ?1",
            values![limit],
            |row| Ok((row.integer(0)?, package_set::members(row.blob(1)?)?)),
        )?;
        let mut pairs = Vec::new();
        let mut sets = Vec::new();
        for (set, members) in unused {
            if !sets.is_empty() && (pairs.len() + members.len()) as u64 > limit {
                break;
            }
            sets.push(set);
            pairs.extend(members.into_iter().map(|package| (package.0, set)));
        }
        if sets.is_empty() {
            return Ok(0);
        }
        pairs.sort_unstable();
        let sql = "DELETE FROM package_in_set WHERE package = ?1 AND package_set = ?2";
        let mut rows = self.session.batch(DOING, sql)?;
        for (package, set) in &pairs {
            rows.row(values![*package, *set])?;
        }
        rows.finish()?;
        let mut packages: Vec<i64> = pairs.into_iter().map(|(package, _)| package).collect();
        packages.dedup();
        self.queue_unused(&packages)?;
        let sql = "DELETE FROM package_set WHERE id IN LIST(?1)";
        self.session.execute(DOING, sql, values![&*sets])
    }

    fn queue_unused(&self, packages: &[i64]) -> Result<(), StoreError> {
        let unused = self.unused(packages)?;
        let mut rows = self.session.batch(
            DOING,
            "INSERT INTO unused_package (package) VALUES (?1) ON CONFLICT (package) DO NOTHING",
        )?;
        for package in unused {
            rows.row(values![package])?;
        }
        rows.finish()?;
        Ok(())
    }

    /// Those of these packages that no set holds, in ascending order.
    fn unused(&self, packages: &[i64]) -> Result<Vec<i64>, StoreError> {
        self.session.all(
            DOING,
            "SELECT list.value FROM INTEGERS(?1) WHERE NOT EXISTS \
             (SELECT 1 FROM package_in_set WHERE package = list.value) ORDER BY list.value",
            values![packages],
            |row| row.integer(0),
        )
    }

    /// Removes queued packages, with their findings, unless an image came that has them.
    fn sweep_packages(&self, limit: u64) -> Result<u64, StoreError> {
        let sql = "SELECT package, (SELECT count(*) FROM finding \
                   WHERE finding.package = unused_package.package) \
                   FROM unused_package ORDER BY package LIMIT ?1";
        let queued = self
            .session
            .all(DOING, sql, values![limit], |row| Ok((row.integer(0)?, row.count(1)?)))?;
        let mut row_count = 0;
        let mut packages = Vec::new();
        for (package, finding_count) in queued {
            row_count += 1 + finding_count;
            if !packages.is_empty() && row_count > limit {
                break;
            }
            packages.push(package);
        }
        if packages.is_empty() {
            return Ok(0);
        }
        let unused = self.unused(&packages)?;
        // Waits for a matcher that is about to write findings of them, and is waited for.
        let sql = "SELECT id FROM package WHERE id IN LIST(?1) ORDER BY id FOR UPDATE";
        self.session.query(DOING, sql, values![&*unused], &mut |_| Ok(()))?;
        for sql in [
            "DELETE FROM finding WHERE package IN LIST(?1)",
            "DELETE FROM pending WHERE package IN LIST(?1)",
        ] {
            self.session.execute(DOING, sql, values![&*unused])?;
        }
        let sql = "DELETE FROM unused_package WHERE package IN LIST(?1)";
        self.session.execute(DOING, sql, values![&*packages])?;
        let sql = "DELETE FROM package WHERE id IN LIST(?1)";
        self.session.execute(DOING, sql, values![&*unused])
    }
}
