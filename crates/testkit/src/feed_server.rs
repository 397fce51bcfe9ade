//! A web server on the loopback over a folder, which misbehaves on demand.
//!
//! Files are served with an `ETag` made from their content, a matching `If-None-Match` gets a 304,
//! and what is not there a 404. For a path, answers can be scripted: they are given one by one,
//! and after the last one the folder answers again. Each connection carries one request.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// How many bytes of a request are looked at.
const REQUEST_BYTES_MAX: u64 = 64 << 10;

/// The server; it stops when it is dropped.
pub struct FeedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<thread::JoinHandle<()>>,
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Path and query, as sent.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: HashMap<String, String>,
}

/// An answer that is not the folder's.
#[derive(Clone, Debug)]
pub enum ScriptedAnswer {
    /// A status with headers and no body.
    Status(u16, Vec<(&'static str, String)>),
    /// A body with a status of 200 and headers; `Content-Length` is added unless it or
    /// `Transfer-Encoding` is given.
    Body(Vec<u8>, Vec<(&'static str, String)>),
    /// The folder's file, as `Content-Encoding: gzip`.
    Gzip,
    /// The folder's file, broken off after so many bytes.
    Cut(usize),
    /// The folder's file without `Content-Length`, ended by closing the connection.
    Unmeasured,
    /// The connection is accepted, the request is read, nothing is ever answered.
    Silence,
    /// The folder's file: so many bytes, then nothing more, with the connection open.
    Stall(usize),
}

struct Shared {
    folder: PathBuf,
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    scripts: HashMap<String, VecDeque<ScriptedAnswer>>,
    requests: Vec<Request>,
    is_stopping: bool,
}

impl FeedServer {
    /// Serves `folder` on a port of its own.
    ///
    /// # Panics
    /// When the loopback cannot be listened on.
    pub fn start(folder: impl Into<PathBuf>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback is there");
        let address = listener.local_addr().expect("the listener is bound");
        let shared = Arc::new(Shared {
            folder: folder.into(),
            state: Mutex::default(),
            stopped: Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        let listening = thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.lock().is_stopping {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared, listening: Some(listening) }
    }

    /// `http://127.0.0.1:PORT` and `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Adds an answer to the script of a path (with its query).
    pub fn script(&self, path: &str, answer: ScriptedAnswer) {
        self.shared.lock().scripts.entry(path.to_owned()).or_default().push_back(answer);
    }

    /// The requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        self.shared.lock().is_stopping = true;
        self.shared.stopped.notify_all();
        // A last connection wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one request. A client that has gone away is no failure of the server.
    fn serve(&self, mut stream: TcpStream) {
        let Some(request) = read_request(&stream) else { return };
        let answer = {
            let mut state = self.lock();
            state.requests.push(request.clone());
            state.scripts.get_mut(&request.path).and_then(VecDeque::pop_front)
        };
        let _ = self.answer(&mut stream, &request, answer);
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn answer(
        &self,
        stream: &mut TcpStream,
        request: &Request,
        answer: Option<ScriptedAnswer>,
    ) -> std::io::Result<()> {
        match answer {
            Some(ScriptedAnswer::Status(status, headers)) => {
                stream.write_all(&head(status, &headers, Some(0)))
            }
            Some(ScriptedAnswer::Body(body, headers)) => {
                let is_given = headers
                    .iter()
                    .any(|(name, _)| matches!(*name, "Content-Length" | "Transfer-Encoding"));
                stream.write_all(&head(200, &headers, (!is_given).then_some(body.len())))?;
                stream.write_all(&body)
            }
            Some(ScriptedAnswer::Silence) => {
                self.wait();
                Ok(())
            }
            other => self.folder_answer(stream, request, other.as_ref()),
        }
    }

    fn folder_answer(
        &self,
        stream: &mut TcpStream,
        request: &Request,
        twist: Option<&ScriptedAnswer>,
    ) -> std::io::Result<()> {
        let path = request.path.split('?').next().unwrap_or_default();
        let is_inside = !path.split('/').any(|part| part == "..");
        let file = self.folder.join(path.trim_start_matches('/'));
        let Some(body) = is_inside.then(|| std::fs::read(file).ok()).flatten() else {
            return stream.write_all(&head(404, &[], Some(0)));
        };
        let mut headers = vec![("ETag", etag(&body))];
        if request.headers.get("if-none-match") == Some(&headers[0].1) {
            return stream.write_all(&head(304, &headers, None));
        }
        match twist {
            Some(ScriptedAnswer::Gzip) => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&body)?;
                let body = encoder.finish()?;
                headers.push(("Content-Encoding", "gzip".to_owned()));
                stream.write_all(&head(200, &headers, Some(body.len())))?;
                stream.write_all(&body)
            }
            Some(ScriptedAnswer::Unmeasured) => {
                stream.write_all(&head(200, &headers, None))?;
                stream.write_all(&body)
            }
            Some(ScriptedAnswer::Cut(count) | ScriptedAnswer::Stall(count)) => {
                stream.write_all(&head(200, &headers, Some(body.len())))?;
                stream.write_all(body.get(..*count).unwrap_or(&body))?;
                if matches!(twist, Some(ScriptedAnswer::Stall(_))) {
                    self.wait();
                }
                Ok(())
            }
            _ => {
                stream.write_all(&head(200, &headers, Some(body.len())))?;
                stream.write_all(&body)
            }
        }
    }

    /// Holds a connection open until the server stops.
    fn wait(&self) {
        let state = self.lock();
        let waiting = self.stopped.wait_while(state, |state| !state.is_stopping);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }
}

fn head(status: u16, headers: &[(&'static str, String)], length: Option<usize>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} scripted\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if let Some(length) = length {
        let _ = write!(text, "Content-Length: {length}\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

fn etag(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    digest.iter().take(8).fold("\"".to_owned(), |text, byte| format!("{text}{byte:02x}")) + "\""
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream.take(REQUEST_BYTES_MAX)).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { path, headers })
}
