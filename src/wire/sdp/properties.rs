//! What is written reads back equal, and whatever arrives is read or refused.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<SessionDescription, SdpError> {
    SessionDescription::parse(text.as_bytes())
}

#[test]
fn no_value_can_add_a_line() {
    let mut sdp = parse("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n").unwrap();
    sdp.name = "x\r\nm=audio 9 RTP/AVP 0".to_owned();
    sdp.attributes.push(Attribute::with("note", "y\nm=audio 9 RTP/AVP 0"));
    sdp.other.push(('i', "z\rm=audio 9 RTP/AVP 0".to_owned()));
    assert!(parse(&sdp.to_string()).unwrap().media.is_empty());
}

#[test]
fn what_would_send_media_astray_is_refused() {
    for line in [
        "m=audio +4000 RTP/AVP 0",
        "m=audio -1 RTP/AVP 0",
        "m=audio 65536 RTP/AVP 0",
        "m=audio 4000/+2 RTP/AVP 0",
        "s=a\rb",
        "s=a\0b",
        "a=note:\u{1b}[31m",
        " =x",
        "M=audio 4000 RTP/AVP 0",
    ] {
        assert!(parse(&format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n{line}\r\n")).is_err(), "{line:?}");
    }
    let many = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n{}", "m=audio 0 RTP/AVP 0\r\n".repeat(MAX_MEDIA + 1));
    assert!(parse(&many).is_err());
}

#[test]
fn names_with_spaces_and_other_encodings_are_forgiven() {
    let sdp = SessionDescription::parse(b"v=0\r\no=john  doe 1 2 IN IP4 192.0.2.1\r\ns=caf\xe9\r\n").unwrap();
    assert_eq!((sdp.origin.username.as_str(), sdp.name.as_str()), ("john doe", "caf\u{fffd}"));
}

#[test]
fn no_time_is_no_number_of_milliseconds_and_no_clock_stands_still() {
    let sdp =
        parse("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8 +9\r\na=ptime:0\r\na=rtpmap:8 PCMA/0\r\n")
            .unwrap();
    assert_eq!((sdp.media[0].ptime(), sdp.media[0].rtpmap(8)), (None, None));
    assert_eq!(sdp.media[0].payload_types().collect::<Vec<_>>(), [8]);
}

#[test]
fn keys_and_numbers_do_not_print() {
    let sdp = parse("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\np=+4930901820\r\nk=clear:topsecret\r\nm=audio 4000 RTP/SAVP 0\r\nk=clear:topsecret\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:topsecret\r\n").unwrap();
    let printed = format!("{sdp:?}");
    assert!(!printed.contains("topsecret") && !printed.contains("4930"), "{printed}");
    assert_eq!(parse(&sdp.to_string()), Ok(sdp));
}

fn connection() -> impl Strategy<Value = Connection> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| Connection::Ip(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Connection::Ip(octets.into())),
        ("[a-z][a-z0-9-]{0,12}\\.[a-z]{2,5}", any::<bool>()).prop_map(|(name, v6)| Connection::Name(name, v6)),
    ]
}

/// Text as it may stand in a value: it neither begins nor ends with a space.
fn text() -> impl Strategy<Value = String> {
    "[!-~é]([ -~é]{0,12}[!-~é])?"
}

fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    let attribute = prop_oneof![
        "[a-z][a-z0-9-]{0,10}".prop_map(|name| Attribute::flag(&name)),
        ("[a-z][a-z0-9-]{0,10}", text()).prop_map(|(name, value)| Attribute::with(&name, value)),
        (0u8..128, "[A-Za-z0-9-]{1,12}", 1u32..)
            .prop_map(|(payload, name, rate)| { Attribute::with("rtpmap", format!("{payload} {name}/{rate}")) }),
    ];
    proptest::collection::vec(attribute, 0..6)
}

fn others(letters: &'static str) -> impl Strategy<Value = Vec<(char, String)>> {
    let order = move |lines: &(char, String)| letters.find(lines.0);
    proptest::collection::vec((proptest::sample::select(letters.chars().collect::<Vec<_>>()), text()), 0..4).prop_map(
        move |mut lines| {
            lines.sort_by_key(order);
            lines
        },
    )
}

fn media() -> impl Strategy<Value = Media> {
    let head = (
        "(audio|video|image|x[a-z]{1,6})",
        any::<u16>(),
        proptest::option::of(any::<u16>()),
        "[A-Z]{3}(/[A-Z]{3,5})?",
        proptest::collection::vec("[0-9a-z*]{1,4}", 0..6),
    );
    let rest = (
        proptest::option::of(connection()),
        proptest::collection::vec("[A-Z]{2,4}:[0-9]{1,6}", 0..3),
        others("ik"),
        attributes(),
    );
    (head, rest).prop_map(
        |((kind, port, port_count, protocol, formats), (connection, bandwidth, other, attributes))| Media {
            kind,
            port,
            port_count,
            protocol,
            formats,
            connection,
            bandwidth,
            other,
            attributes,
        },
    )
}

fn description() -> impl Strategy<Value = SessionDescription> {
    let origin = ("[!-~]{1,8}", "[0-9]{1,24}", "[0-9]{1,24}", connection())
        .prop_map(|(username, session_id, version, address)| Origin { username, session_id, version, address });
    let head = (origin, text(), proptest::option::of(connection()));
    let rest = (
        proptest::collection::vec("[A-Z]{2,4}:[0-9]{1,6}", 0..3),
        "[0-9]{1,10} [0-9]{1,10}",
        others("iueprzk"),
        attributes(),
        proptest::collection::vec(media(), 0..4),
    );
    (head, rest).prop_map(|((origin, name, connection), (bandwidth, time, other, attributes, media))| {
        SessionDescription { origin, name, connection, bandwidth, time, other, attributes, media }
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_equal(description in description()) {
        prop_assert_eq!(parse(&description.to_string()), Ok(description));
    }

    #[test]
    fn whatever_arrives_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(read) = SessionDescription::parse(&bytes) {
            let written = read.to_string();
            prop_assert_eq!(parse(&written).map(|again| again.to_string()), Ok(written));
        }
    }
}
