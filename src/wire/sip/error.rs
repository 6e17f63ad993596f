//! What was wrong with a message, and what to answer.

use std::fmt;

use super::{Headers, Method, Name, Response, Status};

/// What is wrong with a message, a header value or a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// More bytes than [`MAX_MESSAGE`](super::MAX_MESSAGE).
    TooLarge,
    /// The header section is longer than [`MAX_HEAD`](super::MAX_HEAD).
    HeadTooLarge,
    /// More header fields than [`MAX_FIELDS`](super::MAX_FIELDS).
    TooManyFields,
    /// Nothing but line ends: a keep-alive, or an empty datagram.
    Empty,
    /// The header section does not end with an empty line.
    Unfinished,
    /// The header section is not UTF-8.
    NotUtf8,
    /// A control character, or a carriage return without line feed.
    Control,
    /// Neither a request line nor a status line.
    StartLine,
    /// A SIP version other than 2.0.
    Version,
    /// A status code outside 100 to 699.
    Status,
    /// The URI is malformed.
    Uri,
    /// The Request-URI carries headers, which belong to other places (RFC 3261 §19.1.1).
    UriHeaders,
    /// The URI is longer than [`MAX_URI`](super::MAX_URI).
    UriTooLong,
    /// A host is neither a name nor an address.
    Host,
    /// A port is not a number up to 65535.
    Port,
    /// Parameters are malformed.
    Params,
    /// A quoted string does not close.
    Quotes,
    /// A line of the header section is no `name: value`.
    Field,
    /// A header that must be there is missing.
    Missing(&'static str),
    /// A header that may stand once stands more than once.
    Repeated(&'static str),
    /// A Via value is malformed.
    Via,
    /// A From, To, Contact, Route or similar is malformed.
    NameAddr,
    /// The Call-ID is empty or has white space in it.
    CallId,
    /// The CSeq is no number below 2³¹ and a method.
    CSeq,
    /// The CSeq names another method than the request line (RFC 3261 §8.1.1.5).
    CSeqMethod,
    /// Max-Forwards is no number up to 255.
    MaxForwards,
    /// Content-Length is no number.
    ContentLength,
    /// The body is shorter than Content-Length says.
    BodyTooShort,
}

impl Problem {
    /// The status that a server answers.
    pub const fn status(self) -> Status {
        match self {
            Problem::TooLarge | Problem::HeadTooLarge => Status::MESSAGE_TOO_LARGE,
            Problem::UriTooLong => Status::REQUEST_URI_TOO_LONG,
            Problem::Version => Status::VERSION_NOT_SUPPORTED,
            _ => Status::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self {
            Problem::TooLarge => "the message is too large",
            Problem::HeadTooLarge => "the header section is too large",
            Problem::TooManyFields => "too many header fields",
            Problem::Empty => "no message, only line ends",
            Problem::Unfinished => "the header section does not end with an empty line",
            Problem::NotUtf8 => "the header section is not UTF-8",
            Problem::Control => "a control character in the header section",
            Problem::StartLine => "neither a request line nor a status line",
            Problem::Version => "not SIP/2.0",
            Problem::Status => "the status code is not between 100 and 699",
            Problem::Uri => "malformed URI",
            Problem::UriHeaders => "headers in the Request-URI",
            Problem::UriTooLong => "the URI is too long",
            Problem::Host => "malformed host",
            Problem::Port => "malformed port",
            Problem::Params => "malformed parameters",
            Problem::Quotes => "a quoted string does not close",
            Problem::Field => "a header line without a name and a colon",
            Problem::Missing(name) => return write!(f, "{name} is missing"),
            Problem::Repeated(name) => return write!(f, "{name} stands more than once"),
            Problem::Via => "malformed Via",
            Problem::NameAddr => "malformed name and address",
            Problem::CallId => "malformed Call-ID",
            Problem::CSeq => "malformed CSeq",
            Problem::CSeqMethod => "CSeq names another method",
            Problem::MaxForwards => "malformed Max-Forwards",
            Problem::ContentLength => "malformed Content-Length",
            Problem::BodyTooShort => "the body is shorter than Content-Length",
        };
        f.write_str(line)
    }
}

impl std::error::Error for Problem {}

/// Why a message was refused, with what could be read of it.
#[derive(Debug, Clone)]
pub struct ParseError {
    /// What was wrong first.
    pub problem: Problem,
    /// Where, when it was in a header field.
    pub field: Option<Name>,
    /// The method, when a request line was recognised; `None` for responses and for noise.
    pub method: Option<Method>,
    /// The Via, From, To, Call-ID and CSeq fields that could be found, as they were written.
    pub readable: Box<Headers>,
}

impl ParseError {
    /// The status that a server answers (RFC 3261 §21.4.1, §21.5.6, §21.5.7).
    pub fn status(&self) -> Status {
        self.problem.status()
    }

    /// The answer, made without state: `None` when the message must be dropped, because it is a response, an
    /// ACK or noise, or has no Via. It repeats what there is of From, To, Call-ID and CSeq: by branch and CSeq alone
    /// a client finds its transaction (RFC 3261 §17.1.3). Where the topmost Via cannot be read, the answer goes to
    /// where the request came from; the To tag and `received` are the caller's to add.
    pub fn response(&self) -> Option<Response> {
        match &self.method {
            None | Some(Method::Ack) => return None,
            Some(_) => {}
        }
        let readable = &self.readable;
        readable.get(Name::Via)?;
        let mut response = Response::new(self.status());
        let reason = match &self.field {
            Some(name) => format!("{}: {} in {name}", self.status().reason(), self.problem),
            None => format!("{}: {}", self.status().reason(), self.problem),
        };
        response.reason = reason.into();
        response.headers = Headers::clone(readable);
        Some(response)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(name) => write!(f, "{} in {name}", self.problem),
            None => write!(f, "{}", self.problem),
        }
    }
}

impl std::error::Error for ParseError {}
