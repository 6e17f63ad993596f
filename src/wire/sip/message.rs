//! Requests and responses.

use bytes::Bytes;

use super::{Headers, Method, Name, ParseError, Status, Text, Uri, read};

/// A SIP message (RFC 3261 §7).
#[derive(Debug, Clone)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request (RFC 3261 §7.1).
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of whom: the Request-URI.
    pub uri: Uri,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// A response (RFC 3261 §7.2).
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: Status,
    /// The reason phrase, for people.
    pub reason: Text,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

impl Message {
    /// Reads one message: a datagram, or what [`Framer`](super::Framer) cut from a stream. Nothing is copied.
    ///
    /// What it has checked: start line, version, every header line; Via, From, To, Call-ID and CSeq are there and
    /// well-formed, as are Contact, Route, Record-Route, Max-Forwards and Content-Length where present; the
    /// method in CSeq is the request's. Bytes after Content-Length are cut off (RFC 3261 §18.3).
    pub fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        read::message(bytes)
    }

    /// The bytes for the wire.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }

    /// The header fields of either.
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        }
    }

    /// The body of either.
    pub fn body(&self) -> &Bytes {
        match self {
            Message::Request(request) => &request.body,
            Message::Response(response) => &response.body,
        }
    }
}

impl Request {
    /// A request without header fields.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::default(), body: Bytes::new() }
    }

    /// The same with a body and its Content-Type.
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.headers.set(Name::ContentType, content_type);
        self.body = body.into();
        self
    }

    /// The bytes for the wire; Content-Length tells the truth whatever the fields say.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.headers.size_hint() + self.uri.as_str().len() + self.body.len() + 32);
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.uri.as_str().as_bytes());
        out.extend_from_slice(b" SIP/2.0\r\n");
        self.headers.write_to(&mut out, self.body.len());
        out.extend_from_slice(&self.body);
        Bytes::from(out)
    }
}

impl Response {
    /// A response without header fields, with the registry's reason phrase.
    pub fn new(status: Status) -> Self {
        Self { status, reason: Text::from_static(status.reason()), headers: Headers::default(), body: Bytes::new() }
    }

