//! The one place where everything comes together: events in, questions out, batches to the store.
//!
//! A single loop owns the queue and what is known of containers and images, so nothing is locked.
//! It never waits for a handler or for the store: events that need no question are judged at once,
//! others when their handler is done, and what they gave is written in batches, one at a time. A
//! key stays owned until its batch is written; if that fails, its event comes again.

mod delay;
mod gap;
mod image;
mod life;
mod pending;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use pratique_clockwork::queue::{Queue, Taken};
use pratique_clockwork::{Bell, Clock, Random, Shutdown};
use pratique_containerd::{Error as RuntimeError, Exit};
use pratique_model::{Container, ContainerState, Digest, NoticeSource};
use pratique_store::StoreError;

use crate::config::Config;
use crate::digests::DigestCache;
use crate::error::Error;
use crate::event::{Decoded, Event, RULES, What, decode};
use crate::handler::{Ask, Handled, Handler, Reply, SLOW_MAX};
use crate::key::Key;
use crate::link::Input;
use crate::metrics::{Dropped, Metrics};
use crate::runtime::Runtime;
use crate::state::{Answer, Question, question, step};
use crate::writer::Writer;

use delay::{Delayed, Delays};
use pending::{Pending, Result as Judged, changes_of};

/// How many events are judged before their batch is full; a batch of this many takes some tens of
/// milliseconds to write.
const BATCH_MAX: usize = 512;

/// How many inputs are taken at a time, so that other work gets its turn.
pub(crate) const INPUTS_MAX: usize = 256;

/// How many events may wait for a handler's place, their keys owned.
const PARKED_MAX: usize = 256;

/// How long a task that is gone may still be told to have ended, before nobody knows how. The
/// event of an exit travels through shim and daemon on its own.
const CONFIRM_AFTER: Duration = Duration::from_secs(2);

/// How long after its removal a container is kept in mind, so that what comes late finds it.
const FORGET_AFTER: Duration = Duration::from_secs(10);

/// How long after a wait that was refused another one is made.
const WAIT_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How long after a notice without a container could not be written it is tried again.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Everything the watcher knows and does.
pub(crate) struct Desk<R> {
    runtime: R,
    config: Config,
    clock: Clock,
    metrics: Metrics,
    cache: DigestCache,
    bell: Bell,
    relist: Bell,
    origin: Instant,
    queue: Queue<Key, Event>,
    dropped_count: u64,
    /// Boxed, as a table keeps room for more than it has.
    containers: HashMap<Key, Box<Container>>,
    images: HashMap<Key, Option<Digest>>,
    /// Exits that wait for a kill by the kernel to be told.
    settling: HashMap<Key, Event>,
    delays: Delays,
    waits: JoinSet<(Key, u32, Result<Exit, RuntimeError>)>,
    waited: HashSet<Key>,
    /// Whose wait was refused and is not made again before its time.
    resting: HashSet<Key>,
    /// Whose task is gone, and who are called lost if nobody tells their end in time.
    confirming: HashSet<Key>,
    handlers: JoinSet<Handled>,
    places: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    parked: VecDeque<(Taken<Key, Event>, Ask)>,
    writer: Writer,
    batch: Vec<Pending>,
    /// What the writer has.
    flight: Vec<Pending>,
    is_connected: bool,
    /// When a gap began, and by which time it is measured.
    gap: Option<Instant>,
    /// What was listed and not yet looked at, while a gap is not over.
    listed: HashSet<Key>,
    is_stopping: bool,
}

/// What a desk is made of.
pub(crate) struct Parts<R> {
    pub(crate) runtime: R,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) cache: DigestCache,
    pub(crate) bell: Bell,
    pub(crate) relist: Bell,
    pub(crate) writer: Writer,
    pub(crate) containers: Vec<Container>,
    pub(crate) images: Vec<pratique_model::NodeImage>,
}

impl<R: Runtime> Desk<R> {
    pub(crate) fn new(parts: Parts<R>) -> Self {
        let containers = parts
            .containers
            .into_iter()
            .map(|it| (Key::container(&it.namespace, &it.id), Box::new(it)));
        let images = parts
            .images
            .into_iter()
            .map(|image| (Key::image(&image.namespace, &image.name), image.digest));
        Self {
            places: Arc::new(Semaphore::new(parts.config.workers.max(1))),
            slow: Arc::new(Semaphore::new(SLOW_MAX)),
            runtime: parts.runtime,
            config: parts.config,
            clock: parts.clock,
            metrics: parts.metrics,
            cache: parts.cache,
            bell: parts.bell,
            relist: parts.relist,
            origin: Instant::now(),
            queue: Queue::new(RULES, Some(Random::from_system())),
            dropped_count: 0,
            containers: containers.collect(),
            images: images.collect(),
            settling: HashMap::new(),
            delays: Delays::default(),
            waits: JoinSet::new(),
            waited: HashSet::new(),
            resting: HashSet::new(),
            confirming: HashSet::new(),
            handlers: JoinSet::new(),
            parked: VecDeque::new(),
            writer: parts.writer,
            batch: Vec::new(),
            flight: Vec::new(),
            is_connected: false,
            gap: None,
            listed: HashSet::new(),
            is_stopping: false,
        }
    }

