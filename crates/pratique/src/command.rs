//! What each command does: one module a command.

pub(crate) mod compare;
pub(crate) mod db;
pub(crate) mod demo;
pub(crate) mod metric_server;
pub(crate) mod scan;
