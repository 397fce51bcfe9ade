//! Writes metric families in the formats that Prometheus reads.
//!
//! Two formats: the text format 0.0.4 and OpenMetrics 1.0. What differs between them is decided
//! here, so that a series has the same name and labels in both: OpenMetrics lets only names that
//! end in `_total` be counters, so a counter without is given there as `unknown` rather than under
//! another name. [`Names`] keeps two families from claiming the same names: sandboxes of different
//! runtimes cannot make the answer unreadable.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::number::Number;

/// What the bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// The text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The value of `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Whether each sample carries the time at which it was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Timestamps {
    /// Samples carry it, as runsc's server does.
    #[default]
    Keep,
    /// The scraper's time counts.
    Drop,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyKind {
    /// Rises and falls.
    Gauge,
    /// Only rises.
    Counter,
    /// Counts of observations by size.
    Histogram,
}

/// A label whose value is already escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    name: Box<str>,
    value: Box<str>,
}

impl Label {
    /// A label; its value is escaped as both formats want it.
    pub(crate) fn new(name: &str, value: &str) -> Self {
        Self { name: name.into(), value: escape(value, true).into() }
    }
}

/// Names that are taken in one answer.
#[derive(Debug, Default)]
pub(crate) struct Names(HashSet<Box<str>>);

impl Names {
    /// Takes a family's name and those of its samples in every format; `false`: another family has
    /// one of them, and nothing was taken.
    pub(crate) fn claim(&mut self, name: &str, kind: FamilyKind) -> bool {
        let mut names = vec![name.to_owned()];
        if kind == FamilyKind::Histogram {
            names.extend(["_bucket", "_count", "_sum"].map(|suffix| format!("{name}{suffix}")));
        }
        // In OpenMetrics a counter's family goes by the name without its ending.
        if let (FamilyKind::Counter, Some(stem)) = (kind, name.strip_suffix("_total")) {
            names.push(stem.to_owned());
        }
        let is_free = !names.iter().any(|name| self.0.contains(name.as_str()));
        if is_free {
            self.0.extend(names.into_iter().map(Into::into));
        }
        is_free
    }
}

/// An answer that is being written.
pub(crate) struct Exposition {
    format: Format,
    timestamps: Timestamps,
    out: Vec<u8>,
    /// The family being written, as its samples are named.
    name: String,
    /// Its head, until its first sample is written: a family without samples is left out.
    head: String,
}

impl Exposition {
    /// An empty answer. `capacity` is a guess of its size in bytes.
    pub(crate) fn new(format: Format, timestamps: Timestamps, capacity: usize) -> Self {
        Self {
            format,
            timestamps,
            out: Vec::with_capacity(capacity),
            name: String::new(),
            head: String::new(),
        }
    }

    /// Writes a comment, whatever it holds on one line; OpenMetrics knows none, so there nothing.
    pub(crate) fn comment(&mut self, text: &str) {
        if self.format == Format::Text {
            self.out.extend_from_slice(b"# ");
            let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            self.out.extend_from_slice(line.as_bytes());
            self.out.push(b'\n');
        }
    }

    /// Begins a family; its samples follow. Without any nothing of it is written.
    pub(crate) fn family(&mut self, name: &str, help: &str, kind: FamilyKind) {
        self.name.clear();
        self.name.push_str(name);
        let (family, word) = self.title(kind);
        let mut head = String::new();
        if !help.is_empty() {
            let help = escape(help, self.format == Format::OpenMetrics);
            head = format!("# HELP {family} {help}\n");
        }
        head += &format!("# TYPE {family} {word}\n");
        self.head = head;
    }

    /// Writes one sample of the family that was begun last. Both lists of labels are sorted by
    /// name and share no name; `le` comes last.
    pub(crate) fn sample(
        &mut self,
        suffix: &str,
        labels: (&[Label], &[&Label]),
        le: Option<Number>,
        value: Number,
        at: Timestamp,
    ) {
        self.out.extend_from_slice(self.head.as_bytes());
        self.head.clear();
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        self.labels(labels, le);
        self.out.push(b' ');
        value.write(&mut self.out);
        if self.timestamps == Timestamps::Keep {
            self.out.push(b' ');
            self.time(at);
        }
        self.out.push(b'\n');
    }

    /// The whole answer.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
        self.out
    }

    fn title(&self, kind: FamilyKind) -> (&str, &'static str) {
        match (self.format, kind) {
            (Format::OpenMetrics, FamilyKind::Counter) => match self.name.strip_suffix("_total") {
                Some(stem) => (stem, "counter"),
                None => (&self.name, "unknown"),
            },
            (_, FamilyKind::Counter) => (&self.name, "counter"),
            (_, FamilyKind::Gauge) => (&self.name, "gauge"),
            (_, FamilyKind::Histogram) => (&self.name, "histogram"),
        }
    }

    fn labels(&mut self, (left, right): (&[Label], &[&Label]), le: Option<Number>) {
        if left.is_empty() && right.is_empty() && le.is_none() {
            return;
        }
        let mut separator = b'{';
        let mut left = left.iter().peekable();
        let mut right = right.iter().copied().peekable();
        loop {
            let is_left = match (left.peek(), right.peek()) {
                (Some(first), Some(second)) => first.name < second.name,
                (first, _) => first.is_some(),
            };
            let Some(label) = (if is_left { left.next() } else { right.next() }) else { break };
            self.out.push(separator);
            separator = b',';
            self.out.extend_from_slice(label.name.as_bytes());
            self.out.extend_from_slice(b"=\"");
            self.out.extend_from_slice(label.value.as_bytes());
            self.out.push(b'"');
        }
        if let Some(bound) = le {
            self.out.push(separator);
            self.out.extend_from_slice(b"le=\"");
            bound.write(&mut self.out);
            if self.format == Format::OpenMetrics && matches!(bound, Number::Integer(_)) {
                self.out.extend_from_slice(b".0");
            }
            self.out.push(b'"');
        }
        self.out.push(b'}');
    }

    /// Milliseconds in the text format, seconds in OpenMetrics.
    fn time(&mut self, at: Timestamp) {
        let milliseconds = at.as_millisecond();
        match self.format {
            Format::Text => Number::Integer(milliseconds).write(&mut self.out),
            Format::OpenMetrics => {
                Number::Integer(milliseconds.div_euclid(1_000)).write(&mut self.out);
                let rest = milliseconds.rem_euclid(1_000);
                if rest != 0 {
                    self.out.extend_from_slice(format!(".{rest:03}").as_bytes());
                }
            }
        }
    }
}

/// Escapes backslash and line end, and quotes if they are to be.
fn escape(text: &str, with_quotes: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if with_quotes => escaped.push_str("\\\""),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(any(test, fuzzing))]
pub(crate) mod strict;
#[cfg(test)]
mod tests;
