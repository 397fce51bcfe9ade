//! Puts an image's packages together from what its surviving files prove.
//!
//! Everything that needs more than one file happens here: which record of the same packages is
//! believed, what the distribution is, which package was proved several times, and which language
//! packages came with a distro package.

use std::collections::{BTreeMap, HashMap, HashSet};

use pratique_model::{DiffId, Distro, Package, Partial, SourcePackage};

use crate::cataloger::{Cataloger, Evidence, Found, catalogers, path_hash};
use crate::layer::FileValue;
use crate::{distro, os};

/// A file that is there after the last layer.
pub(crate) struct Surviving<'a> {
    /// Its path without a leading slash.
    pub(crate) path: &'a str,
    /// The layer that brought it.
    pub(crate) layer: Option<DiffId>,
    /// What it proves.
    pub(crate) value: &'a FileValue,
}

/// What an image consists of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inventory {
    pub(crate) distro: Option<Distro>,
    /// Sorted as [`pratique_model::IndexReport::packages`].
    pub(crate) packages: Vec<Package>,
    /// Sorted.
    pub(crate) partial: Vec<Partial>,
}

/// Puts the packages together; `identity` has the texts of the files that tell the distribution.
pub(crate) fn assemble(files: &[Surviving<'_>], identity: &BTreeMap<String, String>) -> Inventory {
    let outranked = outranked(files);
    let believed: Vec<&Surviving<'_>> =
        files.iter().filter(|file| !outranked.contains(file.path)).collect();
    let distro = distro::identify(identity);
    let owners = owners(&believed);
    let mut packages = Packages { distro: distro.as_ref(), known: HashMap::new() };
    let mut partial = Vec::new();
    for file in &believed {
        for (cataloger, found) in found_in(file) {
            partial.extend(found.problems.iter().map(|problem| Partial {
                layer: file.layer,
                path: Some(format!("/{}", file.path)),
                problem: format!("{cataloger}: {problem}"),
            }));
            let Some(cataloger) = known_name(cataloger) else {
                continue;
            };
            let owner = owners.get(&path_hash(file.path)).copied();
            for evidence in &found.packages {
                packages.add(evidence, file, owner, cataloger);
            }
        }
    }
    partial.sort();
    partial.dedup();
    let packages = packages.into_sorted();
    Inventory { distro, packages, partial }
}

fn found_in<'a>(file: &Surviving<'a>) -> &'a [(Box<str>, Found)] {
    match file.value {
        FileValue::Found(found) => found,
        FileValue::Identity(_) | FileValue::WriteAheadLog => &[],
    }
}

/// The name as the cataloger itself has it; `None` for one that does not exist any more.
pub(crate) fn known_name(name: &str) -> Option<&'static str> {
    catalogers().map(Cataloger::name).find(|known| *known == name)
}

/// Paths of rpm records beside which, in the same folder, a record lies that is believed instead.
/// A record that gave no packages outranks nothing.
fn outranked<'a>(files: &[Surviving<'a>]) -> HashSet<&'a str> {
    let mut best: HashMap<&str, u8> = HashMap::new();
    let mut ranked = Vec::new();
    for file in files {
        let Some(rank) = os::rpm::precedence(file.path) else {
            continue;
        };
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        ranked.push((file.path, folder, rank));
        if found_in(file).iter().any(|(_, found)| !found.packages.is_empty()) {
            let best = best.entry(folder).or_insert(rank);
            *best = (*best).min(rank);
        }
    }
    let is_outranked =
        |(_, folder, rank): &(&str, &str, u8)| best.get(folder).is_some_and(|best| best < rank);
    ranked.into_iter().filter(is_outranked).map(|(path, _, _)| path).collect()
}

