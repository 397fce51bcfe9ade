//! A container runtime that does what a test or a benchmark says, in memory.
//!
//! It answers as containerd does: events go to whoever subscribed, a wait ends with its task, what
//! is not there is `NotFound`, and while it is down every call is `Unavailable` and every stream
//! has ended. Calls about single containers can be made to fail or to hang.

#![allow(dead_code, missing_docs, reason = "each of its users uses another part of it")]

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use pratique_clockwork::Clock;
use pratique_containerd::{
    Call, Container, Descriptor, Envelope, Error, Event, Exit, Image, Task, TaskStatus,
};
use pratique_watch::{Events, Runtime};
use tokio::sync::{Notify, mpsc};

/// The runtime. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    state: Arc<Mutex<State>>,
    /// Calls that hung go on.
    released: Arc<Notify>,
}

#[derive(Default)]
struct State {
    is_down: bool,
    /// Whether events are kept back, as by a stream that hangs.
    is_mute: bool,
    /// The last time that was given, in microseconds.
    last: i64,
    containers: BTreeMap<Name, Container>,
    tasks: BTreeMap<Name, (Task, Arc<Notify>)>,
    images: BTreeMap<Name, Image>,
    streams: Vec<mpsc::UnboundedSender<Envelope>>,
    failing: HashSet<String>,
    hanging: HashSet<String>,
    /// What is there once everything has been listed, without a word.
    appearing: Option<(Name, u32)>,
    kills: BTreeMap<Name, u64>,
    subscription_count: usize,
    wait_count: usize,
    list_count: usize,
    probe_count: usize,
    question_count: usize,
    /// How many of the next probes nobody hears.
    unheard_count: usize,
}

type Name = (String, String);

/// Events of one subscription.
pub(crate) struct Stream(mpsc::UnboundedReceiver<Envelope>);

impl Events for Stream {
    async fn next(&mut self) -> Result<Envelope, Error> {
        self.0.recv().await.ok_or_else(unavailable)
    }
}

fn name(namespace: &str, id: &str) -> Name {
    (namespace.to_owned(), id.to_owned())
}

fn call() -> Call {
    Call { name: "scripted", namespace: String::new(), subject: String::new() }
}

fn unavailable() -> Error {
    Error::Unavailable { call: call(), message: "it is down".to_owned() }
}

