//! The files and links of an image that are kept, as a tree of names.
//!
//! Folders are there only where something is kept beneath them. Nodes are never moved, so a number
//! stays valid; a node that is taken out keeps its place in the list and loses its content.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::path::NameKey;

/// Number of a node.
pub(crate) type NodeId = u32;

/// The root of the image.
pub(crate) const ROOT: NodeId = 0;

/// Symbolic links followed on the way to one file, as `MAXSYMLINKS` of Linux.
const LINKS_MAX: u32 = 40;

/// What is kept under a name.
#[derive(Clone, Debug)]
pub(crate) enum Node<V> {
    Folder {
        children: HashMap<NameKey, NodeId>,
    },
    File {
        value: V,
        size: u64,
        mode: u32,
    },
    Symlink {
        target: Box<str>,
    },
    /// A hard link whose file has not been read.
    Pending {
        target: Box<str>,
        mode: u32,
    },
}

struct Slot<V> {
    parent: NodeId,
    key: NameKey,
    name: Box<str>,
    layer: u32,
    /// Layers whose markers have already swept what is beneath: lower ones' nodes are gone.
    swept_by: u32,
    node: Node<V>,
}

/// A tree of names, and how often it has changed in a way that matters for finding folders.
pub(crate) struct Tree<V> {
    slots: Vec<Slot<V>>,
    generation: u64,
    lookups_left: AtomicU64,
}

impl<V> Tree<V> {
    /// A tree with nothing but the root, in which `lookups` names may be looked up.
    pub(crate) fn new(lookups: u64) -> Self {
        let root = Slot {
            parent: ROOT,
            key: NameKey(0),
            name: "".into(),
            layer: 0,
            swept_by: 0,
            node: Node::Folder { children: HashMap::new() },
        };
        Self { slots: vec![root], generation: 0, lookups_left: AtomicU64::new(lookups) }
    }

