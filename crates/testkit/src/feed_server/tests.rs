//! The server over a real connection.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::{FeedServer, ScriptedAnswer};

const DEADLINE: Duration = Duration::from_secs(20);

struct Bed {
    _folder: tempfile::TempDir,
    server: FeedServer,
}

fn bed() -> Bed {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    fs::write(folder.path().join("feed"), "0123456789").expect("can be written");
    let server = FeedServer::start(folder.path());
    Bed { _folder: folder, server }
}

impl Bed {
    fn connect(&self, headers: &str) -> TcpStream {
        let address = self.server.url("").replace("http://", "");
        let mut stream = TcpStream::connect(address).expect("the server listens");
        write!(stream, "GET /feed HTTP/1.1\r\nHost: x\r\n{headers}\r\n").expect("it reads");
        stream
    }

    #[track_caller]
    fn check(&self, headers: &str, status: &str, header: &str, body: &str) {
        let mut text = String::new();
        self.connect(headers).read_to_string(&mut text).expect("an answer");
        let (head, got) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{headers:?}: {head}");
        assert!(head.contains(header), "{headers:?}: {head}");
        assert_eq!(got, body, "{headers:?}");
    }
}

#[test]
fn a_range_gets_its_bytes() {
    let bed = bed();
    bed.check("Range: bytes=2-4\r\n", "206", "Content-Range: bytes 2-4/10", "234");
    bed.check("Range: bytes=8-\r\n", "206", "Content-Range: bytes 8-9/10", "89");
    bed.check("Range: bytes=0-99\r\n", "206", "Content-Length: 10", "0123456789");
    bed.check("Range: bytes=-3\r\n", "206", "Content-Range: bytes 7-9/10", "789");
    bed.check("Range: bytes=10-\r\n", "416", "Content-Range: bytes */10", "");
    bed.check("Range: bytes=1-2,4-5\r\n", "200", "Content-Length: 10", "0123456789");
}

#[test]
fn an_answer_for_ever_is_given_until_it_is_taken_back() {
    let bed = bed();
    bed.server.script_always("/feed", ScriptedAnswer::Status(503, vec![]));
    bed.server.script("/feed", ScriptedAnswer::Redirect("/feed".to_owned()));
    bed.check("", "302", "Location: /feed", "");
    bed.check("", "503", "Content-Length: 0", "");
    bed.check("", "503", "Content-Length: 0", "");
    bed.server.unscript("/feed");
    bed.check("", "200", "ETag", "0123456789");
    bed.server.wait_for_requests("/feed", 4, DEADLINE);
}

#[test]
fn lengths_lie_and_bytes_drip() {
    let bed = bed();
    bed.server.script("/feed", ScriptedAnswer::WrongLength(5));
    bed.check("", "200", "Content-Length: 15", "0123456789");
    bed.server.script("/feed", ScriptedAnswer::Drip(4, Duration::from_millis(1)));
    bed.check("", "200", "Content-Length: 10", "0123456789");
    bed.server.script("/feed", ScriptedAnswer::NotModified);
    bed.check("", "304", "Connection", "");
}

#[test]
fn an_answer_that_hangs_is_counted_while_it_does() {
    let bed = bed();
    bed.server.script("/feed", ScriptedAnswer::Stall(3));
    let mut stream = bed.connect("");
    bed.server.wait_for_held(1, DEADLINE);
    drop(bed);
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the server has ended");
    assert!(text.ends_with("\r\n\r\n012"), "{text}");
}

#[test]
fn a_bomb_is_small() {
    assert!(super::gzip_bomb(10 << 20).len() < 20 << 10);
    assert!(super::zip_bomb("x.json", 10 << 20).len() < 20 << 10);
}
