//! The flags of `pratique images` and `notify`: what is known of registered images.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DatabaseArguments, ListArguments};

/// Look after the images whose packages are watched.
#[derive(Debug, Args)]
pub(crate) struct ImagesArguments {
    #[command(subcommand)]
    pub(crate) command: ImagesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImagesCommand {
    /// Register images by their reports.
    Add(ImagesAddArguments),
    /// List the images, oldest registration first.
    List(ImagesListArguments),
    /// Show one image: its names, packages and findings.
    Show(ImagesShowArguments),
    /// Forget images.
    Remove(ImagesRemoveArguments),
}

/// Register images by their reports.
///
/// All files are read before anything is written: if one is bad, it is named, nothing is
/// registered, and the exit code is 2. Adding the same report again changes nothing.
#[derive(Debug, Args)]
pub(crate) struct ImagesAddArguments {
    /// Reports that `pratique scan -o json` wrote; `-` is standard input.
    #[arg(required = true, value_name = "REPORT")]
    pub(crate) reports: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
}

/// List the images, oldest registration first.
#[derive(Debug, Args)]
pub(crate) struct ImagesListArguments {
    /// Only images of this release: debian:12, alpine:3.20.
    #[arg(long, value_name = "RELEASE")]
    pub(crate) release: Option<String>,

    /// Only images that could not be read in full.
    #[arg(long)]
    pub(crate) problems: bool,

    /// At most this many images.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,

    /// Go on after the image of this number; a list that was cut says which.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) after: Option<i64>,

    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Show one image: its names, packages and findings.
#[derive(Debug, Args)]
pub(crate) struct ImagesShowArguments {
    /// A digest, its first six digits or more, or a reference.
    pub(crate) image: String,

    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Forget images.
///
/// All are looked up before any is forgotten: if one is not there, or a name means several, nothing
/// is.
#[derive(Debug, Args)]
pub(crate) struct ImagesRemoveArguments {
    /// Digests, their first six digits or more, or references.
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<String>,

    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
}

/// See what there is to tell.
#[derive(Debug, Args)]
pub(crate) struct NotifyArguments {
    #[command(subcommand)]
    pub(crate) command: NotifyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// List the notifications, oldest first.
    List(NotifyListArguments),
}

/// List the notifications, oldest first.
#[derive(Debug, Args)]
pub(crate) struct NotifyListArguments {
    /// Only those written at or after this: a time (2026-11-20, 2026-11-20T08:00:00Z), or how long
    /// ago (6h, 7d).
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,

    /// Go on after the notification with this id.
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,

    /// At most this many.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,

    #[command(flatten)]
    pub(crate) list: ListArguments,
}
