//! The seam between reading an image and knowing what its files mean.
//!
//! A [`Cataloger`] looks at one file at a time and says which packages that file proves. It knows
//! nothing of layers, of other files or of the distribution: whether the file is still there in the
//! final image, which packages it shares with others and who owns it is found out afterwards
//! (`crate::assemble`). That is what lets a layer's result be cached and used for every image that
//! has this layer.
//!
//! One cataloger is one file and one line in [`catalogers`]; its rows in `docs/catalogers.md` are
//! checked by a test against [`Cataloger::evidence`].

mod content;
mod found;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use content::Content;
#[cfg(test)]
pub(crate) use found::Owned;
pub(crate) use found::{Evidence, FolderHash, Found, OWNED_FILES_MAX, PACKAGES_MAX, path_hash};
pub(crate) use pratique_image::FileInfo;

/// Why a file was not understood. It becomes a line of the report's `partial`; what was found
/// before the error is kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogError {
    /// The layer's stream broke while the file was read.
    #[error("reading")]
    Read(#[from] std::io::Error),
    /// The file is longer than the cataloger takes.
    #[error("{size} bytes, more than the {limit} that are read of such a file")]
    TooLarge {
        /// Its length in bytes.
        size: u64,
        /// The cataloger's limit in bytes.
        limit: u64,
    },
    /// The content is not what the path promised; the text says what is wrong, and where.
    #[error("{0}")]
    Malformed(String),
}

/// Finds packages in files.
pub(crate) trait Cataloger: Sync {
    /// Its name in reports, docs and the cache, `dpkg`. Never changes.
    fn name(&self) -> &'static str;

    /// Raised whenever the same file may give another result; cached results of other versions are
    /// then not used.
    fn version(&self) -> u32;

    /// The kinds of evidence that it reads, one row each in `docs/catalogers.md`, as path patterns
    /// a person understands: `var/lib/dpkg/status`.
    fn evidence(&self) -> &'static [&'static str];

    /// Whether it wants to see the file. Depends on the arguments alone and is called for every
    /// regular file of an image, so it is cheap and allocates nothing.
    fn wants(&self, file: &FileInfo<'_>) -> bool;

    /// Reads the file and adds what it proves to `found`.
    ///
    /// Need not read to the end. A file that turns out not to be what its path promised and is
    /// nothing wrong either (an executable that is no Go binary) adds nothing and is no error. One
    /// bad record among good ones is told with [`Found::problem`] and passed over.
    ///
    /// # Errors
    /// [`CatalogError`] when the rest of the file cannot be understood.
    fn catalog(
        &self,
        file: &FileInfo<'_>,
        content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError>;
}

/// All catalogers, in a fixed order. When several want the same file it is read whole once, up to
/// `crate::layer::SHARED_BYTES_MAX`, and each sees it from its beginning; whoever reads large files
/// as a stream must therefore be the only one who wants them.
pub(crate) fn catalogers() -> impl Iterator<Item = &'static dyn Cataloger> {
    crate::os::CATALOGERS.iter().chain(crate::language::CATALOGERS).copied()
}

#[cfg(test)]
mod tests;
