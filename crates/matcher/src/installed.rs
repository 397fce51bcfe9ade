//! An installed package, ready to be held against many statements.
//!
//! A package is compared with dozens of statements; its own versions are brought to sort keys once,
//! when first needed. Whether a version can be read at all is known here too, so that a version
//! that cannot ends as "unknown" and never as "not affected".

use std::cell::OnceCell;
use std::cmp::Ordering;

use pratique_model::Package;
use pratique_version::{Scheme, SortKey};

/// A package with the sort keys of its versions, made when first asked for.
#[derive(Debug)]
pub struct Installed<'a> {
    package: &'a Package,
    binary: Side<'a>,
    source: Side<'a>,
}

/// One version of a package: its own or its source package's.
#[derive(Debug)]
pub(crate) struct Side<'a> {
    scheme: Scheme,
    text: &'a str,
    key: OnceCell<Result<SortKey, String>>,
}

impl<'a> Installed<'a> {
    /// Wraps a package; nothing is parsed yet.
    pub fn new(package: &'a Package) -> Self {
        let scheme = package.ecosystem.scheme();
        Self {
            package,
            binary: Side::new(scheme, &package.version),
            source: Side::new(scheme, package.source_version()),
        }
    }

    /// The package.
    pub fn package(&self) -> &'a Package {
        self.package
    }

    /// The version of the package itself.
    pub(crate) fn binary(&self) -> &Side<'a> {
        &self.binary
    }

    /// The version of the source package; the package's own where there is none.
    pub(crate) fn source(&self) -> &Side<'a> {
        &self.source
    }
}

impl<'a> Side<'a> {
    /// A version that has not been parsed yet.
    pub(crate) fn new(scheme: Scheme, text: &'a str) -> Self {
        Self { scheme, text, key: OnceCell::new() }
    }

    /// How it is ordered.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The text, as the image has it.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Orders this version against a bound of an advisory.
    ///
    /// # Errors
    /// The version parser's message, about whichever of the two it does not take.
    pub(crate) fn order(&self, bound: &str) -> Result<Ordering, String> {
        let key = self.key()?;
        let bound = self.scheme.key(bound).map_err(|error| error.to_string())?;
        Ok(key.cmp(&bound))
    }

    fn key(&self) -> Result<&SortKey, String> {
        self.key
            .get_or_init(|| self.scheme.key(self.text).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(Clone::clone)
    }
}