/// Which installed distro package owns the file with a hash. Lists of packages that are not
/// installed (dpkg keeps those of removed packages that left configuration) do not count; of
/// several owners the first by name is named, so that the answer does not depend on an order.
fn owners<'a>(files: &[&Surviving<'a>]) -> HashMap<u64, &'a str> {
    let all = || files.iter().flat_map(|file| found_in(file)).map(|(_, found)| found);
    let installed: HashSet<&str> = all()
        .flat_map(|found| &found.packages)
        .filter(|evidence| evidence.ecosystem.is_distro())
        .map(|evidence| &*evidence.name)
        .collect();
    // Only the hashes of files that prove a language package are ever asked for.
    let asked: HashSet<u64> = files
        .iter()
        .filter(|file| {
            let mut packages = found_in(file).iter().flat_map(|(_, found)| &found.packages);
            packages.any(|evidence| !evidence.ecosystem.is_distro())
        })
        .map(|file| path_hash(file.path))
        .collect();
    let mut owners: HashMap<u64, &str> = HashMap::new();
    for owned in all().flat_map(|found| &found.owned) {
        if !installed.contains(&*owned.package) {
            continue;
        }
        for hash in owned.files.iter().filter(|hash| asked.contains(hash)) {
            let owner = owners.entry(*hash).or_insert(&owned.package);
            *owner = (*owner).min(&owned.package);
        }
    }
    owners
}

/// Packages by package URL and owner. The same package proved by several files is one package with
/// several paths; if one copy is owned and another is not, they are two.
struct Packages<'a> {
    distro: Option<&'a Distro>,
    known: HashMap<(String, Option<String>), Package>,
}

impl Packages<'_> {
    fn add(
        &mut self,
        evidence: &Evidence,
        file: &Surviving<'_>,
        owner: Option<&str>,
        cataloger: &'static str,
    ) {
        let package = package(evidence, file, owner, cataloger);
        let purl = package.purl(self.distro).to_string();
        match self.known.entry((purl, package.owned_by.clone())) {
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(package);
            }
            std::collections::hash_map::Entry::Occupied(mut place) => {
                unite(place.get_mut(), package);
            }
        }
    }

    fn into_sorted(self) -> Vec<Package> {
        let mut packages: Vec<Package> = self.known.into_values().collect();
        packages.sort_by(|one, other| {
            one.ecosystem
                .cmp(&other.ecosystem)
                .then_with(|| one.name.cmp(&other.name))
                .then_with(|| one.version.cmp(&other.version))
                .then_with(|| one.paths.cmp(&other.paths))
                .then_with(|| one.arch.cmp(&other.arch))
                .then_with(|| one.owned_by.cmp(&other.owned_by))
        });
        packages
    }
}

fn package(
    evidence: &Evidence,
    file: &Surviving<'_>,
    owner: Option<&str>,
    cataloger: &'static str,
) -> Package {
    let path = match &evidence.inside {
        Some(inside) => format!("/{}!/{inside}", file.path),
        None => format!("/{}", file.path),
    };
    let owned_by = owner.filter(|_| !evidence.ecosystem.is_distro()).map(str::to_owned);
    let source = evidence.source.clone();
    Package {
        ecosystem: evidence.ecosystem,
        name: evidence.name.clone(),
        version: evidence.version.clone(),
        arch: evidence.arch.clone(),
        source: source.map(|(name, version)| SourcePackage { name, version }),
        module: evidence.module.clone(),
        vendor: evidence.vendor.clone(),
        layer: file.layer,
        paths: vec![path],
        owned_by,
        built_for: evidence.built_for.clone(),
        cataloger,
    }
}

/// Adds another proof of a package. The layer stays that of the first path; where the proofs
/// disagree on the platform, none is said, so that no advisory is left out for one of them.
fn unite(known: &mut Package, other: Package) {
    let path = other.paths.into_iter().next().expect("a new package has one path");
    if let Err(position) = known.paths.binary_search(&path) {
        if position == 0 {
            known.layer = other.layer;
        }
        known.paths.insert(position, path);
    }
    if known.built_for != other.built_for {
        known.built_for = None;
    }
    known.source = known.source.take().or(other.source);
    known.vendor = known.vendor.take().or(other.vendor);
    known.module = known.module.take().or(other.module);
}

#[cfg(test)]
mod tests;
