//! Finds the layers where the files of hard links lie.

use std::collections::{HashMap, HashSet};

use crate::layer::{LayerContent, Step, What};
use crate::path::NameKey;

/// Layers of the files of hard links, by the link's layer and the file's path.
pub(crate) type Sources = HashMap<(usize, String), usize>;

/// For hard links to files of lower layers, the layer that has the file last; `None` if there are
/// no such links. Links to files that were read need none, and have one all the same.
pub(crate) fn sources_of_links<V>(contents: &[LayerContent<V>]) -> Option<Sources> {
    let mut open: HashSet<(usize, &str)> = HashSet::new();
    for (layer, content) in contents.iter().enumerate() {
        for detail in &content.details {
            if let What::Link { target, .. } = &detail.what {
                open.insert((layer, target));
            }
        }
    }
    if open.is_empty() {
        return None;
    }
    let mut sources = Sources::new();
    for (layer, content) in contents.iter().enumerate().rev() {
        let above = open.iter().filter(|(link, _)| *link > layer).copied();
        let names = present(content, above.map(|(_, target)| target).collect());
        open.retain(|&(link, target)| {
            let is_here = link > layer && names.contains(target);
            if is_here {
                sources.insert((link, target.to_owned()), layer);
            }
            !is_here
        });
    }
    Some(sources)
}

/// Those of the paths that the layer has an entry for which is no folder and no marker.
fn present<'p, V>(content: &LayerContent<V>, paths: HashSet<&'p str>) -> HashSet<&'p str> {
    let mut found = HashSet::new();
    if paths.is_empty() {
        return found;
    }
    let children: HashMap<(u32, u64), u32> = (0..)
        .zip(&content.folders)
        .skip(1)
        .map(|(number, folder)| ((folder.parent, folder.key), number))
        .collect();
    let mut by_place: HashMap<(u32, NameKey), &str> = HashMap::new();
    for path in paths {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = folders
            .split('/')
            .filter(|part| !part.is_empty())
            .try_fold(0, |at, part| children.get(&(at, NameKey::of(part.as_bytes()).0)).copied());
        if let Some(folder) = folder {
            by_place.insert((folder, NameKey::of(name.as_bytes())), path);
        }
    }
    let mut details = content.details.iter().peekable();
    for index in 0..content.steps.len() {
        let detail = details.next_if(|detail| detail.step as usize == index);
        let Some(Step::Name(folder, key)) = content.steps.get(index) else { continue };
        if detail.is_some_and(|detail| matches!(detail.what, What::Whiteout | What::Opaque)) {
            continue;
        }
        found.extend(by_place.get(&(folder, key)));
    }
    found
}
