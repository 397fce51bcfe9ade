//! Finds the packages of an image.
//!
//! Files go in, a [`pratique_model::IndexReport`] comes out. What one file proves is found by the
//! catalogers, one file at a time, and cached per layer; what an image's packages are, after its
//! layers are laid over each other, is put together afterwards.

#![allow(dead_code, unused_imports, reason = "the catalogers land one by one")]

mod cataloger;
mod distro;
mod language;
mod os;
