//! `pratique watch --manage`: the agent that also removes what containers leave behind.

use crate::args::WatchArguments;
use crate::command::agent;
use crate::exit::{Exit, Failure};

/// Namespaces that belong to somebody who removes what ended there.
const FOREIGN: [(&str, &str); 2] = [("k8s.io", "Kubernetes"), ("moby", "Docker")];

/// Runs the command.
pub(crate) fn run(arguments: &WatchArguments) -> Result<Exit, Failure> {
    for namespace in &arguments.manage {
        if let Some((_, owner)) = FOREIGN.iter().find(|(name, _)| name == namespace) {
            return Err(Failure::usage(format!(
                "--manage {namespace}: {owner} looks after this namespace itself"
            )));
        }
    }
    agent::follow(&arguments.node, &arguments.manage)
}
