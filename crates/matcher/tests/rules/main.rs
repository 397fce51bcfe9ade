//! The rules of `docs/matching.md` that take more than one package and one statement, on databases
//! written here.

mod coverage;
mod docs;
mod filters;
mod naive;
mod ratings;
mod rows;
mod statuses;
mod world;
