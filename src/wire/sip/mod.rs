//! SIP messages (RFC 3261): an index-first reader, typed values, a writer.
//!
//! ```text
//! Bytes ── Message::parse ──► Request | Response ── Headers ──► Via, NameAddr, CSeq, Uri …
//!   ▲                           │         └ ParseError ── response() ──► 400, 505, 513 … or silence
//!   └───────── to_bytes ────────┘
//! ```
//!
//! Reading copies nothing: a message shares the bytes it came in, and typed values share them too. Every text is
//! UTF-8. Nothing here panics, whatever the bytes.

mod cseq;
mod error;
mod framer;
mod headers;
mod host;
mod message;
mod method;
mod name;
mod name_addr;
mod params;
mod read;
mod scan;
mod status;
mod text;
mod uri;
mod via;

pub use cseq::CSeq;
pub use error::{ParseError, Problem};
pub use framer::{Frame, Framer, StreamError};
pub use headers::Headers;
pub use host::Host;
pub use message::{Message, Request, Response};
pub use method::Method;
pub use name::{Known, Name};
pub use name_addr::NameAddr;
pub use params::Params;
pub use scan::{Elements, quote, unescape, unquote};
pub use status::Status;
pub use text::Text;
pub use uri::{Scheme, Uri, escape_user};
pub use via::{MAGIC_COOKIE, Transport, Via};

/// Longest message, in bytes: what one UDP datagram can carry. More: memory for senders who mean harm. Less: large
/// requests with many identities are refused.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Longest header section, in bytes. More: a stream may fill memory before it shows a message. Less: long routes
/// and Identity headers are refused.
pub const MAX_HEAD: usize = 64 * 1024;

/// Longest body on a stream, in bytes. More: memory per connection. Less: large multipart bodies end the connection.
pub const MAX_BODY: usize = 64 * 1024;

/// Most header fields of one message. More: time for senders who mean harm. Less: requests that crossed many
/// proxies are refused; seventy Via and as many Record-Route still fit.
pub const MAX_FIELDS: usize = 256;

/// Longest URI, in bytes; longer is 414. More: nothing anyone needs. Less: URIs with embedded headers are refused.
pub const MAX_URI: usize = 8 * 1024;

/// Most parameters of one URI or one header value. More: comparing URIs costs the square of it. Less: odd but honest
/// Contact headers are refused.
pub const MAX_PARAMS: usize = 64;

#[cfg(test)]
mod differential;
#[cfg(test)]
mod properties;
