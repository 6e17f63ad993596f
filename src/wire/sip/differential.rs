//! On ordinary messages, another reader of SIP finds the same things in the same places.

use std::path::Path;

use bytes::Bytes;
use rsip::prelude::*;

use super::*;

fn ordinary() -> Vec<(String, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/torture/ordinary");
    let mut messages: Vec<(String, Bytes)> = folder
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| {
            #[allow(clippy::disallowed_methods, reason = "test data are files")]
            let bytes = std::fs::read(&path).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), Bytes::from(bytes))
        })
        .collect();
    messages.sort();
    messages
}

#[test]
fn two_readers_agree_on_ordinary_messages() {
    let messages = ordinary();
    assert!(messages.len() >= 5);
    for (name, bytes) in messages {
        let ours = Message::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let theirs = rsip::SipMessage::try_from(bytes.as_ref()).unwrap();
        let headers = ours.headers();
        match (&ours, &theirs) {
            (Message::Request(ours), rsip::SipMessage::Request(theirs)) => {
                assert_eq!(ours.method.to_string(), theirs.method.to_string(), "{name}");
                assert_eq!(ours.uri.to_string(), theirs.uri.to_string(), "{name}");
            }
            (Message::Response(ours), rsip::SipMessage::Response(theirs)) => {
                assert_eq!(ours.status.code(), u16::from(theirs.status_code.clone()), "{name}");
            }
            _ => panic!("{name}: one sees a request, the other a response"),
        }
        assert_eq!(headers.call_id(), Some(theirs.call_id_header().unwrap().value()), "{name}");
        let cseq = theirs.cseq_header().unwrap().typed().unwrap();
        assert_eq!(
            headers.cseq().map(|cseq| (cseq.seq, cseq.method.to_string())),
            Some((cseq.seq, cseq.method.to_string()))
        );
        let via = theirs.via_header().unwrap().typed().unwrap();
        let our_via = headers.top_via().unwrap();
        assert_eq!(our_via.branch(), via.branch().map(|branch| branch.value()), "{name}");
        assert_eq!(our_via.transport.to_string(), via.transport.to_string(), "{name}");
        assert_eq!(our_via.port, via.uri.host_with_port.port.as_ref().map(|port| *port.value()), "{name}");
        assert_eq!(our_via.host.to_string(), via.uri.host_with_port.host.to_string(), "{name}");
        let from = theirs.from_header().unwrap().typed().unwrap();
        let our_from = headers.from().unwrap();
        assert_eq!(our_from.tag(), from.tag().map(|tag| tag.value()), "{name}");
        assert_eq!(our_from.uri.to_string(), from.uri.to_string(), "{name}");
        assert_eq!(our_from.display.as_deref(), from.display_name.as_deref(), "{name}");
        let to = theirs.to_header().unwrap().typed().unwrap();
        assert_eq!(headers.to().unwrap().tag(), to.tag().map(|tag| tag.value()), "{name}");
        assert_eq!(headers.to().unwrap().uri.to_string(), to.uri.to_string(), "{name}");
        let contact = theirs.contact_header().ok().map(|contact| contact.typed().unwrap().uri.to_string());
        // The other writes a transport in upper case: the same URI, not the same text.
        let contact = contact.map(|uri| Uri::parse(&uri).unwrap());
        assert_eq!(headers.contact().map(|contact| contact.uri), contact, "{name}");
        assert_eq!(ours.body().as_ref(), theirs.body().as_slice(), "{name}");
        // And what we write, the other reads as well.
        assert!(rsip::SipMessage::try_from(ours.to_bytes().as_ref()).is_ok(), "{name}");
    }
}
