//! What waits in the queue: the runtime's events, made ours, and our own findings in their order.
//!
//! An exec's exit is not an event of its container and is dropped here. Times are cut to
//! microseconds, as the store keeps them, so that what is read back compares equal.

use jiff::Timestamp;

use pratique_clockwork::queue::Rules;
use pratique_containerd::{Envelope, Event as Told};
use pratique_model::NoticeSource;

use crate::facts::Facts;
use crate::key::{Key, Kind};

/// How long a namespace, an id or a name may be, in bytes. containerd allows 76 for the first two;
/// of names it keeps what its database takes, and nobody needs more than this.
const NAME_BYTES_MAX: usize = 512;

/// One thing that happened to one key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// When, by the runtime's clock.
    pub(crate) at: Timestamp,
    pub(crate) source: NoticeSource,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A container's record was made; what the event says of it, should it be gone already.
    Created {
        image: String,
        runtime: String,
    },
    Started {
        pid: u32,
    },
    Paused,
    Resumed,
    /// So many kills of the kernel's.
    Oom {
        count: u64,
    },
    /// Init has ended. `pid` is 0 where the witness does not say it.
    Exited {
        pid: u32,
        code: u32,
        witness: Witness,
    },
    /// Nobody saw how init ended, and it is gone.
    Lost,
    Deleted,
    /// What there was when everything was listed.
    Listed(Box<Facts>),
    /// Something may have changed: look again.
    Look,
    /// Remove what a managed container has left.
    Reap,
}

/// Who says how a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    /// The wait of ours.
    Wait,
    /// `/tasks/exit`, `/tasks/delete`.
    Event,
    /// The same a moment later, after a kill by the kernel could have been told of.
    Settled,
}

/// What an envelope is to us.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decoded {
    /// An event of a key.
    Ours(Key, Event),
    /// Something that does not concern us: an exec, a snapshot.
    Foreign,
    /// What should concern us and cannot be read.
    Undecodable,
}

/// What the queue may do without room: see [`Rules`].
pub(crate) const RULES: Rules<Event> = Rules {
    absorb,
    is_expendable: |event| !matches!(event.what, What::Exited { .. } | What::Lost),
};

impl Event {
    pub(crate) fn new(at: Timestamp, source: NoticeSource, what: What) -> Self {
        Self { at: whole(at), source, what }
    }
}

/// A time as the store keeps it.
pub(crate) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).expect("a time that was one before")
}

/// Makes an event of ours from one of the runtime's; `now` is for what bears no time.
pub(crate) fn decode(envelope: Envelope, now: Timestamp) -> Decoded {
    let at = envelope.timestamp.unwrap_or(now);
    let namespace = &*envelope.namespace;
    let (key, at, what) = match envelope.event {
        Told::TaskStart { container_id, pid } => (container_id, at, What::Started { pid }),
        Told::TaskOom { container_id } => (container_id, at, What::Oom { count: 1 }),
        Told::TaskExit { container_id, id, pid, exit_status, exited_at }
            if id == container_id || id.is_empty() =>
        {
            let what = What::Exited { pid, code: exit_status, witness: Witness::Event };
            (container_id, exited_at.unwrap_or(at), what)
        }
        // One that never ran was not waited for, and has no time of an end.
        Told::TaskDelete { container_id, id, pid, exit_status, exited_at: Some(ended_at) }
            if id == container_id || id.is_empty() =>
        {
            let what = What::Exited { pid, code: exit_status, witness: Witness::Event };
            (container_id, ended_at, what)
        }
        Told::TaskPaused { container_id } => (container_id, at, What::Paused),
        Told::TaskResumed { container_id } => (container_id, at, What::Resumed),
        Told::ContainerCreate { id, image, runtime } => (id, at, What::Created { image, runtime }),
        Told::ContainerDelete { id } => (id, at, What::Deleted),
        Told::ImageCreate { name } | Told::ImageUpdate { name } | Told::ImageDelete { name } => {
            return keyed(Key::image(namespace, &name), at, What::Look);
        }
        Told::Undecoded { problem: Some(_), .. } => return Decoded::Undecodable,
        _ => return Decoded::Foreign,
    };
    keyed(Key::container(namespace, &key), at, what)
}

