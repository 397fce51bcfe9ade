//! Tasks: what of a container runs, how it ended, and ending it.

use jiff::Timestamp;
use prost::Message;
use tonic::Code;

use crate::client::Client;
use crate::connection::{Asking, Method};
use crate::error::Error;
use crate::time::timestamp;
use crate::wire;

const LIST: Method =
    Method { name: "tasks.List", path: "/containerd.services.tasks.v1.Tasks/List" };
const GET: Method = Method { name: "tasks.Get", path: "/containerd.services.tasks.v1.Tasks/Get" };
const WAIT: Method =
    Method { name: "tasks.Wait", path: "/containerd.services.tasks.v1.Tasks/Wait" };
const KILL: Method =
    Method { name: "tasks.Kill", path: "/containerd.services.tasks.v1.Tasks/Kill" };
const DELETE: Method =
    Method { name: "tasks.Delete", path: "/containerd.services.tasks.v1.Tasks/Delete" };
const METRICS: Method =
    Method { name: "tasks.Metrics", path: "/containerd.services.tasks.v1.Tasks/Metrics" };

/// The exit status of a process whose own nobody knows, in containerd (`UnknownExitStatus`).
pub const UNKNOWN_EXIT_STATUS: u32 = 255;

/// The init process of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The container's id. containerd 1.6 and 1.7 leave it empty here; then it is the task's.
    pub container_id: String,
    /// The task's id, that of the container.
    pub id: String,
    /// Its process, in containerd's PID namespace; 0 when there is none.
    pub pid: u32,
    /// What it does.
    pub status: TaskStatus,
    /// Only true once it is [`TaskStatus::Stopped`].
    pub exit_status: u32,
    /// When it ended.
    pub exited_at: Option<Timestamp>,
    /// Paths of the FIFOs that carry its standard streams; empty or other URLs when there are
    /// none.
    pub stdin: String,
    /// See `stdin`.
    pub stdout: String,
    /// See `stdin`.
    pub stderr: String,
}

/// What a task does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskStatus {
    /// Its shim does not say.
    #[default]
    Unknown,
    /// It has not begun.
    Created,
    /// It runs.
    Running,
    /// It has ended and is not deleted.
    Stopped,
    /// It is frozen.
    Paused,
    /// It is being frozen.
    Pausing,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// 0–255; 128 + N after signal N.
    pub code: u32,
    /// When.
    pub at: Option<Timestamp>,
}

/// A task that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTask {
    /// Its id; may be empty.
    pub id: String,
    /// The process it had.
    pub pid: u32,
    /// How it ended.
    pub exit: Exit,
}

