//! Walks one layer's tar stream and records what it contributes.
//!
//! What a limit cuts is noted and the walk goes on or ends; what is broken ends it with an error.
//! The stream below keeps its own failures (see [`crate::stream`]): an error of reading here only
//! says that there is one.

use std::collections::HashMap;
use std::io::{self, Read};

use pratique_model::{DiffId, Partial};

use crate::layer::{LayerContent, Recorder, Step, What};
use crate::limits::{Budget, Problems};
use crate::path::{NameKey, normalise, shown, split};
use crate::reader::{Content, ContentSource, FileInfo, ReadSeek, Reader};
use crate::stream::PlainStream;
use crate::tar::{Entry, Kind, TarError, TarReader, TarSource};

/// What names of whiteouts begin with; the rest is the name that is hidden.
const WHITEOUT: &[u8] = b".wh.";

/// The name that hides all of a folder's older content.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What names of AUFS's own files begin with; they mean nothing here.
const WHITEOUT_META: &[u8] = b".wh..wh.";

/// The size a hard link is taken to have before its file has been found: large enough for every
/// reader that leaves out small files, small enough for one that leaves out large ones.
const LINK_SIZE_ASSUMED: u64 = 1024 * 1024;

/// Reads the whole of a layer.
pub(crate) struct LayerWalk<'r, R: Reader> {
    reader: &'r R,
    budget: &'r Budget,
    recorder: Recorder<R::Value>,
    problems: Problems,
    noted: Vec<Partial>,
    path: Vec<u8>,
    links: Vec<OwnLink>,
    is_whole: bool,
}

/// A wanted hard link, to be settled when the whole layer has been seen.
struct OwnLink {
    step: u32,
    path: Vec<u8>,
    target: Vec<u8>,
    mode: u32,
}

/// A file to be read under another name, in a second pass.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Where the content lies, in normal form.
    pub(crate) target: Vec<u8>,
    /// The name under which it is wanted.
    pub(crate) path: String,
    pub(crate) mode: u32,
    /// Which of the caller's links it is.
    pub(crate) index: usize,
}

/// What a second pass found for a [`Wanted`]: the value and the file's size.
pub(crate) type Found<V> = HashMap<usize, (V, u64)>;

/// What came of the first pass.
pub(crate) struct Walked<'r, R: Reader> {
    walk: LayerWalk<'r, R>,
    /// Files to be read again in a second pass, under the names of hard links to them.
    pub(crate) wanted: Vec<Wanted>,
}

impl<'r, R: Reader> LayerWalk<'r, R> {
    pub(crate) fn new(reader: &'r R, budget: &'r Budget, layer: Option<DiffId>) -> Self {
        Self {
            reader,
            budget,
            recorder: Recorder::new(),
            problems: Problems::new(layer),
            noted: Vec::new(),
            path: Vec::new(),
            links: Vec::new(),
            is_whole: true,
        }
    }

    /// The content of a layer that is not read, for the reason given.
    pub(crate) fn into_empty(mut self, problem: Option<&str>) -> LayerContent<R::Value> {
        if let Some(problem) = problem {
            self.cut(problem);
        }
        let mut content = self.recorder.finish(self.problems.layer());
        content.is_whole = self.is_whole;
        content.partial = self.problems.into_list();
        content
    }

