//! What containerd tells of itself: its events, typed, one after the other.
//!
//! containerd answers a subscription only with the first event; so [`Client::subscribe`] comes
//! back at once, the request goes out when [`EventStream::next`] is first awaited, and whether it
//! was received shows when an event of one's own ([`Client::publish`]) comes back. An event of an
//! unknown type, or one that cannot be read, is [`Event::Undecoded`] and never ends the stream.

use std::fmt;
use std::pin::Pin;

use jiff::Timestamp;
use prost::Message;
use tonic::{Status, Streaming};

use crate::any::Any;
use crate::client::Client;
use crate::connection::{Asking, Method};
use crate::error::{Call, Error};
use crate::time::timestamp;
use crate::wire;

const PUBLISH: Method =
    Method { name: "events.Publish", path: "/containerd.services.events.v1.Events/Publish" };
const SUBSCRIBE: Method =
    Method { name: "events.Subscribe", path: "/containerd.services.events.v1.Events/Subscribe" };

/// An event and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// When it was published, by the publisher's clock; `None` if it did not say.
    pub timestamp: Option<Timestamp>,
    /// The containerd namespace.
    pub namespace: String,
    /// For example `/tasks/exit`.
    pub topic: String,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields have the same meaning everywhere, see `Event`")]
pub enum Event {
    /// A task was made; its process is there but has not begun.
    TaskCreate { container_id: String, pid: u32 },
    /// The init process of a task began.
    TaskStart { container_id: String, pid: u32 },
    /// The kernel killed a process of the task for memory; containerd may tell of it more than
    /// once, and before or after the exit.
    TaskOom { container_id: String },
    /// A process of the task ended: init if `id` is the container's id, else an exec.
    TaskExit {
        container_id: String,
        id: String,
        pid: u32,
        exit_status: u32,
        exited_at: Option<Timestamp>,
    },
    /// A task (`id` empty or the container's) or an exec of it was deleted. Not to be relied on:
    /// with containerd 2.2 the shim ends before it has told it.
    TaskDelete {
        container_id: String,
        id: String,
        pid: u32,
        exit_status: u32,
        exited_at: Option<Timestamp>,
    },
    /// All processes of the task were frozen.
    TaskPaused { container_id: String },
    /// They go on.
    TaskResumed { container_id: String },
    /// A further process was prepared.
    TaskExecAdded { container_id: String, exec_id: String },
    /// It began.
    TaskExecStarted { container_id: String, exec_id: String, pid: u32 },
    /// A container was recorded; nothing runs yet.
    ContainerCreate { id: String, image: String, runtime: String },
    /// Its record was changed.
    ContainerUpdate { id: String },
    /// Its record was removed.
    ContainerDelete { id: String },
    /// A name was given to an image.
    ImageCreate { name: String },
    /// The name means something else now, or its labels changed.
    ImageUpdate { name: String },
    /// The name was taken away.
    ImageDelete { name: String },
    /// Something else.
    Undecoded {
        type_url: String,
        /// Why an event of a type that is known could not be read; `None` if the type is not.
        problem: Option<String>,
    },
}

/// Events as they come. Dropping it ends the subscription.
pub struct EventStream {
    call: Call,
    state: State,
}

type Opening = Pin<Box<dyn Future<Output = Result<Streaming<wire::Envelope>, Error>> + Send>>;

enum State {
    Opening(Opening),
    Open(Box<Streaming<wire::Envelope>>),
    Ended,
}

impl Client {
    /// Publishes an event of one's own.
    ///
    /// The topic begins with `/`; namespace and topic are made of letters, digits and `._-`. What
    /// the event is means nothing to containerd.
    ///
    /// # Errors
    /// See [`Client`]; [`Error::Other`] when it is refused, for good.
    pub async fn publish(&self, namespace: &str, topic: &str, event: Any) -> Result<(), Error> {
        let message = wire::PublishRequest { topic: topic.to_owned(), event: Some(event.into()) };
        let wire::Empty {} = self.ask(PUBLISH, namespace, topic).unary(message).await?;
        Ok(())
    }

