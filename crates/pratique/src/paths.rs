//! Where the program keeps its files, by the XDG base directory specification.

use std::env;
use std::path::PathBuf;

/// The embedded database used when none is named: `$XDG_DATA_HOME/pratique/db.sqlite`, else
/// `~/.local/share/pratique/db.sqlite`; `None` without a home folder.
pub(crate) fn default_database() -> Option<PathBuf> {
    base("XDG_DATA_HOME", ".local/share").map(|folder| folder.join("db.sqlite"))
}

/// The cache used when none is named: `$XDG_CACHE_HOME/pratique`, else `~/.cache/pratique`; it can
/// be deleted at any time.
pub(crate) fn default_cache() -> Option<PathBuf> {
    base("XDG_CACHE_HOME", ".cache")
}

/// The settings used when no file of them is named: `$XDG_CONFIG_HOME/pratique/pratique.toml`, else
/// `~/.config/pratique/pratique.toml`.
pub(crate) fn default_settings() -> Option<PathBuf> {
    base("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("pratique.toml"))
}

/// A relative path in an XDG variable is invalid by the specification and is passed over.
fn base(variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = named.or_else(|| {
        let home = env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        home.map(|home| home.join(below_home))
    });
    folder.map(|folder| folder.join("pratique"))
}
