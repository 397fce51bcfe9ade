//! Removes what a container of a managed namespace has left: its processes, its task and shim, and
//! the FIFOs of its streams.
//!
//! As containerd's own client does it: wait first, so that the end is not missed; kill everything;
//! open the FIFOs and drain them, or a process that writes into one never ends; delete, and delete
//! once more at the task service, so that no shim stays behind. That something is gone already, or
//! being removed by another, is success.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tracing::debug;

use pratique_containerd::{Error as RuntimeError, Task, TaskStatus};

use crate::handler::HandlerError;
use crate::runtime::Runtime;

/// How much is read from a FIFO at a time: what a pipe holds.
const DRAIN_BYTES: usize = 64 << 10;

/// Removes a task and everything around it.
pub(crate) async fn reap<R: Runtime>(
    runtime: &R,
    namespace: &str,
    id: &str,
) -> Result<(), HandlerError> {
    let task = match runtime.task(namespace, id).await {
        Ok(task) => task,
        Err(error) if is_done(&error) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let fifos = fifos(&task);
    let drains = fifos.iter().map(|path| drain(path)).collect::<io::Result<Vec<_>>>();
    let drains = drains.map_err(HandlerError::Fifo)?;
    let drained = async {
        for drain in drains.into_iter().flatten() {
            empty(drain).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = end(runtime, namespace, id, &task) => ended?,
        () = drained => {}
    }
    match runtime.delete_task(namespace, id).await {
        Ok(()) => debug!("{namespace:?} {id:?}: its task is removed"),
        Err(error) if is_done(&error) => {
            debug!("{namespace:?} {id:?}: its task needed no removal: {error}");
        }
        Err(error) => return Err(error.into()),
    }
    allow_done(runtime.delete_task(namespace, id).await)?;
    remove_folder(&fifos).map_err(HandlerError::Fifo)
}

/// Ends all processes and waits until the first one has.
async fn end<R: Runtime>(
    runtime: &R,
    namespace: &str,
    id: &str,
    task: &Task,
) -> Result<(), RuntimeError> {
    let mut waiting = pin!(runtime.wait(namespace, id));
    tokio::select! {
        biased;
        ended = &mut waiting => allow_done(ended.map(|_| ())),
        killed = runtime.kill(namespace, id) => {
            allow_done(killed)?;
            if task.status == TaskStatus::Created {
                // It never began, so nothing will end.
                return Ok(());
            }
            allow_done(waiting.await.map(|_| ()))
        }
    }
}

fn allow_done(result: Result<(), RuntimeError>) -> Result<(), RuntimeError> {
    match result {
        Err(error) if !is_done(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether an error says that there is nothing left to do.
fn is_done(error: &RuntimeError) -> bool {
    matches!(error, RuntimeError::NotFound { .. } | RuntimeError::FailedPrecondition { .. })
}

/// The FIFOs of a task; other ways of its streams (files, programs) are not ours to touch.
fn fifos(task: &Task) -> Vec<PathBuf> {
    use std::os::unix::fs::FileTypeExt as _;

    let is_fifo = |path: &PathBuf| {
        path.is_absolute()
            && std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
    };
    [&task.stdin, &task.stdout, &task.stderr]
        .into_iter()
        .map(PathBuf::from)
        .filter(is_fifo)
        .collect()
}

/// Opens a FIFO for reading; `None` when it is gone.
fn drain(path: &Path) -> io::Result<Option<pipe::Receiver>> {
    match pipe::OpenOptions::new().open_receiver(path) {
        Ok(receiver) => Ok(Some(receiver)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads until everybody who wrote has gone.
async fn empty(mut fifo: pipe::Receiver) {
    let mut bytes = vec![0; DRAIN_BYTES];
    while fifo.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
}

/// Removes the folder that a client made for the FIFOs, if nothing else is in it.
fn remove_folder(fifos: &[PathBuf]) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    for fifo in fifos {
        gone(std::fs::remove_file(fifo))?;
    }
    let Some(folder) = fifos.first().and_then(|fifo| fifo.parent()) else { return Ok(()) };
    match gone(std::fs::remove_dir(folder)) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        result => result,
    }
}
