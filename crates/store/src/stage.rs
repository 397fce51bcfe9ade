//! Holds what a feed brings until it is committed as one.
//!
//! Entries lie in a temporary file that has no name, with an index of 40 bytes each in memory: the
//! database is written once, in one transaction, and a process that is killed leaves nothing behind
//! to clean up. Filling needs no database, so parts are parsed side by side while one writer
//! commits.
//!
//! What would surprise: an advisory may come in pieces (Debian's tracker is grouped by package);
//! pieces with the same id are one advisory, whatever stands between them.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::SpooledTempFile;

use pratique_model::{Advisory, Enrichment, Note, PartId};

use crate::record::{self, Hashes};
use crate::session::storable;
use crate::{StoreError, encoding};

/// How many bytes of waiting entries are kept in memory before they go to a file; most parts fit.
const MEMORY_BYTES_MAX: usize = 4 << 20;

/// How many bytes are gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;

/// How many bytes are read ahead when waiting entries are read back.
const READ_BYTES: usize = 256 << 10;

/// How many entries one part may bring: the largest real one (NVD of all years) has a tenth.
const ENTRIES_MAX: usize = 4_000_000;

/// How many remarks of a part are kept; from the design (updater, *Notes*).
pub(crate) const NOTES_MAX: usize = 100;

/// How long a remark or its subject may be, in characters: both come from the feed.
const NOTE_CHARACTERS_MAX: usize = 300;

/// How long the id of an advisory or the name of a package may be, in bytes: five times the longest
/// real one, and less than PostgreSQL can keep in an index (2,700).
const NAME_BYTES_MAX: usize = 1_000;

/// Entries of one part that wait to be committed.
pub struct Staging {
    part: PartId,
    spool: SpooledTempFile,
    written: u64,
    pending: Vec<u8>,
    names: RandomState,
    pub(crate) entries: Vec<Entry>,
    pub(crate) facts: Vec<Place>,
    window: Window,
    pub(crate) notes: Vec<KeptNote>,
    note_count: u64,
    quarantined: u64,
    is_addition: bool,
    fault: Option<StoreError>,
}

/// A piece of an advisory that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// A hash of the advisory's id under a key of this staging only.
    pub(crate) name_hash: u64,
    pub(crate) place: Place,
    pub(crate) hashes: Hashes,
}

/// Where bytes lie in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

/// A stretch of the file that was read ahead.
#[derive(Default)]
struct Window {
    offset: u64,
    bytes: Vec<u8>,
}

/// A remark about a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptNote {
    /// The remark.
    pub note: Note,
    /// Whether it says that an entry was put aside.
    pub is_quarantine: bool,
}

impl Staging {
    /// Starts empty. The temporary file, if one is needed, is made in `directory`; by default in
    /// the system's.
    pub fn new(part: PartId, directory: Option<&Path>) -> Self {
        let spool = match directory {
            Some(directory) => tempfile::spooled_tempfile_in(MEMORY_BYTES_MAX, directory),
            None => tempfile::spooled_tempfile(MEMORY_BYTES_MAX),
        };
        Self {
            part,
            spool,
            written: 0,
            pending: Vec::new(),
            names: RandomState::new(),
            entries: Vec::new(),
            facts: Vec::new(),
            window: Window::default(),
            notes: Vec::new(),
            note_count: 0,
            quarantined: 0,
            is_addition: false,
            fault: None,
        }
    }

    /// Starts empty, for some new and changed advisories of a part: those that are not among them
    /// stay as they are, and so do the remarks of the last whole reading. Not for facts.
    pub fn additions(part: PartId) -> Self {
        Self { is_addition: true, ..Self::new(part, None) }
    }

    /// Whether what it does not hold stays as it is.
    pub(crate) fn is_addition(&self) -> bool {
        self.is_addition
    }

    /// The part it is for.
    pub fn part(&self) -> &PartId {
        &self.part
    }

    /// How many entries it holds; an advisory in pieces counts once for each.
    pub fn entry_count(&self) -> u64 {
        (self.entries.len() + self.facts.len()) as u64
    }

    /// How many facts it holds; a CVE that comes twice counts twice.
    pub(crate) fn fact_count(&self) -> u64 {
        self.facts.len() as u64
    }

    /// How many remarks were made, also those past the ones that are kept.
    pub fn note_count(&self) -> u64 {
        self.note_count
    }

    /// How many entries were put aside.
    pub fn quarantined(&self) -> u64 {
        self.quarantined
    }

