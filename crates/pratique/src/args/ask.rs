//! The flags of `pratique ask`.

use clap::Args;

use super::ListArguments;

/// Ask which registered images hold a vulnerability or a package.
///
/// Exit codes: 0 none does, proven; 1 some do; 2 the question cannot be read; 3 nobody can tell (a
/// version that cannot be compared, a vulnerability that no source knows, findings not up to date);
/// 5 there is no database, or no image in it.
#[derive(Debug, Args)]
pub(crate) struct AskArguments {
    /// A vulnerability (CVE-2024-3094, or a publisher's id), or a package with or without versions,
    /// whatever advisories say: deb/xz-utils, 'deb/xz-utils>=5.6.0', 'debian:12/openssl<3.0.11',
    /// 'npm/lodash>=4.0,<4.17.21'.
    pub(crate) question: String,

    /// Name at most this many images; all are counted.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,

    /// Name the images after the one of this number; an answer that was cut says which.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) after: Option<i64>,

    #[command(flatten)]
    pub(crate) list: ListArguments,
}
