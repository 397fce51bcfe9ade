//! What one layer contributes to an image: the values of the files that were wanted, and just
//! enough of the rest to know what it hides in the layers below.
//!
//! Entries are kept as steps in the order of the tar stream, because unpacking is defined by that
//! order. A file that nobody wanted is 12 bytes: its folder and the key of its name. Folders have
//! their names in full, since a folder of this layer may turn out to be a symbolic link below.

use std::collections::HashMap;

use pratique_model::{DiffId, Partial};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::path::NameKey;

/// The number of the root among a layer's folders.
pub(crate) const ROOT: u32 = 0;

/// Set in a step's folder number if the step is that folder itself.
const IS_FOLDER: u32 = 1 << 31;

/// What one layer contributes. Made by [`crate::Image::read_layer`], used up by [`crate::join()`].
///
/// Serialises when its values do, for a cache that is keyed by diff id and by the version of the
/// reader; what comes back is checked, so that a damaged cache is an error and nothing worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de>"), try_from = "Unchecked<V>")]
pub struct LayerContent<V> {
    #[serde(serialize_with = "write_diff_id")]
    pub(crate) diff_id: Option<DiffId>,
    pub(crate) folders: Vec<Folder>,
    pub(crate) steps: Steps,
    pub(crate) details: Vec<Detail<V>>,
    #[serde(serialize_with = "write_partial")]
    pub(crate) partial: Vec<Partial>,
    pub(crate) is_whole: bool,
}

/// A folder that is an entry or holds one; the first is the root, parents come before children.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Folder {
    pub(crate) parent: u32,
    pub(crate) key: u64,
    pub(crate) name: Box<str>,
}

/// All entries, in two columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Steps {
    folders: Vec<u32>,
    keys: Vec<u64>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The folder with this number.
    Folder(u32),
    /// Something else, by its folder and the key of its name.
    Name(u32, NameKey),
}

/// What more there is to know of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Detail<V> {
    pub(crate) step: u32,
    pub(crate) name: Box<str>,
    pub(crate) what: What<V>,
}

/// What an entry is, where its path does not say enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum What<V> {
    /// A file that was read; without a value only while the layer is being read.
    File { value: Option<V>, size: u64, mode: u32 },
    /// A symbolic link and where it points.
    Symlink { target: Box<str> },
    /// A wanted hard link to a file of a lower layer, by that file's path.
    Link { target: Box<str>, mode: u32 },
    /// Hides a name of the layers below.
    Whiteout,
    /// Hides what the layers below have in the folder.
    Opaque,
}

impl<V> LayerContent<V> {
    /// The layer's diff id; `None` for a folder that is no layer.
    pub fn diff_id(&self) -> Option<DiffId> {
        self.diff_id
    }

    /// Number of entries that were read.
    pub fn entry_count(&self) -> usize {
        self.steps.len()
    }

    /// What was not read, or not whole.
    pub fn partial(&self) -> &[Partial] {
        &self.partial
    }

    /// Whether the layer was read to its end and its digests hold. One that a limit cut is not
    /// whole, and not to be kept in a cache.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The path of a folder of this layer.
    pub(crate) fn folder_path(&self, mut folder: u32) -> String {
        let mut names = Vec::new();
        while let Some(known) = self.folders.get(folder as usize).filter(|_| folder != ROOT) {
            names.push(&*known.name);
            folder = known.parent;
        }
        names.reverse();
        names.join("/")
    }
}

impl Steps {
    pub(crate) fn len(&self) -> usize {
        self.folders.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<Step> {
        let (&folder, &key) = (self.folders.get(index)?, self.keys.get(index)?);
        Some(if folder & IS_FOLDER != 0 {
            Step::Folder(folder & !IS_FOLDER)
        } else {
            Step::Name(folder, NameKey(key))
        })
    }

    fn push(&mut self, step: Step) -> u32 {
        let index = u32::try_from(self.len()).expect("entries are limited to far fewer");
        let (folder, key) = match step {
            Step::Folder(folder) => (folder | IS_FOLDER, 0),
            Step::Name(folder, key) => (folder, key.0),
        };
        self.folders.push(folder);
        self.keys.push(key);
        index
    }
}

/// Builds the content of a layer, entry by entry.
pub(crate) struct Recorder<V> {
    folders: Vec<Folder>,
    by_name: HashMap<(u32, NameKey), u32>,
    last_path: Vec<u8>,
    last_folder: u32,
    pub(crate) steps: Steps,
    pub(crate) details: Vec<Detail<V>>,
}

impl<V> Recorder<V> {
    pub(crate) fn new() -> Self {
        Self {
            folders: vec![Folder { parent: ROOT, key: 0, name: "".into() }],
            by_name: HashMap::new(),
            last_path: Vec::new(),
            last_folder: ROOT,
            steps: Steps::default(),
            details: Vec::new(),
        }
    }