    /// Asks for all events, of every namespace, that fit one of the filters; for all when there
    /// are none.
    ///
    /// A filter is a list of conditions that must all hold, `namespace=="a",topic~="^/tasks/"`;
    /// values in quotes, else a `/` in one ends the stream with an error. Over a connection of its
    /// own. Nothing is sent before the stream is first asked for an event.
    pub fn subscribe(&self, filters: &[&str]) -> EventStream {
        let message =
            wire::Filters { filters: filters.iter().map(|&filter| filter.to_owned()).collect() };
        let channel = self.own_connection();
        let asking = move || async move {
            let asking = Asking {
                channel: &channel,
                method: SUBSCRIBE,
                namespace: "",
                subject: "",
                timeout: None,
            };
            asking.stream(message).await
        };
        let call = self.ask(SUBSCRIBE, "", "").call();
        EventStream { call, state: State::Opening(Box::pin(asking())) }
    }
}

impl EventStream {
    /// The next event; waits for it without limit, since a quiet node has none. Whoever must know
    /// that containerd still lives publishes an event and waits for that. May be dropped and
    /// called again without losing an event.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when containerd cannot be reached or the stream ended, as it does
    /// when containerd stops; [`Error::Other`] when a filter cannot be understood. The stream is
    /// over after any error, and says so when asked again.
    pub async fn next(&mut self) -> Result<Envelope, Error> {
        loop {
            match &mut self.state {
                State::Opening(opening) => match opening.await {
                    Ok(stream) => self.state = State::Open(Box::new(stream)),
                    Err(error) => {
                        self.state = State::Ended;
                        return Err(error);
                    }
                },
                State::Open(stream) => match stream.message().await {
                    Ok(Some(envelope)) => return Ok(envelope.into()),
                    Ok(None) => self.state = State::Ended,
                    Err(status) => {
                        self.state = State::Ended;
                        return Err(Error::of(self.call.clone(), &status, Default::default()));
                    }
                },
                State::Ended => {
                    let status = Status::unavailable("the stream of events has ended");
                    return Err(Error::of(self.call.clone(), &status, Default::default()));
                }
            }
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Opening(_) => "opening",
            State::Open(_) => "open",
            State::Ended => "ended",
        };
        f.debug_struct("EventStream").field("state", &state).finish_non_exhaustive()
    }
}

impl From<wire::Envelope> for Envelope {
    fn from(envelope: wire::Envelope) -> Self {
        Self {
            timestamp: timestamp(envelope.timestamp),
            namespace: envelope.namespace,
            topic: envelope.topic,
            event: Event::decode(envelope.event.unwrap_or_default().into()),
        }
    }
}

impl Event {
    /// Reads an event by the name of its type.
    pub fn decode(any: Any) -> Self {
        match read(&any) {
            Ok(Some(event)) => event,
            Ok(None) => Self::Undecoded { type_url: any.type_url, problem: None },
            Err(problem) => {
                Self::Undecoded { type_url: any.type_url, problem: Some(problem.to_string()) }
            }
        }
    }
}

/// `None` for types that are not known.
fn read(any: &Any) -> Result<Option<Event>, prost::DecodeError> {
    let bytes = || any.value.clone();
    let name = wire::type_name(&any.type_url);
    let event = match name.strip_prefix("containerd.events.") {
        Some("TaskCreate") => wire::TaskCreate::decode(bytes())?.into(),
        Some("TaskStart") => wire::TaskStart::decode(bytes())?.into(),
        Some("TaskExit") => wire::TaskExit::decode(bytes())?.into(),
        Some("TaskDelete") => wire::TaskDelete::decode(bytes())?.into(),
        Some(kind @ ("TaskExecAdded" | "TaskExecStarted")) => {
            let wire::TaskExec { container_id, exec_id, pid } = wire::TaskExec::decode(bytes())?;
            match kind {
                "TaskExecAdded" => Event::TaskExecAdded { container_id, exec_id },
                _ => Event::TaskExecStarted { container_id, exec_id, pid },
            }
        }
        Some("ContainerCreate") => wire::ContainerCreate::decode(bytes())?.into(),
        _ => return read_named(name, bytes()),
    };
    Ok(Some(event))
}

