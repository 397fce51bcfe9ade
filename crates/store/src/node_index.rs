//! Which of the node's images were indexed on the node itself, and which could not be.
//!
//! What is to be indexed is asked of the tables each time, so nothing is forgotten over a restart:
//! an image is due when its digest was never tried, when its next try has come, or when another
//! version of the program tried it, for that may read what this one could not.

use jiff::{SignedDuration, Timestamp};

use pratique_model::{Digest, NodeImage};

use crate::container::{digest, number};
use crate::session::{Row, values};
use crate::{Database, StoreError, encoding};

/// How long it is remembered that an image was indexed whose names are gone; a day, so that an
/// image that is pulled again each night is not read again.
pub const GONE_INDEXES_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How many images of a node are swept at once.
const SWEEP_ROWS_MAX: u64 = 100;

/// What came of indexing one image of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeIndex {
    /// What the image's name points to, which may be an index.
    pub digest: Digest,
    /// The runtime's namespace in which it was read.
    pub namespace: String,
    /// The name by which it was read.
    pub name: String,
    /// The version of the program that tried.
    pub program: String,
    /// What came of it.
    pub outcome: IndexOutcome,
    /// How often it was tried without success since it was last read.
    pub attempt_count: u32,
    /// When it was last tried.
    pub attempted_at: Timestamp,
}

/// What came of indexing an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexOutcome {
    /// It was read, and registered as the image of this digest.
    Indexed {
        /// The manifest of this node's platform.
        image: Digest,
    },
    /// It could not be read.
    Failed {
        /// Why, as one line.
        error: String,
        /// When it is tried again.
        retry_at: Timestamp,
    },
    /// It ended the process that read it, and is not tried again by this version.
    Quarantined {
        /// How the process ended, as one line.
        error: String,
    },
}

impl IndexOutcome {
    const INDEXED: &str = "indexed";
    const FAILED: &str = "failed";
    const QUARANTINED: &str = "quarantined";

    /// Why there are no packages of the image; `None` when there are.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Indexed { .. } => None,
            Self::Failed { error, .. } | Self::Quarantined { error } => Some(error),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Indexed { .. } => Self::INDEXED,
            Self::Failed { .. } => Self::FAILED,
            Self::Quarantined { .. } => Self::QUARANTINED,
        }
    }
}

const READING: &str = "reading which images were indexed";

const COLUMNS: &str = "digest, namespace, name, program, state, image_digest, error, \
                       attempt_count, attempted_at, retry_at";

