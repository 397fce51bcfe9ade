//! The node's outbox: what happened there, numbered, so that a reader goes on where it stopped.

use jiff::{SignedDuration, Timestamp};

use pratique_model::{
    ExitReason, Isolation, Notice, NoticeKind, NoticeSource, NumberedNotice, Platform,
};

use crate::container::{digest, number, optional_word, pod, word};
use crate::session::{Row, values};
use crate::{Database, StoreError, encoding};

/// How long a notice stays: a week, as a reader that comes back after a long weekend finds all.
pub const NOTICES_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many notices stay at most; about 50 MB, and four days of a busy node with a container's life
/// every ten seconds.
pub const NOTICES_MAX: u64 = 200_000;

/// Which notices are asked for; the default is all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticeFilter {
    /// Only those with a greater number.
    pub after: u64,
    /// Only of what happened at or after this time.
    pub since: Option<Timestamp>,
}

const COLUMNS: &str = "number, at, kind, namespace, id, source, name, digest, platform, \
                       pod_namespace, pod_name, pod_uid, container, isolation, pid, exit_code, \
                       reason, oom_count, is_amended";

impl Database {
    /// Notices in the order of their numbers, at most `limit`. When the first is not the one after
    /// `after`, those between went with time or were never there.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn notices(
        &self,
        filter: &NoticeFilter,
        limit: usize,
    ) -> Result<Vec<NumberedNotice>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM notice WHERE number > ?1 AND at >= ?2 ORDER BY number LIMIT ?3"
        );
        let since = filter.since.unwrap_or(Timestamp::MIN);
        let values = values![filter.after, since, limit as u64];
        self.session.all("reading notices", &sql, values, stored)
    }

    /// The number of the newest notice there ever was; 0 before the first.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn last_notice(&self) -> Result<u64, StoreError> {
        let sql = "SELECT value FROM counter WHERE name = 'notice'";
        self.session.one("reading notices", sql, &[], |row| row.count(0))
    }
}

/// Writes notices in their order, in the caller's transaction. Gives the last number.
pub(crate) fn write(database: &Database, notices: &[Notice]) -> Result<Option<u64>, StoreError> {
    if notices.is_empty() {
        return Ok(None);
    }
    let first = database.numbers_from("notice", notices.len())?;
    let first = u64::try_from(first).map_err(|_| StoreError::damaged("a notice's number"))?;
    let mut rows = database.session.bulk("writing notices", "notice", COLUMNS)?;
    for (number, notice) in (first..).zip(notices) {
        let pod = notice.pod.as_ref();
        rows.row(values![
            number,
            notice.at,
            notice.kind.as_str(),
            &notice.namespace,
            &notice.id,
            notice.source.as_str(),
            notice.name.as_ref(),
            notice.digest.map(|digest| digest.to_string()).as_ref(),
            notice.platform.as_ref().map(ToString::to_string).as_ref(),
            pod.map(|pod| &pod.namespace),
            pod.map(|pod| &pod.name),
            pod.map(|pod| &pod.uid),
            notice.container.as_ref(),
            notice.isolation.map(Isolation::as_str),
            notice.pid,
            notice.exit_code,
            notice.reason.map(ExitReason::as_str),
            notice.oom_count,
            notice.is_amended,
        ])?;
    }
    rows.finish()?;
    Ok(Some(first + notices.len() as u64 - 1))
}

/// Removes notices that are old or too many, the oldest first.
pub(crate) fn sweep(database: &Database, now: Timestamp, limit: u64) -> Result<u64, StoreError> {
    let until = now.saturating_sub(NOTICES_KEPT).unwrap_or(Timestamp::MIN);
    let last_too_many = database.last_notice()?.saturating_sub(NOTICES_MAX);
    let sql = "DELETE FROM notice WHERE number IN (SELECT number FROM notice \
               WHERE number <= ?1 OR at < ?2 ORDER BY number LIMIT ?3)";
    database.session.execute("removing notices", sql, values![last_too_many, until, limit])
}

fn stored(row: &Row<'_>) -> Result<NumberedNotice, StoreError> {
    let platform = |text: &str| -> Result<Platform, StoreError> {
        text.parse().map_err(|_| StoreError::damaged(format!("platform {text:?}")))
    };
    let notice = Notice {
        at: encoding::timestamp(row.integer(1)?)?,
        kind: word(row.text(2)?, NoticeKind::from_word)?,
        namespace: row.string(3)?,
        id: row.string(4)?,
        source: word(row.text(5)?, NoticeSource::from_word)?,
        name: row.optional_string(6)?,
        digest: digest(row.optional_text(7)?)?,
        platform: row.optional_text(8)?.map(platform).transpose()?,
        pod: pod(row, 9)?,
        container: row.optional_string(12)?,
        isolation: optional_word(row.optional_text(13)?, Isolation::from_word)?,
        pid: row.optional_integer(14)?.map(number).transpose()?,
        exit_code: row.optional_integer(15)?.map(number).transpose()?,
        reason: optional_word(row.optional_text(16)?, ExitReason::from_word)?,
        oom_count: row.optional_integer(17)?.map(i64::cast_unsigned),
        is_amended: row.flag(18)?,
    };
    Ok(NumberedNotice { number: row.count(0)?, notice })
}
