//! What one client may cost.

use std::time::Duration;

/// Bounds of a server, for every client alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a client may take to send a request's head, counted from the connection or from
    /// the answer before it; so an idle connection is closed after this long.
    pub header_timeout: Duration,
    /// How long a handler, with the body it reads, may take; then the client gets 503.
    pub answer_timeout: Duration,
    /// How long a client may leave a part of an answer unread; then its connection is closed.
    pub write_timeout: Duration,
    /// How many connections are served at once; others wait to be accepted.
    pub connections_max: usize,
    /// How many bytes of a request's head are read; then the client gets 431.
    pub head_size_max: usize,
    /// How long running requests may go on after a stop was asked for.
    pub stop_timeout: Duration,
}

impl Limits {
    /// Go's services ask for 5 to 30 s; a head is one packet or two.
    pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
    /// Prometheus gives up after at most a minute by habit (its default is 10 s).
    pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
    /// As long as a whole answer may take.
    pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
    /// Far more than scrapers and people need, and a quarter of the usual limit of 1,024 files.
    pub const CONNECTIONS_MAX: usize = 256;
    /// As in Apache and nginx (8 kB per line), with room for two long lines.
    pub const HEAD_SIZE_MAX: usize = 16 * 1024;
    /// Within the 15 s in which a service must have stopped.
    pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Self::HEADER_TIMEOUT,
            answer_timeout: Self::ANSWER_TIMEOUT,
            write_timeout: Self::WRITE_TIMEOUT,
            connections_max: Self::CONNECTIONS_MAX,
            head_size_max: Self::HEAD_SIZE_MAX,
            stop_timeout: Self::STOP_TIMEOUT,
        }
    }
}