fn keyed(key: Key, at: Timestamp, what: What) -> Decoded {
    if key.is_sound() {
        Decoded::Ours(key, Event::new(at, NoticeSource::Event, what))
    } else {
        Decoded::Undecodable
    }
}

/// Images keep the last event; containers the first exit of a process, the count of kills, and the
/// last of what is only a state.
fn absorb(waiting: &mut Event, later: &Event) -> bool {
    match (&mut waiting.what, &later.what) {
        (What::Oom { count }, What::Oom { count: more }) => {
            *count += more;
            true
        }
        (What::Exited { pid, .. }, What::Exited { pid: other, .. }) => pid == other,
        (What::Paused | What::Resumed, What::Paused | What::Resumed)
        | (What::Look, What::Look)
        | (What::Lost, What::Lost) => {
            *waiting = later.clone();
            true
        }
        _ => false,
    }
}

impl Key {
    /// Whether it can be kept; what is listed is held to the same as what is told.
    pub(crate) fn is_sound(&self) -> bool {
        let is_sound = |text: &str| !text.is_empty() && text.len() <= NAME_BYTES_MAX;
        is_sound(&self.namespace) && is_sound(&self.id)
    }

    /// Whether it is an image's.
    pub(crate) fn is_image(&self) -> bool {
        self.kind == Kind::Image
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn told(event: Told) -> Decoded {
        let envelope = Envelope {
            timestamp: Some(at(5)),
            namespace: "ns".to_owned(),
            topic: "/any".to_owned(),
            event,
        };
        decode(envelope, at(9))
    }

    fn exit(id: &str) -> Told {
        Told::TaskExit {
            container_id: "a".to_owned(),
            id: id.to_owned(),
            pid: 7,
            exit_status: 3,
            exited_at: Timestamp::from_nanosecond(4_000_000_001_234).ok(),
        }
    }

    #[test]
    fn an_exit_is_the_containers_only_when_the_ids_are_the_same() {
        assert_eq!(told(exit("exec-1")), Decoded::Foreign);
        let what = What::Exited { pid: 7, code: 3, witness: Witness::Event };
        let Decoded::Ours(key, event) = told(exit("a")) else { panic!("not ours") };
        assert_eq!((key, &event.what), (Key::container("ns", "a"), &what));
        assert_eq!(event.at.as_nanosecond(), 4_000_000_001_000, "as the store keeps it");
    }

    #[test]
    fn what_has_no_name_or_too_long_a_one_is_undecodable() {
        let image = |name: String| told(Told::ImageUpdate { name });
        assert!(matches!(image("a".to_owned()), Decoded::Ours(key, _) if key.is_image()));
        assert_eq!(image(String::new()), Decoded::Undecodable);
        assert_eq!(image("a".repeat(513)), Decoded::Undecodable);
        let problem = Some("cut off".to_owned());
        let type_url = "containerd.events.TaskExit".to_owned();
        assert_eq!(told(Told::Undecoded { type_url, problem }), Decoded::Undecodable);
    }

    #[test]
    fn the_first_exit_is_kept_and_kills_are_added() {
        let event = |what| Event::new(at(1), NoticeSource::Event, what);
        let exited = |pid, code| event(What::Exited { pid, code, witness: Witness::Wait });
        let mut first = exited(7, 1);
        assert!(absorb(&mut first, &exited(7, 2)));
        assert_eq!(first, exited(7, 1));
        assert!(!absorb(&mut first, &exited(8, 2)), "another start");
        let mut kills = event(What::Oom { count: 2 });
        assert!(absorb(&mut kills, &event(What::Oom { count: 3 })));
        assert_eq!(kills.what, What::Oom { count: 5 });
        let mut state = event(What::Paused);
        assert!(absorb(&mut state, &event(What::Resumed)));
        assert_eq!(state.what, What::Resumed);
        assert!(!absorb(&mut state, &event(What::Deleted)));
        assert!(!(RULES.is_expendable)(&first) && (RULES.is_expendable)(&kills));
    }
}
