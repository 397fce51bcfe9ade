//! Catalogers of the languages' own package records, as they lie in an installed image.
//!
//! Only *installed evidence* is read: what a package manager or a compiler left beside, or in, the
//! code it put there. Lock files and manifests of a project say what somebody wanted once; an image
//! is full of such files that name removed or development versions, and none is read here.

mod composer;
mod dotnet;
mod executable;
mod gem;
mod java;
mod json;
mod npm;
mod pypi;

use crate::cataloger::Cataloger;

/// The languages' catalogers, in a fixed order.
pub(crate) const CATALOGERS: &[&dyn Cataloger] = &[
    &composer::Composer,
    &dotnet::Dotnet,
    &executable::Executable,
    &gem::Gem,
    &java::Java,
    &npm::Npm,
    &pypi::Pypi,
];

/// The last segment of a path.
fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The directory of a path and its last segment; the directory of a path without `/` is empty.
fn split_path(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests;
