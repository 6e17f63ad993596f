//! Cutting messages out of a stream (RFC 3261 §18.3).

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::name::Known;
use super::{MAX_BODY, MAX_HEAD, scan};

/// Cuts messages out of the bytes of one TCP or TLS connection, by Content-Length. Feed it what arrives and take
/// until [`Framer::next`] gives `None`.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How much of the buffer was already searched for the end of the header section.
    searched: usize,
    /// Length of the header section and of the whole message, once known.
    message: Option<usize>,
    /// Line ends seen before a message, for telling a ping from a pong.
    blank: usize,
    broken: Option<StreamError>,
}

/// What came out of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// One whole message, for [`Message::parse`](super::Message::parse).
    Message(Bytes),
    /// A double CRLF: the peer asks whether we live; answer with one CRLF (RFC 5626 §3.5.1).
    Ping,
    /// A single CRLF: the answer to our ping. It is told from half a ping by what follows, so at the end of what
    /// has arrived it is held back; that bytes arrived at all shows that the peer lives.
    Pong,
}

/// Why a stream cannot go on: where the next message begins is unknown, so the connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamError {
    /// The header section is longer than [`MAX_HEAD`].
    HeadTooLarge,
    /// The body is longer than [`MAX_BODY`].
    BodyTooLarge,
    /// Content-Length is no number, or says two things.
    ContentLength,
    /// What should be a start line cannot be one.
    NotSip,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StreamError::HeadTooLarge => "the header section is too large",
            StreamError::BodyTooLarge => "the body is too large",
            StreamError::ContentLength => "Content-Length cannot be read",
            StreamError::NotSip => "this is not SIP",
        })
    }
}

impl std::error::Error for StreamError {}

impl Framer {
    /// For a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next frame; `None` when more bytes are needed. After an error it stays an error.
    #[allow(clippy::should_implement_trait, reason = "an iterator that ends is not one that waits for more bytes")]
    pub fn next(&mut self) -> Result<Option<Frame>, StreamError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let next = self.advance();
        if let Err(error) = next {
            self.broken = Some(error);
            self.buffer = BytesMut::new();
        }
        next
    }

    /// How many bytes wait for the rest of their message.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    fn advance(&mut self) -> Result<Option<Frame>, StreamError> {
        if self.message.is_none() {
            if let Some(frame) = self.blank_lines() {
                return Ok(Some(frame));
            }
            if !starts_like_sip(&self.buffer) {
                return Err(StreamError::NotSip);
            }
            let Some(head) = self.head_end() else {
                return if self.buffer.len() > MAX_HEAD { Err(StreamError::HeadTooLarge) } else { Ok(None) };
            };
            if head > MAX_HEAD {
                return Err(StreamError::HeadTooLarge);
            }
            let body = content_length(self.buffer.get(..head).unwrap_or_default())?;
            if body > MAX_BODY {
                return Err(StreamError::BodyTooLarge);
            }
            self.message = Some(head + body);
        }
        match self.message {
            Some(length) if self.buffer.len() >= length => {
                self.message = None;
                self.searched = 0;
                Ok(Some(Frame::Message(self.buffer.split_to(length).freeze())))
            }
            _ => Ok(None),
        }
    }

    /// Takes line ends before a message: two are a ping, one that something else follows is a pong.
    fn blank_lines(&mut self) -> Option<Frame> {
        loop {
            let taken = match (self.buffer.first(), self.buffer.get(1)) {
                (Some(b'\r'), Some(b'\n')) => 2,
                (Some(b'\n'), _) => 1,
                (Some(b'\r'), None) => return None,
                _ => break,
            };
            let _ = self.buffer.split_to(taken);
            self.searched = 0;
            self.blank += 1;
            if self.blank == 2 {
                self.blank = 0;
                return Some(Frame::Ping);
            }
        }
        if self.blank == 1 && !self.buffer.is_empty() {
            self.blank = 0;
            return Some(Frame::Pong);
        }
        None
    }

    /// Where the header section ends, its empty line included.
    fn head_end(&mut self) -> Option<usize> {
        let from = self.searched.saturating_sub(3);
        let bytes = self.buffer.get(from..).unwrap_or_default();
        let mut before = 0u8;
        let mut before_that = 0u8;
        for (index, &byte) in bytes.iter().enumerate() {
            if byte == b'\n' && (before == b'\n' || before == b'\r' && before_that == b'\n') {
                return Some(from + index + 1);
            }
            (before_that, before) = (before, byte);
        }
        self.searched = self.buffer.len();
        None
    }
}

