//! What a publisher says of a package and a vulnerability.

use std::fmt;
use std::str::FromStr;

/// A publisher's statement about one package in one advisory. The words are ours; the publisher's
/// own remark (`no-dsa`, `unimportant`, `DNE` …) is kept beside it in
/// [`crate::Affected::remark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Vulnerable, no fix published.
    Affected,
    /// Vulnerable below a version that fixes it.
    Fixed,
    /// The publisher says that it does not concern this package.
    NotAffected,
    /// Vulnerable, and the publisher will not fix it.
    WillNotFix,
    /// Vulnerable, and the fix is put off.
    FixDeferred,
    /// The release or the package is no longer looked after.
    EndOfLife,
    /// Being looked at.
    UnderInvestigation,
    /// Nobody knows whether it is vulnerable, and nobody is looking.
    Undetermined,
}

impl Status {
    /// All statuses, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Affected,
        Self::Fixed,
        Self::NotAffected,
        Self::WillNotFix,
        Self::FixDeferred,
        Self::EndOfLife,
        Self::UnderInvestigation,
        Self::Undetermined,
    ];

    /// The text form, as the report and `--ignore-status` have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Affected => "affected",
            Self::Fixed => "fixed",
            Self::NotAffected => "not_affected",
            Self::WillNotFix => "will_not_fix",
            Self::FixDeferred => "fix_deferred",
            Self::EndOfLife => "end_of_life",
            Self::UnderInvestigation => "under_investigation",
            Self::Undetermined => "undetermined",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|status| status.as_str()).collect();
            format!("unknown status: {text:?}; one of {}", known.join(", "))
        })
    }
}