    /// A response to `request` with what every response repeats (RFC 3261 §8.2.6.2): all Via, From, To, Call-ID
    /// and CSeq, and Timestamp for 100. The To tag is the caller's to add.
    pub fn answering(request: &Request, status: Status) -> Self {
        let mut response = Self::new(status);
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
            response.headers.copy(name, &request.headers);
        }
        if status == Status::TRYING {
            response.headers.copy(Name::Timestamp, &request.headers);
        }
        response
    }

    /// The same with a body and its Content-Type.
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.headers.set(Name::ContentType, content_type);
        self.body = body.into();
        self
    }

    /// The bytes for the wire; Content-Length tells the truth whatever the fields say. Control characters in the
    /// reason phrase become spaces.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.headers.size_hint() + self.reason.len_bytes() + self.body.len() + 32);
        out.extend_from_slice(format!("SIP/2.0 {:03} ", self.status.code()).as_bytes());
        out.extend(self.reason.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
        out.extend_from_slice(b"\r\n");
        self.headers.write_to(&mut out, self.body.len());
        out.extend_from_slice(&self.body);
        Bytes::from(out)
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Message::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Message::Response(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sip::{CSeq, NameAddr, Transport, Via};

    const INVITE: &str = "INVITE sip:+4930901820@192.0.2.10:5060;user=phone SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK0\r\n\
        Max-Forwards: 69\r\n\
        f: \"Anna, at \\\"home\\\"\" <sip:anna@example.com;user=phone>;tag=a1\r\n\
        To: sip:+4930901820@192.0.2.10;tag=t2\r\n\
        Call-ID: 77@198.51.100.7\r\n\
        CSeq: 0042 INVITE\r\n\
        Contact: <sip:anna@198.51.100.7>\r\n\
        Subject: one\r\n two\r\n\tthree\r\n\
        X-Odd: ;,;\r\n\
        Content-Type: Application/SDP ;charset=x\r\n\
        Content-Length: 4\r\n\
        \r\n\
        v=0\nrest";

    fn request(text: &str) -> Request {
        match Message::parse(&Bytes::copy_from_slice(text.as_bytes())) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_invite_is_read_with_all_its_parts() {
        let invite = request(INVITE);
        assert_eq!(invite.method, Method::Invite);
        assert_eq!(invite.uri.user(), Some("+4930901820"));
        assert_eq!(invite.uri.param("user"), Some("phone"));
        assert_eq!(&invite.body[..], b"v=0\n");
        let headers = &invite.headers;
        let via = headers.top_via().unwrap();
        assert_eq!((via.transport.clone(), via.branch(), via.rport()), (Transport::Udp, Some("z9hG4bK1"), Some(None)));
        assert_eq!(headers.vias().unwrap().len(), 2);
        let from = headers.from().unwrap();
        assert_eq!(from.tag(), Some("a1"));
        assert_eq!(from.display_name().as_deref(), Some("Anna, at \"home\""));
        assert_eq!(headers.to().unwrap().tag(), Some("t2"));
        assert_eq!(headers.to().unwrap().uri.params().as_str(), "");
        assert_eq!(headers.cseq(), Some(CSeq::new(42, Method::Invite)));
        assert_eq!(headers.get(Name::Subject), Some("one two three"));
        assert_eq!(headers.get("x-odd".into()), Some(";,;"));
        assert!(headers.content_type_is("application/sdp"));
        assert_eq!(headers.max_forwards(), Some(69));
    }

    #[test]
    fn an_answer_repeats_what_it_must_and_writes_what_it_was_told() {
        let mut response = Response::answering(&request(INVITE), Status::OK);
        let mut via = response.headers.top_via().unwrap();
        via.set_received("203.0.113.9".parse().unwrap());
        via.set_rport(40000);
        response.headers.set_top(Name::Via, &via);
        response.headers.set(Name::To, response.headers.to().unwrap().with_tag("mine"));
        response.headers.push(Name::Reason, "x\r\nInjected: yes");
        response.headers.push(Name::ContentLength, 77);
        let text = String::from_utf8(response.to_bytes().to_vec()).unwrap();
        assert_eq!(
            text,
            "SIP/2.0 200 OK\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1;rport=40000;received=203.0.113.9, SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK0\r\n\
             From: \"Anna, at \\\"home\\\"\" <sip:anna@example.com;user=phone>;tag=a1\r\n\
             To: <sip:+4930901820@192.0.2.10>;tag=mine\r\n\
             Call-ID: 77@198.51.100.7\r\n\
             CSeq: 0042 INVITE\r\n\
             Reason: x  Injected: yes\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn what_is_built_reads_back() {
        let uri = Uri::sip(Some("anna b"), "[2001:db8::5]".parse().unwrap(), Some(5070)).with_param("lr", "");
        assert_eq!(uri.to_string(), "sip:anna%20b@[2001:db8::5]:5070;lr");
        let mut request = Request::new(Method::Options, uri.clone());
        request.headers.push(Name::Via, Via::new(Transport::Tls, "a.example".parse().unwrap(), None, "z9hG4bKx"));
        request.headers.push(Name::From, NameAddr::new(uri.clone()).with_display("A \"B\"").with_tag("1"));
        request.headers.push(Name::To, NameAddr::new(uri.clone()));
        request.headers.push(Name::CallId, "c");
        request.headers.push(Name::CSeq, CSeq::new(1, Method::Options));
        let Ok(Message::Request(back)) = Message::parse(&request.to_bytes()) else { panic!() };
        assert_eq!(back.uri, uri);
        assert_eq!(back.headers.from().unwrap().display_name().as_deref(), Some("A \"B\""));
    }

    #[test]
    fn a_caller_who_sends_nonsense_is_told_so_if_an_answer_can_reach_them() {
        let parse = |text: String| Message::parse(&Bytes::from(text)).unwrap_err();
        let error = parse(INVITE.replace("0042 INVITE", "0042 BYE"));
        assert_eq!(error.status(), Status::BAD_REQUEST);
        let answer = error.response().unwrap().to_bytes();
        assert!(
            answer.starts_with(b"SIP/2.0 400 Bad Request: CSeq names another method in CSeq\r\nVia: SIP/2.0/UDP 198")
        );
        assert_eq!(parse(INVITE.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia")).status(), Status::VERSION_NOT_SUPPORTED);
        assert!(parse(INVITE.replace("INVITE", "ACK").replace("0042", "x")).response().is_none());
        assert!(parse(INVITE.replace("Via", "X-Via")).response().is_none());
        assert!(
            parse(INVITE.replace("INVITE sip:+4930901820@192.0.2.10:5060;user=phone SIP/2.0", "SIP/2.0 99 x"))
                .response()
                .is_none()
        );
        assert!(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n".into()).response().is_none());
        assert!(parse(String::new()).response().is_none());
    }
}
