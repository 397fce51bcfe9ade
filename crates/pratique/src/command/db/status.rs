//! `pratique db status`: which parts there are, how old they are, what went wrong last.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pratique_clockwork::Clock;
use pratique_model::PartId;
use pratique_store::{Access, PartState};
use pratique_update::PartStatus;
use serde::Serialize;

use crate::args::{DbStatusArguments, ListFormat};
use crate::columns::Columns;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::say;
use crate::units::age_words;

/// After how long without a success a part is called stale here. Publishers change their feeds
/// daily; a scan has `--max-age` and `--max-data-age` for its own limits.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(48);

/// One part as `--format json` has it.
#[derive(Serialize)]
struct Row {
    source: String,
    part: String,
    generation: u64,
    entries: u64,
    quarantined: u64,
    as_of: Option<String>,
    last_attempt: Option<String>,
    last_success: Option<String>,
    last_error: Option<String>,
    stale: bool,
    absent: bool,
    disabled: bool,
    notes: Vec<NoteRow>,
}

/// A remark made while the part was read.
#[derive(Serialize)]
struct NoteRow {
    subject: String,
    text: String,
}

/// Runs the command.
pub(super) fn run(arguments: &DbStatusArguments) -> Result<Exit, Failure> {
    let settings = arguments.list.database.settings()?;
    let store = arguments.list.database.store_of(&settings)?;
    let database = database::open(&store, Access::ReadOnly)?;
    let failed = |error| Failure::new(Exit::Failed, error);
    let now = Clock::system().now();
    let parts = database.parts().map_err(failed)?;
    let sources = pratique_feeds::sources();
    let config = settings.updater.config()?;
    let looks_at = |part: &PartId| config.looks_at(part);
    let parts = pratique_update::status(parts, sources, looks_at, STALE_AFTER, now);
    match arguments.list.format {
        ListFormat::Table => say::print(table(&parts, now))?,
        ListFormat::Json => {
            let mut rows = Vec::with_capacity(parts.len());
            for part in &parts {
                let notes = database.notes(&part.state.id).map_err(failed)?;
                let notes = notes
                    .into_iter()
                    .map(|kept| NoteRow { subject: kept.note.subject, text: kept.note.text });
                rows.push(row(part, notes.collect()));
            }
            json::print(&rows)?;
        }
    }
    Ok(Exit::Clean)
}

fn table(parts: &[PartStatus], now: Timestamp) -> String {
    let heads = ["PART", "GENERATION", "ENTRIES", "DATA OF", "FRESH", "STATE"];
    let mut columns = Columns::new(&heads);
    for status in parts {
        let part = &status.state;
        let fresh = part.last_success.map_or("never".to_owned(), |at| age_words(age(at, now)));
        columns.row(vec![
            part.id.to_string(),
            part.generation.to_string(),
            part.entries.to_string(),
            part.as_of.map_or_else(String::new, |at| at.strftime("%Y-%m-%d").to_string()),
            fresh,
            state(status),
        ]);
    }
    columns.to_text()
}

fn state(status: &PartStatus) -> String {
    let part = &status.state;
    let mut words = Vec::new();
    if let Some(error) = &part.last_error {
        words.push(format!("last attempt: {error}"));
    }
    if status.is_disabled {
        words.push("disabled".to_owned());
    } else if part.is_absent {
        words.push("absent upstream".to_owned());
    } else if status.is_stale {
        words.push("stale".to_owned());
    }
    if part.quarantined > 0 {
        words.push(format!("{} entries put aside", part.quarantined));
    }
    if words.is_empty() { "ok".to_owned() } else { words.join("; ") }
}

fn row(status: &PartStatus, notes: Vec<NoteRow>) -> Row {
    let part: &PartState = &status.state;
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    Row {
        source: part.id.source().to_owned(),
        part: part.id.to_string(),
        generation: part.generation,
        entries: part.entries,
        quarantined: part.quarantined,
        as_of: text(part.as_of),
        last_attempt: text(part.last_attempt),
        last_success: text(part.last_success),
        last_error: part.last_error.clone(),
        stale: status.is_stale,
        absent: part.is_absent,
        disabled: status.is_disabled,
        notes,
    }
}

fn age(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or_default()
}
