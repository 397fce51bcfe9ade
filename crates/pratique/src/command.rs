//! What each command does: one module a command.

pub(crate) mod agent;
pub(crate) mod ask;
pub(crate) mod compare;
pub(crate) mod db;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod images;
pub(crate) mod index_image;
pub(crate) mod metric_server;
pub(crate) mod notify;
pub(crate) mod scan;
pub(crate) mod serve;
pub(crate) mod watch;
