//! `pratique notify`: what there is to tell.

use jiff::Timestamp;
use pratique_clockwork::Clock;
use pratique_model::Release;
use pratique_store::{NewNotification, Notification, NotificationFilter};
use serde::Serialize;

use crate::args::{ListFormat, NotifyArguments, NotifyCommand, NotifyListArguments};
use crate::columns::Columns;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::say::{self, say};
use crate::units;

/// One notification as `--format json` has it.
#[derive(Serialize)]
struct Row {
    id: String,
    created_at: String,
    vulnerability: String,
    /// As `pratique ask` takes it: `debian:12/openssl`, `npm/lodash`.
    package: String,
    reason: &'static str,
    old: Option<String>,
    new: Option<String>,
    reach: Reach,
}

/// How many images it concerned when it was written.
#[derive(Serialize)]
struct Reach {
    images: u64,
}

/// Runs the command.
pub(crate) fn run(arguments: &NotifyArguments) -> Result<Exit, Failure> {
    match &arguments.command {
        NotifyCommand::List(arguments) => list(arguments),
    }
}

fn list(arguments: &NotifyListArguments) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let since = arguments.since.as_deref().map(|text| units::time(text, now)).transpose();
    let filter = NotificationFilter { since: since.map_err(Failure::usage)?, ..Default::default() };
    let database = arguments.list.database.open_to_read()?;
    let limit = arguments.limit.saturating_add(1);
    let mut found = database
        .notifications(&filter, arguments.after.as_deref(), limit)
        .map_err(database::failed)?;
    let is_cut = found.len() > arguments.limit;
    found.truncate(arguments.limit);
    print(&found, arguments.list.format)?;
    if let Some(last) = found.last().filter(|_| is_cut) {
        eprintln!("more follow: --after {}", last.id);
    }
    Ok(Exit::Clean)
}

/// Prints notifications as `notify list` does.
pub(crate) fn print(notifications: &[Notification], format: ListFormat) -> Result<(), Failure> {
    match format {
        ListFormat::Json => json::print(&notifications.iter().map(row).collect::<Vec<_>>()),
        ListFormat::Table if notifications.is_empty() => {
            say!("no notifications");
            Ok(())
        }
        ListFormat::Table => say::print(table(notifications)),
    }
}

fn table(notifications: &[Notification]) -> String {
    let heads = ["WRITTEN", "VULNERABILITY", "PACKAGE", "REASON", "OLD", "NEW", "IMAGES"];
    let mut columns = Columns::new(&heads);
    for notification in notifications {
        let content = &notification.content;
        columns.row(vec![
            minute(notification.created_at),
            content.vulnerability.clone(),
            package(content),
            content.reason.as_str().to_owned(),
            content.old.clone().unwrap_or_default(),
            content.new.clone().unwrap_or_default(),
            content.image_count.to_string(),
        ]);
    }
    columns.to_text()
}

/// A name means something only in its ecosystem, and in its release if it is a distribution's.
fn package(content: &NewNotification) -> String {
    let release = content.release.as_ref().map(Release::as_str);
    format!("{}/{}", release.unwrap_or(content.ecosystem.as_str()), content.package)
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn row(notification: &Notification) -> Row {
    let content = &notification.content;
    Row {
        id: notification.id.clone(),
        created_at: notification.created_at.to_string(),
        vulnerability: content.vulnerability.clone(),
        package: package(content),
        reason: content.reason.as_str(),
        old: content.old.clone(),
        new: content.new.clone(),
        reach: Reach { images: content.image_count },
    }
}
