//! Holds what a feed brings until it is committed as one.
//!
//! Entries lie in a temporary file that has no name, with an index of 32 bytes each in memory: the
//! database is written once, in one transaction, and a process that is killed leaves nothing behind
//! to clean up. Filling needs no database, so parts are parsed side by side while one writer
//! commits.
//!
//! What would surprise: an advisory may come in pieces (Debian's tracker is grouped by package);
//! pieces with the same id are one advisory, whatever stands between them.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::SpooledTempFile;

use pratique_model::{Advisory, Enrichment, Note, PartId};

use crate::record::{self, Hashes};
use crate::session::storable;
use crate::{StoreError, encoding};

/// How many bytes of waiting entries are kept in memory before they go to a file; most parts fit.
const MEMORY_BYTES_MAX: usize = 4 << 20;

/// How many bytes tell the length of a record.
const LENGTH_BYTES: usize = 4;

/// How many bytes are gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;

/// How many bytes are read ahead when waiting entries are read back.
const READ_BYTES: usize = 256 << 10;

/// How many entries one part may bring: the largest real one (NVD of all years) has a tenth.
pub(crate) const ENTRIES_MAX: usize = 4_000_000;

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
    /// As [`record::name_hash`] makes it.
    pub(crate) name_hash: u64,
    pub(crate) place: Place,
    pub(crate) hashes: Hashes,
}

/// Where in the file a record begins: its length in four bytes, then its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) u64);

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
        let start = self.begin_record();
        let hashes = record::push_advisory(&mut self.pending, advisory);
        let place = self.end_record(start);
        let name_hash = record::name_hash(&storable(&advisory.id));
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
        let start = self.begin_record();
        record::push_enrichment(&mut self.pending, enrichment);
        let place = self.end_record(start);
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

    /// Ends filling: everything is in the file.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        self.flush();
        self.check()
    }

    /// Reads one record back. Records asked for in the order of the file are read ahead.
    pub(crate) fn read(&mut self, place: Place) -> Result<&[u8], StoreError> {
        let length = length_of(self.stretch(place.0, LENGTH_BYTES)?);
        self.stretch(place.0 + LENGTH_BYTES as u64, length)
    }

    /// Reads one record back without giving up what was read ahead.
    pub(crate) fn read_apart(&mut self, place: Place) -> Result<Vec<u8>, StoreError> {
        let mut length = [0; LENGTH_BYTES];
        let mut bytes = Vec::new();
        self.spool
            .seek(SeekFrom::Start(place.0))
            .and_then(|_| self.spool.read_exact(&mut length))
            .and_then(|()| {
                bytes.resize(length_of(&length), 0);
                self.spool.read_exact(&mut bytes)
            })
            .map_err(|source| StoreError::Spool { part: self.part.clone(), source })?;
        Ok(bytes)
    }

    /// Some bytes of the file, by way of the window.
    fn stretch(&mut self, offset: u64, length: usize) -> Result<&[u8], StoreError> {
        let start = offset.checked_sub(self.window.offset);
        let start = match start.and_then(|start| usize::try_from(start).ok()) {
            Some(start) if start + length <= self.window.bytes.len() => start,
            _ => {
                self.fill_window(offset, length.max(READ_BYTES))
                    .map_err(|source| StoreError::Spool { part: self.part.clone(), source })?;
                0
            }
        };
        let bytes = self.window.bytes.get(start..start + length);
        bytes.ok_or_else(|| StoreError::damaged("waiting entry"))
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

    /// Leaves room for the length of a record, and gives where it begins among what waits.
    fn begin_record(&mut self) -> usize {
        self.pending.extend_from_slice(&[0; LENGTH_BYTES]);
        self.pending.len()
    }

    /// Fills in the length of the record that was begun at `start`.
    fn end_record(&mut self, start: usize) -> Place {
        // A record beyond 4 GiB is beyond every limit of fetching.
        let length = u32::try_from(self.pending.len() - start).unwrap_or(u32::MAX);
        let begin = start - LENGTH_BYTES;
        self.pending[begin..start].copy_from_slice(&length.to_le_bytes());
        Place(self.written + begin as u64)
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

/// A length as [`Staging::end_record`] writes it.
fn length_of(bytes: &[u8]) -> usize {
    let length = bytes.try_into().expect("the length of a record has four bytes");
    u32::from_le_bytes(length) as usize
}

/// The pieces of the advisory of that name, if `first` is its first; entries are sorted by name.
pub(crate) fn pieces_at(entries: &[Entry], first: usize, name_hash: u64) -> &[Entry] {
    let rest = &entries[first..];
    let count = rest.iter().take_while(|entry| entry.name_hash == name_hash).count();
    &rest[..count]
}

/// The hashes of an advisory from those of its pieces: the same in whatever order they come, and a
/// piece that comes twice counts once.
pub(crate) fn sum_of(pieces: &[Entry]) -> Hashes {
    if let [only] = pieces {
        return only.hashes;
    }
    let mut hashes: Vec<Hashes> = pieces.iter().map(|piece| piece.hashes).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.into_iter().fold(Hashes::default(), |sum, piece| Hashes {
        matching: sum.matching.wrapping_add(piece.matching),
        text: sum.text.wrapping_add(piece.text),
    })
}
