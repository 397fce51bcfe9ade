//! An opened image, and reading it: one layer, or all of them on several threads.

use std::collections::HashMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use pratique_model::{DiffId, Partial, Target};

use crate::blob::Blobs;
use crate::error::ImageError;
use crate::folder::read_folder;
use crate::join::{View, join};
use crate::layer::LayerContent;
use crate::limits::{Budget, Limits};
use crate::link::{Sources, sources_of_links};
use crate::manifest::Layer;
use crate::reader::Reader;
use crate::stream::{Digests, PlainStream, Plan, StreamFailure, read_stream};
use crate::tar::TarError;
use crate::walk::{Found, LayerWalk, Wanted, note, read_wanted};

/// Passes over one layer for hard links whose files were not wanted under their own names. The
/// first serves all but those that [`Reader::reads_alike`] tells apart.
const LINK_PASSES_MAX: usize = 4;

/// Bytes of a blob below which threads of its own cost more than they bring: on an Alpine layer
/// (3 MB) they save 2 ms of 33 and cost 8 ms of the other cores.
const PIPED_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// A layer may end later than the even share of all threads by this part of it: layers that are
/// about as large as one another are not worth the switching.
const TOLERATED_SHARE: u64 = 16;

/// An image, or a folder, that can be read.
pub struct Image {
    pub(crate) target: Target,
    pub(crate) place: Place,
}

pub(crate) enum Place {
    Folder(PathBuf),
    Layers { blobs: Box<dyn Blobs>, layers: Vec<Layer> },
}

/// How all layers are read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Threads that do work at the same time; by default as many as the machine has cores.
    pub jobs: NonZero<usize>,
    /// The limits.
    pub limits: Limits,
}

impl Default for ReadOptions {
    fn default() -> Self {
        let jobs = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Self { jobs, limits: Limits::default() }
    }
}

/// Contents of layers that were read before, by diff id. What is given out must have been made
/// with a reader that decides and reads alike; that is the cache's to know. Called from several
/// threads.
pub trait LayerCache<V>: Sync {
    /// The content of a layer, if it is known.
    fn load(&self, layer: DiffId) -> Option<LayerContent<V>>;

    /// Takes a content that was read whole and verified.
    fn store(&self, content: &LayerContent<V>);
}

/// Remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCache;

impl<V> LayerCache<V> for NoCache {
    fn load(&self, _: DiffId) -> Option<LayerContent<V>> {
        None
    }

    fn store(&self, _: &LayerContent<V>) {}
}

impl Image {
    /// What the image is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The layers from the bottom up; empty for a folder.
    pub fn layers(&self) -> &[Layer] {
        match &self.place {
            Place::Folder(_) => &[],
            Place::Layers { layers, .. } => layers,
        }
    }

    /// Reads one layer on the calling thread. `index` counts from the bottom; one that is out of
    /// range, as every one of a folder is, gives an empty content.
    ///
    /// # Errors
    /// The layer is missing, cut, damaged, or not what its digests say. Limits are no errors: see
    /// [`LayerContent::is_whole`] and [`LayerContent::partial`].
    pub fn read_layer<R: Reader>(
        &self,
        index: usize,
        reader: &R,
        budget: &Budget,
    ) -> Result<LayerContent<R::Value>, ImageError> {
        self.read_layer_as(index, reader, budget, false)
    }

    /// Reads the whole image: layers in parallel, the largest first, then laid over one another.
    /// A layer that `cache` knows is not read.
    ///
    /// # Errors
    /// As [`Self::read_layer`]; of several broken layers the lowest is told.
    pub fn read_all<R: Reader>(
        &self,
        reader: &R,
        options: &ReadOptions,
        cache: &impl LayerCache<R::Value>,
    ) -> Result<View<R::Value>, ImageError> {
        let budget = Budget::new(options.limits);
        let layers = match &self.place {
            Place::Folder(root) => {
                let content = read_folder(root, reader, &budget, options.jobs)?;
                return Ok(join(vec![content], reader));
            }
            Place::Layers { layers, .. } => layers,
        };
        let mut contents: Vec<Option<LayerContent<R::Value>>> =
            layers.iter().map(|layer| cache.load(layer.diff_id)).collect();
        let unknown: Vec<usize> = (0..layers.len())
            .filter(|&index| contents.get(index).is_some_and(Option::is_none))
            .collect();
        for (index, content) in self.read_layers(&unknown, reader, &budget, options, cache)? {
            if let Some(slot) = contents.get_mut(index) {
                *slot = Some(content);
            }
        }
        let contents: Vec<LayerContent<R::Value>> = contents.into_iter().flatten().collect();
        let sources = sources_of_links(&contents);
        let mut view = join(contents, reader);
        if let Some(sources) = sources {
            self.read_pending(&mut view, &sources, reader, &budget)?;
        }
        Ok(view)
    }

