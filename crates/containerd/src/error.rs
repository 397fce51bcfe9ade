//! What can go wrong when containerd is asked.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};

/// Characters of containerd's own words that are kept.
const MESSAGE_CHARS_MAX: usize = 512;

/// Which call it was, about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Service and method: `tasks.Get`.
    pub name: &'static str,
    /// The containerd namespace; empty for calls that belong to none.
    pub namespace: String,
    /// Id, name or digest that was asked about; empty for lists.
    pub subject: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "containerd {}", self.name)?;
        match (&*self.namespace, &*self.subject) {
            ("", "") => Ok(()),
            (namespace, "") => write!(f, " in `{}`", namespace.escape_debug()),
            ("", subject) => write!(f, " of `{}`", subject.escape_debug()),
            (namespace, subject) => {
                write!(f, " of `{}` in `{}`", subject.escape_debug(), namespace.escape_debug())
            }
        }
    }
}

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// containerd does not have it: never had, or no longer.
    #[error("{call}: not found")]
    NotFound {
        /// The call.
        call: Call,
    },
    /// It is in a state in which that cannot be done: a task that has ended and is killed.
    #[error("{call}: not in its state: {message:?}")]
    FailedPrecondition {
        /// The call.
        call: Call,
        /// containerd's words.
        message: String,
    },
    /// Nobody listens at the socket, or the connection broke; the call may have been done.
    #[error("{call}: no connection: {message:?}")]
    Unavailable {
        /// The call.
        call: Call,
        /// What broke, inwards.
        message: String,
    },
    /// No answer in time; the call may have been done.
    #[error("{call}: no answer within {} s", after.as_secs_f64())]
    Deadline {
        /// The call.
        call: Call,
        /// How long it was waited for.
        after: Duration,
    },
    /// Any other refusal of containerd's.
    #[error("{call}: {code:?}: {message:?}")]
    Other {
        /// The call.
        call: Call,
        /// The gRPC status code.
        code: Code,
        /// containerd's words.
        message: String,
    },
}

impl Error {
    /// Whether asking again later can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Deadline { .. } => true,
            Self::Other { code, .. } => {
                matches!(code, Code::ResourceExhausted | Code::Aborted | Code::Cancelled)
            }
            Self::NotFound { .. } | Self::FailedPrecondition { .. } => false,
        }
    }

    /// Whether what was asked about is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Which call it was.
    pub fn call(&self) -> &Call {
        match self {
            Self::NotFound { call }
            | Self::FailedPrecondition { call, .. }
            | Self::Unavailable { call, .. }
            | Self::Deadline { call, .. }
            | Self::Other { call, .. } => call,
        }
    }

    /// From what gRPC says. A status with a cause was made on this side of the socket, where a
    /// connection that breaks comes as one of several codes.
    pub(crate) fn of(call: Call, status: &Status, timeout: Duration) -> Self {
        let is_ours = status.source().is_some();
        match status.code() {
            Code::NotFound => Self::NotFound { call },
            Code::FailedPrecondition => {
                Self::FailedPrecondition { call, message: shorten(status.message()) }
            }
            Code::Unavailable => Self::Unavailable { call, message: chain(status) },
            Code::Unknown | Code::Cancelled | Code::Internal if is_ours => {
                Self::Unavailable { call, message: chain(status) }
            }
            Code::DeadlineExceeded => Self::Deadline { call, after: timeout },
            code => Self::Other { call, code, message: shorten(status.message()) },
        }
    }
}

/// A status of ours with its causes, which have the reason in the innermost.
fn chain(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = status.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    shorten(&text)
}

fn shorten(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call { name: "tasks.Get", namespace: "k8s.io".to_owned(), subject: "a\nb".to_owned() }
    }

    #[test]
    fn a_status_becomes_the_error_that_says_what_to_do() {
        #[track_caller]
        fn check(code: Code, is_transient: bool, text: &str) {
            let status = Status::new(code, "why \u{1b}[0m");
            let error = Error::of(call(), &status, Duration::from_secs(10));
            assert_eq!(error.is_transient(), is_transient, "{code:?}");
            assert_eq!(
                error.to_string(),
                format!("containerd tasks.Get of `a\\nb` in `k8s.io`: {text}")
            );
        }
        check(Code::NotFound, false, "not found");
        check(Code::FailedPrecondition, false, "not in its state: \"why \\u{1b}[0m\"");
        check(Code::Unavailable, true, "no connection: \"why \\u{1b}[0m\"");
        check(Code::DeadlineExceeded, true, "no answer within 10 s");
        check(Code::PermissionDenied, false, "PermissionDenied: \"why \\u{1b}[0m\"");
    }

    #[test]
    fn words_of_containerd_are_cut() {
        let status = Status::new(Code::Internal, "x".repeat(100_000));
        let error = Error::of(call(), &status, Duration::ZERO);
        assert!(error.to_string().len() < 700);
    }
}
