//! What a program on a node is to do: flags, environment, file and defaults made into one.

use std::path::PathBuf;

use pratique_clockwork::http::Listen;
use pratique_store::Store;

use crate::args::{AGENT, NodeArguments};
use crate::exit::Failure;
use crate::settings::{NodeSettings, Settings};

/// Where the node's own state is kept unless told otherwise.
const STATE_DIR: &str = "/var/lib/pratique";

/// All that was said. Reading it opens nothing.
pub(crate) struct Plan {
    pub(super) containerd_address: PathBuf,
    /// `None`: all.
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) state_dir: PathBuf,
    /// What is vulnerable.
    pub(super) advisories: Store,
    pub(super) listen: Listen,
    pub(super) indexes: bool,
    pub(super) probes: bool,
}

impl Plan {
    /// Makes one of all; `file` is the program's own section of the settings.
    pub(crate) fn of(
        flags: &NodeArguments,
        settings: &Settings,
        file: &NodeSettings,
    ) -> Result<Self, Failure> {
        let namespaces = match &*flags.namespaces {
            [] => &file.namespaces,
            _ => &flags.namespaces,
        };
        let path = |flag: &Option<PathBuf>, key: &Option<PathBuf>, default: &str| {
            flag.clone().or_else(|| key.clone()).unwrap_or_else(|| default.into())
        };
        let listen = flags.listen.clone().or_else(|| file.listen.clone());
        Ok(Self {
            containerd_address: path(
                &flags.containerd_address,
                &file.containerd_address,
                pratique_image::CONTAINERD_ADDRESS,
            ),
            namespaces: Some(namespaces.clone()).filter(|names| !names.is_empty()),
            state_dir: path(&flags.state_dir, &file.state_dir, STATE_DIR),
            advisories: flags.database.store_of(settings)?,
            listen: listen.unwrap_or_else(|| AGENT.parse().expect("an address")),
            indexes: !flags.no_index && file.index.unwrap_or(true),
            probes: !flags.no_probe && file.probe.unwrap_or(true),
        })
    }
}
