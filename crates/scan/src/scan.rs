//! From an opened image to its index report.

use std::collections::{BTreeMap, HashMap};

use pratique_image::{Image, ImageError, LayerCache, LayerContent, NoCache, ReadOptions, View};
use pratique_model::{DiffId, IndexReport, Partial};

use crate::assemble::{Inventory, Surviving, assemble};
use crate::cache::Cache;
use crate::distro;
use crate::layer::{Catalogers, FileValue};
use crate::os::rpm::write_ahead::{self, Databases};

/// How an image is scanned.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScanOptions<'a> {
    /// Threads and limits of reading.
    pub read: ReadOptions,
    /// Where results are remembered; `None` reads everything and remembers nothing.
    pub cache: Option<&'a Cache>,
}

/// An image was not scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A layer or a folder could not be read; the image's error says whether trying again helps.
    #[error("reading {reference}")]
    Read {
        /// The image, as the user named it.
        reference: String,
        /// What went wrong.
        #[source]
        source: ImageError,
    },
}

/// Finds the packages of an image.
///
/// An image whose manifest's digest is in the cache is not read at all, a layer that is in the
/// cache neither. What limits and damaged records cut is named in the report's `partial` and is no
/// error. The same image gives the same report, whatever the cache holds.
///
/// # Errors
/// [`ScanError`] when a layer is missing, broken, or not what its digests say.
pub fn scan(image: &Image, options: &ScanOptions<'_>) -> Result<IndexReport, ScanError> {
    let target = image.target().clone();
    let known = options.cache.zip(target.digest).and_then(|(cache, digest)| cache.image(digest));
    let inventory = match known {
        Some(inventory) => inventory,
        None => {
            let inventory = read(image, options).map_err(|source| ScanError::Read {
                reference: target.reference.clone(),
                source,
            })?;
            if let (Some(cache), Some(digest)) = (options.cache, target.digest) {
                cache.keep_image(digest, &inventory);
            }
            inventory
        }
    };
    let Inventory { distro, packages, partial } = inventory;
    Ok(IndexReport { target, distro, packages, partial })
}

fn read(image: &Image, options: &ScanOptions<'_>) -> Result<Inventory, ImageError> {
    let view = match options.cache {
        Some(cache) => image.read_all(&Catalogers, &options.read, cache)?,
        None => image.read_all(&Catalogers, &options.read, &NoCache)?,
    };
    let replaced = apply_logs(image, options, &view)?;
    let files: Vec<Surviving<'_>> = view
        .files()
        .map(|(path, layer, value)| {
            let value = replaced.get(path).unwrap_or(value);
            Surviving { path, layer, value }
        })
        .collect();
    let mut inventory = assemble(&files, &identity(&view));
    inventory.partial.extend(view.partial().iter().map(|partial| {
        let path = partial.path.as_ref().map(|path| format!("/{}", path.trim_start_matches('/')));
        Partial { path, ..partial.clone() }
    }));
    inventory.partial.sort();
    inventory.partial.dedup();
    Ok(inventory)
}

/// The texts of the files that tell the distribution, links followed.
fn identity(view: &View<FileValue>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for path in distro::FILES {
        if let Some(FileValue::Identity(text)) = view.get(path) {
            texts.insert(path.to_owned(), text.clone());
        }
    }
    texts
}

/// What rpm databases say when the changes are applied that were written beside them and not yet
/// into them; by the database's path. Almost no image has such a log, so it costs another pass.
fn apply_logs(
    image: &Image,
    options: &ScanOptions<'_>,
    view: &View<FileValue>,
) -> Result<HashMap<String, FileValue>, ImageError> {
    let has_log = view.files().any(|(_, _, value)| matches!(value, FileValue::WriteAheadLog));
    if !has_log {
        return Ok(HashMap::new());
    }
    let databases = image.read_all(&Databases, &options.read, &NoCache)?;
    let files: HashMap<&str, &[u8]> =
        databases.files().map(|(path, _, bytes)| (path, &bytes[..])).collect();
    let found = write_ahead::catalog(&files);
    Ok(found
        .into_iter()
        .map(|(path, found)| (path, FileValue::Found(vec![("rpm".into(), found)])))
        .collect())
}

impl LayerCache<FileValue> for Cache {
    fn load(&self, layer: DiffId) -> Option<LayerContent<FileValue>> {
        self.layer(layer)
    }

    fn store(&self, content: &LayerContent<FileValue>) {
        self.keep_layer(content);
    }
}

#[cfg(test)]
mod tests;
