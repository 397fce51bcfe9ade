//! The matcher on real advisories and the package lists of real images, against the answers that
//! come with the corpus. Runs when `PRATIQUE_CORPUS` names the corpus.
//!
//! The package lists are those of the distributions' own tools, then those of our own catalogers on
//! the image itself. Every difference from the answers is a rule of `docs/matching.md`, named where
//! it is subtracted.

mod answers;
mod world;