    /// Works until the shutdown, then until what was begun is written or the grace is over.
    pub(crate) async fn run(
        mut self,
        mut inputs: Receiver<Input>,
        shutdown: &Shutdown,
    ) -> Result<(), Error> {
        let mut buffer = Vec::with_capacity(INPUTS_MAX);
        let mut deadline = None;
        loop {
            self.work()?;
            if self.is_stopping && self.handlers.is_empty() && self.is_written() {
                return Ok(());
            }
            let wake = self.wake_at();
            let patience = deadline.unwrap_or(wake);
            tokio::select! {
                () = shutdown.triggered(), if !self.is_stopping => {
                    self.stop();
                    inputs.close();
                    deadline = Some(Instant::now() + self.config.stop_grace);
                }
                count = inputs.recv_many(&mut buffer, INPUTS_MAX), if !self.is_stopping => {
                    if count == 0 && !shutdown.is_triggered() {
                        return Err(Error::Writer);
                    }
                    for input in buffer.drain(..) {
                        self.take_input(input)?;
                    }
                }
                result = self.writer.written(), if !self.flight.is_empty() => {
                    self.take_written(result.ok_or(Error::Writer)?)?;
                }
                Some(handled) = self.handlers.join_next() => self.take_handled(handled),
                Some(waited) = self.waits.join_next() => {
                    // Waits are ended when the stream is lost.
                    if let Ok((key, pid, result)) = waited {
                        self.take_wait(&key, pid, result);
                    }
                }
                place = Arc::clone(&self.places).acquire_owned(), if self.may_hand_out() => {
                    let place = place.expect("the semaphore is never closed");
                    if let Some((taken, ask)) = self.parked.pop_front() {
                        self.hand_out(taken, ask, place);
                    }
                }
                () = sleep_until(patience.min(wake)) => {
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        let count = self.handlers.len();
                        warn!(count, "container runtime: {count} handlers did not end in time");
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Does what can be done now without waiting.
    fn work(&mut self) -> Result<(), Error> {
        let now = self.now();
        while let Some(delayed) = self.delays.pop(now) {
            self.take_delayed(delayed);
        }
        self.take_events(now);
        self.look_after_queue();
        self.write()
    }

    fn take_events(&mut self, now: Duration) {
        while self.may_take() {
            let Some(taken) = self.queue.take(now) else { return };
            match self.what_to_ask(&taken) {
                None => self.judge(taken, &Answer::default()),
                Some(ask) => match Arc::clone(&self.places).try_acquire_owned() {
                    Ok(place) if self.parked.is_empty() => self.hand_out(taken, ask, place),
                    _ => self.parked.push_back((taken, ask)),
                },
            }
        }
    }

    /// Whether an event may be taken out of the queue. Without a runtime every question would fail,
    /// and keys would wait longer and longer.
    fn may_take(&self) -> bool {
        let has_room = self.batch.len() < BATCH_MAX && self.parked.len() < PARKED_MAX;
        has_room && self.is_connected && !self.is_stopping
    }

    fn may_hand_out(&self) -> bool {
        self.is_connected && !self.parked.is_empty()
    }

    fn what_to_ask(&self, taken: &Taken<Key, Event>) -> Option<Ask> {
        if taken.key.is_image() {
            return Some(Ask::Image);
        }
        if taken.event.what == What::Reap {
            return Some(Ask::Reap);
        }
        let container = self.container(&taken.key);
        match question(&taken.key, container, &taken.event) {
            Question::Nothing => None,
            question => Some(Ask::Container(question)),
        }
    }

    fn hand_out(&mut self, taken: Taken<Key, Event>, ask: Ask, place: OwnedSemaphorePermit) {
        let handler = Handler {
            runtime: self.runtime.clone(),
            cache: self.cache.clone(),
            slow: Arc::clone(&self.slow),
            timeout: self.config.step_timeout,
        };
        self.handlers.spawn(handler.run(taken, ask, place));
    }

    fn take_handled(&mut self, handled: Result<Handled, tokio::task::JoinError>) {
        let Handled { taken, reply, took } = match handled {
            Ok(handled) => handled,
            // The event went with it, so everything has to begin anew.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        };
        self.metrics.handled(took);
        match reply {
            Ok(Reply::Container(answer)) => self.judge(taken, &answer),
            Ok(Reply::Image(found)) => self.judge_image(taken, found),
            Ok(Reply::Reaped) => self.queue.done(taken),
            Err(error) => {
                let Key { namespace, id, .. } = &taken.key;
                debug!("{namespace:?} {id:?}: tried again later: {error}");
                self.listed.remove(&taken.key);
                self.queue.fail(taken, self.now());
            }
        }
    }

    fn judge(&mut self, taken: Taken<Key, Event>, answer: &Answer) {
        let key = &taken.key;
        let container = self.container(key);
        let outcome = step(key, container, self.settling.get(key), &taken.event, answer);
        if matches!(taken.event.what, What::Listed(_)) {
            self.metrics.reconcile(outcome.container.is_none());
        }
        let pending = Pending { taken: Some(taken), result: Judged::Container(outcome) };
        self.keep(pending);
    }

    /// Puts what was judged into the batch, or ends it when there is nothing to write.
    fn keep(&mut self, pending: Pending) {
        if pending.is_empty() {
            self.finish(pending);
        } else {
            self.batch.push(pending);
        }
    }

    /// Gives the batch to the writer, when it has none.
    fn write(&mut self) -> Result<(), Error> {
        if self.batch.is_empty() || !self.flight.is_empty() {
            return Ok(());
        }
        self.flight = std::mem::take(&mut self.batch);
        let changes = changes_of(&self.flight, self.clock.now());
        if self.writer.give(changes) { Ok(()) } else { Err(Error::Writer) }
    }

    fn is_written(&self) -> bool {
        self.batch.is_empty() && self.flight.is_empty()
    }

    fn take_written(&mut self, result: Result<(), StoreError>) -> Result<(), Error> {
        let flight = std::mem::take(&mut self.flight);
        let Err(error) = result else {
            let now = self.clock.now();
            let mut has_notices = false;
            for pending in flight {
                for notice in pending.notices() {
                    has_notices = true;
                    let lag = now.duration_since(notice.at);
                    self.metrics.told(Duration::try_from(lag).unwrap_or_default());
                }
                self.finish(pending);
            }
            if has_notices {
                self.bell.ring();
            }
            return Ok(());
        };
        if matches!(error, StoreError::Superseded) {
            return Err(Error::Superseded);
        }
        warn!("what the runtime does could not be written, tried again: {error}");
        let now = self.now();
        for pending in flight {
            match (pending.taken, pending.result) {
                (Some(taken), _) => self.queue.fail(taken, now),
                (None, Judged::Told(notice)) => {
                    self.delays.add(now + TELL_AGAIN_AFTER, Delayed::Tell(Box::new(notice)));
                }
                (None, _) => {}
            }
        }
        Ok(())
    }

    /// An event is handled and, if there was anything, written.
    fn finish(&mut self, pending: Pending) {
        let Some(taken) = pending.taken else { return };
        self.listed.remove(&taken.key);
        match pending.result {
            Judged::Container(outcome) => self.apply(&taken, outcome),
            Judged::Image { digest: Some(digest), .. } => {
                self.images.insert(taken.key.clone(), digest);
            }
            Judged::Image { digest: None, .. } => {
                self.images.remove(&taken.key);
            }
            Judged::Told(_) => {}
        }
        self.queue.done(taken);
        self.end_gap();
    }

    fn take_delayed(&mut self, delayed: Delayed) {
        match delayed {
            Delayed::Push(key, event) => self.queue.push(key, event),
            Delayed::Lost(key) => {
                self.confirming.remove(&key);
                self.push(key, NoticeSource::Reconcile, What::Lost);
            }
            Delayed::Wait(key) => {
                self.resting.remove(&key);
                self.wait_for(&key);
            }
            Delayed::Tell(notice) => self.tell(*notice),
            Delayed::Forget(key) => {
                let is_deleted = |container: &Container| container.state == ContainerState::Deleted;
                if self.container(&key).is_some_and(is_deleted) {
                    self.containers.remove(&key);
                }
            }
        }
    }

    fn take_input(&mut self, input: Input) -> Result<(), Error> {
        match input {
            Input::Told(envelope) => {
                self.metrics.take_event(&envelope.topic);
                match decode(envelope, self.clock.now()) {
                    Decoded::Ours(key, event) => self.queue.push(key, event),
                    Decoded::Foreign => {}
                    Decoded::Undecodable => {
                        warn!("container runtime: an event that cannot be read");
                        self.metrics.drop_events(Dropped::Undecodable, 1);
                    }
                }
            }
            Input::Listed(listing) => self.take_listing(listing),
            Input::Lost => self.lose_stream(),
            Input::Refused(error) => return Err(error),
        }
        Ok(())
    }

    /// A container as it was last written.
    fn container(&self, key: &Key) -> Option<&Container> {
        self.containers.get(key).map(Box::as_ref)
    }

    /// Something of ours happens to a key now.
    fn push(&mut self, key: Key, source: NoticeSource, what: What) {
        self.queue.push(key, Event::new(self.clock.now(), source, what));
    }

    fn look_after_queue(&mut self) {
        let counts = self.queue.counts();
        self.metrics.set_queue(counts);
        if self.queue.take_reconcile() {
            let count = counts.dropped_count - self.dropped_count;
            self.dropped_count = counts.dropped_count;
            self.metrics.drop_events(Dropped::Full, count);
            warn!(count, "container runtime: {count} events had no room, everything is listed");
            self.relist.ring();
        }
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        self.waits.abort_all();
        self.parked.clear();
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// When to look again though nothing comes.
    fn wake_at(&self) -> Instant {
        let queued = self.queue.wake_at().filter(|_| self.may_take());
        let nearest = [queued, self.delays.next()].into_iter().flatten().min();
        // Far enough to be no work, near enough to be a time.
        let after = nearest.unwrap_or(self.now() + Duration::from_secs(3600));
        self.origin + after
    }
}
