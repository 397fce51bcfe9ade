//! `pratique db changes`: what changed between generations of the data.

use jiff::Timestamp;
use pratique_clockwork::Clock;
use pratique_model::PartId;
use pratique_store::{Change, Database};
use pratique_update::Selection;
use serde::Serialize;

use crate::args::{DbChangesArguments, ListFormat};
use crate::columns::Columns;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::refresh;
use crate::say::{self, say};
use crate::units;

/// How many changes of one part are read at once.
const PAGE_CHANGES: usize = 10_000;

/// Which changes are wanted.
#[derive(Clone, Copy)]
enum Since {
    Generation(u64),
    Time(Timestamp),
}

/// One change as `--format json` has it.
#[derive(Serialize)]
struct Row {
    source: String,
    part: String,
    generation: u64,
    at: String,
    kind: &'static str,
    advisory: Option<String>,
    vulnerability: Option<String>,
    ecosystem: Option<&'static str>,
    release: Option<String>,
    package: Option<String>,
    old: Option<String>,
    new: Option<String>,
}

/// Runs the command.
pub(super) fn run(arguments: &DbChangesArguments) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let since = since(arguments.since.as_deref(), now)?;
    let wanted = wanted(&arguments.sources, now)?;
    let database = arguments.list.database.open_to_read()?;
    let parts = database.parts().map_err(database::failed)?;
    let mut changes = Vec::new();
    for part in parts.into_iter().map(|part| part.id).filter(|part| is_wanted(&wanted, part)) {
        // One more than is shown tells that there are more.
        read(&database, &part, since, arguments.limit.saturating_add(1), &mut changes)?;
    }
    // By time over all parts; a stable sort keeps the order within one commit.
    changes.sort_by_key(|change| change.at);
    let is_cut = changes.len() > arguments.limit;
    changes.truncate(arguments.limit);
    match arguments.list.format {
        ListFormat::Json => json::print(&changes.iter().map(row).collect::<Vec<_>>())?,
        ListFormat::Table if changes.is_empty() => say!("no changes"),
        ListFormat::Table => say::print(table(&changes))?,
    }
    if is_cut {
        eprintln!("more follow: give a larger --limit or a later --since");
    }
    Ok(Exit::Clean)
}

/// A bare number is a generation; everything else is a time.
fn since(text: Option<&str>, now: Timestamp) -> Result<Since, Failure> {
    let Some(text) = text else { return Ok(Since::Generation(0)) };
    match text.parse() {
        Ok(generation) => Ok(Since::Generation(generation)),
        Err(_) => units::time(text, now).map(Since::Time).map_err(Failure::usage),
    }
}

/// The names of `--sources`, checked; empty for all.
fn wanted(names: &[String], now: Timestamp) -> Result<Vec<String>, Failure> {
    if !names.is_empty() {
        let (sources, year) = (pratique_feeds::sources(), refresh::year(now));
        Selection::parse(&names.join(","), sources, year)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
    }
    Ok(names.to_vec())
}

fn is_wanted(wanted: &[String], part: &PartId) -> bool {
    wanted.is_empty()
        || wanted.iter().any(|name| name == part.source() || *name == part.to_string())
}

/// Adds the first `limit` wanted changes of a part, oldest first.
fn read(
    database: &Database,
    part: &PartId,
    since: Since,
    limit: usize,
    changes: &mut Vec<Change>,
) -> Result<(), Failure> {
    let (after, at_least) = match since {
        Since::Generation(after) => (after, Timestamp::MIN),
        Since::Time(at) => (0, at),
    };
    // Generations are read whole, so that a page never ends within one.
    let mut size = PAGE_CHANGES.max(limit);
    loop {
        let page = database.changes(part, after, size).map_err(database::failed)?;
        let is_all = page.len() < size;
        let wanted: Vec<Change> = page.into_iter().filter(|change| change.at >= at_least).collect();
        if is_all || wanted.len() >= limit {
            changes.extend(wanted.into_iter().take(limit));
            return Ok(());
        }
        size = size.saturating_mul(4);
    }
}

fn table(changes: &[Change]) -> String {
    let heads = ["AT", "PART", "GENERATION", "KIND", "ADVISORY", "PACKAGE", "OLD", "NEW"];
    let mut columns = Columns::new(&heads);
    for change in changes {
        let package = change.package.as_ref().map(|(ecosystem, release, name)| {
            let place = release.as_ref().map_or(ecosystem.as_str(), |release| release.as_str());
            format!("{place}/{name}")
        });
        let subject = change.advisory.as_ref().or(change.vulnerability.as_ref());
        columns.row(vec![
            change.at.strftime("%Y-%m-%d %H:%MZ").to_string(),
            change.part.to_string(),
            change.generation.to_string(),
            change.kind.as_str().to_owned(),
            subject.cloned().unwrap_or_default(),
            package.unwrap_or_default(),
            change.old.clone().unwrap_or_default(),
            change.new.clone().unwrap_or_default(),
        ]);
    }
    columns.to_text()
}

fn row(change: &Change) -> Row {
    let package = change.package.as_ref();
    Row {
        source: change.part.source().to_owned(),
        part: change.part.to_string(),
        generation: change.generation,
        at: change.at.to_string(),
        kind: change.kind.as_str(),
        advisory: change.advisory.clone(),
        vulnerability: change.vulnerability.clone(),
        ecosystem: package.map(|(ecosystem, _, _)| ecosystem.as_str()),
        release: package.and_then(|(_, release, _)| release.as_ref().map(ToString::to_string)),
        package: package.map(|(_, _, name)| name.clone()),
        old: change.old.clone(),
        new: change.new.clone(),
    }
}
