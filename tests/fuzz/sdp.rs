//! Session descriptions.

use ringlift::wire::sdp::SessionDescription;

pub const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"=",
    b"v=0\r\n",
    b"o=- 1 1 IN IP4 192.0.2.1\r\n",
    b"s=-\r\n",
    b"t=0 0\r\n",
    b"t=\r\n",
    b"c=IN IP4 0.0.0.0\r\n",
    b"c=IN IP6 ::\r\n",
    b"c=IN IP4 233.252.0.1/127/3\r\n",
    b"m=audio 0 RTP/AVP 0\r\n",
    b"m=audio 4000/2 RTP/SAVP 8 101\r\n",
    b"a=rtpmap:101 telephone-event/8000\r\n",
    b"a=fmtp:101 0-16\r\n",
    b"a=ptime:20\r\n",
    b"a=maxptime:0\r\n",
    b"a=sendonly\r\n",
    b"a=rtcp:1 IN IP4 192.0.2.1\r\n",
    b"a=rtcp-mux\r\n",
    b"b=AS:64\r\n",
    b"k=clear:x\r\n",
    b"i=x\r\n",
    b"r=7d 1h 0 25h\r\n",
    b"z=0 0\r\n",
    b"a=",
    b"a=:",
    b":",
    b"/",
    b" ",
    b"IN IP4 ",
    b"IN IP6 ",
    b"\xff",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xc2\xa0",
];

pub fn corpus() -> Vec<Vec<u8>> {
    [
        "v=0\r\no=- 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call\r\nc=IN IP4 198.51.100.1\r\nb=AS:84\r\nt=0 0\r\n\
         a=X-nat:0\r\nm=audio 4008 RTP/AVP 96 0 8 101\r\nc=IN IP4 198.51.100.7\r\nb=TIAS:64000\r\n\
         a=rtcp:4019 IN IP4 198.51.100.8\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:30\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\n",
        "v=0\no=root 1 1 IN IP6 ::1\nc=IN IP6 2001:db8::1\n\nm=audio 4000 RTP/AVP 0\na=ptime:20.0\na=recvonly\n",
        "v=0\r\no=jdoe 1 2 IN IP4 host.example.com\r\ns=x\r\ni=y\r\nu=http://e.example\r\ne=j@e.example\r\np=+1 617 555-6011\r\n\
         t=2873397496 2873404696\r\nr=7d 1h 0 25h\r\nz=0 0\r\nm=image 54111 udptl t38\r\na=T38FaxVersion:0\r\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

pub fn description(input: &[u8]) -> bool {
    let read = match SessionDescription::parse(input) {
        Ok(read) => read,
        Err(error) => {
            let _ = error.to_string();
            return false;
        }
    };
    for media in &read.media {
        let _ = (read.flow(media), read.connection_of(media), read.ptime(media), read.maxptime(media), media.rtcp());
        for payload in media.payload_types() {
            assert!(payload < 128);
            assert!(media.rtpmap(payload).is_none_or(|map| map.payload_type == payload && map.clock_rate > 0));
            let _ = media.fmtp(payload);
        }
        assert!(media.ptime() != Some(0));
    }
    let _ = format!("{read:?}");
    let written = read.to_string();
    if written.len() <= ringlift::wire::sdp::MAX_LENGTH {
        let again =
            SessionDescription::parse(written.as_bytes()).unwrap_or_else(|error| panic!("{error}: {written:?}"));
        // Lines of other letters are written in the RFC's order, so those alone may change places.
        for (again, read) in again.media.iter().zip(&read.media) {
            assert_eq!(again.attributes, read.attributes);
            assert_eq!((&again.formats, again.port), (&read.formats, read.port));
            assert_eq!(again.connection, read.connection);
        }
        assert_eq!((again.media.len(), &again.origin), (read.media.len(), &read.origin));
        assert_eq!(again.to_string(), written, "writing is not stable");
    }
    true
}
