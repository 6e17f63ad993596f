//! What the messages of RFC 4475 and RFC 5118 bring about above the reader: which answer they get, or what reaches the
//! user. What the reader itself makes of them is in `torture.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test reads files and says where it cannot go on"
)]

mod sip_world;

use std::path::PathBuf;

use bytes::Bytes;
use ringlift::base::Rng;
use ringlift::sip::endpoint::{Event, Input, Output};
use ringlift::sip::{Endpoint, Source, Transport};
use ringlift::wire::sip::{Message, Method};
use sip_world::{address, settings};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It gets this answer and keeps nothing here.
    Refused(u16),
    /// Nobody answers.
    Silence,
    /// The user is offered a call.
    Invited,
    /// The user is asked.
    Asked,
}
use Fate::{Asked, Invited, Refused, Silence};

const RFC4475: &[(&str, Fate)] = &[
    ("wsinv", Refused(481)), // its To has a tag of no call here
    ("intmeth", Refused(501)),
    ("esc01", Invited),
    ("escnull", Asked),      // a registrar's business
    ("esc02", Refused(501)), // RE%47IST%45R is not REGISTER
    ("lwsdisp", Asked),
    ("longreq", Invited),
    ("dblreq", Asked),
    ("semiuri", Asked),
    ("transports", Asked),
    ("mpart01", Refused(405)), // MESSAGE is not served
    ("unreason", Silence),
    ("noreason", Silence),
    ("badinv01", Refused(400)),
    ("clerr", Refused(400)),
    ("ncl", Refused(400)),
    ("scalar02", Refused(400)),
    ("scalarlg", Silence),
    ("quotbal", Refused(400)),
    ("ltgtruri", Refused(400)),
    ("lwsruri", Refused(400)),
    ("lwsstart", Refused(400)),
    ("trws", Refused(400)),
    ("escruri", Refused(400)),
    ("baddate", Invited),
    ("regbadct", Refused(400)),
    ("badaspec", Asked),
    ("baddn", Refused(400)),
    ("badvers", Refused(505)),
    ("mismatch01", Refused(400)),
    ("mismatch02", Refused(400)),
    ("bigcode", Silence),
    ("badbranch", Asked),
    ("unkscm", Refused(416)),
    ("novelsc", Refused(416)),
    ("unksm2", Asked),
    ("bext01", Refused(420)),
    ("invut", Refused(415)),
    ("regaut01", Asked),
    ("insuf", Refused(400)), // without Call-ID, From and To; its branch finds the client
    ("multi01", Refused(400)),
    ("mcl01", Refused(400)),
    ("test", Silence),
    ("bcast", Silence), // not to 255.255.255.255 either
    ("zeromf", Asked),  // OPTIONS ends here by being answered
    ("cparam01", Asked),
    ("cparam02", Asked),
    ("regescrt", Asked),
    ("sdp01", Invited),
    ("inv2543", Invited),
];

const RFC5118: &[(&str, Fate)] = &[
    ("ipv6-good", Asked),
    ("ipv6-bad", Refused(400)),
    ("port-ambiguous", Asked),
    ("port-unambiguous", Asked),
    ("via-received-param-with-delim", Refused(481)), // a BYE of no call here
    ("via-received-param-no-delim", Asked),
];

fn fate(rfc: &str, name: &str) -> (Fate, Vec<String>) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/torture").join(rfc);
    let bytes = Bytes::from(std::fs::read(folder.join(format!("{name}.dat"))).unwrap());
    let mut settings = settings(address(1));
    settings.allow.push(Method::Register);
    let mut endpoint = Endpoint::new(settings, Rng::from_number(1));
    let source = Source { transport: Transport::Udp, local: address(1), remote: address(9), flow: None };
    endpoint.handle(Input::Received { message: Message::parse(&bytes), source }, ringlift::base::Now::default());
    let (mut fate, mut sent) = (Silence, Vec::new());
    while let Some(output) = endpoint.poll_output() {
        match output {
            Output::Event(Event::Invited { .. }) => fate = Invited,
            Output::Event(Event::Request { .. }) => fate = Asked,
            Output::Event(event) => panic!("{name}: {event:?}"),
            Output::Send { to, bytes, .. } => {
                assert_eq!(to.remote.ip(), address(9).ip(), "{name}: nobody else is ever answered");
                sent.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
    let refused = sent.iter().filter_map(|text| text.split(' ').nth(1)?.parse().ok()).find(|code: &u16| *code >= 200);
    if let Some(code) = refused {
        assert!(endpoint.is_empty(), "{name}: a refusal keeps nothing");
        fate = Refused(code);
    }
    (fate, sent)
}

#[test]
fn every_message_of_rfc_4475_has_its_answer() {
    let wrong: Vec<_> = RFC4475
        .iter()
        .map(|(name, expected)| (name, expected, fate("rfc4475", name)))
        .filter(|(_, expected, (found, _))| *expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn messages_of_rfc_5118_have_their_answers() {
    let wrong: Vec<_> = RFC5118
        .iter()
        .map(|(name, expected)| (name, expected, fate("rfc5118", name)))
        .filter(|(_, expected, (found, _))| *expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn refusals_say_what_would_have_been_right() {
    let text = |name| fate("rfc4475", name).1.concat();
    assert!(text("bext01").contains("Unsupported: nothingSupportsThis, nothingSupportsThisEither\r\n"));
    assert!(text("invut").contains("Accept: application/sdp\r\n"));
    assert!(text("intmeth").contains("Allow: INVITE"));
}
