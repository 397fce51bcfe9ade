//! A web server on the loopback over a folder, which misbehaves on demand.
//!
//! Files are served with an `ETag` made from their content, a matching `If-None-Match` gets a 304,
//! a `Range` its bytes, and what is not there a 404. A file is read when it is asked for, so its
//! content may be replaced at any time. For a path, answers can be scripted: they are given one by
//! one, and after the last one the folder answers again; or one answer is given until it is taken
//! back. Each connection carries one request. What is under way is counted, so that a test can
//! stop a client in the middle of something.

mod answer;
mod bomb;

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use self::bomb::{gzip_bomb, zip_bomb};

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
    /// The folder's file, so many bytes at a time with a pause after each.
    Drip(usize, Duration),
    /// The folder's file, whole, under a `Content-Length` that differs from its own by so much.
    WrongLength(i64),
    /// A redirect to a path of this server.
    Redirect(String),
    /// A 304 that nobody's condition calls for.
    NotModified,
}

struct Shared {
    folder: PathBuf,
    state: Mutex<State>,
    /// Told of every change of the state.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    scripts: HashMap<String, VecDeque<ScriptedAnswer>>,
    always: HashMap<String, ScriptedAnswer>,
    requests: Vec<Request>,
    /// When each of them came.
    arrivals: Vec<Instant>,
    held_count: usize,
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
            changed: Condvar::new(),
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

    /// Gives one answer to every request of a path (with its query), once its script is through.
    pub fn script_always(&self, path: &str, answer: ScriptedAnswer) {
        self.shared.lock().always.insert(path.to_owned(), answer);
    }

    /// Lets the folder answer for a path again.
    pub fn unscript(&self, path: &str) {
        let mut state = self.shared.lock();
        state.scripts.remove(path);
        state.always.remove(path);
    }

    /// Waits until a path has been asked for so many times in all.
    ///
    /// # Panics
    /// When that does not happen within the deadline.
    pub fn wait_for_requests(&self, path: &str, count: usize, deadline: Duration) {
        self.wait_until(deadline, &format!("{count} requests of {path}"), |state| {
            state.requests.iter().filter(|request| request.path == path).count() >= count
        });
    }

    /// Waits until so many answers hang: silent, stalled, or in a pause of a drip.
    ///
    /// # Panics
    /// When that does not happen within the deadline.
    pub fn wait_for_held(&self, count: usize, deadline: Duration) {
        self.wait_until(deadline, &format!("{count} held answers"), |state| {
            state.held_count >= count
        });
    }

    /// When a path was asked for, oldest first.
    pub fn arrivals(&self, path: &str) -> Vec<Instant> {
        let state = self.shared.lock();
        let requests = state.requests.iter().zip(&state.arrivals);
        requests.filter(|(request, _)| request.path == path).map(|(_, at)| *at).collect()
    }

    fn wait_until(&self, deadline: Duration, what: &str, is_there: impl Fn(&State) -> bool) {
        let state = self.shared.lock();
        let waiting =
            self.shared.changed.wait_timeout_while(state, deadline, |state| !is_there(state));
        let (state, timeout) = waiting.unwrap_or_else(PoisonError::into_inner);
        let requests = &state.requests;
        assert!(!timeout.timed_out(), "waited {deadline:?} for {what}; had: {requests:#?}");
    }

    /// The requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        self.shared.lock().is_stopping = true;
        self.shared.changed.notify_all();
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
            #[expect(clippy::disallowed_methods, reason = "when a real request came")]
            state.arrivals.push(Instant::now());
            self.changed.notify_all();
            let scripted = state.scripts.get_mut(&request.path).and_then(VecDeque::pop_front);
            scripted.or_else(|| state.always.get(&request.path).cloned())
        };
        let _ = self.answer(&mut stream, &request, answer);
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// Holds a connection open until the server stops.
    fn hold(&self) {
        self.pause(Duration::MAX);
    }

    /// Holds a connection open for so long, or until the server stops.
    fn pause(&self, duration: Duration) {
        let mut state = self.lock();
        state.held_count += 1;
        self.changed.notify_all();
        let waiting = self.changed.wait_timeout_while(state, duration, |state| !state.is_stopping);
        let (mut state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        state.held_count -= 1;
    }
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

#[cfg(test)]
mod tests;
