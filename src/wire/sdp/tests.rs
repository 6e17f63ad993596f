//! Descriptions as carriers and phones write them.

use super::*;

const TYPICAL: &str = "v=0\r\no=- 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call\r\nc=IN IP4 198.51.100.1\r\nb=AS:84\r\nt=0 0\r\na=X-nat:0\r\nm=audio 4008 RTP/AVP 96 0 8 101\r\nc=IN IP4 198.51.100.7\r\nb=TIAS:64000\r\na=rtcp:4019 IN IP4 198.51.100.8\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:30\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\n";

#[test]
fn a_phones_offer_is_read_and_written_back_the_same() {
    let sdp = SessionDescription::parse(TYPICAL.as_bytes()).unwrap();
    assert_eq!(sdp.to_string(), TYPICAL);
    let audio = &sdp.media[0];
    assert_eq!(audio.payload_types().collect::<Vec<_>>(), [96, 0, 8, 101]);
    assert!(audio.rtpmap(101).unwrap().is("TELEPHONE-EVENT", 8000));
    assert_eq!(audio.rtpmap(96).unwrap().channels, 2);
    assert_eq!(audio.fmtp(96), Some("useinbandfec=1"));
    assert_eq!(sdp.ptime(audio), Some(30));
    assert_eq!(sdp.flow(audio), Flow::SendOnly);
    assert_eq!(sdp.connection_of(audio).and_then(Connection::ip), "198.51.100.7".parse().ok());
    assert_eq!(audio.rtcp(), Some((4019, Some(Connection::Ip("198.51.100.8".parse().unwrap())))));
    assert_eq!(sdp.flow(&sdp.media[1]), Flow::SendRecv);
}

#[test]
fn sloppy_senders_are_understood() {
    let sloppy =
        "v=0\no=root 1 1 IN IP4 0.0.0.0\nc=IN IP4 0.0.0.0 \n\nm=audio 4000 RTP/AVP 0\na=ptime:20.0\na=recvonly\n\0";
    let sdp = SessionDescription::parse(sloppy.as_bytes()).unwrap();
    assert!(sdp.connection.as_ref().is_some_and(Connection::is_unspecified));
    assert_eq!((sdp.name.as_str(), sdp.time.as_str()), ("-", "0 0"));
    assert_eq!(sdp.ptime(&sdp.media[0]), Some(20));
}

#[test]
fn ipv6_names_and_multicast_are_read() {
    let sdp = |c: &str| {
        SessionDescription::parse(format!("v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc={c}\r\nt=0 0\r\n").as_bytes())
    };
    assert_eq!(sdp("IN IP6 2001:db8::1").unwrap().connection.unwrap().ip(), "2001:db8::1".parse().ok());
    assert_eq!(
        sdp("IN IP4 media.example.com").unwrap().connection,
        Some(Connection::Name("media.example.com".into(), false))
    );
    assert_eq!(sdp("IN IP4 233.252.0.1/127").unwrap().connection.unwrap().ip(), "233.252.0.1".parse().ok());
    for wrong in
        ["IN IP4 2001:db8::1", "IN IP6 192.0.2.1", "IN IP4 256.1.1.1", "IN IP4", "ATM NSAP 1", "IN IP4 192.0.2.1 x"]
    {
        assert!(sdp(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_no_description_says_where_it_fails() {
    for (text, line) in [
        ("", 0),
        ("hello", 1),
        ("v=1\r\n", 1),
        ("v=0\r\ns=-\r\n", 2),
        ("v=0\r\no=- x 1 IN IP4 192.0.2.1\r\n", 2),
        ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 70000 RTP/AVP 0\r\n", 3),
        ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio\r\n", 3),
        ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\nc=nonsense\r\n", 4),
        ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n", 3),
    ] {
        assert_eq!(SessionDescription::parse(text.as_bytes()).map_err(|error| error.line), Err(line), "{text:?}");
    }
    assert!(SessionDescription::parse(b"v=0\r\no=\xff").is_err());
}
