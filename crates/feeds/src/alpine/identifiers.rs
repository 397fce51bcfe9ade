//! Reads the strings in which secdb names flaws.
//!
//! They are comments of build files, written by hand: `CVE-2020-11740 CVE-2020-11741 XSA-313`,
//! `CVE-2018-14461 (LDP)`, `CVE_2019-2426`, `CVE-2022-????? XSA-398`. What is certain is mended and
//! said so; what is not is left out and said so.

use std::borrow::Cow;

use pratique_model::{Advisory, is_cve};

use crate::text;

/// The ids in one string.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Identifiers {
    /// The CVE ids, in their order, once each.
    pub(super) cves: Vec<String>,
    /// The other ids, in their order, once each.
    pub(super) others: Vec<String>,
    /// What stands in parentheses.
    pub(super) comment: Option<String>,
    /// What had to be mended or left out, for the operator.
    pub(super) problem: Option<String>,
}

impl Identifiers {
    /// Reads one string. Ids are parted by spaces, commas, semicolons, or a slash between spaces.
    pub(super) fn parse(string: &str) -> Self {
        let mut found = Self::default();
        if is_cve(string) {
            found.cves.push(string.to_owned());
            return found;
        }
        let (ids, comment) = match string.split_once('(') {
            Some((ids, comment)) => (ids, Some(comment.trim_end().trim_end_matches(')').trim())),
            None => (string, None),
        };
        found.comment = comment.filter(|it| !it.is_empty()).map(str::to_owned);
        let mut is_mended = false;
        let mut left_out = Vec::new();
        let mut words = ids
            .split(|c: char| c.is_whitespace() || c == ',' || c == ';')
            .filter(|word| !word.is_empty() && *word != "/")
            .peekable();
        while let Some(word) = words.next() {
            let joined = match words.peek() {
                Some(next) if word == "CVE" && is_cve(&format!("CVE-{next}")) => {
                    Some(format!("CVE-{next}"))
                }
                _ => None,
            };
            if let Some(cve) = joined {
                words.next();
                is_mended = true;
                push_once(&mut found.cves, &cve);
            } else if is_cve(word) {
                push_once(&mut found.cves, word);
            } else if let Some(cve) = mended_cve(word) {
                is_mended = true;
                push_once(&mut found.cves, &cve);
            } else if is_other_id(word) {
                push_once(&mut found.others, word);
            } else {
                left_out.push(word);
            }
        }
        found.problem = if !left_out.is_empty() {
            Some(format!("{}: no id: {}", text::quoted(string), left_out.join(" ")))
        } else if is_mended {
            Some(format!("{} read as {}", text::quoted(string), found.cves.join(" ")))
        } else {
            None
        };
        found
    }

    /// All ids.
    pub(super) fn ids(&self) -> impl Iterator<Item = &String> {
        self.cves.iter().chain(&self.others)
    }

    /// One advisory for each CVE, with the other ids as aliases; without a CVE one, whose id is the
    /// GHSA id if there is one, else the first. The packages are not filled in.
    pub(super) fn advisories(&self) -> Vec<Advisory> {
        let mut aliases = self.others.clone();
        if !self.cves.is_empty() {
            aliases.sort_unstable();
            return self
                .cves
                .iter()
                .map(|cve| Advisory {
                    id: cve.clone(),
                    vulnerabilities: vec![cve.clone()],
                    aliases: aliases.clone(),
                    ..Advisory::default()
                })
                .collect();
        }
        if aliases.is_empty() {
            return Vec::new();
        }
        let index = aliases.iter().position(|id| id.starts_with("GHSA-")).unwrap_or(0);
        let id = aliases.remove(index);
        aliases.sort_unstable();
        vec![Advisory { id, aliases, ..Advisory::default() }]
    }
}

fn push_once(ids: &mut Vec<String>, id: &str) {
    if !ids.iter().any(|known| known == id) {
        ids.push(id.to_owned());
    }
}

/// The CVE id that is certainly meant by `CVE_2019-2426`, `CVE-2017-17434-1`,
/// `CVE-2021-35940.patch`, `cve-2020-1234`; `None` when it is not certain (`CVE-46838`,
/// `CVE-2022-?????`).
fn mended_cve(word: &str) -> Option<String> {
    let word: Cow<'_, str> = match word.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("CVE-") || prefix == "CVE_" => {
            Cow::Owned(format!("CVE-{}", word.get(4..)?.replace('_', "-")))
        }
        _ => return None,
    };
    let number_at = "CVE-2000-".len();
    let digits = word.get(number_at..)?.bytes().take_while(u8::is_ascii_digit).count();
    let (cve, rest) = word.split_at_checked(number_at + digits)?;
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '?' || c == '*');
    (is_cve(cve) && ends).then(|| cve.to_owned())
}

