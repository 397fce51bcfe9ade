//! apk's database of installed packages: Alpine, Wolfi, Chainguard and kin.
//!
//! A record is lines of one letter, a colon and a value, ended by an empty line; after a package's
//! own fields come its folders (`F:`) and the files in each (`R:`). Everything in the database is
//! installed, virtual packages (`.build-deps`) included, as `apk info -v` lists them.

use pratique_model::Ecosystem;

use crate::cataloger::{
    CatalogError, Cataloger, Content, Evidence, FileInfo, FolderHash, Found, OWNED_FILES_MAX,
};

/// A database of some 5,000 packages with all their files has less than 100 MB.
const DATABASE_BYTES_MAX: u64 = 256 << 20;

/// Reads apk's database.
pub(crate) struct Apk;

impl Cataloger for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["lib/apk/db/installed", "usr/lib/apk/db/installed"]
    }

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        self.evidence().contains(&file.path)
    }

    fn catalog(
        &self,
        _: &FileInfo<'_>,
        content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        let bytes = content.bytes(DATABASE_BYTES_MAX)?;
        let mut record = Record::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match line {
                [] => std::mem::take(&mut record).finish(found),
                [letter, b':', value @ ..] => record.add(*letter, value),
                _ => record.add(b'?', b""),
            }
        }
        record.finish(found);
        Ok(())
    }
}

/// What is known of the package that is being read.
#[derive(Default)]
struct Record {
    name: Option<String>,
    version: Option<String>,
    arch: Option<String>,
    origin: Option<String>,
    folder: Option<FolderHash>,
    files: Vec<u64>,
    has_fields: bool,
}

impl Record {
    fn add(&mut self, letter: u8, value: &[u8]) {
        self.has_fields = true;
        let text =
            || Some(String::from_utf8_lossy(value).into_owned()).filter(|text| !text.is_empty());
        match letter {
            b'P' => self.name = text(),
            b'V' => self.version = text(),
            b'A' => self.arch = text(),
            b'o' => self.origin = text(),
            b'F' => self.folder = Some(FolderHash::new(&String::from_utf8_lossy(value))),
            b'R' if self.files.len() <= OWNED_FILES_MAX => {
                let folder = self.folder.get_or_insert_with(|| FolderHash::new(""));
                self.files.push(folder.file(&String::from_utf8_lossy(value)));
            }
            _ => {}
        }
    }

    fn finish(self, found: &mut Found) {
        if !self.has_fields {
            return;
        }
        let (Some(name), Some(version)) = (&self.name, self.version) else {
            let name = self.name.as_deref().unwrap_or("");
            found.problem(format!("a record has no `P:` or no `V:`: {name:?}"));
            return;
        };
        let origin = self.origin.unwrap_or_else(|| name.clone());
        let mut evidence = Evidence::new(Ecosystem::Apk, name.clone(), version.clone());
        evidence.arch = self.arch;
        evidence.source = Some((origin, version));
        found.push(evidence);
        found.own(name, self.files.into_iter());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cataloger::path_hash;
    use crate::cataloger::testing::{catalog, packages};

    const INSTALLED: &str = "lib/apk/db/installed";

    #[test]
    fn records_give_packages_with_their_origin() {
        let text = "C:Q1x=\nP:libcrypto1.1\nV:1.1.1d-r0\nA:x86_64\no:openssl\nF:lib\n\
                    R:libcrypto.so.1.1\na:0:0:555\nF:\nR:top\n\n\
                    P:.build-deps\nV:20240101.120000\nA:noarch\n\n\
                    P:last\nV:1-r0\nA:aarch64\no:last";
        for path in [INSTALLED, "usr/lib/apk/db/installed"] {
            let found = catalog(&Apk, path, text.as_bytes());
            assert_eq!(
                packages(&found),
                [
                    "apk libcrypto1.1 1.1.1d-r0 x86_64 openssl 1.1.1d-r0",
                    "apk .build-deps 20240101.120000 noarch .build-deps 20240101.120000",
                    "apk last 1-r0 aarch64 last 1-r0",
                ]
            );
            assert_eq!(found.owned.len(), 1);
            assert_eq!(found.owned[0].package, "libcrypto1.1");
            let files = [path_hash("/usr/lib/libcrypto.so.1.1"), path_hash("/top")];
            assert_eq!(found.owned[0].files, files);
            assert!(found.problems.is_empty());
        }
    }

    #[test]
    fn a_bad_record_is_named_and_the_others_are_kept() {
        let found = catalog(&Apk, INSTALLED, b"P:a\n\nV:1\n\ngarbage\n\nP:b\nV:2-r1\n\n\n\n");
        assert_eq!(packages(&found), ["apk b 2-r1 - b 2-r1"]);
        assert_eq!(
            found.problems,
            [
                "a record has no `P:` or no `V:`: \"a\"",
                "a record has no `P:` or no `V:`: \"\"",
                "a record has no `P:` or no `V:`: \"\"",
            ]
        );
    }

    #[test]
    fn an_empty_database_has_no_packages_and_no_problems() {
        assert!(catalog(&Apk, INSTALLED, b"").is_empty());
        assert!(catalog(&Apk, INSTALLED, b"\n\n").is_empty());
    }
}
