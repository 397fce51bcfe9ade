//! What goes back over a connection: the folder's answer, or the one that was scripted.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::{Request, ScriptedAnswer, Shared};

impl Shared {
    pub(super) fn answer(
        &self,
        stream: &mut TcpStream,
        request: &Request,
        answer: Option<ScriptedAnswer>,
    ) -> io::Result<()> {
        match answer {
            Some(ScriptedAnswer::Status(status, headers)) => {
                stream.write_all(&head(status, &headers, Some(0)))
            }
            Some(ScriptedAnswer::Redirect(path)) => {
                stream.write_all(&head(302, &[("Location", path)], Some(0)))
            }
            Some(ScriptedAnswer::NotModified) => stream.write_all(&head(304, &[], None)),
            Some(ScriptedAnswer::Body(body, headers)) => {
                let is_given = headers
                    .iter()
                    .any(|(name, _)| matches!(*name, "Content-Length" | "Transfer-Encoding"));
                stream.write_all(&head(200, &headers, (!is_given).then_some(body.len())))?;
                stream.write_all(&body)
            }
            Some(ScriptedAnswer::Silence) => {
                self.hold();
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
    ) -> io::Result<()> {
        let path = request.path.split('?').next().unwrap_or_default();
        let is_inside = !path.split('/').any(|part| part == "..");
        let file = self.folder.join(path.trim_start_matches('/'));
        let Some(body) = is_inside.then(|| std::fs::read(file).ok()).flatten() else {
            return stream.write_all(&head(404, &[], Some(0)));
        };
        let headers = vec![("ETag", etag(&body))];
        if request.headers.get("if-none-match") == Some(&headers[0].1) {
            return stream.write_all(&head(304, &headers, None));
        }
        match twist {
            Some(twist) => self.twisted(stream, &body, headers, twist),
            None => match request.headers.get("range") {
                Some(range) => ranged(stream, &body, headers, range),
                None => whole(stream, &body, &headers),
            },
        }
    }

    /// The folder's file in one of the ways in which servers and lines spoil it.
    fn twisted(
        &self,
        stream: &mut TcpStream,
        body: &[u8],
        mut headers: Vec<(&'static str, String)>,
        twist: &ScriptedAnswer,
    ) -> io::Result<()> {
        match twist {
            ScriptedAnswer::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(body)?;
                headers.push(("Content-Encoding", "gzip".to_owned()));
                whole(stream, &encoder.finish()?, &headers)
            }
            ScriptedAnswer::Unmeasured => {
                stream.write_all(&head(200, &headers, None))?;
                stream.write_all(body)
            }
            ScriptedAnswer::WrongLength(difference) => {
                let length = i64::try_from(body.len()).unwrap_or(i64::MAX) + difference;
                let length = usize::try_from(length).unwrap_or_default();
                stream.write_all(&head(200, &headers, Some(length)))?;
                stream.write_all(body)
            }
            ScriptedAnswer::Cut(count) | ScriptedAnswer::Stall(count) => {
                stream.write_all(&head(200, &headers, Some(body.len())))?;
                stream.write_all(body.get(..*count).unwrap_or(body))?;
                if matches!(twist, ScriptedAnswer::Stall(_)) {
                    self.hold();
                }
                Ok(())
            }
            ScriptedAnswer::Drip(count, pause) => {
                stream.write_all(&head(200, &headers, Some(body.len())))?;
                self.drip(stream, body, *count, *pause)
            }
            _ => whole(stream, body, &headers),
        }
    }

    fn drip(
        &self,
        stream: &mut TcpStream,
        body: &[u8],
        count: usize,
        pause: Duration,
    ) -> io::Result<()> {
        for piece in body.chunks(count.max(1)) {
            stream.write_all(piece)?;
            self.pause(pause);
            if self.lock().is_stopping {
                break;
            }
        }
        Ok(())
    }
}

fn whole(
    stream: &mut TcpStream,
    body: &[u8],
    headers: &[(&'static str, String)],
) -> io::Result<()> {
    stream.write_all(&head(200, headers, Some(body.len())))?;
    stream.write_all(body)
}

/// One range as RFC 9110 (14.1.2) has it; a header that names no range, or several, is ignored.
fn ranged(
    stream: &mut TcpStream,
    body: &[u8],
    mut headers: Vec<(&'static str, String)>,
    range: &str,
) -> io::Result<()> {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|text| text.split_once('-'))
    else {
        return whole(stream, body, &headers);
    };
    let (start, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(start), Ok(last)) => (start, last.saturating_add(1).min(body.len())),
        (Ok(start), Err(_)) if last.is_empty() => (start, body.len()),
        (Err(_), Ok(count)) if first.is_empty() => (body.len().saturating_sub(count), body.len()),
        _ => return whole(stream, body, &headers),
    };
    let Some(piece) = body.get(start..end).filter(|piece| !piece.is_empty()) else {
        headers.push(("Content-Range", format!("bytes */{}", body.len())));
        return stream.write_all(&head(416, &headers, Some(0)));
    };
    headers.push(("Content-Range", format!("bytes {start}-{}/{}", end - 1, body.len())));
    stream.write_all(&head(206, &headers, Some(piece.len())))?;
    stream.write_all(piece)
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
