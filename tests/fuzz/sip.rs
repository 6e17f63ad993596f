//! SIP: whole messages, streams, single values.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use ringlift::wire::sip::{
    CSeq, Frame, Framer, Host, MAX_MESSAGE, MAX_PARAMS, MAX_URI, Message, Name, NameAddr, Params, Problem, Response,
    Status, Uri, Via, unescape, unquote,
};

pub const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\r\n ",
    b"\r\n\t",
    b" ",
    b"\t",
    b",",
    b";",
    b"=",
    b":",
    b"::",
    b":::",
    b"\"",
    b"\\",
    b"\\\"",
    b"\\\0",
    b"<",
    b">",
    b"@",
    b"?",
    b"&",
    b"%",
    b"%00",
    b"%zz",
    b"%2",
    b"[",
    b"]",
    b"/",
    b"*",
    b"\0",
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"\xc3\xa9",
    b"\xef\xbb\xbf",
    b"SIP/2.0",
    b"SIP/3.0",
    b"sip:",
    b"sips:",
    b"tel:+1",
    b"INVITE",
    b"ACK",
    b"Via: ",
    b"v:",
    b"From: ",
    b"f:",
    b"To: ",
    b"t:",
    b"Call-ID: ",
    b"i:",
    b"CSeq: 1 INVITE\r\n",
    b"Content-Length: ",
    b"l:0\r\n",
    b"Contact: *\r\n",
    b"m:",
    b"Route: ",
    b"Record-Route: ",
    b"Max-Forwards: ",
    b"Expires: ",
    b"Session-Expires: 90;refresher=uas\r\n",
    b"Min-SE: 90\r\n",
    b";branch=z9hG4bK",
    b";rport",
    b";received=",
    b";received=[::1]",
    b";tag=",
    b";lr",
    b";maddr=",
    b"[2001:db8::1]",
    b"[::ffff:1.2.3.4]",
    b"192.0.2.1",
    b"SIP / 2.0 / UDP a",
    b"\"a\" <sip:b@c:5060;d=e?f=g>;h=\"i\"",
    b"SIP/2.0 200 OK\r\n",
    b"SIP/2.0 99999999999 x\r\n",
];

