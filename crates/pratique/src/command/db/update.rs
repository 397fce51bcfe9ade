//! `pratique db update`: one round over the sources.

use std::sync::Arc;

use pratique_clockwork::Clock;
use pratique_store::Access;
use pratique_update::{PartOutcome, PartResult, RoundConfig};

use crate::args::DbUpdateArguments;
use crate::columns::Columns;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::matching;
use crate::progress::Progress;
use crate::refresh::{self, Refresh};
use crate::say::{self, say};

/// Runs the command.
pub(super) fn run(arguments: &DbUpdateArguments) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let settings = arguments.database.settings()?;
    let file = settings.updater.config()?;
    let selection = match &*arguments.sources {
        [] => file.selection.clone(),
        names => refresh::selection(names)?,
    };
    let refresh = Refresh::new(arguments.mirror.parse(&settings)?);
    let store = arguments.database.store_of(&settings)?;
    let database = database::open(&store, Access::ReadWrite)?;
    let mut planned = refresh::plan(&database, &selection, None, now)?;
    if arguments.sources.is_empty() {
        planned.retain(|part| file.looks_at(part.id()));
    }
    // What was registered is looked at first, as far as that was left undone, so that what comes
    // now is told of it.
    matching::run_once(&database)?;
    drop(database);
    let mut config = RoundConfig { force: arguments.force, ..file.round };
    if let Some(jobs) = arguments.jobs {
        config.jobs = jobs.get();
    }
    let progress = Arc::new(Progress::new());
    let outcomes = refresh.run(&store, planned, config, &progress)?;
    say::print(table(&outcomes))?;
    for problem in refresh::problems(&outcomes) {
        eprintln!("pratique: {problem}");
    }
    if interrupt::is_asked() {
        return Err(interrupt::stopped());
    }
    let progress = matching::run_once(&database::open(&store, Access::ReadWrite)?)?;
    if let Some(words) = matching::words(progress.as_ref()) {
        say!("{words}");
    }
    let has_failed = outcomes
        .iter()
        .any(|outcome| matches!(outcome.result, PartResult::Failed { .. } | PartResult::Cancelled));
    let is_all_absent = outcomes.iter().all(|o| matches!(o.result, PartResult::Absent));
    if is_all_absent && !outcomes.is_empty() {
        return Err(Failure::new(Exit::Failed, anyhow::anyhow!("no part is where it should be"))
            .hint("look at --mirror: it replaces https://HOST/PATH by URL/HOST/PATH"));
    }
    Ok(if has_failed { Exit::Failed } else { Exit::Clean })
}

/// What became of each part; absent ones are counted in one line, since most years and old
/// branches of a mirror are.
fn table(outcomes: &[PartOutcome]) -> String {
    let mut columns = Columns::new(&[
        "PART",
        "RESULT",
        "NEW",
        "CHANGED",
        "GONE",
        "PUT ASIDE",
        "NOTES",
        "FETCHED",
    ]);
    let mut absent = Vec::new();
    for outcome in outcomes {
        let mut cells = vec![outcome.part.to_string()];
        match &outcome.result {
            PartResult::Absent => {
                absent.push(outcome.part.to_string());
                continue;
            }
            PartResult::Unchanged { .. } => cells.push("unchanged".to_owned()),
            PartResult::Failed { .. } => cells.push("failed".to_owned()),
            PartResult::Cancelled => cells.push("given up".to_owned()),
            PartResult::Changed(applied) => {
                cells.push(format!("generation {}", applied.generation));
                let counts = [applied.new, applied.changed, applied.withdrawn, applied.quarantined];
                cells.extend(counts.map(|count| count.to_string()));
            }
        }
        cells.resize(6, String::new());
        cells.push(if outcome.note_count > 0 {
            outcome.note_count.to_string()
        } else {
            String::new()
        });
        cells.push(format!("{} KiB", outcome.fetched_bytes.div_ceil(1024)));
        columns.row(cells);
    }
    let mut text = columns.to_text();
    if !absent.is_empty() {
        text.push_str(&format!("{} parts absent: {}\n", absent.len(), absent.join(" ")));
    }
    text
}
