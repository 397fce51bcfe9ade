//! The outbox: what there is to tell, written in the transaction that changed the findings.
//!
//! A notification is one (vulnerability, package, reason) with the number of images it concerns;
//! which those are is asked when it is delivered. Its id is a ULID, so that ids sort by time; the
//! time is the writer's, who alone writes (the matcher's lease), and the rest is random.

use jiff::Timestamp;

use pratique_clockwork::Random;
use pratique_model::{Ecosystem, Release};

use crate::package::release_of;
use crate::session::{Row, Value, values};
use crate::{ChangeKind, Database, StoreError, encoding};

/// Crockford's digits, from the ULID specification.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many digits a ULID has: 48 bits of milliseconds and 80 random ones, 5 a digit.
const ULID_DIGITS: u32 = 26;

/// How many of a ULID's bits are random.
const RANDOM_BITS: u32 = 80;

/// What there is to tell about one package name and one vulnerability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotification {
    /// The CVE id, or the publisher's id where there is no CVE.
    pub vulnerability: String,
    /// Where the package name means something.
    pub ecosystem: Ecosystem,
    /// The release of a distro package.
    pub release: Option<Release>,
    /// The package's name.
    pub package: String,
    /// What happened.
    pub reason: ChangeKind,
    /// The value before, in the words of the reason.
    pub old: Option<String>,
    /// The value now.
    pub new: Option<String>,
    /// How many images it concerns.
    pub image_count: u64,
    /// What a receiver is told beside that, as its writer encoded it.
    pub payload: String,
}

/// A notification in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its ULID. Later ones are greater.
    pub id: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// What it tells.
    pub content: NewNotification,
}

/// Which notifications are asked for; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    /// Only those written at or after this time.
    pub since: Option<Timestamp>,
    /// Only those about this vulnerability.
    pub vulnerability: Option<String>,
    /// Only those for this reason.
    pub reason: Option<ChangeKind>,
}

const READING: &str = "reading the outbox";

impl Database {
    /// Notifications in the order of their ids, those after `after` only, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn notifications(
        &self,
        filter: &NotificationFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError> {
        self.session.all(
            READING,
            "SELECT notification.id, created_at, vulnerability, ecosystem, \"release\", package, \
             reason, old, new, image_count, payload \
             FROM notification JOIN scope ON scope.id = notification.scope \
             WHERE notification.id > ?1 AND created_at >= ?2 \
             AND (CAST(?3 AS TEXT) IS NULL OR vulnerability = ?3) \
             AND (CAST(?4 AS BIGINT) IS NULL OR reason = ?4) \
             ORDER BY notification.id LIMIT ?5",
            values![
                after.unwrap_or(""),
                filter.since.unwrap_or(Timestamp::MIN),
                filter.vulnerability.as_ref(),
                filter.reason.map(ChangeKind::code),
                limit as u64,
            ],
            stored,
        )
    }
}

/// Writes notifications, in their order. Their ids are above all that this program wrote before at
/// an earlier millisecond.
pub(crate) fn write(
    database: &Database,
    notifications: &[NewNotification],
    now: Timestamp,
) -> Result<(), StoreError> {
    if notifications.is_empty() {
        return Ok(());
    }
    let doing = "writing the outbox";
    let mut scopes = Vec::with_capacity(notifications.len());
    for new in notifications {
        // A package that an image holds has a scope since it was registered.
        let scope = database.scope(new.ecosystem, new.release.as_ref())?;
        scopes.push(scope.ok_or_else(|| StoreError::damaged(format!("scope of {}", new.package)))?);
    }
    let first = ulid_number(now, &mut Random::from_system());
    let mut rows = database.session.bulk(
        doing,
        "notification",
        "id, created_at, vulnerability, scope, package, reason, old, new, image_count, payload",
    )?;
    for (number, (new, scope)) in (first..).zip(notifications.iter().zip(scopes)) {
        rows.row(&[
            Value::from(&ulid(number)),
            Value::from(now),
            Value::from(&new.vulnerability),
            Value::Integer(scope),
            Value::from(&new.package),
            Value::Integer(new.reason.code()),
            Value::from(new.old.as_ref()),
            Value::from(new.new.as_ref()),
            Value::from(new.image_count),
            Value::from(&new.payload),
        ])?;
    }
    rows.finish()?;
    Ok(())
}

/// The first number of a row of ULIDs. The highest random bit is left 0, so that counting on from
/// it does not reach the milliseconds.
fn ulid_number(now: Timestamp, random: &mut Random) -> u128 {
    let milliseconds = u128::from(now.as_millisecond().max(0).cast_unsigned());
    let random = u128::from(random.next_number()) << 64 | u128::from(random.next_number());
    milliseconds << RANDOM_BITS | random >> (128 - RANDOM_BITS + 1)
}

fn ulid(number: u128) -> String {
    let digit = |place: u32| char::from(DIGITS[(number >> (5 * place)) as usize & 31]);
    (0..ULID_DIGITS).rev().map(digit).collect()
}

fn stored(row: &Row<'_>) -> Result<Notification, StoreError> {
    Ok(Notification {
        id: row.string(0)?,
        created_at: encoding::timestamp(row.integer(1)?)?,
        content: NewNotification {
            vulnerability: row.string(2)?,
            ecosystem: encoding::ecosystem(row.text(3)?)?,
            release: release_of(row.text(4)?),
            package: row.string(5)?,
            reason: ChangeKind::from_code(row.integer(6)?)?,
            old: row.optional_string(7)?,
            new: row.optional_string(8)?,
            image_count: row.count(9)?,
            payload: row.string(10)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulids_are_written_as_specified_and_sort_by_time() {
        let time = |milliseconds| Timestamp::from_millisecond(milliseconds).expect("a time");
        let mut random = Random::from_seed(1);
        let first = ulid(ulid_number(time(1_469_918_176_385), &mut random));
        // The specification's own example of a time: 1469918176385 is 01ARYZ6S41.
        assert_eq!(&first[..10], "01ARYZ6S41");
        assert_eq!(first.len(), 26);
        let second = ulid(ulid_number(time(1_469_918_176_386), &mut random));
        assert!(first < second, "{first} {second}");
    }

    #[test]
    fn counting_on_never_reaches_the_time() {
        for seed in 0..100 {
            let number = ulid_number(Timestamp::UNIX_EPOCH, &mut Random::from_seed(seed));
            assert!(number >> (RANDOM_BITS - 1) == 0, "seed {seed}");
        }
    }
}