/// Whether it looks like another publisher's id, `XSA-313`, `GHSA-h5c8-rqwp-cp95`, `VSV00013`: a
/// capital first, a digit or a hyphen, else letters, dots and underscores. A CVE id that
/// is not complete is none.
fn is_other_id(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'-')
        && word.bytes().all(plain)
        && !word.starts_with("CVE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(string: &str, cves: &[&str], others: &[&str], comment: Option<&str>, problem: bool) {
        let found = Identifiers::parse(string);
        assert_eq!(found.cves, cves, "{string:?}");
        assert_eq!(found.others, others, "{string:?}");
        assert_eq!(found.comment.as_deref(), comment, "{string:?}");
        assert_eq!(found.problem.is_some(), problem, "{string:?}: {:?}", found.problem);
    }

    #[test]
    fn several_ids_in_one_string_are_told_apart() {
        check("CVE-2031-0001", &["CVE-2031-0001"], &[], None, false);
        check(
            "CVE-2031-0001 GHSA-aaaa-bbbb-cccc XSA-7",
            &["CVE-2031-0001"],
            &["GHSA-aaaa-bbbb-cccc", "XSA-7"],
            None,
            false,
        );
        check("CVE-2031-0001  XSA-7", &["CVE-2031-0001"], &["XSA-7"], None, false);
        check(
            "CVE-2031-0001 CVE-2031-0002 XSA-7",
            &["CVE-2031-0001", "CVE-2031-0002"],
            &["XSA-7"],
            None,
            false,
        );
        check("CVE-2031-0001, GHSA-a1", &["CVE-2031-0001"], &["GHSA-a1"], None, false);
        check("CVE-2031-0001 / GHSA-a1", &["CVE-2031-0001"], &["GHSA-a1"], None, false);
        check(
            "FOO-SA-2031 CVE-2031-0001 CVE-2031-0001",
            &["CVE-2031-0001"],
            &["FOO-SA-2031"],
            None,
            false,
        );
        check("VSV00019", &[], &["VSV00019"], None, false);
    }

    #[test]
    fn what_stands_in_parentheses_is_a_comment() {
        check("CVE-2031-0001 (AFS/RX)", &["CVE-2031-0001"], &[], Some("AFS/RX"), false);
        check("CVE-2031-0001 (+)", &["CVE-2031-0001"], &[], Some("+"), false);
        check("CVE-2031-0001 ()", &["CVE-2031-0001"], &[], None, false);
        check("CVE-2031-0001 (no end", &["CVE-2031-0001"], &[], Some("no end"), false);
    }

    #[test]
    fn malformed_ids_are_mended_where_certain_and_named() {
        check("CVE_2031-0001", &["CVE-2031-0001"], &[], None, true);
        check("CVE_2031_0001", &["CVE-2031-0001"], &[], None, true);
        check("cve-2031-0001", &["CVE-2031-0001"], &[], None, true);
        check("CVE 2031-0001", &["CVE-2031-0001"], &[], None, true);
        check("CVE-2031-0001-2", &["CVE-2031-0001"], &[], None, true);
        check("CVE-2031-0001.patch", &["CVE-2031-0001"], &[], None, true);
        check("CVE-2031-0001?", &[], &[], None, true);
        check("CVE-2031-000A", &[], &[], None, true);
        check("CVE-2031-????? XSA-7", &[], &["XSA-7"], None, true);
        check("CVE N/A FOO-11", &[], &["FOO-11"], None, true);
        check("CVE-46838", &[], &[], None, true);
        check("ünïcode", &[], &[], None, true);
        check("CVEü-2031", &[], &[], None, true);
        check("", &[], &[], None, false);
    }

    #[test]
    fn each_cve_gives_an_advisory_and_other_ids_are_aliases() {
        let ids = |string: &str| -> Vec<(String, Vec<String>)> {
            let advisories = Identifiers::parse(string).advisories();
            advisories.into_iter().map(|advisory| (advisory.id, advisory.aliases)).collect()
        };
        let owned = |id: &str, aliases: &[&str]| {
            (id.to_owned(), aliases.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            ids("CVE-2031-0001 XSA-7 CVE-2031-0002 ASA-1"),
            [
                owned("CVE-2031-0001", &["ASA-1", "XSA-7"]),
                owned("CVE-2031-0002", &["ASA-1", "XSA-7"])
            ]
        );
        assert_eq!(ids("FOO-1 GHSA-a1"), [owned("GHSA-a1", &["FOO-1"])]);
        assert_eq!(ids("XSA-7"), [owned("XSA-7", &[])]);
    }
}
