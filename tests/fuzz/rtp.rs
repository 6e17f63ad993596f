//! RTP, RTCP and telephone-events.

use ringlift::wire::rtp::rtcp::{Compound, Report};
use ringlift::wire::rtp::{Packet, TelephoneEvent, is_rtcp};

pub const WORDS: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\x80",
    b"\xa0",
    b"\x90",
    b"\xb0",
    b"\x8f",
    b"\x40",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\xc8",
    b"\xc9",
    b"\xca",
    b"\xcb",
    b"\xbe\xde\0\x01",
    b"\x01\x05alice",
    b"\x81\xc9\0\x07",
    b"\x80\xc9\0\x01",
];

pub fn packets() -> Vec<Vec<u8>> {
    let plain = [&[0x80, 0x88, 0x12, 0x34, 0, 0, 0, 160, 1, 2, 3, 4], [0xd5; 160].as_slice()].concat();
    let all =
        [0xb1, 101, 0, 1, 0, 0, 3, 32, 9, 9, 9, 9, 7, 7, 7, 7, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0, 5, 10, 3, 32, 0, 2];
    vec![plain, all.to_vec()]
}

pub fn packet(input: &[u8]) -> bool {
    let _ = is_rtcp(input);
    match Packet::parse(input) {
        Ok(packet) => {
            let mut written = Vec::new();
            packet.write(&mut written);
            assert_eq!(Packet::parse(&written), Ok(packet));
            assert_eq!(written.len(), input.len());
            true
        }
        Err(error) => {
            let _ = error.to_string();
            false
        }
    }
}

pub fn compounds() -> Vec<Vec<u8>> {
    let mut sender = vec![0x81, 200, 0, 12, 1, 2, 3, 4];
    sender.extend([0u8; 44]);
    let description = [0x81, 202, 0, 3, 1, 2, 3, 4, 1, 4, b'a', b'@', b'b', b'c', 0, 0];
    let bye = [0x81, 203, 0, 1, 1, 2, 3, 4];
    let receiver = [0x80, 201, 0, 1, 1, 2, 3, 4];
    vec![[sender.as_slice(), &description, &bye].concat(), [receiver.as_slice(), &description].concat()]
}

pub fn compound(input: &[u8]) -> bool {
    let Ok(compound) = Compound::parse(input) else { return false };
    let mut packets = 0;
    for report in compound {
        packets += 1;
        match report {
            Report::Sender { blocks, .. } | Report::Receiver { blocks, .. } => {
                assert!(blocks.count() <= 31);
            }
            Report::Description { cname, .. } => {
                assert!(cname.is_none_or(|cname| cname.len() <= 255));
            }
            _ => {}
        }
    }
    assert!(packets >= 1 && packets <= input.len() / 4);
    true
}

pub fn telephone_event(input: &[u8]) -> bool {
    let Ok(event) = TelephoneEvent::parse(input) else { return false };
    assert_eq!(TelephoneEvent::parse(&event.write()), Ok(event));
    assert!(event.digit().is_none_or(|digit| TelephoneEvent::code(digit) == Some(event.event)));
    false
}
