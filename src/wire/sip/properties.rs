//! What is written reads back equal, and whatever arrives is read or refused.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| Host::V4(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Host::V6(octets.into())),
        "[a-z][a-z0-9-]{0,12}(\\.[a-z]{2,5}){0,2}".prop_map(|name| Host::Name(name.as_str().into())),
    ]
}

fn params() -> impl Strategy<Value = Params> {
    proptest::collection::vec(("[a-z][a-z0-9.-]{0,8}", "([A-Za-z0-9.!%*_+`'~-]{1,12}|[ -~é]{0,10})"), 0..5).prop_map(
        |list| {
            let mut params = Params::default();
            for (name, value) in list {
                params.set(&name, &value);
            }
            params
        },
    )
}

fn uri() -> impl Strategy<Value = Uri> {
    let sip = (
        proptest::option::of("\\PC{1,12}"),
        host(),
        proptest::option::of(any::<u16>()),
        proptest::collection::vec(("[a-z][a-z0-9-]{0,8}", "\\PC{0,8}"), 0..4),
    )
        .prop_map(|(user, host, port, params)| {
            let uri = Uri::sip(user.as_deref(), host, port);
            params.iter().fold(uri, |uri, (name, value)| uri.with_param(name, value))
        });
    let tel = "\\+?[0-9]{1,15}(;phone-context=[a-z]{1,5}\\.example)?"
        .prop_map(|text| Uri::parse(&format!("tel:{text}")).unwrap());
    prop_oneof![4 => sip, 1 => tel, 1 => "[a-z][a-z0-9+.-]{1,6}x:[!#-;=?-~]{1,12}".prop_map(|text| Uri::parse(&text).unwrap())]
}

fn name_addr() -> impl Strategy<Value = NameAddr> {
    (proptest::option::of("[ -~éж]{1,16}"), uri(), params()).prop_map(|(display, uri, params)| {
        let named = match display {
            Some(display) => NameAddr::new(uri).with_display(&display),
            None => NameAddr::new(uri),
        };
        NameAddr { params, ..named }
    })
}

fn via() -> impl Strategy<Value = Via> {
    let transport = prop_oneof![
        Just(Transport::Udp),
        Just(Transport::Tcp),
        Just(Transport::Tls),
        Just(Transport::Other("X-Y".into()))
    ];
    (transport, host(), proptest::option::of(any::<u16>()), params()).prop_map(|(transport, host, port, params)| Via {
        transport,
        host,
        port,
        params,
    })
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Invite),
        Just(Method::Bye),
        Just(Method::Options),
        "[A-Z][A-Z0-9!%*_+`'~-]{1,10}".prop_map(|text| Method::from_text(&text))
    ]
}

prop_compose! {
    fn headers(method: Method)(
        vias in proptest::collection::vec(via(), 1..4),
        from in name_addr(),
        to in name_addr(),
        call_id in "[!-+--~]{1,20}",
        seq in 0u32..(1 << 31),
        contacts in proptest::collection::vec(name_addr(), 0..3),
        odd in proptest::collection::vec(("X-[a-z]{1,8}", "\\PC{0,20}"), 0..4),
    ) -> Headers {
        let mut headers = Headers::default();
        for via in vias {
            headers.push(Name::Via, via);
        }
        headers.push(Name::From, from);
        headers.push(Name::To, to);
        headers.push(Name::CallId, call_id);
        headers.push(Name::CSeq, CSeq::new(seq, method.clone()));
        let contacts: Vec<String> = contacts.iter().map(NameAddr::to_string).collect();
        if !contacts.is_empty() {
            headers.push(Name::Contact, contacts.join(", "));
        }
        for (name, value) in odd {
            headers.push(Name::from(name.as_str()), value);
        }
        headers
    }
}