    /// Walks to the end of the archive, which may come before the end of the stream.
    pub(crate) fn run(mut self, stream: &mut PlainStream<'_>) -> Result<Walked<'r, R>, TarError> {
        let mut tar = TarReader::new(stream);
        while let Some(entry) = next_entry(&mut tar)? {
            if !self.budget.take_entry() {
                self.cut("there are more entries than the limit; the rest is not read");
                break;
            }
            let max = self.budget.limits().path_bytes_max;
            if let Err(bad) = normalise(tar.path(), max, &mut self.path) {
                self.problems.push(Some(&shown(tar.path())), bad.problem());
                continue;
            }
            if !self.add(&mut tar, entry) {
                self.cut("its folders and links have too many names; the rest is not read");
                break;
            }
        }
        let wanted = self.settle_links();
        Ok(Walked { walk: self, wanted })
    }

    fn cut(&mut self, problem: &str) {
        self.problems.push(None, problem);
        self.is_whole = false;
    }

    /// Records one entry; `false` if there is no room for its name.
    fn add(&mut self, tar: &mut TarReader<&mut PlainStream<'_>>, entry: Entry) -> bool {
        let path = std::mem::take(&mut self.path);
        let has_room = self.add_at(&path, tar, entry);
        self.path = path;
        has_room
    }

    fn add_at(
        &mut self,
        path: &[u8],
        tar: &mut TarReader<&mut PlainStream<'_>>,
        entry: Entry,
    ) -> bool {
        let (folder_path, name) = split(path);
        if name.is_empty() {
            return true;
        }
        let folders_before = self.recorder.folder_count();
        if entry.kind == Kind::Folder && !name.starts_with(WHITEOUT) {
            self.recorder.push_folder(path);
            return self.pay_for_folders(folders_before, path.len());
        }
        let folder = self.recorder.folder(folder_path);
        if !self.pay_for_folders(folders_before, folder_path.len()) {
            return false;
        }
        if name.starts_with(WHITEOUT) {
            return self.add_marker(folder, name);
        }
        match entry.kind {
            Kind::File => {
                let step = self.recorder.push(folder, name);
                self.add_file(step, path, tar, entry)
            }
            Kind::Symlink => {
                let target = String::from_utf8_lossy(tar.link());
                if target.len() > self.budget.limits().path_bytes_max {
                    self.problems.push(Some(&shown(path)), "its link is longer than the limit");
                    self.recorder.push(folder, name);
                    return true;
                }
                let what = What::Symlink { target: target.as_ref().into() };
                let step = self.recorder.push(folder, name);
                self.recorder.detail(step, name, what);
                self.budget.take_name(name.len() + target.len())
            }
            Kind::HardLink => {
                let step = self.recorder.push(folder, name);
                self.add_link(step, path, tar.link(), entry.mode)
            }
            Kind::Folder | Kind::Other => {
                self.recorder.push(folder, name);
                true
            }
        }
    }

    fn pay_for_folders(&self, before: usize, path_bytes: usize) -> bool {
        self.recorder.folder_count() == before || {
            let count = self.recorder.folder_count() - before;
            (1..count).all(|_| self.budget.take_name(0)) && self.budget.take_name(path_bytes)
        }
    }

    fn add_marker(&mut self, folder: u32, name: &[u8]) -> bool {
        let hidden = name.get(WHITEOUT.len()..).unwrap_or_default();
        if name == OPAQUE {
            let step = self.recorder.push(folder, name);
            self.recorder.detail(step, name, What::Opaque);
        } else if !name.starts_with(WHITEOUT_META) && !hidden.is_empty() {
            let step = self.recorder.push(folder, hidden);
            self.recorder.detail(step, hidden, What::Whiteout);
        }
        self.budget.take_name(name.len())
    }

    fn add_file(
        &mut self,
        step: u32,
        path: &[u8],
        tar: &mut TarReader<&mut PlainStream<'_>>,
        entry: Entry,
    ) -> bool {
        let text = String::from_utf8_lossy(path);
        let file = FileInfo { path: &text, size: entry.size, mode: entry.mode };
        if !self.reader.wants(&file) {
            return true;
        }
        let value = if entry.size > self.budget.limits().file_bytes_max {
            self.problems.push(Some(&shown(path)), TOO_LARGE);
            None
        } else {
            let mut source = EntrySource { tar };
            let mut content = Content::new(&mut source, entry.size);
            let value = self.reader.read(&file, &mut content, &mut self.noted);
            self.problems.extend(&mut self.noted);
            value
        };
        let what = What::File { value, size: entry.size, mode: entry.mode };
        let (_, name) = split(path);
        self.recorder.detail(step, name, what);
        self.budget.take_name(name.len())
    }

    fn add_link(&mut self, step: u32, path: &[u8], link: &[u8], mode: u32) -> bool {
        let text = String::from_utf8_lossy(path);
        let file = FileInfo { path: &text, size: LINK_SIZE_ASSUMED, mode };
        if !self.reader.wants(&file) {
            return true;
        }
        let mut target = Vec::new();
        if let Err(bad) = normalise(link, self.budget.limits().path_bytes_max, &mut target) {
            let problem = format!("hard link to {:?}: {}", shown(link), bad.problem());
            self.problems.push(Some(&shown(path)), problem);
            return true;
        }
        let bytes = path.len() + target.len();
        self.links.push(OwnLink { step, path: path.to_vec(), target, mode });
        self.budget.take_name(bytes)
    }

    /// Gives hard links the values of their files, as far as these lie in this layer and were
    /// read; tells which files have to be read again.
    fn settle_links(&mut self) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        if self.links.is_empty() {
            return wanted;
        }
        let links = std::mem::take(&mut self.links);
        let steps = self.find_targets(&links);
        let mut known: HashMap<u32, usize> =
            (0..).zip(&self.recorder.details).map(|(index, detail)| (detail.step, index)).collect();
        for (index, (link, target)) in links.iter().zip(steps).enumerate() {
            let text = String::from_utf8_lossy(&link.path).into_owned();
            let (_, name) = split(&link.path);
            let what = match target {
                None => {
                    let target = String::from_utf8_lossy(&link.target).as_ref().into();
                    What::Link { target, mode: link.mode }
                }
                Some(step) => {
                    let detail = known.get(&step).and_then(|&at| self.recorder.details.get(at));
                    match self.follow(detail.map(|detail| &detail.what), link, &text) {
                        Some(what) => what,
                        None => {
                            let (target, mode) = (link.target.clone(), link.mode);
                            wanted.push(Wanted { target, path: text, mode, index });
                            What::File { value: None, size: 0, mode }
                        }
                    }
                }
            };
            known.insert(link.step, self.recorder.details.len());
            self.recorder.detail(link.step, name, what);
            if let Some(last) = wanted.last_mut().filter(|wanted| wanted.index == index) {
                last.index = self.recorder.details.len() - 1;
            }
        }
        wanted
    }

