//! The matcher on real advisories and the package lists of real images, against the answers that
//! come with the corpus. Runs when `PRATIQUE_CORPUS` names the corpus.
//!
//! The package lists are those of the distributions' own tools, so that this tests matching alone;
//! the whole chain from the image file is tested by the program's tests. Every difference from the
//! answers is a rule of `docs/matching.md`, named where it is subtracted.

mod answers;
mod world;
