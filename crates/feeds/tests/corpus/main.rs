//! The sources on the real files of the corpus.
//!
//! Goal: every whole file is read with nothing put aside that is not explained here, and what comes
//! out is counted against a count made by another route (plain text search, or untyped JSON).
//! Runs when `PRATIQUE_CORPUS` names the corpus.

mod almalinux;
mod alpine;
mod azurelinux;
mod corpus;
mod debian;
mod enrichment;
mod osv;
mod ubuntu;
