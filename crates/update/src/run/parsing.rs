//! Parses documents into a staging, on a blocking thread that can be told to end.

use std::io::{self, BufRead, Read};

use pratique_clockwork::Shutdown;
use pratique_feeds::{self as feeds, Parser, Sink, Summary};
use pratique_fetch::{Container, Spooled, UnpackLimits};
use pratique_model::{Advisory, Enrichment, Note};
use pratique_store::Staging;

use super::part::PartError;

/// What is parsed, and into what.
pub(super) struct Reading {
    pub(super) parser: Box<dyn Parser>,
    pub(super) staging: Staging,
    pub(super) documents: Vec<(feeds::Container, Spooled)>,
    pub(super) limits: UnpackLimits,
    pub(super) stop: Shutdown,
}

impl Reading {
    /// Parses on a blocking thread. Returns when the thread has ended; dropping the future leaves
    /// the thread, which ends when `stop` is triggered.
    pub(super) async fn run(self) -> Result<(Staging, Summary), PartError> {
        match tokio::task::spawn_blocking(move || self.read()).await {
            Ok(parsed) => parsed,
            Err(error) if error.is_panic() => {
                let panic = error.into_panic();
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                Err(PartError::Panicked(text.unwrap_or("no reason given").to_owned()))
            }
            Err(_) => Err(PartError::Cancelled),
        }
    }

    fn read(self) -> Result<(Staging, Summary), PartError> {
        let Self { mut parser, staging, documents, limits, stop } = self;
        let mut sink = StagingSink { staging };
        for (container, mut spooled) in documents {
            let unpacked = spooled.unpack(container_of(container), &limits, &mut |entry| {
                let path = entry.path().to_owned();
                if !parser.wants(&path) {
                    return Ok(());
                }
                let mut content = Stoppable { inner: entry.content(), stop: &stop };
                parser.file(&path, &mut content, &mut sink)
            });
            if stop.is_triggered() {
                return Err(PartError::Cancelled);
            }
            unpacked?;
            sink.staging.check()?;
        }
        let summary = parser.finish(&mut sink)?;
        sink.staging.check()?;
        Ok((sink.staging, summary))
    }
}

/// A stream that ends with an error when the work is told to end, so that a parser in the middle
/// of a large file stops there.
struct Stoppable<'a> {
    inner: &'a mut dyn BufRead,
    stop: &'a Shutdown,
}

impl Stoppable<'_> {
    fn check(&self) -> io::Result<()> {
        if self.stop.is_triggered() {
            return Err(io::Error::other("given up"));
        }
        Ok(())
    }
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.read(buffer)
    }
}

impl BufRead for Stoppable<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}

struct StagingSink {
    staging: Staging,
}

impl Sink for StagingSink {
    fn advisory(&mut self, advisory: Advisory) {
        self.staging.advisory(&advisory);
    }

    fn enrichment(&mut self, enrichment: Enrichment) {
        self.staging.enrichment(&enrichment);
    }

    fn note(&mut self, note: Note) {
        self.staging.note(note);
    }

    fn quarantine(&mut self, note: Note) {
        self.staging.quarantine(note);
    }
}

const fn container_of(container: feeds::Container) -> Container {
    match container {
        feeds::Container::Plain => Container::Plain,
        feeds::Container::Gzip => Container::Gzip,
        feeds::Container::Zip => Container::Zip,
        feeds::Container::TarGz => Container::TarGz,
    }
}