    /// Changes whenever a folder may be found elsewhere than before.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether all lookups are spent; then nothing is found any more.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.lookups_left.load(Ordering::Relaxed) == 0
    }

    /// Lets any number of names be looked up from now on, one at a time being bounded anyway.
    pub(crate) fn lift_limit(&mut self) {
        self.lookups_left = AtomicU64::new(u64::MAX);
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node<V> {
        &self.slot(id).node
    }

    pub(crate) fn layer(&self, id: NodeId) -> u32 {
        self.slot(id).layer
    }

    pub(crate) fn is_folder(&self, id: NodeId) -> bool {
        matches!(self.node(id), Node::Folder { .. })
    }

    /// What lies under a name in a folder, without following it.
    pub(crate) fn child(&self, folder: NodeId, key: NameKey) -> Option<NodeId> {
        // One thread builds the tree; the others only read it, when the number is past counting.
        let left = self.lookups_left.load(Ordering::Relaxed).checked_sub(1)?;
        self.lookups_left.store(left, Ordering::Relaxed);
        match self.node(folder) {
            Node::Folder { children } => children.get(&key).copied(),
            _ => None,
        }
    }

    /// The folder under a name in a folder, a symbolic link followed.
    pub(crate) fn step(&self, folder: NodeId, key: NameKey) -> Option<NodeId> {
        self.walk(folder, key, &mut 0)
    }

    /// The folder at a path, links followed.
    pub(crate) fn resolve(&self, from: NodeId, path: &str) -> Option<NodeId> {
        self.lookup(from, path).filter(|&id| self.is_folder(id))
    }

    /// What lies at a path, links followed, that of the last part included.
    pub(crate) fn lookup(&self, from: NodeId, path: &str) -> Option<NodeId> {
        self.follow(from, path, &mut 0)
    }

    /// As [`Self::step`], but what is missing is made, also at the end of a link, and a file in
    /// the way of a folder goes. `None` if the links form a loop.
    pub(crate) fn step_or_make(
        &mut self,
        folder: NodeId,
        key: NameKey,
        name: &str,
        layer: u32,
    ) -> Option<NodeId> {
        let mut links = 0;
        let mut current = folder;
        // Names still to be gone through, the next one last.
        let mut names = vec![(key, Box::<str>::from(name))];
        while let Some((key, name)) = names.pop() {
            if &*name == ".." {
                current = self.slot(current).parent;
                continue;
            }
            let next = self.child(current, key);
            if self.is_exhausted() {
                return None;
            }
            match next.map(|next| (next, self.node(next))) {
                Some((next, Node::Folder { .. })) => current = next,
                Some((_, Node::Symlink { target })) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return None;
                    }
                    if target.starts_with('/') {
                        current = ROOT;
                    }
                    let parts = parts(target).rev();
                    names.extend(parts.map(|part| (NameKey::of(part.as_bytes()), part.into())));
                }
                Some((_, Node::File { .. } | Node::Pending { .. })) | None => {
                    let node = Node::Folder { children: HashMap::new() };
                    current = self.put(current, key, &name, layer, node);
                }
            }
        }
        Some(current)
    }

    /// Puts a node under a name in a folder, in place of what lies there.
    pub(crate) fn put(
        &mut self,
        folder: NodeId,
        key: NameKey,
        name: &str,
        layer: u32,
        node: Node<V>,
    ) -> NodeId {
        if let Some(old) = self.child(folder, key) {
            self.remove(old);
        }
        if matches!(node, Node::Folder { .. } | Node::Symlink { .. }) {
            self.generation += 1;
        }
        let id = u32::try_from(self.slots.len()).expect("entries are limited to far fewer");
        let name = name.into();
        self.slots.push(Slot { parent: folder, key, name, layer, swept_by: 0, node });
        if let Node::Folder { children } = &mut self.slot_mut(folder).node {
            children.insert(key, id);
        }
        id
    }

    /// Gives a node that is no folder another content.
    pub(crate) fn replace(&mut self, id: NodeId, node: Node<V>) {
        self.slot_mut(id).node = node;
    }

    /// Takes out a node and all beneath it.
    pub(crate) fn remove(&mut self, id: NodeId) {
        self.detach(id);
        let mut doomed = vec![id];
        while let Some(id) = doomed.pop() {
            let gone = Node::Folder { children: HashMap::new() };
            if let Node::Folder { children } = std::mem::replace(&mut self.slot_mut(id).node, gone)
            {
                doomed.extend(children.into_values());
            }
            self.slot_mut(id).name = "".into();
        }
    }

    /// Takes out a node, or what is beneath it, as far as it is of a layer below `layer`.
    pub(crate) fn remove_lower(&mut self, id: NodeId, layer: u32) {
        if self.is_folder(id) {
            self.remove_below(id, layer);
        } else if self.layer(id) < layer {
            self.remove(id);
        }
    }

    /// Takes out what is beneath a folder, as far as it is of a layer below `layer`.
    pub(crate) fn remove_below(&mut self, id: NodeId, layer: u32) {
        let mut folders = vec![id];
        while let Some(id) = folders.pop() {
            // What is added after the first sweep is of the sweeping layer itself.
            if self.slot(id).swept_by == layer {
                continue;
            }
            self.slot_mut(id).swept_by = layer;
            let Node::Folder { children } = self.node(id) else { continue };
            let children: Vec<NodeId> = children.values().copied().collect();
            for child in children {
                if self.is_folder(child) {
                    folders.push(child);
                } else if self.layer(child) < layer {
                    self.remove(child);
                }
            }
        }
    }

    /// All nodes that are no folders, with their paths, in no order.
    pub(crate) fn leaves(&self) -> Vec<(String, NodeId)> {
        let mut leaves = Vec::new();
        let mut folders = vec![(String::new(), ROOT)];
        while let Some((path, id)) = folders.pop() {
            let Node::Folder { children } = self.node(id) else { continue };
            for &child in children.values() {
                let slash = if path.is_empty() { "" } else { "/" };
                let child_path = format!("{path}{slash}{}", self.slot(child).name);
                if self.is_folder(child) {
                    folders.push((child_path, child));
                } else {
                    leaves.push((child_path, child));
                }
            }
        }
        leaves
    }

    /// See [`super::View::resolve`].
    pub(crate) fn resolve_text(&self, path: &str) -> Option<String> {
        let mut links = 0;
        // What has been gone through, each part with its node if it has one.
        let mut done: Vec<(String, Option<NodeId>)> = Vec::new();
        let mut left: Vec<String> = parts(path).rev().map(str::to_owned).collect();
        while let Some(part) = left.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            let folder = done.last().map_or(Some(ROOT), |(_, id)| *id);
            let node = folder.and_then(|id| self.child(id, NameKey::of(part.as_bytes())));
            match node.map(|id| self.node(id)) {
                Some(Node::Symlink { target }) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return None;
                    }
                    if target.starts_with('/') {
                        done.clear();
                    }
                    left.extend(parts(target).rev().map(str::to_owned));
                }
                _ => done.push((part, node)),
            }
        }
        let names: Vec<&str> = done.iter().map(|(name, _)| name.as_str()).collect();
        Some(names.join("/"))
    }

    fn walk(&self, folder: NodeId, key: NameKey, links: &mut u32) -> Option<NodeId> {
        let next = self.child(folder, key)?;
        match self.node(next) {
            Node::Folder { .. } => Some(next),
            Node::Symlink { target } => {
                *links += 1;
                let from = if target.starts_with('/') { ROOT } else { folder };
                self.follow(from, target, links).filter(|&id| self.is_folder(id))
            }
            Node::File { .. } | Node::Pending { .. } => None,
        }
    }

    /// Goes along a path without recursion: links are unrolled into names that are left.
    fn follow(&self, from: NodeId, path: &str, links: &mut u32) -> Option<NodeId> {
        let mut current = from;
        let mut left: Vec<&str> = parts(path).rev().collect();
        while let Some(part) = left.pop() {
            if part == ".." {
                current = self.slot(current).parent;
                continue;
            }
            let next = self.child(current, NameKey::of(part.as_bytes()))?;
            match self.node(next) {
                Node::Symlink { target } => {
                    *links += 1;
                    if *links > LINKS_MAX {
                        return None;
                    }
                    if target.starts_with('/') {
                        current = ROOT;
                    }
                    left.extend(parts(target).rev());
                }
                _ => current = next,
            }
        }
        Some(current)
    }

    fn detach(&mut self, id: NodeId) {
        let (parent, key) = (self.slot(id).parent, self.slot(id).key);
        if matches!(self.node(id), Node::Folder { .. } | Node::Symlink { .. }) {
            self.generation += 1;
        }
        if let Node::Folder { children } = &mut self.slot_mut(parent).node {
            children.remove(&key);
        }
    }

    fn slot(&self, id: NodeId) -> &Slot<V> {
        self.slots.get(id as usize).expect("nodes are never taken from the list")
    }

    fn slot_mut(&mut self, id: NodeId) -> &mut Slot<V> {
        self.slots.get_mut(id as usize).expect("nodes are never taken from the list")
    }
}

/// The parts of a path that lead somewhere.
fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}
