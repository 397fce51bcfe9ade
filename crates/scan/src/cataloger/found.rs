//! What a cataloger found in one file.
//!
//! These are the rows of the layer cache, hence serialisable; they say nothing of the file's own
//! path, which the layer already knows.

use pratique_model::Ecosystem;
use serde::{Deserialize, Serialize};

/// How many problems of one file are kept; the rest are counted in a last one.
const PROBLEMS_MAX: usize = 20;

/// How many packages of one file are kept. All of Debian has 60,000; a hostile database of 256 MB
/// could name 30 million, each of which costs some hundred bytes.
pub(crate) const PACKAGES_MAX: usize = 200_000;

/// How many owned files of one file are kept, at 8 bytes each. A desktop of 5,000 packages has a
/// million.
pub(crate) const OWNED_FILES_MAX: usize = 4_000_000;

/// How long the text of one problem may be, in bytes: problems quote the file.
const PROBLEM_BYTES_MAX: usize = 400;

/// One package as one file proves it. Empty `Option`s mean that the record does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    /// The family.
    #[serde(with = "ecosystem_text")]
    pub(crate) ecosystem: Ecosystem,
    /// As in [`pratique_model::Package::name`].
    pub(crate) name: String,
    /// As in [`pratique_model::Package::version`].
    pub(crate) version: String,
    /// As in [`pratique_model::Package::arch`].
    pub(crate) arch: Option<String>,
    /// Name and version of the source package, as in [`pratique_model::SourcePackage`].
    pub(crate) source: Option<(String, String)>,
    /// The rpm module label.
    pub(crate) module: Option<String>,
    /// Who built it.
    pub(crate) vendor: Option<String>,
    /// `linux/amd64`, as in [`pratique_model::Package::built_for`].
    pub(crate) built_for: Option<String>,
    /// Where inside the file it was found, for nested archives: `BOOT-INF/lib/a.jar`, or
    /// `inner.jar!/META-INF/lib/b.jar`. The report's path is then `file!/inside`.
    pub(crate) inside: Option<String>,
}

impl Evidence {
    /// A package with a name and a version, and nothing else known.
    pub(crate) fn new(
        ecosystem: Ecosystem,
        name: impl Into<String>,
        version: impl Into<String>,
    ) -> Self {
        Self {
            ecosystem,
            name: name.into(),
            version: version.into(),
            arch: None,
            source: None,
            module: None,
            vendor: None,
            built_for: None,
            inside: None,
        }
    }
}

/// All that one cataloger found in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The packages, in the file's order; doubles are united later.
    pub(crate) packages: Vec<Evidence>,
    /// Which files distro packages own; use [`Self::own`].
    pub(crate) owned: Vec<Owned>,
    /// How many files that is, while a cataloger runs.
    #[serde(skip)]
    pub(crate) owned_count: usize,
    /// What was not understood, one clause each; use [`Self::problem`].
    pub(crate) problems: Vec<String>,
}

/// The files of one distro package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owned {
    /// The package's name.
    pub(crate) package: String,
    /// [`path_hash`] of each of its files; directories may be among them.
    pub(crate) files: Vec<u64>,
}

impl Found {
    /// Adds a package. Those above [`PACKAGES_MAX`] are dropped, and that is told once.
    pub(crate) fn push(&mut self, evidence: Evidence) {
        if self.packages.len() < PACKAGES_MAX {
            self.packages.push(evidence);
        } else {
            self.problem_once(format!(
                "more than {PACKAGES_MAX} packages; the rest are not listed"
            ));
        }
    }

    /// Adds the files of a distro package, by their [`path_hash`]. Those above
    /// [`OWNED_FILES_MAX`] are dropped, and that is told once.
    pub(crate) fn own(&mut self, package: &str, files: impl Iterator<Item = u64>) {
        let left = OWNED_FILES_MAX.saturating_sub(self.owned_count);
        let mut files = files.fuse();
        let kept: Vec<u64> = files.by_ref().take(left).collect();
        if files.next().is_some() {
            self.problem_once(format!(
                "more than {OWNED_FILES_MAX} owned files; the rest are taken for nobody's"
            ));
        }
        self.owned_count += kept.len();
        if !kept.is_empty() {
            self.owned.push(Owned { package: package.to_owned(), files: kept });
        }
    }

    fn problem_once(&mut self, text: String) {
        if self.problems.last() != Some(&text) {
            self.problem(text);
        }
    }

