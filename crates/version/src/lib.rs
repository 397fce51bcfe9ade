//! Orders package versions exactly as each ecosystem does.
//!
//! A [`Scheme`] validates and orders versions as the ecosystem's own tool does, gives each a
//! [`SortKey`] whose bytes sort the same way, and a [`Requirement`] says whether a version is in a
//! range written in the ecosystem's own syntax. Which tool of which release is the witness, what it
//! accepts, and the few rows where we depart from it, is in `docs/versions.md`; vectors made by
//! running the tools are in `tests/data`. Nothing here does I/O or depends on a locale.
//!
//! What surprises: versions without meaning are refused, never guessed. A caller that must not lose
//! a finding keeps the text and a flag.

mod apk;
mod bound;
mod composer;
mod deb;
mod decimal;
mod gem;
mod golang;
mod key;
mod maven;
mod npm;
mod nuget;
mod pypi;
mod requirement;
mod row;
mod rpm;
mod scheme;
mod semver;

pub use requirement::{Prereleases, Requirement, RequirementError, RequirementOptions};
pub use row::{RowFailure, check_row, operator};
pub use scheme::{Scheme, SortKey, UnknownScheme, VERSION_BYTES_MAX, VersionError};
