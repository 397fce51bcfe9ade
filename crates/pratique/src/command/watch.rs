//! `pratique watch --manage`: the agent that also removes what containers leave behind.

use crate::args::WatchArguments;
use crate::command::agent::{self, Plan};
use crate::exit::{Exit, Failure};

/// Namespaces that belong to somebody who removes what ended there.
const FOREIGN: [(&str, &str); 2] = [("k8s.io", "Kubernetes"), ("moby", "Docker")];

/// Runs the command.
pub(crate) fn run(arguments: &WatchArguments) -> Result<Exit, Failure> {
    let settings = arguments.node.database.settings()?;
    let managed = match &*arguments.manage {
        [] => &settings.watch.manage,
        _ => &arguments.manage,
    };
    if managed.is_empty() {
        return Err(Failure::usage("no namespace to manage")
            .hint("name some with --manage; `pratique agent` only looks"));
    }
    for namespace in managed {
        if let Some((_, owner)) = FOREIGN.iter().find(|(name, _)| name == namespace) {
            return Err(Failure::usage(format!(
                "--manage {namespace}: {owner} looks after this namespace itself"
            )));
        }
    }
    agent::follow(&Plan::of(&arguments.node, &settings, &settings.watch)?, managed)
}
