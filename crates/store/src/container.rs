//! What a node's container runtime runs, and which images it names.
//!
//! One writer, the node's watcher, writes containers, images and what is to be told of them in one
//! transaction: after a crash either all of it is there or nothing, so that what is told once stays
//! told once.

use jiff::{SignedDuration, Timestamp};

use pratique_model::{Container, ContainerState, Digest, NodeImage, Notice, Pod};

use crate::session::{Row, values};
use crate::{Database, StoreError, encoding, notice};

/// How long a container that was removed is remembered.
pub const DELETED_CONTAINERS_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The flag that numbers the writers.
const WRITER_FLAG: &str = "runtime.writer";

/// How many rows of the runtime's tables one sweep removes at most, so that it takes well under a
/// second.
const SWEEP_ROWS_MAX: u64 = 5_000;

/// What is written of a node's runtime at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeChanges {
    /// Containers as they are now; of several for one id the last holds.
    pub containers: Vec<Container>,
    /// Names and what they mean now.
    pub images: Vec<NodeImage>,
    /// Names that mean nothing any more: namespace and name. Removed after `images` are written.
    pub gone_images: Vec<(String, String)>,
    /// What there is to tell, in order.
    pub notices: Vec<Notice>,
}

/// The right to write what a node's runtime does: of the one who took it over last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeWriter {
    number: u64,
}

/// What a sweep of the runtime's tables removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweptRuntime {
    /// Containers that were deleted long ago.
    pub containers: u64,
    /// Notices that were old or too many.
    pub notices: u64,
}

const COLUMNS: &str = "namespace, id, kind, state, isolation, pod_namespace, pod_name, pod_uid, \
                       name, image, manifest_digest, config_digest, pid, created_at, started_at, \
                       finished_at, exit_code, reason, oom_count, deleted_at";

const UPSERT: &str = "INSERT INTO container (namespace, id, kind, state, isolation, \
    pod_namespace, pod_name, pod_uid, name, image, manifest_digest, config_digest, pid, \
    created_at, started_at, finished_at, exit_code, reason, oom_count, deleted_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
    ?20) \
    ON CONFLICT (namespace, id) DO UPDATE SET kind = excluded.kind, state = excluded.state, \
    isolation = excluded.isolation, pod_namespace = excluded.pod_namespace, \
    pod_name = excluded.pod_name, pod_uid = excluded.pod_uid, name = excluded.name, \
    image = excluded.image, manifest_digest = excluded.manifest_digest, \
    config_digest = excluded.config_digest, pid = excluded.pid, \
    created_at = excluded.created_at, started_at = excluded.started_at, \
    finished_at = excluded.finished_at, exit_code = excluded.exit_code, \
    reason = excluded.reason, oom_count = excluded.oom_count, deleted_at = excluded.deleted_at";

const WRITING: &str = "writing what the runtime does";
const READING: &str = "reading containers";

impl Database {
    /// Becomes the one who writes what the node's runtime does. Whatever an earlier one still had
    /// in hand is not written any more, so what is read after this stays true until one writes.
    ///
    /// # Errors
    /// Those of [`Self::transaction`].
    pub fn take_over_runtime(&self) -> Result<RuntimeWriter, StoreError> {
        self.in_transaction("taking over the node's containers", None, |database| {
            let number = database.runtime_writer()? + 1;
            database.set_flag(WRITER_FLAG, &number.to_string(), None)?;
            Ok(RuntimeWriter { number })
        })
    }

    /// Writes what became of containers and images together with what is to be told of it, all or
    /// nothing. Gives the number of the last notice; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] when another has taken over; those of [`Self::transaction`].
    pub fn write_runtime(
        &self,
        writer: RuntimeWriter,
        changes: &RuntimeChanges,
    ) -> Result<Option<u64>, StoreError> {
        self.in_transaction(WRITING, None, |database| {
            if database.runtime_writer()? != writer.number {
                return Err(StoreError::Superseded);
            }
            database.write_containers(&changes.containers)?;
            database.write_node_images(changes)?;
            notice::write(database, &changes.notices)
        })
    }

