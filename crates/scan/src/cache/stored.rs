//! An image's inventory as the cache keeps it, since the types of `model` are no wire format.

use pratique_model::{Distro, Package, Partial, SourcePackage};
use serde::{Deserialize, Serialize};

use crate::assemble::{Inventory, known_name};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredInventory {
    distro: Option<StoredDistro>,
    packages: Vec<StoredPackage>,
    partial: Vec<StoredPartial>,
}

#[derive(Serialize, Deserialize)]
struct StoredDistro {
    id: String,
    version: String,
    codename: Option<String>,
    name: String,
    id_like: Vec<String>,
    eol: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredPackage {
    ecosystem: String,
    name: String,
    version: String,
    arch: Option<String>,
    source: Option<(String, String)>,
    module: Option<String>,
    vendor: Option<String>,
    layer: Option<String>,
    paths: Vec<String>,
    owned_by: Option<String>,
    built_for: Option<String>,
    cataloger: String,
}

#[derive(Serialize, Deserialize)]
struct StoredPartial {
    layer: Option<String>,
    path: Option<String>,
    problem: String,
}

impl StoredInventory {
    pub(super) fn of(inventory: &Inventory) -> Self {
        Self {
            distro: inventory.distro.as_ref().map(|distro| StoredDistro {
                id: distro.id.clone(),
                version: distro.version.clone(),
                codename: distro.codename.clone(),
                name: distro.name.clone(),
                id_like: distro.id_like.clone(),
                eol: distro.eol.map(|date| date.to_string()),
            }),
            packages: inventory.packages.iter().map(StoredPackage::of).collect(),
            partial: inventory
                .partial
                .iter()
                .map(|partial| StoredPartial {
                    layer: partial.layer.map(|layer| layer.to_string()),
                    path: partial.path.clone(),
                    problem: partial.problem.clone(),
                })
                .collect(),
        }
    }

    /// The inventory; `None` if one of its texts is not what it was written from.
    pub(super) fn into_inventory(self) -> Option<Inventory> {
        let partial = |partial: StoredPartial| {
            let layer = partial.layer.map(|layer| layer.parse()).transpose().ok()?;
            Some(Partial { layer, path: partial.path, problem: partial.problem })
        };
        Some(Inventory {
            distro: match self.distro {
                Some(distro) => Some(distro.into_distro()?),
                None => None,
            },
            packages: self
                .packages
                .into_iter()
                .map(StoredPackage::into_package)
                .collect::<Option<_>>()?,
            partial: self.partial.into_iter().map(partial).collect::<Option<_>>()?,
        })
    }
}

impl StoredDistro {
    fn into_distro(self) -> Option<Distro> {
        Some(Distro {
            id: self.id,
            version: self.version,
            codename: self.codename,
            name: self.name,
            id_like: self.id_like,
            eol: self.eol.map(|date| date.parse()).transpose().ok()?,
        })
    }
}

impl StoredPackage {
    fn of(package: &Package) -> Self {
        let source = package.source.as_ref();
        Self {
            ecosystem: package.ecosystem.as_str().to_owned(),
            name: package.name.clone(),
            version: package.version.clone(),
            arch: package.arch.clone(),
            source: source.map(|source| (source.name.clone(), source.version.clone())),
            module: package.module.clone(),
            vendor: package.vendor.clone(),
            layer: package.layer.map(|layer| layer.to_string()),
            paths: package.paths.clone(),
            owned_by: package.owned_by.clone(),
            built_for: package.built_for.clone(),
            cataloger: package.cataloger.to_owned(),
        }
    }

    fn into_package(self) -> Option<Package> {
        Some(Package {
            ecosystem: self.ecosystem.parse().ok()?,
            name: self.name,
            version: self.version,
            arch: self.arch,
            source: self.source.map(|(name, version)| SourcePackage { name, version }),
            module: self.module,
            vendor: self.vendor,
            layer: self.layer.map(|layer| layer.parse()).transpose().ok()?,
            paths: self.paths,
            owned_by: self.owned_by,
            built_for: self.built_for,
            cataloger: known_name(&self.cataloger)?,
        })
    }
}
