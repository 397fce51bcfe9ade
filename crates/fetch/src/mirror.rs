//! Takes everything from one place instead of from the publishers.
//!
//! `https://HOST/PATH` lies at `MIRROR/HOST/PATH`: a folder, or a web server over such a folder.
//! Surprising: a folder knows neither percent-encoding nor query strings, so the one is decoded
//! and the other dropped (`AlmaLinux%3A8` and `AlmaLinux:8` are one folder); a web server gets
//! both as they are.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;

/// A place that holds copies of what the publishers have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    base: Url,
}

/// A text that is no mirror.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mirror {text:?}: {problem}")]
pub struct MirrorError {
    /// The text as given.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Where a document really is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// On a web server.
    Http(Url),
    /// On this machine.
    File(PathBuf),
}

impl Mirror {
    /// Reads `http://…`, `https://…` or `file:///…`; a final slash makes no difference.
    ///
    /// # Errors
    /// [`MirrorError`] for another scheme, a query or fragment, or a `file:` URL of another host.
    pub fn parse(text: &str) -> Result<Self, MirrorError> {
        let error =
            |problem: &str| MirrorError { text: text.to_owned(), problem: problem.to_owned() };
        let mut base = Url::parse(text).map_err(|problem| error(&problem.to_string()))?;
        match base.scheme() {
            "http" | "https" => {}
            "file" => {
                file_path(&base).map_err(|problem| error(&problem))?;
            }
            _ => return Err(error("expected http, https or file")),
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(error("a mirror has no query and no fragment"));
        }
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        Ok(Self { base })
    }

    /// Where a publisher's document lies here.
    pub(crate) fn locate(&self, url: &Url) -> Result<Location, String> {
        let host = url.host_str().ok_or("no host")?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let mut location = self.base.clone();
        let base = self.base.path().trim_end_matches('/');
        location.set_path(&format!("{base}/{host}{port}{}", url.path()));
        if location.scheme() == "file" {
            return Ok(Location::File(file_path(&location)?));
        }
        location.set_query(url.query());
        Ok(Location::Http(location))
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.as_str())
    }
}

/// The path that a `file:` URL names.
///
/// # Errors
/// In words: another host, a part that is no UTF-8, or one that would leave its folder after
/// decoding (`%2e%2e`, `%2f`).
pub(crate) fn file_path(url: &Url) -> Result<PathBuf, String> {
    if !matches!(url.host_str(), None | Some("" | "localhost")) {
        return Err("a file URL has no host: file:///folder".to_owned());
    }
    let mut path = PathBuf::from("/");
    for part in url.path_segments().ok_or("no path")? {
        let part = decode(part)?;
        if part == ".." || part.contains(['/', '\0']) {
            return Err(format!("part {part:?} of the path leaves its folder"));
        }
        if !part.is_empty() {
            path.push(Path::new(&part));
        }
    }
    Ok(path)
}

/// Undoes percent-encoding.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |index: usize| char::from(*after.get(index)?).to_digit(16);
        rest = match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high << 4 | low).expect("two hexadecimal digits"));
                after.get(2..).unwrap_or_default()
            }
            _ => {
                bytes.push(byte);
                after
            }
        };
    }
    String::from_utf8(bytes).map_err(|_| format!("path {text:?} is no UTF-8 once decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mirror: &str, url: &str, expected: &str) {
        let mirror = Mirror::parse(mirror).expect("a mirror");
        let url = Url::parse(url).expect("a URL");
        let found = match mirror.locate(&url) {
            Ok(Location::Http(url)) => url.to_string(),
            Ok(Location::File(path)) => path.to_string_lossy().into_owned(),
            Err(problem) => problem,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_document_lies_under_its_host() {
        let url = "https://www.cisa.gov/sites/kev.json";
        check("http://127.0.0.1:8080", url, "http://127.0.0.1:8080/www.cisa.gov/sites/kev.json");
        check("https://m.example/a/", url, "https://m.example/a/www.cisa.gov/sites/kev.json");
        check("file:///srv/feeds", url, "/srv/feeds/www.cisa.gov/sites/kev.json");
        check("file:///", "https://h.example:8443/x", "/h.example:8443/x");
    }

    #[test]
    fn trap_9_a_colon_in_the_path_stays_a_colon() {
        for colon in [":", "%3A", "%3a"] {
            let url = format!("https://osv.example/AlmaLinux{colon}8/all.zip");
            check("file:///srv/feeds", &url, "/srv/feeds/osv.example/AlmaLinux:8/all.zip");
        }
        check(
            "http://127.0.0.1:1",
            "https://osv.example/AlmaLinux:8/all.zip",
            "http://127.0.0.1:1/osv.example/AlmaLinux:8/all.zip",
        );
    }

    #[test]
    fn a_folder_knows_no_query_and_no_encoding() {
        let url = "https://h.example/a%20b/c.json?page=2";
        check("file:///srv", url, "/srv/h.example/a b/c.json");
        check("http://127.0.0.1:1", url, "http://127.0.0.1:1/h.example/a%20b/c.json?page=2");
        check("file:///my%20feeds", "https://h.example/x", "/my feeds/h.example/x");
    }

    #[test]
    fn no_encoding_leaves_the_folder() {
        check(
            "file:///srv",
            "https://h.example/..%2f..%2fetc/passwd",
            "part \"../../etc\" of the path leaves its folder",
        );
        check("file:///srv", "https://h.example/%2e%2e/%2e%2e/x", "/srv/h.example/x");
        check(
            "file:///srv",
            "https://h.example/a%00b",
            "part \"a\\0b\" of the path leaves its folder",
        );
        check("file:///srv", "https://h.example/%ff", "path \"%ff\" is no UTF-8 once decoded");
    }

    #[test]
    fn what_is_no_mirror_is_refused() {
        for bad in ["", "/srv/feeds", "ftp://h.example", "http://h.example?x=1", "file://h/srv"] {
            assert!(Mirror::parse(bad).is_err(), "{bad:?} was taken");
        }
    }
}