/// The torture messages and the ordinary ones.
pub fn corpus() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/torture");
    let mut files: Vec<PathBuf> = ["ordinary", "rfc4475", "rfc5118"]
        .iter()
        .flat_map(|part| fs::read_dir(folder.join(part)).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Single header values and URIs.
pub fn values() -> Vec<Vec<u8>> {
    [
        "SIP/2.0/UDP 203.0.113.4:5060;branch=z9hG4bKf1e3;received=203.0.113.20;rport=5060;ttl=1;maddr=224.2.0.1",
        "SIP / 2.0 / TLS [2001:db8::1]:5061 ; branch = z9hG4bK1",
        "\"Anna \\\"A\\\" Example\" <sip:+4915112345678@trunk.example.net;user=phone?Subject=x&Priority=y>;tag=as6f;q=0.7",
        "sips:alice:secret@[::ffff:192.0.2.1]:5061;transport=tcp;lr?a=b",
        "tel:+1-201-555-0123;phone-context=example.com",
        "sip:j%40s0n@example.com",
        "4711 INVITE",
        ";a;b=c;d=\"e;f\"",
        "urn:service:sos",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

/// Reads, asks everything, writes, reads again. Interesting is what reads.
pub fn message(input: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(input);
    match Message::parse(&bytes) {
        Ok(message) => {
            ask(&message);
            let written = message.to_bytes();
            if written.len() > MAX_MESSAGE {
                return false;
            }
            let again = Message::parse(&written).unwrap_or_else(|error| panic!("{error}: {}", written.escape_ascii()));
            same(&message, &again);
            assert_eq!(again.to_bytes(), written, "writing is not stable");
            if let Message::Request(request) = &message {
                answer(request);
            }
            true
        }
        Err(error) => {
            let _ = (error.to_string(), format!("{error:?}"));
            if let Some(response) = error.response() {
                assert!((400..600).contains(&response.status.code()));
                let _ = response.to_bytes();
            }
            !matches!(error.problem, Problem::StartLine | Problem::Empty) && error.readable.len() > 4
        }
    }
}

fn ask(message: &Message) {
    let headers = message.headers();
    for must in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
        assert!(headers.has(must.clone()), "{must}");
    }
    let via = headers.top_via().expect("a top Via");
    let _ = (via.branch(), via.received(), via.rport(), via.maddr(), via.response_address(), via.port_or_default());
    for via in headers.vias().expect("every Via") {
        assert_eq!(Via::parse(&via.to_string()), Ok(via));
    }
    for party in [headers.from().expect("From"), headers.to().expect("To")] {
        let _ = (party.tag(), party.display_name(), party.uri.user_decoded(), format!("{party:?}"));
        assert_eq!(NameAddr::parse(&party.to_string()), Ok(party));
    }
    let cseq = headers.cseq().expect("CSeq");
    assert!(headers.cseq_is(&cseq.method) && cseq.seq < 1 << 31);
    assert_eq!(CSeq::parse(&cseq.to_string()), Ok(cseq));
    headers.contacts().expect("every Contact");
    headers.routes().expect("every Route");
    headers.record_routes().expect("every Record-Route");
    let _ = (headers.contact(), headers.call_id(), headers.max_forwards(), headers.content_type(), headers.expires());
    let _ = (headers.session_expires(), headers.min_se(), headers.supports("timer"), headers.content_length());
    let _ = (headers.require().count(), headers.supported().count(), headers.allow().count());
    for (name, value) in headers.fields() {
        assert!(!value.contains(['\r', '\n']), "a line end in {name}");
        assert!(headers.has(name));
    }
    let _ = format!("{message:?}");
}

fn same(first: &Message, second: &Message) {
    let fields = |message: &Message| -> Vec<(String, String)> {
        let fields = message.headers().fields();
        fields
            .filter(|(name, _)| *name != Name::ContentLength)
            .map(|(name, value)| (name.to_string(), value.to_owned()))
            .collect()
    };
    assert_eq!(fields(first), fields(second));
    assert_eq!(first.body(), second.body());
}

/// What a server does to a request: answer it, mark the Via, tag the To, pop a route.
fn answer(request: &ringlift::wire::sip::Request) {
    let mut response = Response::answering(request, Status::TRYING);
    let mut via = request.headers.top_via().expect("a top Via");
    via.set_received([192, 0, 2, 7].into());
    via.set_rport(40000);
    response.headers.set_top(Name::Via, &via);
    let to = request.headers.to().expect("To").with_tag("t");
    response.headers.set(Name::To, &to);
    response.headers.push_front(Name::RecordRoute, "<sip:192.0.2.1;lr>");
    response.headers.remove(Name::Timestamp);
    let written = response.to_bytes();
    match Message::parse(&written) {
        Ok(read) => {
            let top = read.headers().top_via().expect("a top Via");
            assert_eq!((top.received(), top.rport()), (Some([192, 0, 2, 7].into()), Some(Some(40000))));
            assert_eq!(read.headers().to().expect("To").tag(), Some("t"));
            let before = request.headers.vias().expect("every Via");
            assert_eq!(read.headers().vias().expect("every Via").get(1..), before.get(1..));
        }
        // Two more parameters, or a little more text, may be too many.
        Err(error) => {
            assert!(matches!(error.problem, Problem::Params | Problem::TooLarge | Problem::TooManyFields), "{error}")
        }
    }
}

/// The same bytes in one piece and in small ones give the same frames; every frame is read or refused.
pub fn stream(input: &[u8]) -> bool {
    let cut = 1 + input.len() % 97;
    let whole = frames(&mut std::iter::once(input));
    let pieces = frames(&mut input.chunks(cut));
    assert_eq!(whole, pieces);
    for frame in &whole.0 {
        if let Frame::Message(bytes) = frame {
            let _ = Message::parse(bytes);
        }
    }
    whole.0.len() > 1
}

fn frames(pieces: &mut dyn Iterator<Item = &[u8]>) -> (Vec<Frame>, bool) {
    let mut framer = Framer::new();
    let mut frames = Vec::new();
    for piece in pieces {
        framer.feed(piece);
        loop {
            match framer.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(framer.next(), Err(error), "a broken stream stays broken");
                    return (frames, true);
                }
            }
        }
    }
    (frames, false)
}

/// Typed values on their own: what reads prints, and reads again as the same.
pub fn value(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let mut read = false;
    if let Ok(via) = Via::parse(text) {
        assert_eq!(Via::parse(&via.to_string()), Ok(via));
        read = true;
    }
    if let Ok(party) = NameAddr::parse(text) {
        assert_eq!(NameAddr::parse(&party.to_string()), Ok(party));
        read = true;
    }
    if let Ok(uri) = Uri::parse(text) {
        assert_eq!(uri, uri.clone());
        assert_eq!(Uri::parse(uri.as_str()), Ok(uri.clone()));
        edit(&uri);
        read = true;
    }
    if let Ok(cseq) = CSeq::parse(text) {
        assert_eq!(CSeq::parse(&cseq.to_string()), Ok(cseq));
        read = true;
    }
    if let Ok(host) = Host::parse(text) {
        assert_eq!(Host::parse(&host.to_string()), Ok(host));
        read = true;
    }
    if let Ok(mut params) = Params::parse(text) {
        params.set("a", text);
        assert_eq!(Params::parse(params.as_str()), Ok(params.clone()));
        params.remove("a");
        assert!(!params.has("a"));
        read = true;
    }
    let _ = (unescape(text), unquote(text));
    read
}

fn edit(uri: &Uri) {
    if uri.as_str().len() > MAX_URI - 64 || uri.params().iter().count() >= MAX_PARAMS {
        return;
    }
    let edited = uri.with_param("x", "a b").without_headers().with_user(Some("y z@"));
    assert_eq!(Uri::parse(edited.as_str()), Ok(edited.clone()));
    if let Some(host) = edited.host() {
        assert_eq!(Some(host), uri.host());
        assert_eq!(edited.user_decoded().as_deref(), Some("y z@"));
        assert_eq!(edited.param("x"), Some("a%20b"));
        let moved = edited.with_host(Host::V4([192, 0, 2, 1].into()), Some(5070)).without_param("x");
        assert_eq!((moved.port(), moved.param("x")), (Some(5070), None));
    }
}