    /// What a link to a known entry of this layer gives; `None` if its file must be read again.
    fn follow(
        &self,
        target: Option<&What<R::Value>>,
        link: &OwnLink,
        path: &str,
    ) -> Option<What<R::Value>> {
        match target? {
            What::File { value, size, mode } => {
                let target = String::from_utf8_lossy(&link.target);
                let first = FileInfo { path: &target, size: *size, mode: *mode };
                let second = FileInfo { path, size: *size, mode: link.mode };
                let value = match () {
                    () if !self.reader.wants(&second) => None,
                    () if self.reader.reads_alike(&first, &second) => value.clone(),
                    () => return None,
                };
                Some(What::File { value, size: *size, mode: link.mode })
            }
            What::Symlink { target } => Some(What::Symlink { target: target.clone() }),
            What::Link { target, .. } => {
                Some(What::Link { target: target.clone(), mode: link.mode })
            }
            What::Whiteout | What::Opaque => None,
        }
    }

    /// For every link the last step before it that is its target.
    fn find_targets(&self, links: &[OwnLink]) -> Vec<Option<u32>> {
        let mut last_seen: HashMap<(u32, NameKey), Option<u32>> = HashMap::new();
        let mut targets = Vec::with_capacity(links.len());
        for link in links {
            let (folder, name) = split(&link.target);
            let folder = self.recorder.known_folder(folder);
            let target = folder.map(|folder| (folder, NameKey::of(name)));
            last_seen.extend(target.map(|target| (target, None)));
            targets.push(target);
        }
        let is_marker = |what: &What<R::Value>| matches!(what, What::Whiteout | What::Opaque);
        let markers = self.recorder.details.iter().filter(|detail| is_marker(&detail.what));
        let mut markers = markers.map(|detail| detail.step).peekable();
        let mut links = links.iter().zip(targets).peekable();
        let mut found = Vec::with_capacity(links.len());
        for (step, index) in (0_u32..).zip(0..self.recorder.steps.len()) {
            if let Some((_, target)) = links.next_if(|(link, _)| link.step == step) {
                found.push(target.and_then(|target| last_seen.get(&target).copied().flatten()));
            }
            if markers.next_if_eq(&step).is_some() {
                continue;
            }
            if let Some(Step::Name(folder, key)) = self.recorder.steps.get(index)
                && let Some(seen) = last_seen.get_mut(&(folder, key))
            {
                *seen = Some(step);
            }
        }
        found
    }
}

impl<R: Reader> Walked<'_, R> {
    /// The content, with the values of a second pass.
    pub(crate) fn finish(
        mut self,
        layer: Option<DiffId>,
        mut found: Found<R::Value>,
        is_whole: bool,
        mut noted: Vec<Partial>,
    ) -> LayerContent<R::Value> {
        for (index, detail) in self.walk.recorder.details.iter_mut().enumerate() {
            if let (What::File { value, size: known, .. }, Some((new, size))) =
                (&mut detail.what, found.remove(&index))
            {
                *value = Some(new);
                *known = size;
            }
        }
        self.walk.problems.extend(&mut noted);
        self.walk.recorder.details.sort_by_key(|detail| detail.step);
        let mut content = self.walk.recorder.finish(layer);
        content.is_whole = is_whole && self.walk.is_whole;
        content.partial = self.walk.problems.into_list();
        content
    }
}

