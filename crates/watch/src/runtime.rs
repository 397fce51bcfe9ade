//! What the watcher asks of a container runtime.
//!
//! The narrow door through which the watcher goes: [`pratique_containerd::Client`] is the one in
//! use; benchmarks and tests put a runtime behind it that makes streams of events of any size.

use pratique_containerd::{
    Any, Client, Container, Descriptor, Envelope, Error, EventStream, Exit, Image, Task,
};

use crate::turn::Turn;

/// How large an index, manifest or configuration may be that is read for its digests; containerd
/// itself reads up to 8 MiB.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// The namespace in which probes are published: none of anybody's.
const PROBE_NAMESPACE: &str = "pratique";

/// What is subscribed to, of every namespace, so that one made later is seen too.
const FILTERS: [&str; 4] = [
    "topic~=\"^/tasks/\"",
    "topic~=\"^/containers/\"",
    "topic~=\"^/images/\"",
    "topic~=\"^/pratique/\"",
];

/// SIGKILL.
const SIGKILL: u32 = 9;

/// A container runtime. Clones are the same. Every call but [`Runtime::wait`] ends within the
/// runtime's own deadline; the watcher sets one of its own besides.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// Its stream of events.
    type Events: Events;

    /// What it says of itself; the question whether it is there.
    fn version(&self) -> impl Future<Output = Result<String, Error>> + Send;

    /// Events of tasks, containers, images and probes, of all namespaces.
    fn subscribe(&self) -> Self::Events;

    /// Publishes an event under a topic of ours, which must come back on the stream.
    fn probe(&self, topic: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// All namespaces.
    fn namespaces(&self) -> impl Future<Output = Result<Vec<String>, Error>> + Send;

    /// All containers of a namespace.
    fn containers(
        &self,
        namespace: &str,
    ) -> impl Future<Output = Result<Vec<Container>, Error>> + Send;

    /// One container; [`Error::NotFound`] when it is not there.
    fn container(
        &self,
        namespace: &str,
        id: &str,
    ) -> impl Future<Output = Result<Container, Error>> + Send;

    /// All tasks of a namespace.
    fn tasks(&self, namespace: &str) -> impl Future<Output = Result<Vec<Task>, Error>> + Send;

    /// The task of a container; [`Error::NotFound`] when there is none.
    fn task(&self, namespace: &str, id: &str) -> impl Future<Output = Result<Task, Error>> + Send;

    /// Waits for the end of a task's first process, without limit.
    fn wait(&self, namespace: &str, id: &str) -> impl Future<Output = Result<Exit, Error>> + Send;

    /// How many processes of a task the kernel has killed for memory.
    fn oom_kills(
        &self,
        namespace: &str,
        id: &str,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// All image names of a namespace.
    fn images(&self, namespace: &str) -> impl Future<Output = Result<Vec<Image>, Error>> + Send;

    /// What a name means; [`Error::NotFound`] when it means nothing.
    fn image(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<Image, Error>> + Send;

    /// A document of the content store; `None` when it is not there or unreasonably large.
    fn document(
        &self,
        namespace: &str,
        descriptor: &Descriptor,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Error>> + Send;

    /// Kills all processes of a task.
    fn kill(&self, namespace: &str, id: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Deletes a task that has ended, when no other manager deletes one; how long that takes is
    /// limited by the watcher.
    fn delete_task(
        &self,
        namespace: &str,
        id: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// A stream of events.
pub trait Events: Send + 'static {
    /// The next event. Cancel-safe; over after an error.
    fn next(&mut self) -> impl Future<Output = Result<Envelope, Error>> + Send;
}

impl Events for EventStream {
    fn next(&mut self) -> impl Future<Output = Result<Envelope, Error>> + Send {
        Self::next(self)
    }
}

impl Runtime for Client {
    type Events = EventStream;

    async fn version(&self) -> Result<String, Error> {
        Self::version(self).await.map(|version| version.version)
    }

    fn subscribe(&self) -> EventStream {
        Self::subscribe(self, &FILTERS)
    }

    async fn probe(&self, topic: &str) -> Result<(), Error> {
        let event = Any { type_url: "pratique.Probe".to_owned(), ..Any::default() };
        self.publish(PROBE_NAMESPACE, topic, event).await
    }

    async fn namespaces(&self) -> Result<Vec<String>, Error> {
        Self::namespaces(self).await
    }

    async fn containers(&self, namespace: &str) -> Result<Vec<Container>, Error> {
        Self::containers(self, namespace).await
    }

    async fn container(&self, namespace: &str, id: &str) -> Result<Container, Error> {
        Self::container(self, namespace, id).await
    }

    async fn tasks(&self, namespace: &str) -> Result<Vec<Task>, Error> {
        Self::tasks(self, namespace).await
    }

    async fn task(&self, namespace: &str, id: &str) -> Result<Task, Error> {
        Self::task(self, namespace, id).await
    }

    async fn wait(&self, namespace: &str, id: &str) -> Result<Exit, Error> {
        Self::wait(self, namespace, id).await
    }

    async fn oom_kills(&self, namespace: &str, id: &str) -> Result<u64, Error> {
        Self::oom_kills(self, namespace, id).await
    }

    async fn images(&self, namespace: &str) -> Result<Vec<Image>, Error> {
        Self::images(self, namespace).await
    }

    async fn image(&self, namespace: &str, name: &str) -> Result<Image, Error> {
        Self::image(self, namespace, name).await
    }

    async fn document(
        &self,
        namespace: &str,
        descriptor: &Descriptor,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut stream = match self.read_content(namespace, &descriptor.digest, 0).await {
            Ok(stream) => stream,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut document = Vec::new();
        loop {
            match stream.next().await {
                Ok(Some(bytes)) => document.extend_from_slice(&bytes),
                Ok(None) => return Ok(Some(document)),
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            }
            if document.len() > DOCUMENT_BYTES_MAX {
                return Ok(None);
            }
        }
    }

    async fn kill(&self, namespace: &str, id: &str) -> Result<(), Error> {
        Self::kill(self, namespace, id, SIGKILL, true).await
    }

    async fn delete_task(&self, namespace: &str, id: &str) -> Result<(), Error> {
        let _turn = Turn::take(self.path()).await;
        Self::delete_task(self, namespace, id).await.map(|_| ())
    }
}