fn not_found() -> Error {
    Error::NotFound { call: call() }
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    pub(crate) fn create(&self, namespace: &str, id: &str) {
        self.create_as(namespace, id, &[]);
    }

    pub(crate) fn create_as(&self, namespace: &str, id: &str, labels: &[(&str, &str)]) {
        let mut state = self.lock();
        let at = state.tick();
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let record = Container {
            id: id.to_owned(),
            labels: labels.collect(),
            image: "registry.example/cart:1".to_owned(),
            runtime: "io.containerd.runc.v2".to_owned(),
            created_at: Some(at),
            ..Container::default()
        };
        let (image, runtime) = (record.image.clone(), record.runtime.clone());
        state.containers.insert(name(namespace, id), record);
        let event = Event::ContainerCreate { id: id.to_owned(), image, runtime };
        state.tell(namespace, "/containers/create", at, event);
    }

    pub(crate) fn start(&self, namespace: &str, id: &str, pid: u32) {
        let mut state = self.lock();
        let at = state.tick();
        let task = Task { id: id.to_owned(), pid, status: TaskStatus::Running, ..Task::default() };
        state.tasks.insert(name(namespace, id), (task, Arc::new(Notify::new())));
        let event = Event::TaskStart { container_id: id.to_owned(), pid };
        state.tell(namespace, "/tasks/start", at, event);
    }

    pub(crate) fn run(&self, namespace: &str, id: &str, pid: u32) {
        self.create(namespace, id);
        self.start(namespace, id, pid);
    }

    pub(crate) fn exit(&self, namespace: &str, id: &str, code: u32) {
        let mut state = self.lock();
        let at = state.tick();
        let (task, ended) = state.tasks.get_mut(&name(namespace, id)).expect("a task that can end");
        task.status = TaskStatus::Stopped;
        task.exit_status = code;
        task.exited_at = Some(at);
        let pid = task.pid;
        ended.notify_waiters();
        let event = Event::TaskExit {
            container_id: id.to_owned(),
            id: id.to_owned(),
            pid,
            exit_status: code,
            exited_at: Some(at),
        };
        state.tell(namespace, "/tasks/exit", at, event);
    }

    pub(crate) fn oom(&self, namespace: &str, id: &str) {
        let mut state = self.lock();
        let at = state.tick();
        *state.kills.entry(name(namespace, id)).or_default() += 1;
        state.tell(namespace, "/tasks/oom", at, Event::TaskOom { container_id: id.to_owned() });
    }

    /// Tells an event as it is, whatever is true.
    pub(crate) fn tell(&self, namespace: &str, topic: &str, event: Event) {
        let mut state = self.lock();
        let at = state.tick();
        state.tell(namespace, topic, at, event);
    }

    pub(crate) fn remove_task(&self, namespace: &str, id: &str) {
        let mut state = self.lock();
        let at = state.tick();
        if let Some((task, ended)) = state.tasks.remove(&name(namespace, id)) {
            ended.notify_waiters();
            let event = Event::TaskDelete {
                container_id: id.to_owned(),
                id: String::new(),
                pid: task.pid,
                exit_status: task.exit_status,
                exited_at: task.exited_at,
            };
            state.tell(namespace, "/tasks/delete", at, event);
        }
    }

    /// Takes a task away and tells nobody.
    pub(crate) fn lose_task(&self, namespace: &str, id: &str) {
        let (_, ended) = self.lock().tasks.remove(&name(namespace, id)).expect("a task");
        ended.notify_waiters();
    }

    /// How often it was asked to tell when a task ends.
    #[allow(dead_code, reason = "the benchmarks have no use for it")]
    pub(crate) fn wait_count(&self) -> usize {
        self.lock().wait_count
    }

    pub(crate) fn remove(&self, namespace: &str, id: &str) {
        self.remove_task(namespace, id);
        let mut state = self.lock();
        let at = state.tick();
        state.containers.remove(&name(namespace, id));
        state.tell(namespace, "/containers/delete", at, Event::ContainerDelete { id: id.into() });
    }

    pub(crate) fn set_image(&self, namespace: &str, image: &str, digit: char) {
        let mut state = self.lock();
        let at = state.tick();
        let digest = format!("sha256:{}", digit.to_string().repeat(64));
        let target = Descriptor { digest, ..Descriptor::default() };
        let record = Image { name: image.to_owned(), target, ..Image::default() };
        state.images.insert(name(namespace, image), record);
        state.tell(namespace, "/images/update", at, Event::ImageUpdate { name: image.into() });
    }

    pub(crate) fn remove_image(&self, namespace: &str, image: &str) {
        let mut state = self.lock();
        let at = state.tick();
        state.images.remove(&name(namespace, image));
        state.tell(namespace, "/images/delete", at, Event::ImageDelete { name: image.into() });
    }

    /// Streams end and nothing is answered; what runs goes on.
    pub(crate) fn go_down(&self) {
        let mut state = self.lock();
        state.is_down = true;
        state.streams.clear();
        for (_, ended) in state.tasks.values() {
            ended.notify_waiters();
        }
    }

    pub(crate) fn come_up(&self) {
        self.lock().is_down = false;
    }

    /// Keeps all events back, those of probes too.
    pub(crate) fn set_mute(&self, is_mute: bool) {
        self.lock().is_mute = is_mute;
    }

    /// Lets calls about a container or image fail.
    pub(crate) fn set_failing(&self, id: &str, is_failing: bool) {
        let mut state = self.lock();
        if is_failing {
            state.failing.insert(id.to_owned());
        } else {
            state.failing.remove(id);
        }
    }

    /// Lets calls about a container or image hang.
    pub(crate) fn set_hanging(&self, id: &str) {
        self.lock().hanging.insert(id.to_owned());
    }

    /// Lets all calls that hang go on.
    pub(crate) fn release(&self) {
        self.lock().hanging.clear();
        self.released.notify_waiters();
    }

    /// Lets a container run, of which nobody is told, as soon as everything has been listed.
    pub(crate) fn run_after_list(&self, namespace: &str, id: &str, pid: u32) {
        self.lock().appearing = Some((name(namespace, id), pid));
    }

    /// Keeps the next so many probes back.
    pub(crate) fn lose_probes(&self, count: usize) {
        self.lock().unheard_count = count;
    }

    pub(crate) fn task_count(&self) -> usize {
        self.lock().tasks.len()
    }

    /// How often everything was listed.
    pub(crate) fn list_count(&self) -> usize {
        self.lock().list_count
    }

    /// How many probes were published.
    pub(crate) fn probe_count(&self) -> usize {
        self.lock().probe_count
    }

    /// How often it was asked about a single container or image.
    pub(crate) fn question_count(&self) -> usize {
        self.lock().question_count
    }

    /// How many streams somebody reads.
    pub(crate) fn stream_count(&self) -> usize {
        self.lock().streams.iter().filter(|stream| !stream.is_closed()).count()
    }

    /// How many subscriptions there ever were.
    pub(crate) fn subscription_count(&self) -> usize {
        self.lock().subscription_count
    }

    fn up(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.lock();
        if state.is_down { Err(unavailable()) } else { Ok(state) }
    }

    /// The state, unless the call about `id` is to fail; hangs when it is to hang.
    async fn about(&self, id: &str) -> Result<MutexGuard<'_, State>, Error> {
        self.lock().question_count += 1;
        loop {
            let released = self.released.notified();
            if !self.lock().hanging.contains(id) {
                break;
            }
            released.await;
        }
        let state = self.up()?;
        if state.failing.contains(id) {
            return Err(unavailable());
        }
        Ok(state)
    }
}

