//! Every message of RFC 4475 and RFC 5118, and what the RFC asks a receiver to make of it.
//!
//! The verdicts here are the reader's. Where the RFC asks for more than reading (416, 420, 415, 483, a response that
//! matches nothing), the message is listed as read, and the comment names what the layer above must say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should say where, and its data are files"
)]

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use ringlift::wire::sdp::SessionDescription;
use ringlift::wire::sip::{
    Frame, Framer, Host, Message, Method, Name, Problem, Request, Response, Status, Transport, unescape,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is read.
    Reads,
    /// It is refused with this status, and the answer can be made.
    Refused(Status),
    /// It is refused, and no answer can or may be made.
    Dropped,
}
use Verdict::{Dropped, Reads, Refused};

const BAD: Verdict = Refused(Status::BAD_REQUEST);

/// Name, section, verdict.
const RFC4475: &[(&str, &str, Verdict)] = &[
    ("wsinv", "3.1.1.1", Reads),
    ("intmeth", "3.1.1.2", Reads), // the layer above: 405 or 501
    ("esc01", "3.1.1.3", Reads),
    ("escnull", "3.1.1.4", Reads),
    ("esc02", "3.1.1.5", Reads), // a method of its own, not REGISTER: 405 or 501 above
    ("lwsdisp", "3.1.1.6", Reads),
    ("longreq", "3.1.1.7", Reads),
    ("dblreq", "3.1.1.8", Reads), // one request; what follows Content-Length is not looked at
    ("semiuri", "3.1.1.9", Reads),
    ("transports", "3.1.1.10", Reads),
    ("mpart01", "3.1.1.11", Reads),
    ("unreason", "3.1.1.12", Reads),
    ("noreason", "3.1.1.13", Reads),
    ("badinv01", "3.1.2.1", BAD),
    ("clerr", "3.1.2.2", BAD),
    ("ncl", "3.1.2.3", BAD),
    ("scalar02", "3.1.2.4", BAD),
    ("scalarlg", "3.1.2.5", Dropped), // a response
    ("quotbal", "3.1.2.6", BAD),
    ("ltgtruri", "3.1.2.7", BAD),
    ("lwsruri", "3.1.2.8", BAD),    // or liberal
    ("lwsstart", "3.1.2.9", BAD),   // or liberal
    ("trws", "3.1.2.10", BAD),      // or liberal
    ("escruri", "3.1.2.11", BAD),   // or liberal
    ("baddate", "3.1.2.12", Reads), // Date is not used, so it may be ignored
    ("regbadct", "3.1.2.13", BAD),
    ("badaspec", "3.1.2.14", Reads), // liberal: the spaces within the brackets are cut
    ("baddn", "3.1.2.15", BAD),      // or liberal; a comma is where liberality ends
    ("badvers", "3.1.2.16", Refused(Status::VERSION_NOT_SUPPORTED)),
    ("mismatch01", "3.1.2.17", BAD),
    ("mismatch02", "3.1.2.18", BAD),  // or 501
    ("bigcode", "3.1.2.19", Dropped), // a response
    ("badbranch", "3.2.1", Reads),    // the transaction layer must not take the bare cookie for a key
    ("insuf", "3.3.1", BAD),
    ("unkscm", "3.3.2", Reads),   // 416 above
    ("novelsc", "3.3.3", Reads),  // 416 above
    ("unksm2", "3.3.4", Reads),   // a registrar's business
    ("bext01", "3.3.5", Reads),   // 420 above
    ("invut", "3.3.6", Reads),    // 415 above
    ("regaut01", "3.3.7", Reads), // a registrar's business
    ("multi01", "3.3.8", BAD),
    ("mcl01", "3.3.9", BAD),
    ("bcast", "3.3.10", Reads),  // discarded above: it matches no transaction
    ("zeromf", "3.3.11", Reads), // 483 for a proxy; an endpoint answers
    ("cparam01", "3.3.12", Reads),
    ("cparam02", "3.3.13", Reads),
    ("regescrt", "3.3.14", Reads),
    ("sdp01", "3.3.15", Reads), // 406 or an answer above
    ("inv2543", "3.4.1", Reads),
    ("test", "in the archive only", Dropped), // no SIP version, no Via, no CSeq
];