    /// Reads some layers on as many threads as are allowed and useful.
    fn read_layers<R: Reader>(
        &self,
        indexes: &[usize],
        reader: &R,
        budget: &Budget,
        options: &ReadOptions,
        cache: &impl LayerCache<R::Value>,
    ) -> Result<Numbered<R::Value>, ImageError> {
        let plan = self.plan(indexes, options.jobs.get());
        let (next, is_failing) = (AtomicUsize::new(0), AtomicBool::new(false));
        let results = Mutex::new(Vec::with_capacity(indexes.len()));
        let work = || {
            while let Some(&(index, is_piped)) =
                plan.order.get(next.fetch_add(1, Ordering::Relaxed))
            {
                if is_failing.load(Ordering::Relaxed) {
                    return;
                }
                let result = self.read_layer_as(index, reader, budget, is_piped);
                match &result {
                    Ok(content) if content.is_whole() => cache.store(content),
                    Ok(_) => {}
                    Err(_) => is_failing.store(true, Ordering::Relaxed),
                }
                results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
            }
        };
        thread::scope(|scope| {
            for _ in 1..plan.workers {
                scope.spawn(work);
            }
            work();
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(index, result)| Ok((index, result?))).collect()
    }

    /// The order of the layers, and which of them get threads of their own: those that the other
    /// threads would have to wait for. From a compressed archive layers come one by one.
    fn plan(&self, indexes: &[usize], jobs: usize) -> LayerPlan {
        let Place::Layers { blobs, layers } = &self.place else {
            return LayerPlan { order: Vec::new(), workers: 0 };
        };
        let layer_of = |index: usize| layers.get(index);
        let size_of = |index: usize| layer_of(index).map_or(0, |layer| layer.size);
        let mut order = indexes.to_vec();
        let is_sequential = blobs.is_sequential();
        if is_sequential {
            order.sort_by_key(|&index| layer_of(index).map_or(0, |layer| layer.offset));
        } else {
            order.sort_by_key(|&index| std::cmp::Reverse(size_of(index)));
        }
        let sizes: Vec<u64> = order.iter().map(|&index| size_of(index)).collect();
        let order = order.into_iter().zip(awaited(&sizes, jobs)).map(|(index, is_awaited)| {
            let pays = jobs > 1 && size_of(index) >= PIPED_BYTES_MIN;
            (index, pays && (is_awaited || is_sequential))
        });
        let order: Vec<(usize, bool)> = order.collect();
        let workers = if is_sequential { 1 } else { jobs.min(order.len()) };
        LayerPlan { order, workers }
    }

    fn read_layer_as<R: Reader>(
        &self,
        index: usize,
        reader: &R,
        budget: &Budget,
        is_piped: bool,
    ) -> Result<LayerContent<R::Value>, ImageError> {
        let Some(layer) = self.layers().get(index) else {
            return Ok(LayerWalk::new(reader, budget, None).into_empty(None));
        };
        let diff_id = Some(layer.diff_id);
        let walk = LayerWalk::new(reader, budget, diff_id);
        if layer.size == 0 && layer.is_foreign {
            let problem = "layer is not distributed with the image; it is not read";
            return Ok(walk.into_empty(Some(problem)));
        }
        let (mut walked, cut) =
            self.stream_layer(layer, budget, is_piped, |stream| walk.run(stream))?;
        let mut noted: Vec<Partial> = cut.into_iter().collect();
        let is_whole = noted.is_empty();
        let mut wanted = std::mem::take(&mut walked.wanted);
        let found = if is_whole {
            self.read_again(layer, reader, budget, &mut wanted, &mut noted)?
        } else {
            Found::new()
        };
        Ok(walked.finish(diff_id, found, is_whole, noted))
    }

    /// Reads files of a layer under the names of hard links to them.
    fn read_again<R: Reader>(
        &self,
        layer: &Layer,
        reader: &R,
        budget: &Budget,
        wanted: &mut Vec<Wanted>,
        noted: &mut Vec<Partial>,
    ) -> Result<Found<R::Value>, ImageError> {
        let mut found = Found::new();
        for _ in 0..LINK_PASSES_MAX {
            if wanted.is_empty() {
                break;
            }
            let (more, cut) = self.stream_layer(layer, budget, false, |stream| {
                read_wanted(stream, reader, wanted, noted)
            })?;
            found.extend(more);
            noted.extend(cut);
        }
        let problem = "too many hard links to one file read differently; it is not read";
        noted.extend(wanted.drain(..).map(|want| note(&want.path, problem)));
        Ok(found)
    }

    /// Reads files of lower layers under the names of hard links in higher ones.
    fn read_pending<R: Reader>(
        &self,
        view: &mut View<R::Value>,
        sources: &Sources,
        reader: &R,
        budget: &Budget,
    ) -> Result<(), ImageError> {
        let pending = view.pending();
        let mut noted = Vec::new();
        let mut by_layer: HashMap<usize, Vec<Wanted>> = HashMap::new();
        for (index, link) in pending.iter().enumerate() {
            let layer = self.layers().get(link.layer).map(|layer| layer.diff_id);
            let Some(&source) = sources.get(&(link.layer, link.target.clone())) else {
                let problem = "hard link to a file that is not there";
                noted.push(Partial { layer, ..note(&link.path, problem) });
                continue;
            };
            let (target, path) = (link.target.clone().into_bytes(), link.path.clone());
            let want = Wanted { target, path, mode: link.mode, index };
            by_layer.entry(source).or_default().push(want);
        }
        for (source, mut wanted) in by_layer {
            let Some(layer) = self.layers().get(source) else { continue };
            let mut problems = Vec::new();
            let found = self.read_again(layer, reader, budget, &mut wanted, &mut problems)?;
            let in_layer = |partial| Partial { layer: Some(layer.diff_id), ..partial };
            noted.extend(problems.into_iter().map(in_layer));
            for (index, (value, size)) in found {
                if let Some(link) = pending.get(index) {
                    view.settle(link, value, size);
                }
            }
        }
        view.finish(noted);
        Ok(())
    }

    /// Streams a layer through `walk` and checks its digests; what a limit cut is told beside the
    /// answer.
    fn stream_layer<T>(
        &self,
        layer: &Layer,
        budget: &Budget,
        is_piped: bool,
        walk: impl FnOnce(&mut PlainStream<'_>) -> Result<T, TarError>,
    ) -> Result<(T, Option<Partial>), ImageError> {
        let Place::Layers { blobs, .. } = &self.place else {
            return Err(ImageError::Missing { part: layer.label() });
        };
        let blob = blobs.open(&layer.name)?;
        let blob = blob.ok_or_else(|| ImageError::Missing { part: layer.label() })?;
        let plan = Plan { hashes_blob: layer.digest.is_some(), is_piped };
        let (walked, digests) = read_stream(blob, plan, budget, walk);
        let cut = match digests {
            Ok(digests) => {
                layer.verify(&digests)?;
                None
            }
            Err(StreamFailure::ExpandedBytes) => Some(Partial {
                layer: Some(layer.diff_id),
                path: None,
                problem: "expanded size passes the limit; the rest of the layer is not read"
                    .to_owned(),
            }),
            Err(StreamFailure::Inflate(source)) => {
                return Err(ImageError::Inflate { layer: layer.label(), source });
            }
        };
        match walked {
            Ok(answer) => Ok((answer, cut)),
            Err(source) => Err(ImageError::Tar { layer: layer.label(), source }),
        }
    }
}

/// Contents with the numbers of their layers.
type Numbered<V> = Vec<(usize, LayerContent<V>)>;

struct LayerPlan {
    /// Numbers of the layers, and whether each is piped.
    order: Vec<(usize, bool)>,
    workers: usize,
}

/// Which layers of these sizes the other threads would have to wait for, if each was read on one
/// thread, by the first that is free: a layer larger than its share, or the fifth of five on two.
fn awaited(sizes: &[u64], jobs: usize) -> Vec<bool> {
    let total: u64 = sizes.iter().sum();
    let tolerated = total.saturating_add(total / TOLERATED_SHARE);
    let mut free_after = vec![0_u64; jobs.min(sizes.len())];
    let end_of = |&size: &u64| {
        let first = free_after.iter_mut().min()?;
        *first = first.saturating_add(size);
        Some(*first)
    };
    let ends = sizes.iter().map(end_of);
    ends.map(|end| end.is_some_and(|end| end.saturating_mul(jobs as u64) > tolerated)).collect()
}

impl Layer {
    /// How the layer is named in messages: by both its digests.
    fn label(&self) -> String {
        match self.digest {
            Some(digest) => format!("{digest} (diff id {})", self.diff_id),
            None => format!("{} (diff id {})", self.name.path, self.diff_id),
        }
    }

    fn verify(&self, got: &Digests) -> Result<(), ImageError> {
        if let (Some(expected), Some(got)) = (self.digest, got.blob)
            && expected != got
        {
            return Err(ImageError::Digest {
                part: format!("layer {}", self.label()),
                expected,
                got,
            });
        }
        if got.plain != self.diff_id.0 {
            let (expected, got) = (self.diff_id, DiffId(got.plain));
            return Err(ImageError::DiffId { layer: self.label(), expected, got });
        }
        match self.claimed {
            Some(claimed) if claimed != got.blob_bytes => Err(ImageError::Invalid {
                part: format!("layer {}", self.label()),
                problem: format!("the manifest says {claimed} bytes, it has {}", got.blob_bytes),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
