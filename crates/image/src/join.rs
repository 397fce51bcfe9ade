//! Lays layers over one another, as a container runtime does when it unpacks them.
//!
//! Every entry is placed where unpacking would place it: symbolic links in its parent folders are
//! followed inside the root, its own name is not. What an entry does to what lies there is
//! containerd's `archive.Apply` with the wording of the OCI layer specification: a folder merges
//! with a folder and replaces anything else, anything else replaces what is there, whiteouts and
//! opaque markers remove what *lower* layers brought, wherever in its layer the marker stands.

mod tree;

use std::fmt;

use pratique_model::{DiffId, Partial};

use crate::layer::{Detail, LayerContent, Step, What};
use crate::path::NameKey;
use crate::reader::{FileInfo, Reader};
use tree::{Node, NodeId, ROOT, Tree};

/// Names looked up while placing all entries of an image, links followed included: about ten
/// seconds. Images need a few million; only links that lead through chains of links reach it.
const LOOKUPS_MAX: u64 = 500_000_000;

/// The files of an image that were wanted and are still there after the last layer.
pub struct View<V> {
    tree: Tree<V>,
    layers: Vec<Option<DiffId>>,
    /// Paths and nodes of the values, sorted by path.
    files: Vec<(String, NodeId)>,
    partial: Vec<Partial>,
}

/// A hard link whose file was not wanted where it lies, in a lower layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingLink {
    pub(crate) node: NodeId,
    /// The link's own path.
    pub(crate) path: String,
    /// The path it links to, as its layer has it.
    pub(crate) target: String,
    pub(crate) mode: u32,
    pub(crate) layer: usize,
}

/// Joins the layers of an image, the lowest first.
///
/// `reader` is asked only whether the value of a file serves a hard link to it. A hard link to a
/// file that was not wanted gives nothing here; [`crate::Image::read_all`] reads such files again.
pub fn join<R: Reader>(layers: Vec<LayerContent<R::Value>>, reader: &R) -> View<R::Value> {
    let mut joiner = Joiner { tree: Tree::new(LOOKUPS_MAX), reader, layer: 0, partial: Vec::new() };
    let mut names = Vec::with_capacity(layers.len());
    for content in layers {
        names.push(content.diff_id);
        joiner.add(content);
        joiner.layer += 1;
    }
    if joiner.tree.is_exhausted() {
        joiner.partial.push(Partial {
            layer: None,
            path: None,
            problem: "symbolic links are too entangled; the rest of the entries is ignored"
                .to_owned(),
        });
    }
    joiner.tree.lift_limit();
    let mut view =
        View { tree: joiner.tree, layers: names, files: Vec::new(), partial: joiner.partial };
    view.list_files();
    view.partial.sort();
    view
}

struct Joiner<'r, R: Reader> {
    tree: Tree<R::Value>,
    reader: &'r R,
    layer: u32,
    partial: Vec<Partial>,
}

