//! Paths inside an image: normal form, and the keys under which names are compared.
//!
//! Names are bytes; what is shown of them is text. Two names are the same if their keys are, and
//! keys are made of the bytes, so that names that are not UTF-8 are neither lost nor mixed up.

use sha2::{Digest as _, Sha256};

/// Stands for a name where only equality matters: the first eight bytes of its SHA-256.
///
/// It has to be the same tomorrow, because contents of layers are kept in a cache, and nobody may
/// find a second name with the key of a given one: the file would be hidden. That rules out both
/// the standard library's hash and the fast ones. A name costs about 60 ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NameKey(pub(crate) u64);

impl NameKey {
    pub(crate) fn of(name: &[u8]) -> Self {
        let hash: [u8; 32] = Sha256::digest(name).into();
        let head = hash.first_chunk().expect("the hash has 32 bytes");
        Self(u64::from_be_bytes(*head))
    }
}

/// Why a path of an archive is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadPath {
    Escapes,
    HoldsZero,
    TooLong,
}

impl BadPath {
    pub(crate) fn problem(self) -> &'static str {
        match self {
            Self::Escapes => "path escapes the image root; the entry is skipped",
            Self::HoldsZero => "path holds a zero byte; the entry is skipped",
            Self::TooLong => "path is longer than the limit; the entry is skipped",
        }
    }
}

/// Writes the normal form of `path` to `out`: no slash at either end, no empty part, no `.`, and
/// `..` taken back as Go's `filepath.Clean` does, without looking at links. The root is empty.
pub(crate) fn normalise(path: &[u8], max: usize, out: &mut Vec<u8>) -> Result<(), BadPath> {
    out.clear();
    if path.len() > max {
        return Err(BadPath::TooLong);
    }
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if out.is_empty() => return Err(BadPath::Escapes),
            b".." => {
                let parent = out.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                out.truncate(parent);
            }
            _ => {
                if !out.is_empty() {
                    out.push(b'/');
                }
                out.extend_from_slice(part);
            }
        }
    }
    if out.contains(&0) { Err(BadPath::HoldsZero) } else { Ok(()) }
}

/// The folder and the name of a path in normal form.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// At most 200 characters of a path, for messages.
pub(crate) fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_normal_form_and_stay_inside() {
        let mut out = Vec::new();
        for (given, expected) in [
            ("./usr/lib/", Ok("usr/lib")),
            ("/etc//os-release", Ok("etc/os-release")),
            ("./", Ok("")),
            ("", Ok("")),
            ("a/../b", Ok("b")),
            ("a/b/../../c/.", Ok("c")),
            ("a/..", Ok("")),
            ("..", Err(BadPath::Escapes)),
            ("a/../../etc/passwd", Err(BadPath::Escapes)),
            ("/../etc/passwd", Err(BadPath::Escapes)),
            ("a\0b", Err(BadPath::HoldsZero)),
            ("0123456789012345678901234567890", Err(BadPath::TooLong)),
        ] {
            let result = normalise(given.as_bytes(), 30, &mut out).map(|()| out.as_slice());
            assert_eq!(result, expected.map(str::as_bytes), "{given:?}");
        }
    }

    #[test]
    fn name_keys_do_not_change() {
        // SHA-256 of "status" begins so; caches hold these keys.
        assert_eq!(NameKey::of(b""), NameKey(0xe3b0_c442_98fc_1c14));
        assert_ne!(NameKey::of(b"status"), NameKey::of(b"status.d"));
    }
}
