//! Where the report goes: each `-o FORMAT[=FILE]`.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use pratique_report::Format;

use crate::exit::{Exit, Failure};
use crate::say;

/// One `-o`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// How it is written.
    pub(super) format: Format,
    /// Where to; `None` is standard output.
    pub(super) file: Option<PathBuf>,
}

/// Reads all `-o`; at most one may go to standard output.
pub(super) fn parse(texts: &[String]) -> Result<Vec<Output>, Failure> {
    let mut outputs: Vec<Output> = Vec::new();
    for text in texts {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err(Failure::usage(format!("-o {text}: no file is named"))),
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (&**text, None),
        };
        let format = name
            .parse::<Format>()
            .map_err(|error| Failure::usage(format!("-o {text}: {error}")))?;
        if let Some(other) = outputs.iter().find(|output| output.file == file) {
            let place = file.map_or("standard output".to_owned(), |f| f.display().to_string());
            let other = other.format.as_str();
            return Err(Failure::usage(format!("-o {text}: {place} already takes {other}")));
        }
        outputs.push(Output { format, file });
    }
    Ok(outputs)
}

impl Output {
    /// What goes to standard output.
    pub(crate) fn standard(format: Format) -> Self {
        Self { format, file: None }
    }

    /// Whether colours may be used: only for a person, who did not say no.
    pub(crate) fn is_coloured(&self) -> bool {
        self.file.is_none()
            && io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Writes one report whole. A file is replaced in one step, so that nobody reads half of it.
    pub(crate) fn write(&self, text: &[u8]) -> Result<(), Failure> {
        match &self.file {
            None => say::bytes(text),
            Some(path) => {
                let name = path.display().to_string();
                let is_plain = fs::metadata(path).map_or(true, |metadata| metadata.is_file());
                if !is_plain {
                    return fs::write(path, text).map_err(|error| failure(&name, error));
                }
                let temporary = path.with_added_extension(format!("{}.tmp", std::process::id()));
                fs::write(&temporary, text)
                    .and_then(|()| fs::rename(&temporary, path))
                    .inspect_err(|_| drop(fs::remove_file(&temporary)))
                    .map_err(|error| failure(&name, error))
            }
        }
    }
}

fn failure(place: &str, error: io::Error) -> Failure {
    Failure::new(Exit::Failed, anyhow::Error::from(error).context(format!("{place}: writing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn formats_and_files_are_taken_apart() {
        let outputs = parse(&texts(&["table", "json=a=b.json"])).expect("both are known");
        let json = Output { format: Format::Json, file: Some(PathBuf::from("a=b.json")) };
        assert_eq!(outputs, [Output { format: Format::Table, file: None }, json]);
    }

    #[test]
    fn unknown_formats_missing_files_and_doubled_places_are_usage_errors() {
        for bad in [&["yaml"][..], &["json="], &["table", "json"], &["json=a", "csv=a"]] {
            let failure = parse(&texts(bad)).expect_err("it is wrong");
            assert_eq!(failure.exit, Exit::Usage, "{bad:?}");
        }
    }
}