const RFC5118: &[(&str, &str, Verdict)] = &[
    ("ipv6-good", "4.1", Reads),
    ("ipv6-bad", "4.2", BAD),
    ("port-ambiguous", "4.3", Reads),
    ("port-unambiguous", "4.4", Reads),
    ("via-received-param-with-delim", "4.5", Reads),
    ("via-received-param-no-delim", "4.5", Reads),
    ("ipv6-in-sdp", "4.6", Reads),
    ("mult-ip-in-header", "4.7", Reads),
    ("mult-ip-in-sdp", "4.8", Reads),
    ("ipv4-mapped-ipv6", "4.9", Reads),
    ("ipv6-bug-abnf-3-colons", "4.10", Reads),
    ("ipv6-correct-abnf-2-colons", "4.10", Reads),
];

fn folder(rfc: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/torture").join(rfc)
}

fn bytes(rfc: &str, name: &str) -> Bytes {
    let text = fs::read(folder(rfc).join(format!("{name}.dat"))).unwrap();
    if rfc == "rfc5118" { truthful(&text) } else { Bytes::from(text) }
}

/// RFC 5118 prints Content-Lengths that its own bodies do not have; with the true one, the message tests what it
/// is about.
fn truthful(message: &[u8]) -> Bytes {
    let text = std::str::from_utf8(message).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let lines: Vec<String> = head
        .split("\r\n")
        .map(|line| match line.starts_with("Content-Length") {
            true => format!("Content-Length: {}", body.len()),
            false => line.to_owned(),
        })
        .collect();
    Bytes::from(format!("{}\r\n\r\n{body}", lines.join("\r\n")))
}

