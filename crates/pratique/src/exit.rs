//! Exit codes, and the one place where a failure is told to a person.

use std::fmt::Display;
use std::process::ExitCode;

/// How a command ended; the numbers are promised in `docs/cli.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Clean, or below the threshold that was asked for.
    Clean = 0,
    /// Findings at or above `--fail-on`.
    Findings = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The work failed, or was done in part.
    Failed = 3,
    /// The target was not found.
    NotFound = 4,
    /// The data needed are missing or too old.
    Data = 5,
    /// The distribution is past its end of life, with `--fail-on-eol`.
    EndOfLife = 6,
    /// Nothing was recognised, with `--fail-on-empty`.
    Empty = 7,
    /// The metric server cannot start; runsc's code.
    Fatal = 128,
}

impl Exit {
    /// Which exit code wins when several apply, the first one.
    const PRECEDENCE: [Self; 8] = [
        Self::Usage,
        Self::NotFound,
        Self::Failed,
        Self::Data,
        Self::Findings,
        Self::EndOfLife,
        Self::Empty,
        Self::Clean,
    ];

    /// The one that wins among those that apply; clean if none does.
    pub(crate) fn first_of(applying: &[Self]) -> Self {
        Self::PRECEDENCE.into_iter().find(|exit| applying.contains(exit)).unwrap_or(Self::Clean)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that could not give its answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What happened, with its causes.
    pub(crate) error: anyhow::Error,
    /// What the user can do about it.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure with its causes.
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hint: None }
    }

    /// A wrong use of the command line.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, anyhow::anyhow!("{message}"))
    }

    /// Adds what the user can do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Tells a failure on standard error: the causes as one sentence from outside in, then the hint.
pub(crate) fn explain(failure: &Failure) {
    let chain: Vec<String> = failure.error.chain().map(ToString::to_string).collect();
    eprintln!("pratique: {}", chain.join(": "));
    if let Some(hint) = &failure.hint {
        eprintln!("hint: {hint}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_serious_exit_wins() {
        assert_eq!(Exit::first_of(&[]), Exit::Clean);
        assert_eq!(Exit::first_of(&[Exit::Empty, Exit::Findings, Exit::Data]), Exit::Data);
        assert_eq!(Exit::first_of(&[Exit::Data, Exit::Failed]), Exit::Failed);
        assert_eq!(Exit::first_of(&[Exit::EndOfLife, Exit::Findings]), Exit::Findings);
    }
}