impl<R: Reader> Joiner<'_, R> {
    fn add(&mut self, mut content: LayerContent<R::Value>) {
        self.partial.append(&mut content.partial);
        let details = std::mem::take(&mut content.details);
        let mut details = details.into_iter().peekable();
        let mut places = Places::new(content.folders.len());
        for index in 0..content.steps.len() {
            if self.tree.is_exhausted() {
                return;
            }
            let step = content.steps.get(index).expect("the index is below the length");
            match (step, details.next_if(|detail| detail.step as usize == index)) {
                (Step::Folder(folder), _) => self.place_folder(&content, &mut places, folder),
                (Step::Name(folder, key), None) => {
                    let place = places.find(&mut self.tree, &content, folder);
                    if let Some(node) = place.and_then(|place| self.tree.child(place, key)) {
                        self.tree.remove(node);
                    }
                }
                (Step::Name(folder, key), Some(detail)) => {
                    self.place_detail(&content, &mut places, folder, key, detail);
                }
            }
        }
    }

    fn place_folder(&mut self, content: &LayerContent<R::Value>, places: &mut Places, folder: u32) {
        let Some(known) = content.folders.get(folder as usize) else { return };
        if folder == crate::layer::ROOT {
            return;
        }
        let parent = places.find(&mut self.tree, content, known.parent);
        let node = parent.and_then(|parent| self.tree.child(parent, NameKey(known.key)));
        if let Some(node) = node
            && !self.tree.is_folder(node)
        {
            self.tree.remove(node);
        }
    }

    fn place_detail(
        &mut self,
        content: &LayerContent<R::Value>,
        places: &mut Places,
        folder: u32,
        key: NameKey,
        detail: Detail<R::Value>,
    ) {
        let node = match detail.what {
            What::Whiteout | What::Opaque => {
                let Some(place) = places.find(&mut self.tree, content, folder) else { return };
                match detail.what {
                    What::Opaque => self.tree.remove_below(place, self.layer),
                    _ => {
                        if let Some(node) = self.tree.child(place, key) {
                            self.tree.remove_lower(node, self.layer);
                        }
                    }
                }
                return;
            }
            What::File { value: None, .. } => return,
            What::File { value: Some(value), size, mode } => Node::File { value, size, mode },
            What::Symlink { target } => Node::Symlink { target },
            What::Link { target, mode } => {
                let path = join_path(&content.folder_path(folder), &detail.name);
                match self.follow_link(&path, &target, mode) {
                    Some(node) => node,
                    None => Node::Pending { target, mode },
                }
            }
        };
        let Some(place) = places.make(&mut self.tree, content, folder, self.layer) else {
            let path = join_path(&content.folder_path(folder), &detail.name);
            self.partial.push(Partial {
                layer: content.diff_id,
                path: Some(path),
                problem: "its folder is a symbolic link that leads nowhere".to_owned(),
            });
            return;
        };
        self.tree.put(place, key, &detail.name, self.layer, node);
    }

    /// What a hard link gives: the value of its file, if the file was wanted and reads alike.
    fn follow_link(&mut self, path: &str, target: &str, mode: u32) -> Option<Node<R::Value>> {
        let (folder, name) = target.rsplit_once('/').unwrap_or(("", target));
        let place = self.tree.resolve(ROOT, folder)?;
        let node = self.tree.child(place, NameKey::of(name.as_bytes()))?;
        match self.tree.node(node) {
            Node::File { value, size, mode: own_mode } => {
                let first = FileInfo { path: target, size: *size, mode: *own_mode };
                let second = FileInfo { path, size: *size, mode };
                if !self.reader.wants(&second) || !self.reader.reads_alike(&first, &second) {
                    return None;
                }
                Some(Node::File { value: value.clone(), size: *size, mode })
            }
            Node::Symlink { target } => Some(Node::Symlink { target: target.clone() }),
            Node::Folder { .. } | Node::Pending { .. } => None,
        }
    }
}

/// Where the folders of a layer are in the tree, remembered until the tree's links change.
struct Places {
    known: Vec<(u64, Option<NodeId>)>,
}

impl Places {
    fn new(folder_count: usize) -> Self {
        Self { known: vec![(u64::MAX, None); folder_count] }
    }

    /// The node of a folder, `None` if nothing of it is in the tree.
    fn find<V>(
        &mut self,
        tree: &mut Tree<V>,
        content: &LayerContent<V>,
        folder: u32,
    ) -> Option<NodeId> {
        let mut pending = Vec::new();
        let mut current = folder;
        let mut place = loop {
            if current == crate::layer::ROOT {
                break Some(ROOT);
            }
            let (generation, place) = *self.known.get(current as usize)?;
            if generation == tree.generation() {
                break place;
            }
            pending.push(current);
            current = content.folders.get(current as usize)?.parent;
        };
        while let Some(next) = pending.pop() {
            let key = NameKey(content.folders.get(next as usize)?.key);
            place = place.and_then(|place| tree.step(place, key));
            *self.known.get_mut(next as usize)? = (tree.generation(), place);
        }
        place
    }

