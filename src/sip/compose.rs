//! Requests of ours, written from their parts.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::sip::transport::{HostPort, Transport};
use crate::wire::sip::{Name, NameAddr, Text, Uri, escape_user};

/// The parts of a request. A part that is empty is not written.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The method.
    pub method: &'a str,
    /// The Request-URI.
    pub uri: &'a Uri,
    /// The one Via value.
    pub via: &'a str,
    /// Max-Forwards.
    pub max_forwards: u8,
    /// Route values.
    pub routes: &'a [NameAddr],
    /// From, tag included.
    pub from: &'a NameAddr,
    /// To, tag included where there is one.
    pub to: &'a NameAddr,
    /// Call-ID.
    pub call_id: &'a str,
    /// CSeq's number.
    pub seq: u32,
    /// The Contact value, brackets included.
    pub contact: &'a str,
    /// User-Agent.
    pub user_agent: &'a str,
    /// More header fields.
    pub headers: &'a [(Name, Text)],
    /// Content-Type and body.
    pub body: Option<(&'a str, &'a [u8])>,
}

impl Parts<'_> {
    /// The request's bytes.
    pub fn write(&self) -> Bytes {
        let body = self.body.map_or(&[][..], |(_, body)| body);
        let mut out = String::with_capacity(640 + body.len());
        // Writing into a String cannot fail.
        let _ = write!(out, "{} {} SIP/2.0\r\nVia: {}\r\n", self.method, self.uri, self.via);
        for route in self.routes {
            let _ = write!(out, "Route: {route}\r\n");
        }
        let _ = write!(
            out,
            "Max-Forwards: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {}\r\n",
            self.max_forwards, self.from, self.to, self.call_id, self.seq, self.method
        );
        field(&mut out, "Contact", self.contact);
        field(&mut out, "User-Agent", self.user_agent);
        more(&mut out, self.headers);
        finish(out, self.body)
    }
}

/// Writes one field, if its value is not empty.
pub fn field(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        out.push_str(name);
        out.push_str(": ");
        if value.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            out.extend(value.chars().filter(|c| !c.is_ascii_control()));
        } else {
            out.push_str(value);
        }
        out.push_str("\r\n");
    }
}

/// Writes the fields a user adds.
pub fn more(out: &mut String, headers: &[(Name, Text)]) {
    for (name, value) in headers {
        field(out, name.as_str(), value.as_str());
    }
}

/// Writes Content-Type, Content-Length and the body.
pub fn finish(mut out: String, body: Option<(&str, &[u8])>) -> Bytes {
    match body {
        None => out.push_str("Content-Length: 0\r\n\r\n"),
        Some((content_type, body)) => {
            field(&mut out, "Content-Type", content_type);
            let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
            let mut bytes = out.into_bytes();
            bytes.extend_from_slice(body);
            return Bytes::from(bytes);
        }
    }
    Bytes::from(out)
}

/// The one Via value of a request of ours; `rport` asks for RFC 3581's service.
pub fn via(transport: Transport, sent_by: &HostPort, branch: &str) -> String {
    format!("SIP/2.0/{} {sent_by};branch={branch};rport", transport.via_name())
}

/// Our Contact value for one transport. `sips` where the dialog demands it (§8.1.1.8, §12.1.1).
pub fn contact(transport: Transport, address: &HostPort, sips: bool, user: Option<&str>) -> String {
    let user = user.filter(|user| !user.is_empty()).map(|user| format!("{}@", escape_user(user))).unwrap_or_default();
    match (sips, transport) {
        (true, _) => format!("<sips:{user}{address}>"),
        (false, Transport::Udp) => format!("<sip:{user}{address}>"),
        (false, Transport::Tcp | Transport::Tls) => {
            format!("<sip:{user}{address};transport={}>", transport.uri_name())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_value_cannot_break_into_another_line() {
        let mut out = String::new();
        more(&mut out, &[(Name::Subject, Text::from("hello\r\nEvil: yes"))]);
        assert_eq!(out, "Subject: helloEvil: yes\r\n");
    }

    #[test]
    fn a_contact_says_how_we_are_reached() {
        let v6 = HostPort { host: "2001:db8::7".into(), port: 5060 };
        assert_eq!(contact(Transport::Udp, &v6, false, None), "<sip:[2001:db8::7]:5060>");
        assert_eq!(contact(Transport::Tcp, &v6, false, None), "<sip:[2001:db8::7]:5060;transport=tcp>");
        assert_eq!(contact(Transport::Tls, &v6, true, Some("a b")), "<sips:a%20b@[2001:db8::7]:5060>");
        assert_eq!(via(Transport::Tls, &v6, "z9hG4bKx"), "SIP/2.0/TLS [2001:db8::7]:5060;branch=z9hG4bKx;rport");
    }
}
