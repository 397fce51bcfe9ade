//! Lets the catalogers see the files of a layer.
//!
//! What comes out of a file is a [`FileValue`], which says nothing of the image, so that a layer's
//! values can be kept for every image that has the layer.

use std::io::{self, Cursor, Read};

use pratique_image::{Content as ImageContent, ContentSource, FileInfo, ReadSeek, Reader};
use pratique_model::Partial;
use serde::{Deserialize, Serialize};

use crate::cataloger::{Cataloger, Content, Found, catalogers};
use crate::distro;
use crate::os::rpm::write_ahead;

/// How much of a file is kept in memory so that several catalogers can see it.
pub(crate) const SHARED_BYTES_MAX: u64 = 64 << 20;

/// What is kept of one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum FileValue {
    /// What each cataloger found in it, by the cataloger's name; catalogers that found nothing are
    /// left out.
    Found(Vec<(Box<str>, Found)>),
    /// The text of a file that tells the distribution.
    Identity(String),
    /// There are changes to an rpm database that are not in it yet; see
    /// [`crate::os::rpm::write_ahead`].
    WriteAheadLog,
}

/// The reader that is given to the image.
pub(crate) struct Catalogers;

impl Reader for Catalogers {
    type Value = FileValue;

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        distro::is_identity(file.path)
            || write_ahead::is_log(file)
            || catalogers().any(|cataloger| cataloger.wants(file))
    }

    fn read(
        &self,
        file: &FileInfo<'_>,
        content: &mut ImageContent<'_>,
        partial: &mut Vec<Partial>,
    ) -> Option<FileValue> {
        if distro::is_identity(file.path) {
            let bytes = content.read_rest(distro::FILE_BYTES_MAX).ok()?;
            let Some(bytes) = bytes else {
                partial.push(problem(file, "longer than any file that tells a distribution"));
                return None;
            };
            return Some(FileValue::Identity(String::from_utf8_lossy(&bytes).into_owned()));
        }
        if write_ahead::is_log(file) {
            return Some(FileValue::WriteAheadLog);
        }
        let found = catalog(file, content);
        (!found.is_empty()).then_some(FileValue::Found(found))
    }

    /// Names and places decide what a file means, so a second name is the same only to the same
    /// catalogers and with the same last part.
    fn reads_alike(&self, first: &FileInfo<'_>, second: &FileInfo<'_>) -> bool {
        first.name() == second.name()
            && write_ahead::is_log(first) == write_ahead::is_log(second)
            && distro::is_identity(first.path) == distro::is_identity(second.path)
            && catalogers().all(|cataloger| cataloger.wants(first) == cataloger.wants(second))
    }
}

fn catalog(file: &FileInfo<'_>, content: &mut ImageContent<'_>) -> Vec<(Box<str>, Found)> {
    let mut wanting = catalogers().filter(|cataloger| cataloger.wants(file));
    let Some(first) = wanting.next() else {
        return Vec::new();
    };
    let others: Vec<_> = wanting.collect();
    if others.is_empty() {
        let size = content.size();
        let found = run(first, file, Content::new(size, &mut Through(content)));
        return keep(vec![(first.name().into(), found)]);
    }
    let bytes = match content.read_rest(SHARED_BYTES_MAX) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let mut found = Found::default();
            found.problem(format!(
                "{} bytes, more than the {SHARED_BYTES_MAX} that are read of such a file",
                file.size
            ));
            return vec![(first.name().into(), found)];
        }
        Err(_) => return Vec::new(),
    };
    let all = std::iter::once(first).chain(others);
    keep(
        all.map(|cataloger| {
            let mut source = Cursor::new(&bytes[..]);
            let content = Content::new(bytes.len() as u64, &mut source);
            (cataloger.name().into(), run(cataloger, file, content))
        })
        .collect(),
    )
}

fn keep(mut found: Vec<(Box<str>, Found)>) -> Vec<(Box<str>, Found)> {
    found.retain(|(_, found)| !found.is_empty());
    found
}

fn run(cataloger: &dyn Cataloger, file: &FileInfo<'_>, content: Content<'_>) -> Found {
    let mut found = Found::default();
    if let Err(error) = cataloger.catalog(file, content, &mut found) {
        let cause = std::error::Error::source(&error);
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        found.problem(format!("{error}{cause}"));
    }
    found
}

/// The image's content as the source of a cataloger's.
struct Through<'c, 'i>(&'c mut ImageContent<'i>);

impl Read for Through<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl ContentSource for Through<'_, '_> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        self.0.skip(count)
    }

    fn as_seek(&mut self) -> Option<&mut dyn ReadSeek> {
        self.0.as_seek()
    }
}

fn problem(file: &FileInfo<'_>, text: &str) -> Partial {
    Partial { layer: None, path: Some(file.path.to_owned()), problem: text.to_owned() }
}
