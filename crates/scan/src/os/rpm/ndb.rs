//! rpm's own database format (`Packages.db`; SUSE).
//!
//! Pages of slots at the beginning say where each package's blob lies, in blocks of 16 bytes; the
//! blob repeats the package's number, so that a slot and its blob check each other (rpm's
//! `lib/backend/ndb/rpmpkg.c`). All numbers are little-endian. Freed slots have number 0.

use super::{Take, index_at, u32_at};

const PAGE_BYTES: usize = 4096;
const SLOT_BYTES: usize = 16;
/// The file's own header stands in place of the first two slots.
const FIRST_SLOT: usize = 2;
const BLOCK_BYTES: usize = 16;
const BLOB_HEAD_BYTES: usize = 16;
const BLOB_TAIL_BYTES: usize = 12;

const DATABASE_MAGIC: u32 = u32::from_le_bytes(*b"RpmP");
const SLOT_MAGIC: u32 = u32::from_le_bytes(*b"Slot");
const BLOB_MAGIC: u32 = u32::from_le_bytes(*b"BlbS");

/// Gives every package's header to `take`, in the order of the slots.
pub(super) fn read(bytes: &[u8], take: &mut Take<'_>) -> Result<(), String> {
    if u32_at(bytes, 0, false) != Some(DATABASE_MAGIC) {
        return Err("no rpm package database: it does not start with `RpmP`".to_owned());
    }
    match u32_at(bytes, 4, false) {
        Some(0) => {}
        version => return Err(format!("version {version:?} of the format is not known")),
    }
    let pages = index_at(bytes, 12, false).ok_or("its header is cut off")?;
    let slots_end = pages.checked_mul(PAGE_BYTES).filter(|end| *end <= bytes.len());
    let slots_end =
        slots_end.ok_or_else(|| format!("cut off within its {pages} pages of slots"))?;
    let slots = bytes.get(FIRST_SLOT * SLOT_BYTES..slots_end).ok_or("it has no slots")?;
    // Blobs do not overlap, so together they are no longer than the file.
    let mut budget = bytes.len();
    for (index, slot) in slots.chunks_exact(SLOT_BYTES).enumerate() {
        if u32_at(slot, 0, false) != Some(SLOT_MAGIC) {
            return Err(format!("slot {index} is none"));
        }
        let number = u32_at(slot, 4, false).unwrap_or(0);
        if number == 0 {
            continue;
        }
        let blob = blob(bytes, slot, number)
            .ok_or_else(|| format!("package {number}: its blob is not where its slot says"))?;
        budget = budget
            .checked_sub(blob.len())
            .ok_or("its packages are longer than the file: they overlap")?;
        take(blob);
    }
    Ok(())
}

fn blob<'a>(bytes: &'a [u8], slot: &[u8], number: u32) -> Option<&'a [u8]> {
    let start = index_at(slot, 8, false)?.checked_mul(BLOCK_BYTES)?;
    let length = index_at(slot, 12, false)?.checked_mul(BLOCK_BYTES)?;
    let blocks = bytes.get(start..start.checked_add(length)?)?;
    if u32_at(blocks, 0, false)? != BLOB_MAGIC || u32_at(blocks, 4, false)? != number {
        return None;
    }
    let blob_length = index_at(blocks, 12, false)?;
    let end = BLOB_HEAD_BYTES.checked_add(blob_length)?;
    if end.checked_add(BLOB_TAIL_BYTES)? > blocks.len() {
        return None;
    }
    blocks.get(BLOB_HEAD_BYTES..end)
}