impl Database {
    /// The image that is to be indexed next by this version of the program: the one seen last of
    /// those never tried, then those whose next try has come. `None` when nothing is to be done.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn image_to_index(
        &self,
        program: &str,
        now: Timestamp,
    ) -> Result<Option<NodeImage>, StoreError> {
        // A name of a digest, as Kubernetes has it beside each reference, tells people nothing.
        let sql = "SELECT i.namespace, i.name, i.digest, i.seen_at FROM node_image AS i \
                   LEFT JOIN node_index AS x ON x.digest = i.digest \
                   WHERE i.digest IS NOT NULL \
                   AND (x.digest IS NULL OR x.program <> ?1 OR x.retry_at <= ?2) \
                   ORDER BY CASE WHEN x.digest IS NULL THEN 0 ELSE 1 END, i.seen_at DESC, \
                   CASE WHEN i.name LIKE 'sha256:%' THEN 1 ELSE 0 END, i.namespace, i.name LIMIT 1";
        self.session.first(READING, sql, values![program, now], |row| {
            Ok(NodeImage {
                namespace: row.string(0)?,
                name: row.string(1)?,
                digest: digest(row.optional_text(2)?)?,
                seen_at: encoding::timestamp(row.integer(3)?)?,
            })
        })
    }

    /// Writes what came of indexing an image, in place of what came of it before.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Locked`], [`StoreError::Statement`].
    pub fn write_node_index(&self, index: &NodeIndex) -> Result<(), StoreError> {
        let doing = "writing what came of indexing an image";
        let (image, retry_at) = match &index.outcome {
            IndexOutcome::Indexed { image } => (Some(image.to_string()), None),
            IndexOutcome::Failed { retry_at, .. } => (None, Some(*retry_at)),
            IndexOutcome::Quarantined { .. } => (None, None),
        };
        self.in_transaction(doing, None, |database| {
            let digest = index.digest.to_string();
            let sql = "DELETE FROM node_index WHERE digest = ?1";
            database.session.execute(doing, sql, values![&digest])?;
            let sql = format!(
                "INSERT INTO node_index ({COLUMNS}) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
            );
            let values = values![
                &digest,
                &index.namespace,
                &index.name,
                &index.program,
                index.outcome.word(),
                image.as_ref(),
                index.outcome.error(),
                index.attempt_count,
                index.attempted_at,
                retry_at,
            ];
            database.session.execute(doing, &sql, values).map(|_| ())
        })
    }

    /// What came of all images, in the order of their digests.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn node_indexes(&self) -> Result<Vec<NodeIndex>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM node_index ORDER BY digest");
        self.session.all(READING, &sql, &[], stored)
    }

    /// What came of the image of a digest; `None` when it was never tried.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn node_index(&self, digest: Digest) -> Result<Option<NodeIndex>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM node_index WHERE digest = ?1");
        self.session.first(READING, &sql, values![&digest.to_string()], stored)
    }

    /// Forgets images that were last tried more than [`GONE_INDEXES_KEPT`] ago and that no name
    /// means any more, with their packages; says how many. A few at a time: call it again until
    /// nothing goes.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Locked`], [`StoreError::Statement`],
    /// [`StoreError::Damaged`].
    pub fn sweep_node_indexes(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let doing = "forgetting images of the node";
        let until = now.saturating_sub(GONE_INDEXES_KEPT).unwrap_or(Timestamp::MIN);
        let sql = format!(
            "SELECT {COLUMNS} FROM node_index AS x WHERE attempted_at < ?1 AND NOT EXISTS \
             (SELECT 1 FROM node_image AS i WHERE i.digest = x.digest) ORDER BY digest LIMIT ?2"
        );
        let old = self.session.all(doing, &sql, values![until, SWEEP_ROWS_MAX], stored)?;
        for index in &old {
            if let IndexOutcome::Indexed { image } = &index.outcome {
                for image in self.images_named(&image.to_string(), 1)? {
                    self.remove_image(image.key)?;
                }
            }
            let sql = "DELETE FROM node_index WHERE digest = ?1";
            self.in_transaction(doing, None, |database| {
                database.session.execute(doing, sql, values![&index.digest.to_string()])
            })?;
        }
        Ok(old.len() as u64)
    }
}

fn stored(row: &Row<'_>) -> Result<NodeIndex, StoreError> {
    let required = |column| {
        digest(row.optional_text(column)?)?.ok_or_else(|| StoreError::damaged("no digest"))
    };
    let outcome = match row.text(4)? {
        IndexOutcome::INDEXED => IndexOutcome::Indexed { image: required(5)? },
        IndexOutcome::FAILED => IndexOutcome::Failed {
            error: row.string(6)?,
            retry_at: encoding::timestamp(row.integer(9)?)?,
        },
        IndexOutcome::QUARANTINED => IndexOutcome::Quarantined { error: row.string(6)? },
        other => return Err(StoreError::damaged(format!("the word {other:?}"))),
    };
    Ok(NodeIndex {
        digest: required(0)?,
        namespace: row.string(1)?,
        name: row.string(2)?,
        program: row.string(3)?,
        outcome,
        attempt_count: number(row.integer(7)?)?,
        attempted_at: encoding::timestamp(row.integer(8)?)?,
    })
}