fn messages() -> impl Strategy<Value = Message> {
    let request =
        (method(), uri(), proptest::collection::vec(any::<u8>(), 0..40)).prop_flat_map(|(method, uri, body)| {
            headers(method.clone()).prop_map(move |headers| {
                let body = Bytes::from(body.clone());
                Message::Request(Request { method: method.clone(), uri: uri.without_headers(), headers, body })
            })
        });
    let response = (100u16..700, "\\PC{0,20}", headers(Method::Invite)).prop_map(|(code, reason, headers)| {
        Message::Response(Response { status: Status(code), reason: reason.into(), headers, body: Bytes::new() })
    });
    prop_oneof![request, response]
}

fn same(written: &Message, read: &Message) -> Result<(), TestCaseError> {
    let fields = |message: &Message| -> Vec<(String, String)> {
        let fields = message.headers().fields();
        fields
            .filter(|(name, _)| *name != Name::ContentLength)
            .map(|(name, value)| (name.to_string(), value.to_owned()))
            .collect()
    };
    prop_assert_eq!(fields(written), fields(read));
    prop_assert_eq!(written.body(), read.body());
    let (a, b) = (written.headers(), read.headers());
    prop_assert_eq!(a.vias(), b.vias());
    prop_assert_eq!(a.from(), b.from());
    prop_assert_eq!(a.contacts(), b.contacts());
    prop_assert_eq!(a.cseq(), b.cseq());
    match (written, read) {
        (Message::Request(a), Message::Request(b)) => {
            prop_assert_eq!(&a.method, &b.method);
            prop_assert_eq!(a.uri.as_str(), b.uri.as_str());
        }
        (Message::Response(a), Message::Response(b)) => {
            prop_assert_eq!(a.status, b.status);
            prop_assert_eq!(&a.reason, &b.reason);
        }
        _ => prop_assert!(false, "a request became a response"),
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_message_that_is_written_reads_back_equal(message in messages()) {
        let read = Message::parse(&message.to_bytes());
        prop_assert!(read.is_ok(), "{:?} in {:?}", read.err(), String::from_utf8_lossy(&message.to_bytes()));
        same(&message, &read.unwrap())?;
    }

    #[test]
    fn every_typed_value_prints_what_it_reads(via in via(), name_addr in name_addr(), uri in uri(), host in host()) {
        prop_assert_eq!(Via::parse(&via.to_string()), Ok(via));
        prop_assert_eq!(NameAddr::parse(&name_addr.to_string()), Ok(name_addr));
        prop_assert_eq!(Uri::parse(uri.as_str()), Ok(uri.clone()));
        prop_assert_eq!(&uri, &uri);
        prop_assert_eq!(Host::parse(&host.to_string()), Ok(host));
    }

    #[test]
    fn a_parameter_that_was_set_is_there_and_the_others_stay(params in params(), value in "\\PC{0,12}") {
        let mut changed = params.clone();
        changed.set("tag", &value);
        prop_assert_eq!(unquote(changed.get("tag").unwrap()), value.as_str());
        changed.remove("tag");
        let mut without = params.clone();
        without.remove("tag");
        prop_assert_eq!(changed.iter().collect::<Vec<_>>(), without.iter().collect::<Vec<_>>());
    }

    #[test]
    fn whatever_arrives_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        if let Ok(message) = Message::parse(&bytes) {
            same(&message, &Message::parse(&message.to_bytes()).unwrap())?;
        }
    }

    #[test]
    fn a_stream_comes_apart_the_same_however_it_was_cut(messages in proptest::collection::vec(messages(), 1..4), cut in 1usize..50) {
        let mut framer = Framer::new();
        let stream: Vec<u8> = messages.iter().flat_map(|message| message.to_bytes()).collect();
        let mut frames = Vec::new();
        for piece in stream.chunks(cut) {
            framer.feed(piece);
            while let Some(frame) = framer.next().unwrap() {
                frames.push(frame);
            }
        }
        let expected: Vec<Frame> = messages.iter().map(|message| Frame::Message(message.to_bytes())).collect();
        prop_assert_eq!(frames, expected);
        prop_assert_eq!(framer.pending(), 0);
    }
}
