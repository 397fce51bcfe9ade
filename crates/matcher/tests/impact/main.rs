//! From a change of advisories to findings and the outbox.

mod asking;
mod cases;
mod random;
mod service;
mod world;
