//! What the agent answers: the node's containers, images and events, its health and its metrics.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pratique_clockwork::http::{self, Method, Request, Response, StatusCode};
use pratique_clockwork::{Bell, Shutdown};
use pratique_store::{Access, Database, NoticeFilter, Store, StoreError};
use pratique_watch::Health;
use prometheus_client::registry::Registry;
use serde::Serialize;

use super::images::Images;
use super::wire::{ContainerRow, EventRow};

/// How long a store may take to answer.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many events one answer has at most.
pub(crate) const EVENTS_MAX: usize = 1_000;

/// How long a reader that asked to wait is kept waiting: well below the server's limit.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// How often the store is looked at for a reader that waits, should a ring be lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What there is to know, to be asked from anywhere.
pub(super) struct Api {
    pub(super) node: Store,
    pub(super) images: Arc<Images>,
    pub(super) health: Health,
    pub(super) registry: Registry,
    /// Rung when there are new events.
    pub(super) notices: Bell,
    pub(super) shutdown: Shutdown,
}

/// Which events are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asked {
    filter: NoticeFilter,
    /// Whether to wait until there is one.
    waits: bool,
}

impl Api {
    /// The answer to a request.
    pub(super) async fn answer(&self, request: Request) -> Response {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return http::text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match request.uri().path() {
            "/healthz" => http::text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready().await,
            "/metrics" => http::exposition(&self.registry),
            "/api/v1/node/containers" => self.containers().await,
            "/api/v1/node/images" => self.images().await,
            "/api/v1/node/events" => match asked(request.uri().query().unwrap_or_default()) {
                Ok(asked) => self.events(asked).await,
                Err(problem) => http::text(StatusCode::BAD_REQUEST, format!("{problem}\n")),
            },
            _ => http::text(
                StatusCode::NOT_FOUND,
                "there are /api/v1/node/containers, /api/v1/node/images, /api/v1/node/events, \
                 /metrics, /healthz and /readyz\n",
            ),
        }
    }

    async fn ready(&self) -> Response {
        let mut reasons = Vec::new();
        if let Some(reason) = self.health.problem() {
            reasons.push(format!("container runtime: {reason}"));
        }
        if let Err(reason) = self.ask(Database::last_notice).await {
            reasons.push(reason);
        }
        if reasons.is_empty() {
            return http::text(StatusCode::OK, "ready\n");
        }
        let text = format!("not ready\n{}\n", reasons.join("\n"));
        http::text(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    async fn containers(&self) -> Response {
        respond(
            self.ask(|database| database.containers(false)).await.map(|containers| {
                containers.into_iter().map(ContainerRow::from).collect::<Vec<_>>()
            }),
        )
    }

    async fn images(&self) -> Response {
        let images = Arc::clone(&self.images);
        respond(blocking(move || images.rows()).await)
    }

    /// Events as lines of JSON.
    async fn events(&self, asked: Asked) -> Response {
        let mut listener = self.notices.listen();
        let until = tokio::time::Instant::now() + WAIT_MAX;
        let found = loop {
            let filter = asked.filter;
            let found = self.ask(move |database| database.notices(&filter, EVENTS_MAX)).await;
            let is_done = !matches!(&found, Ok(found) if found.is_empty());
            if is_done || !asked.waits || tokio::time::Instant::now() >= until {
                break found;
            }
            tokio::select! {
                () = listener.rung() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.shutdown.triggered() => break found,
            }
        };
        let lines = found.map(|found| {
            let mut lines = Vec::new();
            for notice in found {
                let row = EventRow::from(notice);
                serde_json::to_writer(&mut lines, &row).expect("texts and numbers");
                lines.push(b'\n');
            }
            lines
        });
        match lines {
            Ok(lines) => http::bytes(StatusCode::OK, "application/x-ndjson", lines),
            Err(reason) => unavailable(&reason),
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, String> {
        let store = self.node.clone();
        blocking(move || question(&store.open(Access::ReadOnly)?)).await
    }
}

async fn blocking<T: Send + 'static>(
    question: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, String> {
    match tokio::time::timeout(STORE_TIMEOUT, tokio::task::spawn_blocking(question)).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(error))) => Err(format!("store: {:#}", anyhow::Error::from(error))),
        Ok(Err(_)) => Err("store: the question was dropped".to_owned()),
        Err(_) => Err(format!("store: no answer within {} s", STORE_TIMEOUT.as_secs())),
    }
}

fn respond(answer: Result<impl Serialize, String>) -> Response {
    match answer {
        Ok(value) => {
            let mut text = serde_json::to_string(&value).expect("texts and numbers");
            text.push('\n');
            http::json(StatusCode::OK, text)
        }
        Err(reason) => unavailable(&reason),
    }
}

fn unavailable(reason: &str) -> Response {
    http::text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n"))
}

/// Reads `after=NUMBER`, `since=TIME` and `wait=1`.
fn asked(query: &str) -> Result<Asked, String> {
    let mut asked = Asked::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "after" => {
                let number = value.parse();
                asked.filter.after =
                    number.map_err(|_| format!("after={value}: not the number of an event"))?;
            }
            "since" => {
                // Times hold no other letter that has to be written as a percent code.
                let time = value.replace("%3A", ":").replace("%3a", ":").parse::<Timestamp>();
                asked.filter.since =
                    Some(time.map_err(|_| format!("since={value}: not a time in UTC"))?);
            }
            "wait" => asked.waits = value == "1" || value == "true" || value.is_empty(),
            _ => return Err(format!("{name}: there are after, since and wait")),
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_events() {
        assert_eq!(asked(""), Ok(Asked::default()));
        let found = asked("after=7&since=2026-11-21T08%3A00%3A00Z&wait=1").expect("a query");
        assert_eq!((found.filter.after, found.waits), (7, true));
        assert_eq!(found.filter.since, "2026-11-21T08:00:00Z".parse().ok());
        for bad in ["after=x", "since=yesterday", "until=1"] {
            let problem = asked(bad).expect_err(bad);
            assert!(problem.starts_with(bad.split('=').next().unwrap_or("")), "{problem}");
        }
    }
}
