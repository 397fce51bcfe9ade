//! The built program, as a user runs it: output, exit code, files.
//!
//! Goal: what is promised in `docs/cli.md` and README holds on the executable. Method: images and
//! feeds are written by code into a temporary folder, the program is run with nothing of this
//! machine's settings, and what it prints is read.

#![allow(clippy::print_stderr, reason = "what is skipped is said loudly")]

mod agent;
mod compare;
mod containerd;
mod corpus;
mod database;
mod demo;
mod deployed;
mod failures;
mod house;
mod images;
mod metric_server;
mod node_images;
mod report;
mod serve;
mod settings;
