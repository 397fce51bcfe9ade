//! Scans of the corpus's images against what the distributions' own tools say.
//!
//! Goal: for every image and every platform the distro packages, name, version, architecture and
//! source, are exactly those that `dpkg-query`, `apk` or `rpm` list for the same files. The images
//! are unpacked with the system's tar, by no code of ours. Runs when `PRATIQUE_CORPUS` names the
//! corpus; a tool that is absent skips loudly, or fails if `PRATIQUE_REQUIRE` names it.

mod behaviour;
mod corpus;
mod distro_packages;
mod language_packages;
mod tool;
mod unpack;
