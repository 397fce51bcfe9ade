//! Counts what comes out of a document and stops it at the limits.

use std::io::{self, BufRead, Read};

use super::{Container, UnpackLimits, UnpackProblem};

/// What is left of the limits while a document is unpacked.
pub(super) struct Budget {
    limits: UnpackLimits,
    /// The limit of all files together that applies to this document, ratio included.
    total_bytes_max: u64,
    total_bytes: u64,
    file_count: u64,
}

/// A stream that ends in an error where a limit is passed, and remembers that it did.
pub(super) struct Bounded<'a> {
    content: &'a mut dyn BufRead,
    budget: &'a mut Budget,
    file_bytes: u64,
    problem: Option<UnpackProblem>,
}

impl Budget {
    /// The budget for a document of `length` bytes.
    pub(super) fn new(limits: &UnpackLimits, container: Container, length: u64) -> Self {
        let total_bytes_max = match container {
            Container::Plain => limits.total_bytes_max,
            Container::Gzip | Container::Zip | Container::TarGz => length
                .saturating_mul(limits.ratio_max)
                .max(UnpackLimits::RATIO_FLOOR_BYTES)
                .min(limits.total_bytes_max),
        };
        Self { limits: *limits, total_bytes_max, total_bytes: 0, file_count: 0 }
    }

    /// Counts a file.
    pub(super) fn next_file(&mut self, path: &str) -> Result<(), UnpackProblem> {
        self.file_count += 1;
        if self.file_count > self.limits.files_max {
            return Err(UnpackProblem::TooManyFiles(self.limits.files_max));
        }
        if path.len() > self.limits.path_bytes_max {
            return Err(UnpackProblem::PathTooLong(self.limits.path_bytes_max));
        }
        Ok(())
    }

    /// Counts bytes that came out and belong to no file, or to one that is skipped.
    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), UnpackProblem> {
        self.total_bytes = self.total_bytes.saturating_add(bytes);
        if self.total_bytes > self.total_bytes_max {
            return Err(UnpackProblem::TotalTooLarge(self.total_bytes_max));
        }
        Ok(())
    }

    /// How long a path may be.
    pub(super) const fn path_bytes_max(&self) -> usize {
        self.limits.path_bytes_max
    }

    /// How many files there may be.
    pub(super) const fn files_max(&self) -> u64 {
        self.limits.files_max
    }
}

impl<'a> Bounded<'a> {
    /// Bounds one file.
    pub(super) fn new(content: &'a mut dyn BufRead, budget: &'a mut Budget) -> Self {
        Self { content, budget, file_bytes: 0, problem: None }
    }

    /// Reads what is left, and says what went wrong at any time since the beginning.
    pub(super) fn drain(mut self) -> Result<(), UnpackProblem> {
        while self.problem.is_none() {
            match self.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => {
                    let count = bytes.len();
                    self.consume(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.problem.map_or(Ok(()), Err)
    }

    /// The limit that is passed if one more byte comes.
    fn passed(&self) -> Option<UnpackProblem> {
        if self.file_bytes >= self.budget.limits.file_bytes_max {
            Some(UnpackProblem::FileTooLarge(self.budget.limits.file_bytes_max))
        } else if self.budget.total_bytes >= self.budget.total_bytes_max {
            Some(UnpackProblem::TotalTooLarge(self.budget.total_bytes_max))
        } else {
            None
        }
    }
}

impl BufRead for Bounded<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Some(problem) = &self.problem {
            return Err(io::Error::other(problem.to_string()));
        }
        let passed = self.passed();
        let left = (self.budget.limits.file_bytes_max.saturating_sub(self.file_bytes))
            .min(self.budget.total_bytes_max.saturating_sub(self.budget.total_bytes));
        match self.content.fill_buf() {
            Ok([]) => Ok(&[]),
            Ok(bytes) => {
                if let Some(problem) = passed {
                    let error = io::Error::other(problem.to_string());
                    self.problem = Some(problem);
                    return Err(error);
                }
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.get(..count).unwrap_or_default())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let copy = io::Error::new(error.kind(), error.to_string());
                self.problem = Some(UnpackProblem::Damaged(error));
                Err(copy)
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.file_bytes = self.file_bytes.saturating_add(count as u64);
        self.budget.total_bytes = self.budget.total_bytes.saturating_add(count as u64);
        self.content.consume(count);
    }
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let count = bytes.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