/// Reads the files that hard links want, in a pass of its own. What is left in `wanted` afterwards
/// wants a file that was read under another name which does not read alike: it needs another pass.
pub(crate) fn read_wanted<R: Reader>(
    stream: &mut PlainStream<'_>,
    reader: &R,
    wanted: &mut Vec<Wanted>,
    noted: &mut Vec<Partial>,
) -> Result<Found<R::Value>, TarError> {
    let mut by_target: HashMap<Vec<u8>, Vec<Wanted>> = HashMap::new();
    for want in wanted.drain(..) {
        by_target.entry(want.target.clone()).or_default().push(want);
    }
    let limits = *stream.budget().limits();
    let mut found = Found::new();
    let mut path = Vec::new();
    let mut tar = TarReader::new(stream);
    while let Some(entry) = next_entry(&mut tar)? {
        if entry.kind != Kind::File
            || normalise(tar.path(), limits.path_bytes_max, &mut path).is_err()
        {
            continue;
        }
        let Some(mut links) = by_target.remove(&path) else { continue };
        links.retain(|want| {
            let (size, mode) = (entry.size, want.mode);
            reader.wants(&FileInfo { path: &want.path, size, mode })
        });
        if entry.size > limits.file_bytes_max {
            let too_large = |want: Wanted| note(&want.path, TOO_LARGE);
            noted.extend(links.into_iter().map(too_large));
        } else {
            read_for_links(&mut tar, entry, reader, links, wanted, noted, &mut found);
        }
    }
    let missing = by_target.into_values().flatten();
    noted.extend(missing.map(|want| note(&want.path, "hard link to a file that is not there")));
    Ok(found)
}

/// The next entry; a stream that broke or hit a limit ends here, because it keeps the reason.
fn next_entry(tar: &mut TarReader<&mut PlainStream<'_>>) -> Result<Option<Entry>, TarError> {
    match tar.advance() {
        Err(TarError::Read { .. }) if tar.source().has_failed() => Ok(None),
        result => result,
    }
}

/// Gives the content of one entry to the first of the names that want it, its value to those that
/// read alike, and puts the others back.
fn read_for_links<R: Reader>(
    tar: &mut TarReader<&mut PlainStream<'_>>,
    entry: Entry,
    reader: &R,
    links: Vec<Wanted>,
    again: &mut Vec<Wanted>,
    noted: &mut Vec<Partial>,
    found: &mut Found<R::Value>,
) {
    let size = entry.size;
    let mut links = links.into_iter();
    let Some(one) = links.next() else { return };
    let first = FileInfo { path: &one.path, size, mode: one.mode };
    let mut source = EntrySource { tar };
    let value = reader.read(&first, &mut Content::new(&mut source, size), noted);
    for want in links {
        let second = FileInfo { path: &want.path, size, mode: want.mode };
        if !reader.reads_alike(&first, &second) {
            again.push(want);
        } else if let Some(value) = &value {
            found.insert(want.index, (value.clone(), size));
        }
    }
    if let Some(value) = value {
        found.insert(one.index, (value, size));
    }
}

/// A problem with one file, of a layer to be filled in.
pub(crate) fn note(path: &str, problem: &str) -> Partial {
    Partial { layer: None, path: Some(path.to_owned()), problem: problem.to_owned() }
}

/// Why a wanted file has no value.
pub(crate) const TOO_LARGE: &str = "file is larger than the limit; its content is not read";

impl TarSource for PlainStream<'_> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        PlainStream::skip(self, count)
    }
}

/// The content of the entry at which a tar reader stands.
struct EntrySource<'t, 's, 'b> {
    tar: &'t mut TarReader<&'s mut PlainStream<'b>>,
}

impl Read for EntrySource<'_, '_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let hole = self.tar.hole_ahead(out.len());
        if hole > 0 && !self.tar.source().budget().take_bytes(hole) {
            return Err(io::Error::other("the limit of expanded bytes is reached"));
        }
        self.tar.read(out)
    }
}

impl ContentSource for EntrySource<'_, '_, '_> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        self.tar.skip_content(count)
    }

    fn as_seek(&mut self) -> Option<&mut dyn ReadSeek> {
        None
    }
}