impl Client {
    /// All tasks of a namespace. One whose shim does not answer is missing or `Unknown`.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn tasks(&self, namespace: &str) -> Result<Vec<Task>, Error> {
        let answer: wire::Processes =
            self.ask(LIST, namespace, "").unary(wire::ById::default()).await?;
        Ok(answer.tasks.into_iter().map(Task::from).collect())
    }

    /// The task of a container.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the container has none; see [`Client`].
    pub async fn task(&self, namespace: &str, id: &str) -> Result<Task, Error> {
        let answer: wire::OneProcess =
            self.ask(GET, namespace, id).unary(wire::ById { id: id.to_owned() }).await?;
        Ok(answer.process.unwrap_or_default().into())
    }

    /// Waits, without limit, until a task has ended; at once for one that has and is not deleted.
    ///
    /// Over connections of its own, so that any number can wait. Dropping it ends the wait and
    /// nothing else.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such task, or it was deleted; [`Error::Unavailable`]
    /// when containerd went away: wait again.
    pub async fn wait(&self, namespace: &str, id: &str) -> Result<Exit, Error> {
        let (channel, _room) = self.waits().take();
        let asking =
            Asking { channel: &channel, method: WAIT, namespace, subject: id, timeout: None };
        let answer: wire::WaitResponse = asking.unary(wire::ById { id: id.to_owned() }).await?;
        Ok(Exit { code: answer.exit_status, at: timestamp(answer.exited_at) })
    }

    /// Sends a signal to the init process of a task, or to all its processes.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such task or it has ended,
    /// [`Error::FailedPrecondition`] when it cannot get signals; see [`Client`].
    pub async fn kill(
        &self,
        namespace: &str,
        id: &str,
        signal: u32,
        all: bool,
    ) -> Result<(), Error> {
        let message = wire::KillRequest { container_id: id.to_owned(), signal, all };
        let wire::Empty {} = self.ask(KILL, namespace, id).unary(message).await?;
        Ok(())
    }

    /// Deletes a task that has ended, and its shim with it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, [`Error::FailedPrecondition`] when it still runs;
    /// see [`Client`].
    pub async fn delete_task(&self, namespace: &str, id: &str) -> Result<DeletedTask, Error> {
        let answer = self.ask(DELETE, namespace, id).unary(wire::ById { id: id.to_owned() }).await;
        let answer: wire::DeleteResponse = answer.map_err(still_running)?;
        let exit = Exit { code: answer.exit_status, at: timestamp(answer.exited_at) };
        Ok(DeletedTask { id: answer.id, pid: answer.pid, exit })
    }

    /// How many processes of a task the kernel has killed for memory, by the task's cgroup (first
    /// version: `memory.oom_control`, second: `memory.events`).
    ///
    /// Zero, too, for a runtime whose metrics do not say it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when containerd has no metrics of it: no such task, or its cgroup is
    /// gone; see [`Client`].
    pub async fn oom_kills(&self, namespace: &str, id: &str) -> Result<u64, Error> {
        let message = wire::Filters { filters: vec![format!("id=={id:?}")] };
        let answer: wire::MetricsResponse = self.ask(METRICS, namespace, id).unary(message).await?;
        let metric = answer.metrics.into_iter().find(|metric| metric.id == id);
        match metric.and_then(|metric| metric.data) {
            Some(data) => Ok(read_oom_kills(&data)),
            None => Err(Error::NotFound { call: self.ask(METRICS, namespace, id).call() }),
        }
    }
}

/// A shim says without a code of its own that a task still runs (runc's `initState`, unchanged
/// from containerd 1.6 to 2.x).
fn still_running(error: Error) -> Error {
    match error {
        Error::Other { call, code: Code::Unknown, message }
            if message.contains("cannot delete a running process") =>
        {
            Error::FailedPrecondition { call, message }
        }
        error => error,
    }
}

fn read_oom_kills(data: &wire::Any) -> u64 {
    let bytes = data.value.clone();
    match wire::type_name(&data.type_url) {
        "io.containerd.cgroups.v1.Metrics" => wire::CgroupV1Metrics::decode(bytes)
            .ok()
            .and_then(|metrics| metrics.memory_oom_control)
            .map_or(0, |control| control.oom_kill),
        "io.containerd.cgroups.v2.Metrics" => wire::CgroupV2Metrics::decode(bytes)
            .ok()
            .and_then(|metrics| metrics.memory_events)
            .map_or(0, |events| events.oom_kill),
        _ => 0,
    }
}

impl From<wire::Process> for Task {
    fn from(process: wire::Process) -> Self {
        let status = match process.status {
            1 => TaskStatus::Created,
            2 => TaskStatus::Running,
            3 => TaskStatus::Stopped,
            4 => TaskStatus::Paused,
            5 => TaskStatus::Pausing,
            _ => TaskStatus::Unknown,
        };
        Self {
            container_id: process.container_id,
            id: process.id,
            pid: process.pid,
            status,
            exit_status: process.exit_status,
            exited_at: timestamp(process.exited_at),
            stdin: process.stdin,
            stdout: process.stdout,
            stderr: process.stderr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oom_kills_are_read_from_both_versions_of_cgroups() {
        let check = |type_url: &str, value: &'static [u8], expected| {
            let data = wire::Any { type_url: type_url.to_owned(), value: value.into() };
            assert_eq!(read_oom_kills(&data), expected, "{type_url}");
        };
        // Fields 9.3 and 8.5, each among others: the numbers are those of containerd's cgroups.
        check("io.containerd.cgroups.v1.Metrics", b"\x12\x02\x08\x01\x4a\x04\x10\x01\x18\x03", 3);
        check("io.containerd.cgroups.v2.Metrics", b"\x0a\x02\x08\x01\x42\x04\x20\x09\x28\x02", 2);
        check("io.containerd.cgroups.v2.Metrics", b"", 0);
        check("io.containerd.cgroups.v2.Metrics", b"\x42\xff", 0);
        check("runsc.Stats", b"\x42\x02\x28\x02", 0);
    }
}
