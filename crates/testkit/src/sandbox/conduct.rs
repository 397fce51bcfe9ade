//! How a fake sandbox behaves once it is called.

use std::io::{IoSlice, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::reply::{idle, point, reply};

/// What a dripping sandbox waits between two bytes.
const DRIP: Duration = Duration::from_millis(10);

/// What a sandbox does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Answers rightly, as one that sleeps.
    Idle,
    /// Answers rightly, with all that it registered.
    Busy,
    /// Answers rightly, with descriptors attached.
    Descriptors,
    /// Answers rightly, was restored and says what that saved.
    Restored,
    /// Listens and never accepts.
    NeverAccepts,
    /// Accepts and never reads.
    NeverReads,
    /// Sends half an answer and stops.
    StopsHalfway,
    /// Sends half an answer and closes.
    ClosesHalfway,
    /// Closes at once.
    ClosesAtOnce,
    /// Sends a byte now and then.
    Drips,
    /// Sends a string without end.
    EndlessString,
    /// Sends arrays within arrays.
    Deep,
    /// Sends `null` for a point.
    Nulls,
    /// Sends numbers that no integer holds.
    ExtremeNumbers,
    /// Lets its counters fall, written as integers.
    Falls,
    /// Lets them fall, written as floats.
    FallsInFloats,
    /// Sends labels that were not registered.
    UndeclaredLabels,
    /// Says that it is another sandbox.
    ForeignLabels,
    /// Sends a metric that was not registered.
    UnknownMetric,
    /// Sends the same point over and over.
    Floods,
    /// Sends what is not JSON.
    Garbage,
    /// Comes from the future.
    Future,
    /// Another process answers for it.
    WrongPeer,
    /// Has no socket.
    NoSocket,
}

impl Conduct {
    /// Every kind that is not honest.
    pub const HOSTILE: [Self; 20] = [
        Self::NeverAccepts,
        Self::NeverReads,
        Self::StopsHalfway,
        Self::ClosesHalfway,
        Self::ClosesAtOnce,
        Self::Drips,
        Self::EndlessString,
        Self::Deep,
        Self::Nulls,
        Self::ExtremeNumbers,
        Self::Falls,
        Self::FallsInFloats,
        Self::UndeclaredLabels,
        Self::ForeignLabels,
        Self::UnknownMetric,
        Self::Floods,
        Self::Garbage,
        Self::Future,
        Self::WrongPeer,
        Self::NoSocket,
    ];

    /// Answers one call; `call` counts from 1. Errors mean that the caller has gone.
    pub(super) async fn answer(self, mut stream: UnixStream, call: i64) {
        let mut request = [0; 4 * 1024];
        let length = match self {
            Self::NeverReads => std::future::pending().await,
            Self::ClosesAtOnce => return,
            _ => stream.read(&mut request).await.unwrap_or(0),
        };
        if length == 0 {
            return;
        }
        match self {
            Self::Restored if is_about_savings(&request[..length]) => {
                let text = r#"{"success":true,"err":"","result":{"CPUTimeSaved":1500000000,
                    "WallTimeSaved":2500000000}}"#;
                let _ = stream.write_all(text.as_bytes()).await;
            }
            Self::Descriptors => attach(&stream, &reply(&idle(call))).await,
            Self::StopsHalfway => {
                let text = reply(&idle(call));
                let _ = stream.write_all(&text.as_bytes()[..text.len() / 2]).await;
                std::future::pending::<()>().await;
            }
            Self::Drips => {
                for byte in reply(&idle(call)).bytes() {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(DRIP).await;
                }
            }
            Self::Floods => {
                let piece = (point(20, "1") + ",").repeat(100);
                let start = reply("").replace("]}}}", "");
                let mut is_open = stream.write_all(start.as_bytes()).await.is_ok();
                while is_open {
                    is_open = stream.write_all(piece.as_bytes()).await.is_ok();
                }
            }
            Self::EndlessString => {
                let start = b"{\"new\":\"";
                let _ = stream.write_all(start).await;
                while stream.write_all(&[b'x'; 4 * 1024]).await.is_ok() {}
            }
            _ => {
                if stream.write_all(self.text(call).as_bytes()).await.is_ok() {
                    // An honest server waits for the next call.
                    let _ = stream.read(&mut request).await;
                }
            }
        }
    }

    /// The answer of those that send it in one piece.
    fn text(self, call: i64) -> String {
        let good = || reply(&idle(call));
        let with = |point: &str| reply(&format!("{},{point}", idle(call)));
        match self {
            Self::ClosesHalfway => {
                let text = good();
                text[..text.len() / 2].to_owned()
            }
            Self::Deep => format!("{{\"new\":{}", "[".repeat(1024 * 1024)),
            Self::Nulls => with("null"),
            Self::ExtremeNumbers => with(&point(20, "99999999999999999999999999999999")),
            Self::Falls => reply(&point(0, &(1_000 - call).to_string())),
            Self::FallsInFloats => {
                let value = format!("{}.0", 1_000 - call);
                reply(&point(0, &value).replace("\"int\"", "\"float\""))
            }
            Self::UndeclaredLabels => {
                with(&point(20, "1").replace("\"val\"", "\"labels\":{\"pod_name\":\"x\"},\"val\""))
            }
            Self::ForeignLabels => {
                let external = "\"external_labels\":{\"sandbox\":\"honest-0\"},\"val\"";
                with(&point(20, "1").replace("\"val\"", external))
            }
            Self::UnknownMetric => {
                with(&point(20, "1").replace("netstack_some", "meta_sandbox_running"))
            }
            Self::Garbage => "HTTP/1.1 200 OK\r\n\r\n<html>".to_owned(),
            Self::Future => good().replace("\"when\":\"20", "\"when\":\"21"),
            _ => good(),
        }
    }
}

/// Whether a request is for what a restore saved.
fn is_about_savings(request: &[u8]) -> bool {
    let request: Option<serde_json::Value> = serde_json::from_slice(request).ok();
    request.is_some_and(|request| request["method"] == "containerManager.GetSavings")
}

/// Sends an answer with open files attached to its first byte.
async fn attach(stream: &UnixStream, text: &str) {
    let Ok(()) = stream.writable().await else { return };
    let mut file = tempfile::tempfile().expect("a file");
    let _ = file.write_all(b"x");
    let files = [file.as_fd(); 16];
    let mut space = [std::mem::MaybeUninit::uninit(); 256];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&files)), "there is room");
    let bytes = [IoSlice::new(text.as_bytes())];
    let _ = sendmsg(stream, &bytes, &mut control, SendFlags::empty());
}
