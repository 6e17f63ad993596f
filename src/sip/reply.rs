//! Responses of ours, written from what every response to one request repeats (RFC 3261 §8.2.6.2).

use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::sip::compose;
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Headers, Name, Status, Text, Via};

/// What every response to one request repeats, ready to be copied.
#[derive(Clone)]
pub struct Reply {
    /// Via, From, Call-ID and CSeq lines.
    head: String,
    /// The To value as it came.
    to: String,
    /// Whether it takes no tag of ours: it had one, or is missing from a malformed request.
    tagged: bool,
    /// Record-Route lines, for answers that make a dialog.
    record_routes: String,
    /// The Timestamp line, for 100.
    timestamp: String,
    /// Where responses go.
    pub target: Target,
    /// Where they go once the connection is gone (§18.2.2).
    pub elsewhere: Option<Target>,
}

/// What one response adds.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The status.
    pub status: Status,
    /// Words other than the registry's.
    pub reason: Option<&'a str>,
    /// Our To tag, where theirs has none; empty for 100.
    pub tag: &'a str,
    /// The Contact value; empty: none.
    pub contact: &'a str,
    /// Whether the answer makes or refreshes a dialog, and so repeats Record-Route.
    pub dialog: bool,
    /// The Server header; empty: none.
    pub server: &'a str,
    /// More header fields.
    pub headers: &'a [(Name, Text)],
    /// Content-Type and body.
    pub body: Option<(&'a str, &'a [u8])>,
}

impl<'a> Answer<'a> {
    /// A response with a status and a tag alone.
    pub const fn plain(status: Status, tag: &'a str) -> Self {
        Self { status, reason: None, tag, contact: "", dialog: false, server: "", headers: &[], body: None }
    }
}

impl Reply {
    /// Reads what responses will repeat; none without a Via. The topmost Via gains `received` and `rport` (§18.2.1,
    /// RFC 3581 §4). Of a malformed request it repeats what there is, and where its topmost Via cannot be read the
    /// answer goes to where the request came from.
    pub fn to(headers: &Headers, source: &Source) -> Option<Self> {
        headers.get(Name::Via)?;
        let mut head = String::with_capacity(512);
        let (target, elsewhere) = match headers.top_via() {
            Some(mut via) => {
                let asked = via.rport().is_some();
                if asked || via.host.ip() != Some(source.remote.ip()) {
                    via.set_received(source.remote.ip());
                }
                if asked {
                    via.set_rport(source.remote.port());
                }
                // Writing into a String cannot fail.
                let _ = write!(head, "Via: {via}\r\n");
                for value in headers.values(Name::Via).skip(1) {
                    compose::field(&mut head, "Via", value);
                }
                way_back(&via, source)
            }
            None => {
                for value in headers.fields_of(&Name::Via) {
                    compose::field(&mut head, "Via", value);
                }
                (Target::back_to(source), None)
            }
        };
        compose::field(&mut head, "From", headers.get(Name::From).unwrap_or_default());
        compose::field(&mut head, "Call-ID", headers.get(Name::CallId).unwrap_or_default());
        compose::field(&mut head, "CSeq", headers.get(Name::CSeq).unwrap_or_default());
        let mut record_routes = String::new();
        for value in headers.fields_of(&Name::RecordRoute) {
            compose::field(&mut record_routes, "Record-Route", value);
        }
        let mut timestamp = String::new();
        compose::field(&mut timestamp, "Timestamp", headers.get(Name::Timestamp).unwrap_or_default());
        let to = headers.get(Name::To).unwrap_or_default();
        let tagged = to.is_empty() || headers.to().is_some_and(|to| to.tag().is_some());
        Some(Self { head, to: to.to_owned(), tagged, record_routes, timestamp, target, elsewhere })
    }

    /// One response's bytes.
    pub fn write(&self, answer: &Answer<'_>) -> Bytes {
        let body = answer.body.map_or(&[][..], |(_, body)| body);
        let mut out = String::with_capacity(256 + self.head.len() + self.record_routes.len() + body.len());
        let reason = answer.reason.unwrap_or(answer.status.reason());
        // Writing into a String cannot fail.
        let _ = write!(out, "SIP/2.0 {} {reason}\r\n", answer.status.code());
        out.push_str(&self.head);
        if self.tagged || answer.tag.is_empty() {
            compose::field(&mut out, "To", &self.to);
        } else {
            let _ = write!(out, "To: {};tag={}\r\n", self.to, answer.tag);
        }
        if answer.dialog {
            out.push_str(&self.record_routes);
        }
        if answer.status == Status::TRYING {
            out.push_str(&self.timestamp);
        }
        compose::field(&mut out, "Contact", answer.contact);
        compose::field(&mut out, "Server", answer.server);
        compose::more(&mut out, answer.headers);
        compose::finish(out, answer.body)
    }
}

/// Where a response goes. Over a connection: back by it, or else by a new one to the address seen and the port of
/// sent-by (§18.2.2). Over UDP: where the request came from if `rport` asks for it (RFC 3581 §4), else to the address
/// seen and the port of sent-by. `maddr` is not followed: it would let a request aim our answer at anybody.
fn way_back(via: &Via, source: &Source) -> (Target, Option<Target>) {
    let back = Target::back_to(source);
    let listening = SocketAddr::new(source.remote.ip(), via.port.unwrap_or(source.transport.default_port()));
    if source.transport.is_reliable() {
        (back, Some(Target::new(source.transport, listening)))
    } else if via.rport().is_some() {
        (back, None)
    } else {
        (Target { remote: listening, ..back }, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transport::{FlowId, Transport};
    use crate::wire::sip::Message;

    fn reply(via: &str, transport: Transport) -> Reply {
        let text = format!(
            "OPTIONS sip:a@example.org SIP/2.0\r\nVia: {via}\r\nVia: SIP/2.0/UDP second\r\nFrom: <sip:b@x>;tag=1\r\n\
             To: <sip:a@x>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        let message = Message::parse(&Bytes::from(text)).unwrap();
        let flow = transport.is_reliable().then_some(FlowId(3));
        let source = Source {
            transport,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "203.0.113.9:40001".parse().unwrap(),
            flow,
        };
        Reply::to(message.headers(), &source).unwrap()
    }

    #[test]
    fn a_phone_that_asks_by_rport_is_answered_where_it_sent_from() {
        let reply = reply("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKa;rport", Transport::Udp);
        assert_eq!(reply.target.remote, "203.0.113.9:40001".parse::<SocketAddr>().unwrap());
        let bytes = reply.write(&Answer::plain(Status::OK, "t"));
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains("received=203.0.113.9") && text.contains("rport=40001"), "{text}");
        assert!(text.contains("Via: SIP/2.0/UDP second\r\n") && text.contains("To: <sip:a@x>;tag=t\r\n"), "{text}");
    }

    #[test]
    fn a_phone_without_rport_is_answered_at_the_port_it_names_and_maddr_aims_at_nobody() {
        let reply = reply("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa;maddr=198.51.100.1", Transport::Udp);
        assert_eq!(reply.target.remote, "203.0.113.9:5070".parse::<SocketAddr>().unwrap());
    }

    #[test]
    fn an_answer_over_tcp_goes_back_by_its_connection_and_else_to_sent_by() {
        let reply = reply("SIP/2.0/TCP phone.example.org:5080;branch=z9hG4bKa", Transport::Tcp);
        assert_eq!(reply.target.flow, Some(FlowId(3)));
        assert_eq!(reply.elsewhere.map(|t| t.remote), Some("203.0.113.9:5080".parse().unwrap()));
    }
}