    /// Takes an advisory or a piece of one.
    ///
    /// A fault (a full disk, too many entries) is kept and told by [`Self::check`] and by the
    /// commit, so that parsers need not handle it; what comes after it is dropped.
    ///
    /// An advisory whose id or one of whose packages has a name of more than 1,000 bytes is put
    /// aside. U+0000, which PostgreSQL does not store, becomes U+FFFD in every text, so that the
    /// rest of the advisory is not lost and both databases say the same.
    pub fn advisory(&mut self, advisory: &Advisory) {
        let packages = advisory.affected.iter().map(|affected| &affected.package);
        if let Some(long) = packages.chain([&advisory.id]).find(|name| name.len() > NAME_BYTES_MAX)
        {
            let text = format!("a name of {} bytes", long.len());
            return self.quarantine(Note { subject: advisory.id.clone(), text });
        }
        if !self.has_room() {
            return;
        }
        let start = self.pending.len();
        let hashes = record::push_advisory(&mut self.pending, advisory);
        let name_hash = self.name_hash(&storable(&advisory.id));
        let place = self.place(start);
        self.entries.push(Entry { name_hash, place, hashes });
        self.flush_if_full();
    }

    /// Takes a fact about a CVE; faults are kept as for [`Self::advisory`]. A fact about anything
    /// else is put aside.
    pub fn enrichment(&mut self, enrichment: &Enrichment) {
        let id = record::vulnerability_of(enrichment);
        if encoding::cve_code(id).is_none() {
            let text = "not a CVE id".to_owned();
            return self.quarantine(Note { subject: id.to_owned(), text });
        }
        if !self.has_room() {
            return;
        }
        let start = self.pending.len();
        record::push_enrichment(&mut self.pending, enrichment);
        let place = self.place(start);
        self.facts.push(place);
        self.flush_if_full();
    }

    /// Takes a remark; the first hundred are kept.
    pub fn note(&mut self, note: Note) {
        self.keep_note(note, false);
    }

    /// Counts and names an entry that could not be read.
    pub fn quarantine(&mut self, note: Note) {
        self.quarantined += 1;
        self.keep_note(note, true);
    }

    /// The remarks that are kept.
    pub fn notes(&self) -> &[KeptNote] {
        &self.notes
    }

    /// Tells the first fault so far; a parser may stop early because of it.
    ///
    /// # Errors
    /// What went wrong while entries were kept. It is told once.
    pub fn check(&mut self) -> Result<(), StoreError> {
        self.fault.take().map_or(Ok(()), Err)
    }

    /// The hash under which an advisory's pieces are found.
    pub(crate) fn name_hash(&self, name: &str) -> u64 {
        self.names.hash_one(name)
    }

    /// Ends filling: everything is in the file.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        self.flush();
        self.check()
    }

    /// Reads one record back. Records asked for in the order of the file are read ahead.
    pub(crate) fn read(&mut self, place: Place) -> Result<&[u8], StoreError> {
        let length = place.length as usize;
        let start = place.offset.checked_sub(self.window.offset);
        let start = match start.and_then(|start| usize::try_from(start).ok()) {
            Some(start) if start + length <= self.window.bytes.len() => start,
            _ => {
                self.fill_window(place.offset, length.max(READ_BYTES))
                    .map_err(|source| StoreError::Spool { part: self.part.clone(), source })?;
                0
            }
        };
        let bytes = self.window.bytes.get(start..start + length);
        bytes.ok_or_else(|| StoreError::damaged("waiting entry"))
    }

    /// Reads one record back without giving up what was read ahead.
    pub(crate) fn read_apart(&mut self, place: Place) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; place.length as usize];
        self.spool
            .seek(SeekFrom::Start(place.offset))
            .and_then(|_| self.spool.read_exact(&mut bytes))
            .map_err(|source| StoreError::Spool { part: self.part.clone(), source })?;
        Ok(bytes)
    }

    fn fill_window(&mut self, offset: u64, length: usize) -> std::io::Result<()> {
        self.window.offset = offset;
        self.window.bytes.clear();
        self.spool.seek(SeekFrom::Start(offset))?;
        let mut ahead = (&mut self.spool).take(length as u64);
        ahead.read_to_end(&mut self.window.bytes).map(|_| ())
    }

    fn has_room(&mut self) -> bool {
        if self.fault.is_none() && self.entries.len() + self.facts.len() >= ENTRIES_MAX {
            self.fault =
                Some(StoreError::TooManyEntries { part: self.part.clone(), limit: ENTRIES_MAX });
        }
        self.fault.is_none()
    }

    /// Where the record is that was begun at `start` of the pending bytes.
    fn place(&self, start: usize) -> Place {
        // A record beyond 4 GiB is beyond every limit of fetching.
        let length = u32::try_from(self.pending.len() - start).unwrap_or(u32::MAX);
        Place { offset: self.written + start as u64, length }
    }

    fn flush_if_full(&mut self) {
        if self.pending.len() >= WRITE_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Err(source) = self.spool.write_all(&self.pending) {
            self.fault.get_or_insert(StoreError::Spool { part: self.part.clone(), source });
        }
        self.written += self.pending.len() as u64;
        self.pending.clear();
    }

    fn keep_note(&mut self, note: Note, is_quarantine: bool) {
        self.note_count += 1;
        if self.notes.len() < NOTES_MAX {
            let cut = |text: String| text.chars().take(NOTE_CHARACTERS_MAX).collect();
            let note = Note { subject: cut(note.subject), text: cut(note.text) };
            self.notes.push(KeptNote { note, is_quarantine });
        }
    }
}