    /// Tells what was not understood, one clause; what it quotes from the file is cut to
    /// a few hundred bytes, and after twenty problems the rest are dropped.
    pub(crate) fn problem(&mut self, text: impl Into<String>) {
        match self.problems.len() {
            count if count < PROBLEMS_MAX => {
                let mut text = text.into();
                text.truncate(text.floor_char_boundary(PROBLEM_BYTES_MAX));
                self.problems.push(text);
            }
            PROBLEMS_MAX => self.problems.push("more problems of this file are not listed".into()),
            _ => {}
        }
    }

    /// Whether nothing at all was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.owned.is_empty() && self.problems.is_empty()
    }
}

/// A stable 64-bit name for a path, FNV-1a over its normal form.
///
/// The normal form has no leading `/` or `./`, and `bin`, `sbin`, `lib*` at the root stand under
/// `usr`: on a merged root both spellings are one file, and a package's list may have either.
/// Where the root is not merged, two different files would have to differ in nothing but `usr/`.
/// One collision in a million files has a chance below 10⁻⁷.
pub(crate) fn path_hash(path: &str) -> u64 {
    let path = path.strip_prefix('.').filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let path = path.trim_start_matches('/');
    let prefix = match path.split('/').next() {
        Some("bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32") => "usr/",
        _ => "",
    };
    hash_on(hash_on(0xcbf2_9ce4_8422_2325, prefix), path)
}

/// [`path_hash`] of many files of one folder, without hashing the folder's name again for each: a
/// hostile list could have a name of megabytes and millions of files in it.
pub(crate) struct FolderHash(Option<u64>);

impl FolderHash {
    /// Takes a folder's path, with or without slashes around it; empty or `/` is the root.
    pub(crate) fn new(folder: &str) -> Self {
        let folder = folder.trim_end_matches('/');
        Self((!folder.is_empty()).then(|| hash_on(path_hash(folder), "/")))
    }

    /// The hash of the path of the file `name` in the folder.
    pub(crate) fn file(&self, name: &str) -> u64 {
        self.0.map_or_else(|| path_hash(name), |folder| hash_on(folder, name))
    }
}

fn hash_on(hash: u64, text: &str) -> u64 {
    text.bytes()
        .fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

mod ecosystem_text {
    //! [`Ecosystem`] as its text form, since the types of `model` are no wire format.

    use pratique_model::Ecosystem;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(
        ecosystem: &Ecosystem,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(ecosystem.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Ecosystem, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_hash_however_it_is_spelt() {
        let expected = path_hash("usr/lib/python3/six.py");
        for path in ["/usr/lib/python3/six.py", "./lib/python3/six.py", "/lib/python3/six.py"] {
            assert_eq!(path_hash(path), expected, "{path}");
        }
        for path in ["/opt/lib/python3/six.py", "usr/lib/python3/six.pyc", "libs/python3/six.py"] {
            assert_ne!(path_hash(path), expected, "{path}");
        }
        assert_ne!(path_hash(".bashrc"), path_hash("bashrc"));
        for (folder, name) in [("/lib/python3/", "six.py"), ("usr/lib", "python3/six.py")] {
            assert_eq!(FolderHash::new(folder).file(name), expected, "{folder}");
        }
        for folder in ["", "/"] {
            assert_eq!(FolderHash::new(folder).file("lib"), path_hash("/usr/lib"), "{folder}");
        }
    }

    #[test]
    fn packages_and_owned_files_of_one_file_are_bounded() {
        let mut found = Found::default();
        for _ in 0..PACKAGES_MAX + 3 {
            found.push(Evidence::new(Ecosystem::Apk, "a", "1"));
        }
        found.own("a", 0..10);
        found.own("b", 0..OWNED_FILES_MAX as u64);
        found.own("c", 0..10);
        assert_eq!(found.packages.len(), PACKAGES_MAX);
        assert_eq!(found.owned.iter().map(|owned| owned.files.len()).sum::<usize>(), 4_000_000);
        assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
    }

    #[test]
    fn problems_of_one_file_are_bounded() {
        let mut found = Found::default();
        for _ in 0..1000 {
            found.problem("ä".repeat(1000));
        }
        assert_eq!(found.problems.len(), PROBLEMS_MAX + 1);
        assert!(found.problems.iter().all(|problem| problem.len() <= PROBLEM_BYTES_MAX));
    }
}
