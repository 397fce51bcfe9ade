//! From a change of advisories to findings and the outbox.

mod cases;
mod random;
mod service;
mod world;
