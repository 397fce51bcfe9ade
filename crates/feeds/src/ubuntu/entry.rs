//! Takes one file of the CVE tracker apart, without judging what it says.
//!
//! A file is `Field: value` lines; lines that begin with a space go on with the field before.
//! Fields have a capital first, `RELEASE_PACKAGE: status (note)` lines a small letter or a digit.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// One file.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    /// `Candidate`.
    pub(super) id: &'a str,
    /// `PublicDate`, if it is one.
    pub(super) published: Option<Timestamp>,
    /// The lines of `Description`.
    pub(super) description: String,
    /// The word of `Priority`, without the reason after it.
    pub(super) priority: Option<&'a str>,
    /// `Priority_PACKAGE` and `Priority_PACKAGE_RELEASE`.
    pub(super) priorities: Vec<Priority<'a>>,
    /// The lines of `CVSS`: who scored it, and the vector.
    pub(super) cvss: Vec<(&'a str, &'a str)>,
    /// The statements, in their order.
    pub(super) lines: Vec<Line<'a>>,
}

/// A priority for one package.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Priority<'a> {
    pub(super) package: &'a str,
    /// `None`: in every release.
    pub(super) release: Option<&'a str>,
    pub(super) word: &'a str,
}

/// `bionic_linux: released (4.15.0-20.21)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// `bionic`, `trusty/esm`.
    pub(super) release: &'a str,
    /// The source package.
    pub(super) package: &'a str,
    /// The first word.
    pub(super) status: &'a str,
    /// What follows it, parentheses included.
    pub(super) note: &'a str,
}

impl<'a> Entry<'a> {
    /// Takes a file apart; an error says in words why it is none.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let mut entry = Self::default();
        let mut field = "";
        for line in text.lines() {
            if line.starts_with([' ', '\t']) {
                entry.go_on(field, line.trim());
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            if name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) {
                field = "";
                entry.lines.extend(statement(name, value));
            } else if name.starts_with(|c: char| c.is_ascii_uppercase()) {
                field = name;
                entry.field(name, value);
            }
        }
        if entry.id.is_empty() {
            return Err("has no `Candidate:`".to_owned());
        }
        Ok(entry)
    }

    fn field(&mut self, name: &'a str, value: &'a str) {
        let word = value.split_whitespace().next();
        match name {
            "Candidate" => self.id = value,
            "PublicDate" => self.published = date(value),
            "Description" => value.clone_into(&mut self.description),
            "Priority" => self.priority = word,
            _ => {
                let Some(rest) = name.strip_prefix("Priority_") else { return };
                let (package, release) = match rest.split_once('_') {
                    Some((package, release)) => (package, Some(release)),
                    None => (rest, None),
                };
                self.priorities.extend(word.map(|word| Priority { package, release, word }));
            }
        }
    }

    fn go_on(&mut self, field: &str, line: &'a str) {
        match field {
            "Description" => {
                self.description.push(' ');
                self.description.push_str(line);
            }
            "CVSS" => {
                if let Some((source, rest)) = line.split_once(':') {
                    let vector = rest.split_whitespace().next();
                    self.cvss.extend(vector.map(|vector| (source, vector)));
                }
            }
            _ => {}
        }
    }
}

impl Line<'_> {
    /// Whether the line is more than `DNE` (the release does not have the package), which half of
    /// all lines are.
    pub(super) fn says_something(&self) -> bool {
        !matches!(self.status, "" | "DNE")
    }
}

fn statement<'a>(name: &'a str, value: &'a str) -> Option<Line<'a>> {
    let (release, package) = name.split_once('_')?;
    let package = package.trim_end();
    if package.is_empty() || release.contains(char::is_whitespace) {
        return None;
    }
    let end = value.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(value.len());
    let (status, note) = value.split_at(end);
    Some(Line { release, package, status, note: note.trim() })
}

/// Reads `2020-03-27 13:15:00 UTC` and `2020-03-27`; `unknown` is no date.
fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim_end_matches("UTC").trim();
    let time = DateTime::from_str(text)
        .or_else(|_| Date::from_str(text).map(|date| date.at(0, 0, 0, 0)))
        .ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_apart() {
        let text = "\
Candidate: CVE-2031-0001
PublicDate: 2031-03-27 13:15:00 UTC
References:
 https://example.org/a
Description:
 A flaw in
 demo: more.
Notes:
 someone> bionic_demo: not a statement
Priority: low (needs a flag)
Priority_demo: negligible
Priority_demo_trusty/esm: high
CVSS:
 nvd: CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H [5.5 MEDIUM]

# bionic_commented: needed
Patches_demo:
 upstream: https://example.org/p
Tags_demo: universe-binary
-- Tags_demo: universe-binary
bionic_demo: released (1.2-3)
trusty/esm_demo: ignored (end of life)
xenial_demo: released(1.2)
devel_demo:
no colon here
";
        let entry = Entry::parse(text).unwrap();
        assert_eq!(entry.id, "CVE-2031-0001");
        assert_eq!(entry.published, Some("2031-03-27T13:15:00Z".parse().unwrap()));
        assert_eq!(entry.description.trim(), "A flaw in demo: more.");
        assert_eq!(entry.priority, Some("low"));
        let priority = |release, word| Priority { package: "demo", release, word };
        assert_eq!(
            entry.priorities,
            [priority(None, "negligible"), priority(Some("trusty/esm"), "high")]
        );
        assert_eq!(entry.cvss, [("nvd", "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H")]);
        let line = |release, status, note| Line { release, package: "demo", status, note };
        assert_eq!(
            entry.lines,
            [
                line("bionic", "released", "(1.2-3)"),
                line("trusty/esm", "ignored", "(end of life)"),
                line("xenial", "released", "(1.2)"),
                line("devel", "", ""),
            ]
        );
    }

    #[test]
    fn dates_are_read_and_unknown_is_none() {
        assert_eq!(date("2031-01-02"), Some("2031-01-02T00:00:00Z".parse().unwrap()));
        for bad in ["", "unknown", "2031-13-01", "2031-01-02 25:00:00 UTC"] {
            assert_eq!(date(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_file_without_a_candidate_is_refused() {
        for bad in ["", "bionic_demo: needed\n", "\0\u{fffd}"] {
            assert!(Entry::parse(bad).is_err(), "{bad:?}");
        }
    }
}