    /// Containers in the order of namespace and id, those that were removed only `with_deleted`.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn containers(&self, with_deleted: bool) -> Result<Vec<Container>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM container WHERE ?1 <> 0 OR deleted_at IS NULL \
             ORDER BY namespace, id"
        );
        self.session.all(READING, &sql, values![with_deleted], stored)
    }

    /// One container, also when it was removed not long ago.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn container(&self, namespace: &str, id: &str) -> Result<Option<Container>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM container WHERE namespace = ?1 AND id = ?2");
        self.session.first(READING, &sql, values![namespace, id], stored)
    }

    /// What the runtime's image names mean, in the order of namespace and name.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn node_images(&self) -> Result<Vec<NodeImage>, StoreError> {
        let sql = "SELECT namespace, name, digest, seen_at FROM node_image \
                   ORDER BY namespace, name";
        self.session.all("reading the node's images", sql, &[], |row| {
            Ok(NodeImage {
                namespace: row.string(0)?,
                name: row.string(1)?,
                digest: digest(row.optional_text(2)?)?,
                seen_at: encoding::timestamp(row.integer(3)?)?,
            })
        })
    }

    /// Removes containers that were deleted more than [`DELETED_CONTAINERS_KEPT`] ago, and notices
    /// that are old or too many; at most some thousand rows, so call it again until nothing goes.
    ///
    /// # Errors
    /// Those of [`Self::transaction`].
    pub fn sweep_runtime(&self, now: Timestamp) -> Result<SweptRuntime, StoreError> {
        let doing = "removing old containers";
        self.in_transaction(doing, None, |database| {
            let until = now.saturating_sub(DELETED_CONTAINERS_KEPT).unwrap_or(Timestamp::MIN);
            let old = database.session.all(
                doing,
                "SELECT namespace, id FROM container WHERE deleted_at < ?1 \
                 ORDER BY deleted_at LIMIT ?2",
                values![until, SWEEP_ROWS_MAX],
                |row| Ok((row.string(0)?, row.string(1)?)),
            )?;
            let sql = "DELETE FROM container WHERE namespace = ?1 AND id = ?2";
            let mut rows = database.session.batch(doing, sql)?;
            for (namespace, id) in &old {
                rows.row(values![namespace, id])?;
            }
            let containers = rows.finish()?;
            let notices = notice::sweep(database, now, SWEEP_ROWS_MAX)?;
            Ok(SweptRuntime { containers, notices })
        })
    }

    /// The number of the one who took over last; 0 before the first.
    fn runtime_writer(&self) -> Result<u64, StoreError> {
        let Some(flag) = self.flag(WRITER_FLAG)? else { return Ok(0) };
        flag.value.parse().map_err(|_| StoreError::damaged(format!("writer {:?}", flag.value)))
    }

    fn write_containers(&self, containers: &[Container]) -> Result<(), StoreError> {
        let mut rows = self.session.batch(WRITING, UPSERT)?;
        for container in containers {
            let pod = container.pod.as_ref();
            rows.row(values![
                &container.namespace,
                &container.id,
                container.kind.as_str(),
                container.state.as_str(),
                container.isolation.as_str(),
                pod.map(|pod| &pod.namespace),
                pod.map(|pod| &pod.name),
                pod.map(|pod| &pod.uid),
                container.name.as_ref(),
                container.image.as_ref(),
                container.manifest.map(|digest| digest.to_string()).as_ref(),
                container.config.map(|digest| digest.to_string()).as_ref(),
                container.pid,
                container.created_at,
                container.started_at,
                container.finished_at,
                container.exit_code,
                container.reason.map(pratique_model::ExitReason::as_str),
                container.oom_count,
                container.deleted_at,
            ])?;
        }
        rows.finish().map(|_| ())
    }

    fn write_node_images(&self, changes: &RuntimeChanges) -> Result<(), StoreError> {
        let sql = "INSERT INTO node_image (namespace, name, digest, seen_at) \
                   VALUES (?1, ?2, ?3, ?4) ON CONFLICT (namespace, name) \
                   DO UPDATE SET digest = excluded.digest, seen_at = excluded.seen_at";
        let mut rows = self.session.batch(WRITING, sql)?;
        for image in &changes.images {
            let digest = image.digest.map(|digest| digest.to_string());
            rows.row(values![&image.namespace, &image.name, digest.as_ref(), image.seen_at])?;
        }
        rows.finish()?;
        let sql = "DELETE FROM node_image WHERE namespace = ?1 AND name = ?2";
        let mut rows = self.session.batch(WRITING, sql)?;
        for (namespace, name) in &changes.gone_images {
            rows.row(values![namespace, name])?;
        }
        rows.finish().map(|_| ())
    }
}

fn stored(row: &Row<'_>) -> Result<Container, StoreError> {
    Ok(Container {
        namespace: row.string(0)?,
        id: row.string(1)?,
        kind: word(row.text(2)?, pratique_model::ContainerKind::from_word)?,
        state: word(row.text(3)?, ContainerState::from_word)?,
        isolation: word(row.text(4)?, pratique_model::Isolation::from_word)?,
        pod: pod(row, 5)?,
        name: row.optional_string(8)?,
        image: row.optional_string(9)?,
        manifest: digest(row.optional_text(10)?)?,
        config: digest(row.optional_text(11)?)?,
        pid: number(row.integer(12)?)?,
        created_at: row.optional_time(13)?,
        started_at: row.optional_time(14)?,
        finished_at: row.optional_time(15)?,
        exit_code: row.optional_integer(16)?.map(number).transpose()?,
        reason: optional_word(row.optional_text(17)?, pratique_model::ExitReason::from_word)?,
        oom_count: row.count(18)?,
        deleted_at: row.optional_time(19)?,
    })
}

/// A pod's three columns from `column` on.
pub(crate) fn pod(row: &Row<'_>, column: usize) -> Result<Option<Pod>, StoreError> {
    let Some(namespace) = row.optional_string(column)? else { return Ok(None) };
    let name = row.optional_string(column + 1)?.unwrap_or_default();
    let uid = row.optional_string(column + 2)?.unwrap_or_default();
    Ok(Some(Pod { namespace, name, uid }))
}

/// A column that holds one of a few words.
pub(crate) fn word<T>(text: &str, from: fn(&str) -> Option<T>) -> Result<T, StoreError> {
    from(text).ok_or_else(|| StoreError::damaged(format!("the word {text:?}")))
}

/// The same of a column that may be empty.
pub(crate) fn optional_word<T>(
    text: Option<&str>,
    from: fn(&str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| word(text, from)).transpose()
}

pub(crate) fn digest(text: Option<&str>) -> Result<Option<Digest>, StoreError> {
    let parse = |text: &str| text.parse().map_err(|_| StoreError::damaged(format!("{text:?}")));
    text.map(parse).transpose()
}

pub(crate) fn number(value: i64) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|_| StoreError::damaged(format!("the number {value}")))
}