    /// The node of a folder, made if need be; `None` if links make that impossible.
    fn make<V>(
        &mut self,
        tree: &mut Tree<V>,
        content: &LayerContent<V>,
        folder: u32,
        layer: u32,
    ) -> Option<NodeId> {
        if let Some(place) = self.find(tree, content, folder) {
            return Some(place);
        }
        let mut chain = Vec::new();
        let mut current = folder;
        while current != crate::layer::ROOT {
            let known = content.folders.get(current as usize)?;
            chain.push(known);
            current = known.parent;
        }
        let mut place = ROOT;
        for known in chain.into_iter().rev() {
            place = tree.step_or_make(place, NameKey(known.key), &known.name, layer)?;
        }
        Some(place)
    }
}

impl<V> View<V> {
    /// The value at a path, symbolic links followed inside the root; `None` if there is no such
    /// file or it was not wanted.
    pub fn get(&self, path: &str) -> Option<&V> {
        let node = self.tree.lookup(ROOT, path)?;
        match self.tree.node(node) {
            Node::File { value, .. } => Some(value),
            _ => None,
        }
    }

    /// All values by their own paths, sorted by path, with the layer that brought them; the layer
    /// is `None` in a folder that is no image.
    pub fn files(&self) -> impl Iterator<Item = (&str, Option<DiffId>, &V)> {
        self.files.iter().filter_map(|(path, id)| match self.tree.node(*id) {
            Node::File { value, .. } => Some((path.as_str(), self.layer_of(*id), value)),
            _ => None,
        })
    }

    /// The path that `path` leads to when all symbolic links are followed inside the root, its
    /// last part included, without a leading slash. Whether something lies there is not said:
    /// files that were not wanted are not known. `None` if the links form a loop.
    ///
    /// Two paths are the same file if this gives the same: `/lib/x.so` and `usr/lib/x.so` do
    /// where `lib` is a link.
    pub fn resolve(&self, path: &str) -> Option<String> {
        self.tree.resolve_text(path)
    }

    /// The layer that brought the file at `path`, symbolic links followed.
    pub fn layer(&self, path: &str) -> Option<DiffId> {
        let node = self.tree.lookup(ROOT, path)?;
        self.layer_of(node)
    }

    /// What was not read, or not whole, in any layer; sorted.
    pub fn partial(&self) -> &[Partial] {
        &self.partial
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The hard links that wait for their file to be read, sorted by path.
    pub(crate) fn pending(&self) -> Vec<PendingLink> {
        let mut pending = Vec::new();
        for (path, node) in self.tree.leaves() {
            if let Node::Pending { target, mode } = self.tree.node(node) {
                let layer = self.tree.layer(node) as usize;
                let (target, mode) = (target.to_string(), *mode);
                pending.push(PendingLink { node, path, target, mode, layer });
            }
        }
        pending.sort_by(|one, other| one.path.cmp(&other.path));
        pending
    }

    /// Gives a pending link its value.
    pub(crate) fn settle(&mut self, link: &PendingLink, value: V, size: u64) {
        self.tree.replace(link.node, Node::File { value, size, mode: link.mode });
    }

    /// Adds problems met after joining, and lists links that were settled.
    pub(crate) fn finish(&mut self, mut partial: Vec<Partial>) {
        self.partial.append(&mut partial);
        self.partial.sort();
        self.list_files();
    }

    fn list_files(&mut self) {
        let leaves = self.tree.leaves().into_iter();
        self.files =
            leaves.filter(|(_, id)| matches!(self.tree.node(*id), Node::File { .. })).collect();
        self.files.sort_by(|one, other| one.0.cmp(&other.0));
    }

    fn layer_of(&self, node: NodeId) -> Option<DiffId> {
        self.layers.get(self.tree.layer(node) as usize).copied().flatten()
    }
}

impl<V> fmt::Debug for View<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("layers", &self.layers)
            .field("files", &self.files.len())
            .field("partial", &self.partial)
            .finish_non_exhaustive()
    }
}

fn join_path(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
pub(crate) mod tests;
