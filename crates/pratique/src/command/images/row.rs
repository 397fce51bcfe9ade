//! How an image is written.

use pratique_store::StoredImage;
use serde::Serialize;

/// How many digits of a digest tables show; a beginning of six names an image.
const DIGITS_SHOWN: usize = 12;

/// One image as `--format json` has it.
#[derive(Serialize)]
pub(super) struct Row {
    number: i64,
    digest: String,
    reference: String,
    platform: Option<String>,
    release: Option<String>,
    distro: Option<String>,
    packages: u64,
    problems: u64,
    registered_at: String,
    last_seen_at: String,
    watched: bool,
}

pub(super) fn of(image: &StoredImage) -> Row {
    Row {
        number: image.key.0,
        digest: image.digest.to_string(),
        reference: image.reference.clone(),
        platform: image.platform.as_ref().map(ToString::to_string),
        release: image.release.as_ref().map(ToString::to_string),
        distro: image.distro.clone(),
        packages: image.package_count,
        problems: image.problem_count,
        registered_at: image.registered_at.to_string(),
        last_seen_at: image.last_seen_at.to_string(),
        watched: image.is_watched,
    }
}

/// The beginning of the digest, enough to name the image.
pub(super) fn short_digest(image: &StoredImage) -> String {
    image.digest.to_hex().chars().take(DIGITS_SHOWN).collect()
}

/// What a person must know of an image.
pub(super) fn state(image: &StoredImage) -> String {
    match (image.is_watched, image.problem_count) {
        (true, 0) => "watched".to_owned(),
        (true, 1) => "watched; 1 thing could not be read".to_owned(),
        (true, count) => format!("watched; {count} things could not be read"),
        (false, _) => "not watched: not seen for long".to_owned(),
    }
}