/// Whether a start line can begin so: with a token character. A carriage return may become a line end yet.
fn starts_like_sip(bytes: &[u8]) -> bool {
    match bytes {
        [] | [b'\r'] => true,
        [first, ..] => scan::is_token_byte(*first),
    }
}

fn content_length(head: &[u8]) -> Result<usize, StreamError> {
    let mut found = None;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line.get(..colon).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        if Known::read(name.trim_end_matches([' ', '\t'])) != Some(Known::ContentLength) {
            continue;
        }
        let value = line.get(colon + 1..).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
        let value = scan::number(value.trim_matches([' ', '\t', '\r'])).and_then(|value| usize::try_from(value).ok());
        match (value, found) {
            (None, _) => return Err(StreamError::ContentLength),
            (Some(value), Some(before)) if value != before => return Err(StreamError::ContentLength),
            (Some(value), _) => found = Some(value),
        }
    }
    // Without Content-Length there is no body (RFC 3261 §20.14 asks for it on streams).
    Ok(found.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = "OPTIONS sip:a SIP/2.0\r\nl : 3\r\n\r\nabc";

    fn fed(text: &str) -> Framer {
        let mut framer = Framer::new();
        framer.feed(text.as_bytes());
        framer
    }

    #[test]
    fn a_ping_in_pieces_is_one_ping() {
        let mut framer = Framer::new();
        for byte in b"\r\n\r" {
            framer.feed(&[*byte]);
            assert_eq!(framer.next(), Ok(None));
        }
        framer.feed(b"\n");
        assert_eq!(framer.next(), Ok(Some(Frame::Ping)));
        assert_eq!(framer.next(), Ok(None));
        framer.feed(format!("\r\n{OPTIONS}").as_bytes());
        assert_eq!(framer.next(), Ok(Some(Frame::Pong)));
        assert_eq!(framer.next(), Ok(Some(Frame::Message(Bytes::from(OPTIONS)))));
    }

    #[test]
    fn a_message_waits_for_its_last_byte() {
        let mut framer = fed(&OPTIONS[..OPTIONS.len() - 1]);
        assert_eq!(framer.next(), Ok(None));
        assert!(framer.pending() > 0);
        framer.feed(b"c");
        assert_eq!(framer.next(), Ok(Some(Frame::Message(Bytes::from(OPTIONS)))));
        assert_eq!(framer.pending(), 0);
    }

    #[test]
    fn a_stream_whose_next_message_cannot_be_found_is_broken_for_good() {
        let endless = format!("OPTIONS sip:a SIP/2.0\r\n{}", "X: y\r\n".repeat(MAX_HEAD / 6));
        for (text, error) in [
            ("\x16\x03\x01", StreamError::NotSip),
            ("\rX", StreamError::NotSip),
            ("A b c\r\nl:1\r\nContent-Length: 2\r\n\r\n", StreamError::ContentLength),
            ("A b c\r\nl:-1\r\n\r\n", StreamError::ContentLength),
            ("A b c\r\nl:99999999999999999999\r\n\r\n", StreamError::ContentLength),
            ("A b c\r\nl:65537\r\n\r\n", StreamError::BodyTooLarge),
            (endless.as_str(), StreamError::HeadTooLarge),
        ] {
            let mut framer = fed(text);
            assert_eq!(framer.next(), Err(error), "{:?}", text.get(..40));
            framer.feed(OPTIONS.as_bytes());
            assert_eq!(framer.next(), Err(error));
            assert_eq!(framer.pending(), 0);
        }
    }
}
