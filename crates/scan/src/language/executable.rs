//! Finds the modules and crates that Go and Rust programs are made of.
//!
//! Both compilers leave a list in the program itself: Go always, Rust when built with `cargo
//! auditable`. Programs of more than 100 MB are common and come out of a layer's stream, so none is
//! taken into memory: `layout` reads the headers at the program's start and says where the lists
//! can be, and [`read`] passes the stream by `build_info` (Go) and `audit` (Rust), each of which
//! keeps the few bytes it needs. What would surprise: one cataloger for two languages, because a
//! stream can be read once only. A program packed with UPX shows nothing of either.

mod audit;
mod build_info;
mod layout;
mod modules;
mod strings;

use std::io::Read as _;
use std::ops::Range;

use crate::cataloger::{CatalogError, Cataloger, Content, FileInfo, Found};

use super::{file_name, java, split_path};
use audit::Audit;
use build_info::BuildInfo;
use layout::Layout;

/// How much of a program's beginning is looked at for its headers. ELF and PE keep the tables that
/// matter in the first few KiB; Mach-O's load commands come to some ten KiB.
const HEADERS_BYTES: u64 = 64 << 10;

/// How much is read at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// The smallest file that is looked at without being executable, in bytes: Go programs of any use
/// are longer than that.
const UNMARKED_BYTES_MIN: u64 = 1 << 20;

/// Finds Go modules and Rust crates in programs and libraries.
pub(crate) struct Executable;

impl Cataloger for Executable {
    fn name(&self) -> &'static str {
        "executable"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["ELF, PE, Mach-O: Go's build information", "ELF, PE, Mach-O: section .dep-v0"]
    }

    /// Whatever may be executed, whatever is named like a program or library, and long files
    /// without an ending where programs lie, because a copy made on Windows may have lost its mode.
    fn wants(&self, file: &FileInfo<'_>) -> bool {
        let (folder, name) = split_path(file.path);
        let is_marked = file.mode & 0o111 != 0;
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("exe" | "dll" | "so" | "dylib" | "node") => true,
            Some(
                "jar" | "war" | "ear" | "egg" | "json" | "gemspec" | "py" | "js" | "sh" | "rb"
                | "pl",
            ) => false,
            Some(_) => is_marked && !java::is_archive(name.as_bytes()),
            None => is_marked || (file.size >= UNMARKED_BYTES_MIN && may_hold_programs(folder)),
        }
    }

    fn catalog(
        &self,
        _file: &FileInfo<'_>,
        mut content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        let mut head = Vec::new();
        content.by_ref().take(16).read_to_end(&mut head)?;
        if !layout::is_program(&head) {
            return Ok(());
        }
        content.by_ref().take(HEADERS_BYTES - 16).read_to_end(&mut head)?;
        let base = layout::first_of_many(&head).unwrap_or(0);
        match usize::try_from(base).ok().filter(|base| *base <= head.len()) {
            Some(base) => drop(head.drain(..base)),
            None => {
                content.skip(base - head.len() as u64)?;
                head.clear();
            }
        }
        let missing = HEADERS_BYTES.saturating_sub(head.len() as u64);
        content.by_ref().take(missing).read_to_end(&mut head)?;
        let size = content.size().saturating_sub(base);
        let Some(layout) = Layout::parse(&head, size) else { return Ok(()) };
        if let Some(problem) = &layout.problem {
            found.problem(problem.as_str());
        }
        let (build_info, audit) = read(&layout, &head, &mut content)?;
        modules::add(build_info.finish(&layout), found);
        for package in audit.finish(found) {
            found.push(package);
        }
        Ok(())
    }
}

/// Whether a file without mode and ending in this folder may be a program: `bin` and `sbin`
/// anywhere, and the first two levels (`server`, `app/server`) outside the system's own folders,
/// where package databases are that long, too.
fn may_hold_programs(folder: &str) -> bool {
    let top = folder.split('/').next().unwrap_or("");
    let is_bin = matches!(file_name(folder), "bin" | "sbin");
    let is_system = matches!(top, "var" | "usr" | "etc" | "lib" | "lib64" | "boot");
    is_bin || (!is_system && folder.split('/').count() <= 2)
}

/// Passes the program by those who look for their lists, from its start; what none needs is
/// skipped.
fn read<'l>(
    layout: &'l Layout,
    head: &[u8],
    content: &mut Content<'_>,
) -> Result<(BuildInfo<'l>, Audit), CatalogError> {
    let mut build_info = BuildInfo::new(layout);
    let mut audit = Audit::new(layout, head);
    build_info.take(0, head);
    audit.take(0, head);
    let mut position = head.len() as u64;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let wanted = [build_info.next(position), audit.next(position)];
        let Some(next) = wanted.into_iter().flatten().min() else { break };
        content.skip(next - position)?;
        position = next;
        let got = fill(content, &mut chunk)?;
        if got == 0 {
            break;
        }
        build_info.take(position, &chunk[..got]);
        audit.take(position, &chunk[..got]);
        position += got as u64;
    }
    Ok((build_info, audit))
}

/// Reads until the buffer is full or the file at its end.
fn fill(content: &mut Content<'_>, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The part of `bytes`, which stand at `position` of the file, that lies in `range`, with its
/// place.
fn overlap<'b>(position: u64, bytes: &'b [u8], range: &Range<u64>) -> Option<(u64, &'b [u8])> {
    let start = range.start.max(position);
    let end = range.end.min(position + bytes.len() as u64);
    if start >= end {
        return None;
    }
    let from = usize::try_from(start - position).ok()?;
    let to = usize::try_from(end - position).ok()?;
    Some((start, &bytes[from..to]))
}

#[cfg(test)]
mod tests;
