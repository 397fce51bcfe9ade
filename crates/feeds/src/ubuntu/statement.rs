//! What Ubuntu's status words mean for a package in a release.
//!
//! A release whose free support goes on has one line per package. Beside it stands that of the paid
//! extension (ESM, part of Ubuntu Pro): packages in it have versions of their own (`…+esm1`) that
//! sort after the free ones. One image cannot be seen to be entitled to them, so both lines come to
//! one statement, of which nobody is wrongly cleared:
//!
//! - a free fix, and `not-affected`, stand whatever the extension says;
//! - a fix that only the extension has is a fix: who has not installed it stays affected, and sees
//!   the version that only subscribers get (remark `esm`);
//! - else the free line stands, unless it says nothing (`DNE`, or no line) or only that support
//!   ended, while the extension knows the package not to be affected.

use pratique_model::{Affected, Ecosystem, NameKind, Range, Release, Status};

use super::entry::Line;
use crate::text;

/// The lines of one package in one release.
#[derive(Debug, Default)]
pub(super) struct Lines<'a> {
    free: Option<Line<'a>>,
    extension: Option<Line<'a>>,
}

impl<'a> Lines<'a> {
    /// Adds a line. Of two of a kind (`esm-infra/…` and `esm-apps/…`) one that names a fix is kept,
    /// else the first that says anything.
    pub(super) fn add(&mut self, line: &Line<'a>, is_extension: bool) {
        let kept = if is_extension { &mut self.extension } else { &mut self.free };
        let weight = |line: &Line<'_>| match line.status {
            "released" | "released-esm" => 2,
            _ if line.says_something() => 1,
            _ => 0,
        };
        if kept.as_ref().is_none_or(|known| weight(line) > weight(known)) {
            *kept = Some(*line);
        }
    }

    /// The line that the statement is made of.
    pub(super) fn line(&self) -> Option<&Line<'a>> {
        let Some(extension) = &self.extension else { return self.free.as_ref() };
        let Some(free) = &self.free else { return Some(extension) };
        let extension_stands = match (free.status, extension.status) {
            ("released" | "not-affected", _) => false,
            (_, "released" | "released-esm") | ("ignored", "not-affected") => true,
            _ => !free.says_something(),
        };
        Some(if extension_stands { extension } else { free })
    }

    /// The statement; `None` when nothing is said (`DNE`). An error says in words what is not
    /// understood.
    pub(super) fn statement(
        &self,
        package: &str,
        release: Release,
    ) -> Result<Option<Affected>, String> {
        let Some(line) = self.line() else { return Ok(None) };
        let is_extension = self.extension.as_ref() == Some(line);
        let version = version(line.note);
        let (status, fixed) = match line.status {
            "DNE" | "" => return Ok(None),
            "released" | "released-esm" if version.is_some() => (Status::Fixed, version),
            // Mended, since which version is not said.
            "released" | "released-esm" => (Status::Undetermined, None),
            "not-affected" => (Status::NotAffected, None),
            "needed" | "active" | "in-progress" => (Status::Affected, None),
            "pending" => (Status::Affected, version),
            "needs-triage" => (Status::UnderInvestigation, None),
            "deferred" => (Status::FixDeferred, None),
            "ignored" if is_end_of_life(line.note) => (Status::EndOfLife, None),
            "ignored" => (Status::WillNotFix, None),
            other => return Err(format!("unknown status: {}", text::quoted(other))),
        };
        let mut affected = Affected::new(Ecosystem::Deb, Some(release), package, status);
        affected.name_kind = NameKind::Source;
        affected.ranges.extend(fixed.map(Range::below));
        affected.remark = match line.status {
            "released-esm" => Some("esm"),
            "released" if status == Status::Fixed => is_extension.then_some("esm"),
            "not-affected" => None,
            word => Some(word),
        }
        .map(str::to_owned);
        Ok(Some(affected))
    }
}

/// The version in a note: the first word that begins with a digit, without the brackets round it.
/// Where several are listed (for packages of a release that were renamed) the first one counts.
fn version(note: &str) -> Option<&str> {
    note.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ','))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether `ignored` means that support ended, as against that it will not be mended.
fn is_end_of_life(note: &str) -> bool {
    let note = note.to_ascii_lowercase();
    let says = |words: &str| note.contains(words);
    says("end of life")
        || says("end-of-life")
        || says("standard support")
        || note.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "eol")
}