/// Events of which only the first field is used.
fn read_named(name: &str, bytes: bytes::Bytes) -> Result<Option<Event>, prost::DecodeError> {
    let (package, kind) = name.rsplit_once('.').unwrap_or(("", name));
    if !matches!(package, "containerd.events" | "containerd.services.images.v1") {
        return Ok(None);
    }
    let make: fn(String) -> Event = match kind {
        "TaskOOM" => |container_id| Event::TaskOom { container_id },
        "TaskPaused" => |container_id| Event::TaskPaused { container_id },
        "TaskResumed" => |container_id| Event::TaskResumed { container_id },
        "ContainerUpdate" => |id| Event::ContainerUpdate { id },
        "ContainerDelete" => |id| Event::ContainerDelete { id },
        "ImageCreate" => |name| Event::ImageCreate { name },
        "ImageUpdate" => |name| Event::ImageUpdate { name },
        "ImageDelete" => |name| Event::ImageDelete { name },
        _ => return Ok(None),
    };
    Ok(Some(make(wire::ById::decode(bytes)?.id)))
}

impl From<wire::TaskCreate> for Event {
    fn from(event: wire::TaskCreate) -> Self {
        Self::TaskCreate { container_id: event.container_id, pid: event.pid }
    }
}

impl From<wire::TaskStart> for Event {
    fn from(event: wire::TaskStart) -> Self {
        Self::TaskStart { container_id: event.container_id, pid: event.pid }
    }
}

impl From<wire::TaskExit> for Event {
    fn from(event: wire::TaskExit) -> Self {
        Self::TaskExit {
            container_id: event.container_id,
            id: event.id,
            pid: event.pid,
            exit_status: event.exit_status,
            exited_at: timestamp(event.exited_at),
        }
    }
}

impl From<wire::TaskDelete> for Event {
    fn from(event: wire::TaskDelete) -> Self {
        Self::TaskDelete {
            container_id: event.container_id,
            id: event.id,
            pid: event.pid,
            exit_status: event.exit_status,
            exited_at: timestamp(event.exited_at),
        }
    }
}

impl From<wire::ContainerCreate> for Event {
    fn from(event: wire::ContainerCreate) -> Self {
        let runtime = event.runtime.unwrap_or_default().name;
        Self::ContainerCreate { id: event.id, image: event.image, runtime }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(type_url: &str, value: &[u8]) -> Any {
        Any { type_url: type_url.to_owned(), value: value.to_vec().into() }
    }

    #[test]
    fn an_event_is_read_by_its_type_with_or_without_a_host() {
        // container_id "a", id "b", pid 7, exit_status 137.
        let value = b"\x0a\x01a\x12\x01b\x18\x07\x20\x89\x01";
        let expected = Event::TaskExit {
            container_id: "a".to_owned(),
            id: "b".to_owned(),
            pid: 7,
            exit_status: 137,
            exited_at: None,
        };
        for host in ["", "types.googleapis.com/"] {
            let type_url = format!("{host}containerd.events.TaskExit");
            assert_eq!(Event::decode(any(&type_url, value)), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_undecoded() {
        let undecoded = |type_url: &str, value: &[u8]| match Event::decode(any(type_url, value)) {
            Event::Undecoded { problem, .. } => problem,
            event => panic!("{type_url}: {event:?}"),
        };
        assert_eq!(undecoded("containerd.events.SnapshotCommit", b""), None);
        assert_eq!(undecoded("TaskExit", b""), None);
        assert_eq!(undecoded("", b"\xff"), None);
        assert!(undecoded("containerd.events.TaskExit", b"\x0a\xff").is_some());
        assert!(undecoded("containerd.events.TaskOOM", b"\x0a\x02\xff\xff").is_some());
    }

    #[test]
    fn image_events_are_known_by_both_names_of_their_package() {
        let expected = Event::ImageDelete { name: "a".to_owned() };
        for package in ["containerd.events", "containerd.services.images.v1"] {
            let type_url = format!("{package}.ImageDelete");
            assert_eq!(Event::decode(any(&type_url, b"\x0a\x01a")), expected);
        }
    }
}