fn request(rfc: &str, name: &str) -> Request {
    match Message::parse(&bytes(rfc, name)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn response(name: &str) -> Response {
    match Message::parse(&bytes("rfc4475", name)) {
        Ok(Message::Response(response)) => response,
        other => panic!("{name}: {other:?}"),
    }
}

fn verdict(message: &Bytes) -> Verdict {
    match Message::parse(message) {
        Ok(_) => Reads,
        Err(error) => match error.response() {
            Some(response) => Refused(response.status),
            None => Dropped,
        },
    }
}

#[test]
fn every_message_meets_the_verdict_its_rfc_asks_for() {
    for (rfc, list) in [("rfc4475", RFC4475), ("rfc5118", RFC5118)] {
        let mut files = 0;
        for file in fs::read_dir(folder(rfc)).unwrap() {
            let name = file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(list.iter().any(|(listed, ..)| *listed == name), "{name} is not listed");
            files += 1;
        }
        assert_eq!(files, list.len());
        for (name, section, expected) in list {
            let message = bytes(rfc, name);
            assert_eq!(verdict(&message), *expected, "{rfc} {section} {name}: {:?}", Message::parse(&message).err());
        }
    }
}

#[test]
fn a_refusal_is_itself_a_message_that_reads() {
    for (name, _, expected) in RFC4475 {
        if let Refused(status) = expected {
            let error = Message::parse(&bytes("rfc4475", name)).unwrap_err();
            let answer = error.response().unwrap().to_bytes();
            // What was malformed is repeated as it came, so those answers are for the far end alone to read.
            match Message::parse(&answer) {
                Ok(Message::Response(answer)) => assert_eq!(answer.status, *status, "{name}"),
                Ok(Message::Request(_)) => panic!("{name}"),
                Err(again) => {
                    let repeated = matches!(again.problem, Problem::Repeated(_) | Problem::Missing(_));
                    assert!(again.field.is_some() || repeated, "{name}: {again}");
                }
            }
        }
    }
}

#[test]
fn what_was_read_is_written_and_reads_the_same() {
    for (rfc, list) in [("rfc4475", RFC4475), ("rfc5118", RFC5118)] {
        for (name, _, expected) in list {
            if *expected != Reads {
                continue;
            }
            let first = Message::parse(&bytes(rfc, name)).unwrap();
            let second = Message::parse(&first.to_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let fields = |message: &Message| -> Vec<(String, String)> {
                let headers = message.headers().fields();
                headers
                    .filter(|(name, _)| *name != Name::ContentLength)
                    .map(|(name, value)| (name.to_string(), value.to_owned()))
                    .collect()
            };
            assert_eq!(fields(&first), fields(&second), "{name}");
            assert_eq!(first.body(), second.body(), "{name}");
            assert_eq!(first.headers().vias(), second.headers().vias(), "{name}");
            assert_eq!(first.headers().from(), second.headers().from(), "{name}");
            assert_eq!(first.headers().contacts(), second.headers().contacts(), "{name}");
        }
    }
}

#[test]
fn the_tortuous_invite_is_understood_in_every_part() {
    let invite = request("rfc4475", "wsinv");
    let headers = &invite.headers;
    assert_eq!(invite.uri.param("unknownparam"), Some(""));
    assert_eq!(headers.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(headers.from().unwrap().display_name().as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(headers.from().unwrap().tag(), Some("98asjd8"));
    assert_eq!(headers.max_forwards(), Some(68));
    let cseq = headers.cseq().unwrap();
    assert_eq!((cseq.seq, cseq.method), (9, Method::Invite));
    let vias = headers.vias().unwrap();
    assert_eq!(vias.len(), 3);
    assert_eq!(vias[0].host, "192.0.2.2".parse::<Host>().unwrap());
    assert_eq!(vias[0].branch(), Some("390skdjuw"));
    assert_eq!((vias[1].transport.clone(), vias[1].branch()), (Transport::Tcp, Some("z9hG4bK9ikj8")));
    assert_eq!(vias[2].branch(), Some("z9hG4bK30239"));
    assert_eq!(headers.get(Name::Subject), Some(""));
    assert_eq!(headers.get("newfangledheader".into()), Some("newfangled value continued newfangled value"));
    assert_eq!(headers.get("UnknownHeaderWithUnusualValue".into()), Some(";;,,;;,;"));
    let route = &headers.routes().unwrap()[0];
    assert!(route.uri.is_loose());
    assert_eq!((route.uri.param("unknownwith"), route.uri.param("unknown-no-value")), (Some("value"), Some("")));
    let contact = headers.contact().unwrap();
    assert_eq!(contact.display_name().as_deref(), Some("Quoted string \"\""));
    assert_eq!((contact.params.get("newparam"), contact.params.get("q")), (Some("newvalue"), Some("0.33")));
    assert_eq!(invite.body.len(), 150);
}

#[test]
fn characters_from_the_edges_of_the_grammar_stay_what_they_are() {
    let odd = request("rfc4475", "intmeth");
    assert_eq!(odd.method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(odd.uri.user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(odd.uri.password(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(odd.uri.host(), Some(&"example.com".parse().unwrap()));
    assert_eq!(odd.headers.to().unwrap().display_name().as_deref(), Some("BEL:\x07 NUL:\0 DEL:\x7f"));
    let from = odd.headers.from().unwrap();
    assert_eq!(from.params.get("fromParam''~+*_!.-%"), Some("\"работающий\""));
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(odd.headers.get("extensionHeader-!.%*+_`'~".into()), Some("\u{feff}大停電"));
    assert_eq!(odd.headers.max_forwards(), Some(255));
}

#[test]
fn escapes_mean_what_they_stand_for_in_uris_and_nothing_elsewhere() {
    let escaped = request("rfc4475", "esc01");
    assert_eq!(escaped.uri.user_decoded().as_deref(), Some("sips:user@example.com"));
    assert_eq!(escaped.headers.to().unwrap().uri, "sip:user@example.com".parse().unwrap());
    let contact = escaped.headers.contact().unwrap().uri;
    assert_eq!(contact.user_decoded().as_deref(), Some("caller"));
    assert_eq!(unescape(contact.param("n%61me").unwrap()), "value%41");

    let method = request("rfc4475", "esc02");
    assert_eq!(method.method.as_str(), "RE%47IST%45R");
    assert_ne!(method.method, Method::Register);
    assert_eq!(method.headers.from().unwrap().display_name().as_deref(), Some("%Z%45"));
    assert_eq!(method.headers.contacts().unwrap().len(), 2, "C%6Fntact is not Contact");

    let null = request("rfc4475", "escnull");
    assert_eq!(null.headers.contacts().unwrap()[1].uri.user_decoded().as_deref(), Some("\0\0"));
    assert_ne!(null.headers.contacts().unwrap()[0].uri, null.headers.contacts().unwrap()[1].uri);
}

#[test]
fn parts_that_could_be_confused_are_kept_apart() {
    let semicolon = request("rfc4475", "semiuri").uri;
    assert_eq!(semicolon.user_decoded().as_deref(), Some("user;par=u@example.net"));
    assert_eq!(semicolon.param("par"), None);

    let transports: Vec<_> = request("rfc4475", "transports").headers.vias().unwrap();
    let names: Vec<&str> = transports.iter().map(|via| via.transport.as_str()).collect();
    assert_eq!(names, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);

    // The same text is a header parameter without brackets and a URI parameter within them.
    let (outside, inside) = (request("rfc4475", "cparam01"), request("rfc4475", "cparam02"));
    let (outside, inside) = (outside.headers.contact().unwrap(), inside.headers.contact().unwrap());
    assert_eq!((outside.params.has("unknownparam"), outside.uri.param("unknownparam")), (true, None));
    assert_eq!((inside.params.has("unknownparam"), inside.uri.param("unknownparam")), (false, Some("")));

    let escaped = request("rfc4475", "regescrt").headers.contact().unwrap();
    assert_eq!(escaped.uri.headers(), Some("Route=%3Csip:sip.example.com%3E"));

    let twice = request("rfc4475", "dblreq");
    assert_eq!((twice.method, twice.body.len()), (Method::Register, 0));
    assert_eq!(request("rfc4475", "lwsdisp").headers.from().unwrap().display_name().as_deref(), Some("caller"));
    assert_eq!(request("rfc4475", "longreq").headers.vias().unwrap().len(), 34);
}

#[test]
fn a_body_with_zeros_in_it_arrives_whole() {
    let message = request("rfc4475", "mpart01");
    assert_eq!(message.body.len(), 553);
    assert!(message.body.contains(&0));
    assert_eq!(message.headers.content_type(), Some("multipart/mixed"));
}

#[test]
fn a_reason_phrase_may_be_in_any_language_or_missing() {
    let reason = response("unreason");
    assert_eq!(reason.reason, "= 2**3 * 5**2 но сто девяносто девять - простое");
    let none = response("noreason");
    assert_eq!((none.status, none.reason.as_str()), (Status::TRYING, ""));
}

#[test]
fn what_the_layer_above_must_refuse_is_there_to_be_seen() {
    use ringlift::wire::sip::Scheme;
    assert_eq!(request("rfc4475", "unkscm").uri.scheme(), Scheme::Other);
    assert_eq!(request("rfc4475", "novelsc").uri.as_str(), "soap.beep://192.0.2.103:3002");
    let extension = request("rfc4475", "bext01");
    let tags: Vec<&str> = extension.headers.require().collect();
    assert_eq!(tags, ["nothingSupportsThis", "nothingSupportsThisEither"]);
    assert_eq!(request("rfc4475", "invut").headers.content_type(), Some("application/unknownformat"));
    assert_eq!(request("rfc4475", "zeromf").headers.max_forwards(), Some(0));
    assert_eq!(request("rfc4475", "badbranch").headers.top_via().unwrap().branch(), Some("z9hG4bK"));
    assert_eq!(response("bcast").headers.vias().unwrap().len(), 2);
    let old = request("rfc4475", "inv2543");
    assert_eq!((old.headers.top_via().unwrap().branch(), old.headers.from().unwrap().tag()), (None, None));
    assert_eq!(old.headers.max_forwards(), None);
}

#[test]
fn each_refusal_says_what_was_wrong() {
    let problem = |name| Message::parse(&bytes("rfc4475", name)).unwrap_err().problem;
    assert_eq!(problem("badinv01"), Problem::Params);
    assert_eq!(problem("clerr"), Problem::BodyTooShort);
    assert_eq!(problem("ncl"), Problem::ContentLength);
    assert_eq!(problem("scalar02"), Problem::CSeq);
    assert_eq!(problem("quotbal"), Problem::Quotes);
    assert_eq!(problem("ltgtruri"), Problem::Uri);
    assert_eq!(problem("lwsruri"), Problem::StartLine);
    assert_eq!(problem("escruri"), Problem::UriHeaders);
    assert_eq!(problem("regbadct"), Problem::NameAddr);
    assert_eq!(problem("badvers"), Problem::Version);
    assert_eq!(problem("mismatch02"), Problem::CSeqMethod);
    assert_eq!(problem("insuf"), Problem::Missing("From"));
    assert_eq!(problem("multi01"), Problem::Repeated("From"));
    assert_eq!(problem("mcl01"), Problem::Repeated("Content-Length"));
    assert_eq!(problem("bigcode"), Problem::Status);
}

#[test]
fn an_expiry_beyond_all_time_is_a_long_time() {
    let text = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nTo: <sip:u@h>\r\nFrom: <sip:u@h>;tag=1\r\n\
        CSeq: 1 REGISTER\r\nCall-ID: c\r\nExpires: 10000000000000000000000\r\n\r\n";
    let Ok(Message::Request(request)) = Message::parse(&Bytes::from(text)) else { panic!() };
    assert_eq!(request.headers.expires(), Some(u32::MAX));
}

#[test]
fn ipv6_addresses_are_found_wherever_they_stand() {
    let host = |name| request("rfc5118", name).uri.host().cloned();
    assert_eq!(host("ipv6-good"), Some("[2001:db8::10]".parse().unwrap()));
    assert_eq!(host("port-ambiguous"), Some("[2001:db8::10:5070]".parse().unwrap()));
    assert_eq!(request("rfc5118", "port-ambiguous").uri.port(), None);
    assert_eq!(request("rfc5118", "port-unambiguous").uri.port(), Some(5070));
    assert_eq!(host("ipv6-bug-abnf-3-colons"), host("ipv6-correct-abnf-2-colons"));
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let via = request("rfc5118", name).headers.top_via().unwrap();
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()), "{name}");
    }
    let vias = request("rfc5118", "mult-ip-in-header").headers.vias().unwrap();
    assert_eq!((vias[0].port, vias[2].received()), (Some(6050), Some("192.0.2.200".parse().unwrap())));
    let mapped = request("rfc5118", "ipv4-mapped-ipv6").headers.vias().unwrap();
    assert_eq!(mapped[0].host.ip(), Some("::ffff:192.0.2.10".parse().unwrap()));
}

#[test]
fn a_stream_of_all_readable_messages_comes_apart_where_they_join() {
    let mut framer = Framer::new();
    let mut expected = Vec::new();
    for (name, _, verdict) in RFC4475 {
        if *verdict == Reads {
            let message = Message::parse(&bytes("rfc4475", name)).unwrap().to_bytes();
            framer.feed(&message);
            expected.push(message);
        }
    }
    for message in expected {
        assert_eq!(framer.next(), Ok(Some(Frame::Message(message))));
    }
    assert_eq!(framer.next(), Ok(None));
}

#[test]
fn session_descriptions_in_the_torture_messages_are_read_too() {
    for (rfc, list) in [("rfc4475", RFC4475), ("rfc5118", RFC5118)] {
        for (name, _, expected) in list {
            let Ok(message) = Message::parse(&bytes(rfc, name)) else { continue };
            if *expected == Reads && message.headers().content_type_is("application/sdp") {
                SessionDescription::parse(message.body()).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
    let two = SessionDescription::parse(&request("rfc5118", "mult-ip-in-sdp").body).unwrap();
    let address = |index: usize| two.connection_of(&two.media[index]).unwrap().ip();
    assert_eq!(address(0), Some("192.0.2.1".parse().unwrap()));
    assert_eq!(address(1), Some("2001:db8::1".parse().unwrap()));
}
