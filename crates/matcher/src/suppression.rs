//! Which statements and advisories are kept but not shown, and why.
//!
//! The publisher's word decides, and the same word means different things: Debian's `ignored` puts
//! a fix off and is shown, Ubuntu's is a refusal and is suppressed. What the user hides is in
//! `filter`.

use pratique_model::{Advisory, Affected, Status, Suppression};

/// Why the statement alone keeps its finding from being shown.
pub(crate) fn of_statement(affected: &Affected) -> Option<Suppression> {
    let remark = affected.remark.as_deref().unwrap_or("");
    let word = remark.split([' ', ',', ';', ':', '(']).next().unwrap_or("");
    match affected.status {
        Status::NotAffected => Some(Suppression::NotAffected),
        Status::Undetermined => Some(Suppression::Undetermined),
        _ if word == "unimportant" => Some(Suppression::Unimportant),
        _ if word == "ignored" && is_of_ubuntu(affected) => Some(Suppression::Ignored),
        _ => None,
    }
}

/// Why the advisory keeps all its findings from being shown.
pub(crate) fn of_advisory(advisory: &Advisory) -> Option<Suppression> {
    if advisory.withdrawn.is_some() {
        Some(Suppression::Withdrawn)
    } else if advisory.informational.is_some() {
        Some(Suppression::Informational)
    } else {
        None
    }
}

fn is_of_ubuntu(affected: &Affected) -> bool {
    affected.release.as_ref().is_some_and(|release| release.distribution() == "ubuntu")
}
