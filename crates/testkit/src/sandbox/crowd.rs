//! Answers for thousands of honest sandboxes at little cost.
//!
//! The load generator shares its machine with the server that it measures, so what it spends is
//! missing there. A few threads wait with epoll, and an answer is made of bytes that stand ready.
//! Each reply is also held against the time at which its request can have come at the earliest:
//! a run in which replies were late says something about this generator, not about the server.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::net::{SocketFlags, accept_with};

use super::reply::{Template, requested_filter};
use super::{Conduct, Counts};

/// Threads that answer: as many as the machine has cores to run server and sandboxes on.
const THREADS: usize = 2;
/// Events that are taken at once.
const EVENTS_MAX: usize = 256;
/// The longest request that is read; runsc's are shorter than a filter of 1 KiB.
const REQUEST_BYTES: usize = 4 * 1024;
/// What says that the threads are to stop.
const STOP: u64 = u64::MAX;
/// Replies later than this count as late: a call has twenty times as long.
pub const LATE: Duration = Duration::from_millis(100);

/// Honest sandboxes that answer until this is dropped.
pub(super) struct Crowd {
    stops: Vec<UnixStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Starts to answer; listeners must not block.
    pub(super) fn start(members: Vec<(UnixListener, Conduct)>, counts: &Arc<Counts>) -> Self {
        let mut shares: Vec<Vec<(UnixListener, Conduct)>> = Vec::new();
        shares.resize_with(THREADS, Vec::new);
        for (index, member) in members.into_iter().enumerate() {
            shares[index % THREADS].push(member);
        }
        let mut crowd = Self { stops: Vec::new(), threads: Vec::new() };
        for share in shares {
            let (stop, stopped) = UnixStream::pair().expect("a pair of sockets");
            let answerer = Answerer::new(share, Arc::clone(counts));
            crowd.stops.push(stop);
            crowd.threads.push(thread::spawn(move || answerer.run(&stopped)));
        }
        crowd
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stops.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// One thread and its share of the sandboxes.
struct Answerer {
    epoll: OwnedFd,
    members: Vec<Member>,
    /// Connections by slot; events name them behind the members.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    idle: Template,
    busy: Template,
    counts: Arc<Counts>,
}

struct Member {
    listener: UnixListener,
    conduct: Conduct,
    call: i64,
}

struct Connection {
    stream: UnixStream,
    member: usize,
    /// What of an answer did not fit into the socket yet.
    rest: Vec<u8>,
    waits_for: Option<EventFlags>,
}

/// What to do with a connection that was served as far as it goes.
enum Next {
    Wait,
    Close,
}

impl Answerer {
    fn new(share: Vec<(UnixListener, Conduct)>, counts: Arc<Counts>) -> Self {
        let epoll = epoll::create(CreateFlags::CLOEXEC).expect("epoll");
        let members = share
            .into_iter()
            .map(|(listener, conduct)| Member { listener, conduct, call: 0 })
            .collect();
        Self {
            epoll,
            members,
            connections: Vec::new(),
            free: Vec::new(),
            idle: Template::idle(),
            busy: Template::busy(),
            counts,
        }
    }

    fn run(mut self, stopped: &UnixStream) {
        epoll::add(&self.epoll, stopped, EventData::new_u64(STOP), EventFlags::IN)
            .expect("a socket can be waited for");
        for (data, member) in (0_u64..).zip(&self.members) {
            epoll::add(&self.epoll, &member.listener, EventData::new_u64(data), EventFlags::IN)
                .expect("a socket can be waited for");
        }
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
        let mut reply = Vec::new();
        // Events that came while the last ones were handled have waited since then at most.
        let mut came_at = now();
        loop {
            let waits_from = now();
            events.clear();
            let room = rustix::buffer::spare_capacity(&mut events);
            epoll::wait(&self.epoll, room, None).expect("epoll waits");
            let woken_at = now();
            let was_idle = woken_at.duration_since(waits_from) > LATE / 2;
            let earliest = if was_idle { woken_at } else { came_at };
            came_at = woken_at;
            for event in &events {
                let data = event.data.u64();
                if data == STOP {
                    return;
                }
                let index = usize::try_from(data).expect("we gave it");
                match index.checked_sub(self.members.len()) {
                    None => self.accept(index, &mut reply),
                    Some(slot) => self.serve(slot, &mut reply),
                }
                if now().duration_since(earliest) > LATE {
                    self.counts.late.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn accept(&mut self, member: usize, reply: &mut Vec<u8>) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let Ok(stream) = accept_with(&self.members[member].listener, flags) else { return };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let stream = UnixStream::from(stream);
        self.connections[slot] =
            Some(Connection { stream, member, rest: Vec::new(), waits_for: None });
        self.serve(slot, reply);
    }

    fn serve(&mut self, slot: usize, reply: &mut Vec<u8>) {
        let Some(mut connection) = self.connections[slot].take() else { return };
        match self.advance(&mut connection, reply) {
            Next::Wait => {
                self.wait_for(slot, &mut connection);
                self.connections[slot] = Some(connection);
            }
            Next::Close => self.free.push(slot),
        }
    }

    /// Waits for room while an answer is being written, else for a request.
    fn wait_for(&self, slot: usize, connection: &mut Connection) {
        let flags = if connection.rest.is_empty() { EventFlags::IN } else { EventFlags::OUT };
        let data = EventData::new_u64((self.members.len() + slot) as u64);
        let result = match connection.waits_for {
            Some(known) if known == flags => return,
            Some(_) => epoll::modify(&self.epoll, &connection.stream, data, flags),
            None => epoll::add(&self.epoll, &connection.stream, data, flags),
        };
        result.expect("a socket can be waited for");
        connection.waits_for = Some(flags);
    }

    /// Writes what is left and answers what has come, until either would have to wait.
    fn advance(&mut self, connection: &mut Connection, reply: &mut Vec<u8>) -> Next {
        let mut request = [0; REQUEST_BYTES];
        loop {
            if !connection.flush() {
                return Next::Close;
            }
            if !connection.rest.is_empty() {
                return Next::Wait;
            }
            let length = match connection.stream.read(&mut request) {
                Ok(0) => return Next::Close,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                Err(_) => return Next::Close,
            };
            let member = &mut self.members[connection.member];
            member.call += 1;
            self.counts.calls.fetch_add(1, Ordering::Relaxed);
            let template = if member.conduct == Conduct::Busy { &self.busy } else { &self.idle };
            template.write(member.call, requested_filter(&request[..length]).as_ref(), reply);
            let sent = connection.stream.write(reply).unwrap_or(0);
            connection.rest.extend_from_slice(&reply[sent..]);
        }
    }
}

impl Connection {
    /// Writes as much as there is room for; `false`: the caller has gone.
    fn flush(&mut self) -> bool {
        while !self.rest.is_empty() {
            match self.stream.write(&self.rest) {
                Ok(sent) => drop(self.rest.drain(..sent)),
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }
}

#[expect(clippy::disallowed_methods, reason = "what a real process takes is measured")]
fn now() -> Instant {
    Instant::now()
}
