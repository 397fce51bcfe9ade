//! `pratique events`: what the agent of this node tells, as lines or JSON.
//!
//! Pages are asked for by the number of the last event seen, so nothing is missed or told twice,
//! also when the agent was away for a while.

use std::time::Duration;

use anyhow::anyhow;
use pratique_clockwork::http::{self, AskError, Listen, StatusCode};
use pratique_clockwork::{Backoff, Clock, Random};

use crate::args::{EventFormat, EventsArguments};
use crate::command::agent::EventRow;
use crate::exit::{Exit, Failure};
use crate::say::{self, say};
use crate::units;

/// How long one page may take; a page that is waited for comes within 20 s.
const PAGE_TIME_MAX: Duration = Duration::from_secs(40);

/// How long a page may be, in bytes: a thousand events of some hundred bytes.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long to wait for an agent that went away while it was followed.
const AWAY_WAIT: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// Runs the command.
pub(crate) fn run(arguments: &EventsArguments) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let since = arguments.since.as_deref().map(|text| units::time(text, now)).transpose();
    let since = since.map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    runtime.block_on(async {
        let since = since.map_or_else(String::new, |at| format!("&since={at}"));
        let mut after = arguments.after;
        let mut has_answered = false;
        let [first, most] = AWAY_WAIT;
        let backoff = Backoff::try_new(first, first, most).expect("in order");
        let (mut random, mut failure_count) = (Random::from_system(), 0_u32);
        loop {
            let wait = if arguments.follow { "&wait=1" } else { "" };
            let path = format!("/api/v1/node/events?after={after}{since}{wait}");
            match page(&arguments.address, &path).await {
                Ok(rows) => {
                    (has_answered, failure_count) = (true, 0);
                    if rows.is_empty() && !arguments.follow {
                        return Ok(Exit::Clean);
                    }
                    for row in &rows {
                        after = after.max(row.number);
                        show(row, arguments.format)?;
                    }
                }
                // One that never answered is not there; one that did comes back.
                Err(failure) if !has_answered || !arguments.follow => return Err(failure),
                Err(_) => {
                    failure_count = failure_count.saturating_add(1);
                    tokio::time::sleep(backoff.delay(failure_count, &mut random)).await;
                }
            }
        }
    })
}

async fn page(address: &Listen, path: &str) -> Result<Vec<EventRow>, Failure> {
    let asked = http::get(address, path, PAGE_BYTES_MAX, PAGE_TIME_MAX).await;
    let (status, body) = asked.map_err(|error| {
        let is_absent = matches!(error, AskError::Connect { .. });
        let failure = Failure::new(Exit::Failed, error);
        if is_absent { failure.hint("`pratique agent` must run here") } else { failure }
    })?;
    let text = String::from_utf8_lossy(&body);
    if status != StatusCode::OK {
        return Err(Failure::new(Exit::Failed, anyhow!("{address}: {status}: {}", text.trim())));
    }
    let row = |line| serde_json::from_str(line);
    text.lines().map(row).collect::<Result<_, _>>().map_err(|error| {
        Failure::new(Exit::Failed, anyhow::Error::from(error).context(format!("{address}")))
    })
}

fn show(row: &EventRow, format: EventFormat) -> Result<(), Failure> {
    match format {
        EventFormat::Json => {
            let mut line = serde_json::to_vec(row).expect("texts and numbers");
            line.push(b'\n');
            say::bytes(&line)
        }
        EventFormat::Line => {
            say!("{}", line(row));
            Ok(())
        }
    }
}

/// An event for people: when, what, which, and what is worth knowing of it.
fn line(row: &EventRow) -> String {
    let mut words = vec![row.at.clone(), row.kind.clone()];
    match (&row.pod, &row.container) {
        (Some(pod), Some(container)) => {
            words.push(format!("{}/{}/{container}", pod.namespace, pod.name));
        }
        (Some(pod), None) => words.push(format!("{}/{}", pod.namespace, pod.name)),
        _ => {}
    }
    if !row.id.is_empty() {
        words.push(format!("{}/{}", row.namespace, row.id));
    }
    let mut fact = |name: &str, value: Option<String>| {
        words.extend(value.map(|value| format!("{name}={value}")));
    };
    fact("code", row.exit_code.map(|code| code.to_string()));
    fact("reason", row.reason.clone());
    fact("oom", row.oom_count.filter(|count| *count > 0).map(|count| count.to_string()));
    fact("image", row.name.clone().filter(|name| *name != row.id));
    fact("digest", row.digest.clone());
    fact("isolation", row.isolation.clone());
    fact("source", Some(row.source.clone()).filter(|source| source != "event"));
    fact("amended", row.amended.then(|| "yes".to_owned()));
    // Names come from the runtime: no control character may reach a terminal.
    words.join(" ").chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_matters() {
        let json = r#"{"number":3,"at":"2026-11-21T08:00:00Z","kind":"container_exited",
            "namespace":"k8s.io","id":"c1","source":"reconcile","exit_code":137,
            "reason":"OOMKilled","oom_count":1,"container":"cart",
            "pod":{"namespace":"shop","name":"cart-0","uid":"u"}}"#;
        let row: EventRow = serde_json::from_str(json).expect("a row");
        assert_eq!(
            line(&row),
            "2026-11-21T08:00:00Z container_exited shop/cart-0/cart k8s.io/c1 code=137 \
             reason=OOMKilled oom=1 source=reconcile"
        );
    }

    #[test]
    fn a_name_moves_no_cursor() {
        let json = r#"{"number":1,"at":"t","kind":"image_present","namespace":"n",
            "id":"a\u001b[2J","source":"event"}"#;
        let row: EventRow = serde_json::from_str(json).expect("a row");
        assert_eq!(line(&row), "t image_present n/a?[2J");
    }
}
