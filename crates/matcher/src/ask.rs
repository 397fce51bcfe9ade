//! Answers a person's question about everything that is registered.

mod question;

pub use question::{PackageQuestion, Question, QuestionError, Releases, VersionRange};