    /// The number of the folder at a path in normal form.
    pub(crate) fn folder(&mut self, path: &[u8]) -> u32 {
        if path == self.last_path {
            return self.last_folder;
        }
        let mut folder = ROOT;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            folder = self.child(folder, name);
        }
        self.last_path.clear();
        self.last_path.extend_from_slice(path);
        self.last_folder = folder;
        folder
    }

    /// The number of the folder at a path in normal form, if it has been met.
    pub(crate) fn known_folder(&self, path: &[u8]) -> Option<u32> {
        let mut folder = ROOT;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            folder = *self.by_name.get(&(folder, NameKey::of(name)))?;
        }
        Some(folder)
    }

    fn child(&mut self, parent: u32, name: &[u8]) -> u32 {
        let key = NameKey::of(name);
        let next = u32::try_from(self.folders.len()).expect("entries are limited to far fewer");
        let folder = *self.by_name.entry((parent, key)).or_insert(next);
        if folder == next {
            let name = String::from_utf8_lossy(name).into();
            self.folders.push(Folder { parent, key: key.0, name });
        }
        folder
    }

    pub(crate) fn folder_count(&self) -> usize {
        self.folders.len()
    }

    pub(crate) fn push_folder(&mut self, path: &[u8]) {
        let folder = self.folder(path);
        self.steps.push(Step::Folder(folder));
    }

    /// Adds an entry that is not a folder.
    pub(crate) fn push(&mut self, folder: u32, name: &[u8]) -> u32 {
        self.steps.push(Step::Name(folder, NameKey::of(name)))
    }

    /// Says more about the entry that was added last.
    pub(crate) fn detail(&mut self, step: u32, name: &[u8], what: What<V>) {
        let name = String::from_utf8_lossy(name).into();
        self.details.push(Detail { step, name, what });
    }

    /// The content, files without value left out.
    pub(crate) fn finish(mut self, diff_id: Option<DiffId>) -> LayerContent<V> {
        self.details.retain(|detail| !matches!(detail.what, What::File { value: None, .. }));
        self.steps.folders.shrink_to_fit();
        self.steps.keys.shrink_to_fit();
        LayerContent {
            diff_id,
            folders: self.folders,
            steps: self.steps,
            details: self.details,
            partial: Vec::new(),
            is_whole: true,
        }
    }
}

/// The same as it comes from a cache.
#[derive(Deserialize)]
struct Unchecked<V> {
    #[serde(deserialize_with = "read_diff_id")]
    diff_id: Option<DiffId>,
    folders: Vec<Folder>,
    steps: Steps,
    details: Vec<Detail<V>>,
    partial: Vec<(Option<String>, String)>,
    is_whole: bool,
}

/// The content of a layer, as a cache gave it, contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the content of a layer contradicts itself")]
struct Inconsistent;

impl<V> TryFrom<Unchecked<V>> for LayerContent<V> {
    type Error = Inconsistent;

    fn try_from(given: Unchecked<V>) -> Result<Self, Inconsistent> {
        let Unchecked { diff_id, folders, steps, details, partial, is_whole } = given;
        let has_folder = |folder: u32| (folder as usize) < folders.len();
        let are_folders_ordered = folders.iter().enumerate().all(|(index, folder)| {
            (folder.parent as usize) < index || (index == 0 && folder.parent == ROOT)
        });
        let are_steps_known = steps.folders.len() == steps.keys.len()
            && steps.folders.iter().all(|folder| has_folder(folder & !IS_FOLDER));
        let are_details_ordered = details.is_sorted_by(|one, next| one.step < next.step)
            && details.last().is_none_or(|last| (last.step as usize) < steps.len());
        if folders.is_empty() || !are_folders_ordered || !are_steps_known || !are_details_ordered {
            return Err(Inconsistent);
        }
        let partial = partial
            .into_iter()
            .map(|(path, problem)| Partial { layer: diff_id, path, problem })
            .collect();
        Ok(Self { diff_id, folders, steps, details, partial, is_whole })
    }
}

fn write_diff_id<S: Serializer>(diff_id: &Option<DiffId>, to: S) -> Result<S::Ok, S::Error> {
    diff_id.map(|diff_id| diff_id.to_string()).serialize(to)
}

fn read_diff_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DiffId>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// Writes path and problem; the layer is the content's own.
fn write_partial<S: Serializer>(partial: &[Partial], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(partial.iter().map(|partial| (&partial.path, &partial.problem)))
}
