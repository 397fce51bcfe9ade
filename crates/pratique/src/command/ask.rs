//! `pratique ask`: a yes with the images, or a no with what it rests on.

mod page;

use pratique_matcher::{Answer, AnswerVerdict, AskOptions, ConcernedImage, Question};
use pratique_report::counted;
use pratique_store::ImageKey;

use crate::args::{AskArguments, ListFormat};
use crate::columns::Columns;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::say::{self, say};

/// How many packages of one image are named in a line of the table.
const PACKAGES_SHOWN: usize = 4;

/// Runs the command.
pub(crate) fn run(arguments: &AskArguments) -> Result<Exit, Failure> {
    let question = arguments.question.parse::<Question>().map_err(|error| {
        let hint = error.hint();
        let failure = Failure::new(Exit::Usage, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let database = arguments.list.database.open_to_read()?;
    let options = AskOptions { after: arguments.after.map(ImageKey), limit: arguments.limit };
    let answer = pratique_matcher::ask(&database, &question, &options)
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    match arguments.list.format {
        ListFormat::Json => json::print(&page::of(&answer))?,
        ListFormat::Table => print(&answer)?,
    }
    if let Some(next) = answer.next {
        eprintln!("more follow: --after {}", next.0);
    }
    Ok(exit_of(&answer))
}

/// As `grep` does it turned round: nothing found is the good end.
fn exit_of(answer: &Answer) -> Exit {
    match answer.verdict {
        AnswerVerdict::Yes => Exit::Findings,
        _ if answer.watched_count == 0 => Exit::Data,
        AnswerVerdict::Unproven => Exit::Failed,
        AnswerVerdict::No if answer.is_known == Some(false) => Exit::Failed,
        AnswerVerdict::No => Exit::Clean,
    }
}

/// Prints an answer as `ask` does.
pub(crate) fn print(answer: &Answer) -> Result<(), Failure> {
    let all = counted(number(answer.watched_count), "image");
    let concerned = answer.image_count;
    let word = match (answer.verdict, exit_of(answer)) {
        (AnswerVerdict::Yes, _) => "yes",
        (_, Exit::Clean) => "no",
        _ => "nobody can tell",
    };
    say!("{word}: {} concerns {concerned} of {all}", answer.question);
    if !answer.images.is_empty() {
        say::print(table(&answer.images))?;
    }
    for line in reasons(answer) {
        say!("- {line}");
    }
    Ok(())
}

/// What the answer rests on, and what it leaves open.
fn reasons(answer: &Answer) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say_if = |count: u64, what: &str| {
        if count > 0 {
            lines.push(format!("{}: {what}", counted(number(count), "image")));
        }
    };
    say_if(answer.outside_count, "the package is there, in no version that is concerned");
    say_if(answer.suppressed_count, "there are findings, all suppressed by what publishers say");
    say_if(answer.unclear_count, "the package is there in a version that cannot be compared");
    say_if(answer.unreadable_count, "could not be read in full");
    for image in &answer.unreadable {
        let problem = image.problems.first().map_or("", |problem| &**problem);
        lines.push(
            format!("  {}: {problem}", image.reference).replace(char::is_control, "\u{fffd}"),
        );
    }
    if answer.watched_count == 0 {
        lines.push("no image is registered: `pratique scan IMAGE --register`".to_owned());
    }
    if answer.is_known == Some(false) {
        lines.push("no source at hand knows it; ask for the package and its versions".to_owned());
    }
    if answer.backlog.part_count > 0 {
        let parts = counted(answer.backlog.part_count, "part");
        lines.push(format!("{parts} changed and not yet matched: `pratique db update`"));
    }
    if answer.backlog.has_pending {
        lines.push("packages were registered and not yet matched: `pratique db update`".to_owned());
    }
    lines
}

fn table(images: &[ConcernedImage]) -> String {
    let mut columns = Columns::new(&["IMAGE", "DIGEST", "BECAUSE OF"]);
    for concerned in images {
        let mut packages: Vec<String> = concerned
            .packages
            .iter()
            .take(PACKAGES_SHOWN)
            .map(|reason| format!("{} {}", reason.package.package.name, reason.version))
            .collect();
        let more = concerned.packages.len().saturating_sub(PACKAGES_SHOWN);
        if more > 0 {
            packages.push(format!("{more} more"));
        }
        columns.row(vec![
            concerned.image.reference.clone(),
            concerned.image.digest.to_hex().chars().take(12).collect(),
            packages.join(", "),
        ]);
    }
    columns.to_text()
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