impl State {
    /// The time of what happens now; no two things happen at one.
    fn tick(&mut self) -> Timestamp {
        let now = Clock::system().now().as_microsecond();
        self.last = now.max(self.last + 1);
        Timestamp::from_microsecond(self.last).expect("a time")
    }

    fn tell(&mut self, namespace: &str, topic: &str, at: Timestamp, event: Event) {
        if self.is_mute {
            return;
        }
        let envelope = Envelope {
            timestamp: Some(at),
            namespace: namespace.to_owned(),
            topic: topic.to_owned(),
            event,
        };
        self.streams.retain(|stream| stream.send(envelope.clone()).is_ok());
    }

    fn of<'a, T>(things: &'a BTreeMap<Name, T>, namespace: &str) -> impl Iterator<Item = &'a T> {
        let namespace = namespace.to_owned();
        things.iter().filter(move |(name, _)| name.0 == namespace).map(|(_, thing)| thing)
    }
}

impl Runtime for Scripted {
    type Events = Stream;

    async fn version(&self) -> Result<String, Error> {
        self.up().map(|_| "scripted".to_owned())
    }

    fn subscribe(&self) -> Stream {
        let (sender, receiver) = mpsc::unbounded_channel();
        if let Ok(mut state) = self.up() {
            state.streams.push(sender);
            state.subscription_count += 1;
        }
        Stream(receiver)
    }

    async fn probe(&self, topic: &str) -> Result<(), Error> {
        let mut state = self.up()?;
        state.probe_count += 1;
        if state.unheard_count > 0 {
            state.unheard_count -= 1;
            return Ok(());
        }
        let at = state.tick();
        let event = Event::Undecoded { type_url: "pratique.Probe".to_owned(), problem: None };
        state.tell("pratique", topic, at, event);
        Ok(())
    }

