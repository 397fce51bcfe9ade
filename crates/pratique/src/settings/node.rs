//! What the file says of the programs of a node.

use std::path::PathBuf;

use pratique_clockwork::http::Listen;

use super::reader::{Problem, Table};
use super::told;

/// `[agent]` or `[watch]`. What is not in the file is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeSettings {
    /// `--containerd-address`.
    pub(crate) containerd_address: Option<PathBuf>,
    /// `--namespaces`.
    pub(crate) namespaces: Vec<String>,
    /// `--state-dir`.
    pub(crate) state_dir: Option<PathBuf>,
    /// `--listen`.
    pub(crate) listen: Option<Listen>,
    /// Not `--no-index`.
    pub(crate) index: Option<bool>,
    /// Not `--no-probe`.
    pub(crate) probe: Option<bool>,
    /// `--manage`; of `[watch]` only.
    pub(crate) manage: Vec<String>,
}

impl NodeSettings {
    /// Reads a section; `may_manage` in that of the manager.
    pub(super) fn read(mut section: Table<'_>, may_manage: bool) -> Result<Self, Problem> {
        let path = |text: &str| Ok(PathBuf::from(text));
        let name = |text: &str| Ok(text.to_owned());
        let read = Self {
            containerd_address: section.text("containerd_address", path)?,
            namespaces: section.texts("namespaces", name)?,
            state_dir: section.text("state_dir", path)?,
            listen: section.text("listen", |text| {
                text.parse::<Listen>().map_err(|error| told(&error.into()))
            })?,
            index: section.flag("index")?,
            probe: section.flag("probe")?,
            manage: if may_manage { section.texts("manage", name)? } else { Vec::new() },
        };
        section.finish()?;
        Ok(read)
    }
}