    async fn namespaces(&self) -> Result<Vec<String>, Error> {
        let mut state = self.up()?;
        state.list_count += 1;
        let names = state.containers.keys().chain(state.images.keys());
        let names: HashSet<String> = names.map(|(namespace, _)| namespace.clone()).collect();
        Ok(names.into_iter().collect())
    }

    async fn containers(&self, namespace: &str) -> Result<Vec<Container>, Error> {
        Ok(State::of(&self.up()?.containers, namespace).cloned().collect())
    }

    async fn container(&self, namespace: &str, id: &str) -> Result<Container, Error> {
        let state = self.about(id).await?;
        state.containers.get(&name(namespace, id)).cloned().ok_or_else(not_found)
    }

    async fn tasks(&self, namespace: &str) -> Result<Vec<Task>, Error> {
        Ok(State::of(&self.up()?.tasks, namespace).map(|(task, _)| task.clone()).collect())
    }

    async fn task(&self, namespace: &str, id: &str) -> Result<Task, Error> {
        let state = self.about(id).await?;
        let task = state.tasks.get(&name(namespace, id)).map(|(task, _)| task.clone());
        task.ok_or_else(not_found)
    }

    async fn wait(&self, namespace: &str, id: &str) -> Result<Exit, Error> {
        self.lock().wait_count += 1;
        loop {
            let ended = {
                let state = self.up()?;
                let task = state.tasks.get(&name(namespace, id)).ok_or_else(not_found)?;
                if task.0.status == TaskStatus::Stopped {
                    return Ok(Exit { code: task.0.exit_status, at: task.0.exited_at });
                }
                Arc::clone(&task.1).notified_owned()
            };
            ended.await;
        }
    }

    async fn oom_kills(&self, namespace: &str, id: &str) -> Result<u64, Error> {
        let state = self.about(id).await?;
        Ok(state.kills.get(&name(namespace, id)).copied().unwrap_or(0))
    }

    async fn images(&self, namespace: &str) -> Result<Vec<Image>, Error> {
        let mut state = self.up()?;
        let images = State::of(&state.images, namespace).cloned().collect();
        // Images are listed last.
        if let Some(((namespace, id), pid)) = state.appearing.take() {
            let was_mute = std::mem::replace(&mut state.is_mute, true);
            drop(state);
            self.run(&namespace, &id, pid);
            self.set_mute(was_mute);
        }
        Ok(images)
    }

    async fn image(&self, namespace: &str, image: &str) -> Result<Image, Error> {
        let state = self.about(image).await?;
        state.images.get(&name(namespace, image)).cloned().ok_or_else(not_found)
    }

    async fn document(&self, _: &str, _: &Descriptor) -> Result<Option<Vec<u8>>, Error> {
        drop(self.up()?);
        let config = format!("sha256:{}", "c".repeat(64));
        Ok(Some(format!("{{\"config\":{{\"digest\":\"{config}\"}}}}").into_bytes()))
    }

    async fn kill(&self, namespace: &str, id: &str) -> Result<(), Error> {
        let is_running = {
            let state = self.about(id).await?;
            let task = state.tasks.get(&name(namespace, id)).ok_or_else(not_found)?;
            task.0.status == TaskStatus::Running
        };
        if !is_running {
            let message = "process already finished".to_owned();
            return Err(Error::FailedPrecondition { call: call(), message });
        }
        self.exit(namespace, id, 137);
        Ok(())
    }

    async fn delete_task(&self, namespace: &str, id: &str) -> Result<(), Error> {
        if !self.about(id).await?.tasks.contains_key(&name(namespace, id)) {
            return Err(not_found());
        }
        self.remove_task(namespace, id);
        Ok(())
    }
}
