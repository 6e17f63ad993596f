//! Packets protected and believed, by the vectors of others and by chance.

use proptest::prelude::*;

use super::*;
use crate::media::command::SrtpKey;
use crate::wire::rtp::{Header, Packet};
use crate::wire::sdp::{MasterKey, Suite};

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

pub(super) fn key(suite: Suite, master: &str, salt: &str) -> SrtpKey {
    SrtpKey { suite, master: MasterKey::new(suite, &[bytes(master), bytes(salt)].concat()).unwrap(), mki: 0 }
}

fn some_key(suite: Suite, fill: u8) -> SrtpKey {
    SrtpKey { suite, master: MasterKey::new(suite, &vec![fill; suite.key_length() + 14]).unwrap(), mki: 0 }
}

fn short() -> SrtpKey {
    key(Suite::Aes128Sha1Tag80, "e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6")
}

fn long() -> SrtpKey {
    key(
        Suite::Aes256Sha1Tag80,
        "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
        "3b04803de51ee7c96423ab5b78d2",
    )
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header { marker: false, payload_type: 0, sequence, timestamp: 160, ssrc };
    let mut out = Vec::new();
    Packet { header, csrcs: &[], extension: None, payload, padding: 0 }.write(&mut out);
    out
}

fn seal(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut out = [0; 2048];
    let length = sender.rtp(packet, &mut out).unwrap();
    out[..length].to_vec()
}

fn open(receiver: &mut Receiver, packet: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut out = [0; 2048];
    receiver.rtp(packet, &mut out).map(|length| out[..length].to_vec())
}

/// The vectors by which libsrtp checks itself.
#[test]
fn packets_are_as_everybody_else_makes_them() {
    let plain = bytes(&format!("800f1234decafbadcafebabe{}", "ab".repeat(16)));
    for (key, expected) in [
        (short(), "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"),
        (long(), "800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b"),
    ] {
        assert_eq!(seal(&mut Sender::new(&key).unwrap(), &plain), bytes(expected));
        assert_eq!(open(&mut Receiver::new(&key).unwrap(), &bytes(expected)), Ok(plain.clone()));
    }
    let report = bytes(&format!("81c8000bcafebabe{}", "ab".repeat(16)));
    let expected = bytes("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");
    let mut out = [0; 100];
    let length = Sender::new(&short()).unwrap().rtcp(&report, &mut out).unwrap();
    assert_eq!(out[..length], expected);
    let mut receiver = Receiver::new(&short()).unwrap();
    let length = receiver.rtcp(&expected, &mut out).unwrap();
    assert_eq!(out[..length], report);
    assert_eq!(receiver.rtcp(&expected, &mut out), Err(Refused::Replayed));
}

#[test]
fn what_is_changed_plain_or_of_another_key_is_not_believed() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) =
            (Sender::new(&some_key(suite, 1)).unwrap(), Receiver::new(&some_key(suite, 1)).unwrap());
        let packet = seal(&mut sender, &rtp(1, 1, b"speech"));
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 1;
            assert!(open(&mut receiver, &changed).is_err(), "{suite:?}, byte {at}");
        }
        for length in 0..packet.len() {
            assert!(open(&mut receiver, &packet[..length]).is_err());
        }
        assert_eq!(open(&mut receiver, &rtp(1, 1, &[0xff; 160])), Err(Refused::Forged));
        assert_eq!(open(&mut Receiver::new(&some_key(suite, 2)).unwrap(), &packet), Err(Refused::Forged));
        assert_eq!(open(&mut receiver, &packet), Ok(rtp(1, 1, b"speech")));
        assert_eq!(open(&mut receiver, &packet), Err(Refused::Replayed));
    }
    let sender = some_key(Suite::Aes256Sha1Tag80, 1);
    assert!(Sender::new(&SrtpKey { suite: Suite::Aes128Sha1Tag80, ..sender.clone() }).is_none());
    assert!(Receiver::new(&SrtpKey { suite: Suite::Aes128Sha1Tag80, ..sender }).is_none());
}

#[test]
fn packets_out_of_order_come_once_and_old_ones_not_at_all() {
    let key = short();
    let (mut sender, mut receiver) = (Sender::new(&key).unwrap(), Receiver::new(&key).unwrap());
    let packets: Vec<Vec<u8>> =
        (0..300).map(|n| seal(&mut sender, &rtp(9, 65_400u16.wrapping_add(n), &[7; 20]))).collect();
    assert!(open(&mut receiver, &packets[130]).is_ok());
    assert!(open(&mut receiver, &packets[140]).is_ok());
    for n in [139, 131, 138, 100, 13] {
        assert!(open(&mut receiver, &packets[n]).is_ok(), "{n} is within the window");
        assert_eq!(open(&mut receiver, &packets[n]), Err(Refused::Replayed));
    }
    assert_eq!(open(&mut receiver, &packets[12]), Err(Refused::Replayed), "too old to tell");
    assert!(open(&mut receiver, &packets[299]).is_ok());
    assert_eq!(open(&mut receiver, &packets[140]), Err(Refused::Replayed));
}

#[test]
fn numbers_wrap_whatever_is_lost() {
    let key = short();
    for (begins, lost, sent) in [
        (65_000u32, 0u32..0, 2000u32),
        (65_530, 0..10, 100),
        (60_000, 5000..6000, 8000),
        (100, 200..33_000, 33_100),
        (0, 1..60_000, 60_100),
        (64_000, 100..64_000, 64_100),
    ] {
        let (mut sender, mut receiver) = (Sender::new(&key).unwrap(), Receiver::new(&key).unwrap());
        let mut believed = 0;
        for n in 0..sent {
            let sealed = seal(&mut sender, &rtp(3, ((begins + n) & 0xffff) as u16, b"x"));
            if !lost.contains(&n) {
                believed += u32::from(open(&mut receiver, &sealed).is_ok());
            }
        }
        assert_eq!(believed, sent - lost.len() as u32, "{begins} {lost:?}");
    }
}

#[test]
fn a_far_end_that_changes_its_source_is_heard_at_once() {
    let key = short();
    let (mut one, mut two) = (Sender::new(&key).unwrap(), Sender::new(&key).unwrap());
    let mut receiver = Receiver::new(&key).unwrap();
    for n in 0..70_000u32 {
        assert!(open(&mut receiver, &seal(&mut one, &rtp(1, (n & 0xffff) as u16, b"x"))).is_ok());
    }
    assert!(open(&mut receiver, &seal(&mut two, &rtp(2, 40_000, b"x"))).is_ok());
    assert!(open(&mut receiver, &seal(&mut one, &rtp(1, (70_000u32 & 0xffff) as u16, b"x"))).is_ok());
    for ssrc in 10..20 {
        assert!(open(&mut receiver, &seal(&mut Sender::new(&key).unwrap(), &rtp(ssrc, 1, b"x"))).is_ok());
    }
}

#[test]
fn keys_change_in_the_middle_of_a_call() {
    let (old, new) = (some_key(Suite::Aes128Sha1Tag80, 1), some_key(Suite::Aes256Sha1Tag32, 2));
    let (mut sender, mut receiver) = (Sender::new(&old).unwrap(), Receiver::new(&old).unwrap());
    for n in 0..66_000u32 {
        assert!(open(&mut receiver, &seal(&mut sender, &rtp(1, (n & 0xffff) as u16, b"x"))).is_ok());
    }
    assert!(sender.rekey(&new) && receiver.rekey(&new));
    let mut fresh = receiver.clone();
    assert!(open(&mut receiver, &seal(&mut sender, &rtp(1, 464, b"x"))).is_ok(), "the counter goes on");
    let mut other = Sender::new(&new).unwrap();
    assert!(open(&mut fresh, &seal(&mut other, &rtp(1, 464, b"x"))).is_ok(), "or begins anew");
    assert!(!sender.rekey(&SrtpKey { suite: Suite::Aes128Sha1Tag80, ..new }));
}

#[test]
fn an_identifier_of_the_key_is_left_out() {
    let key = short();
    let mut sender = Sender::new(&key).unwrap();
    let mut receiver = Receiver::new(&SrtpKey { mki: 4, ..key.clone() }).unwrap();
    let with_mki = |packet: Vec<u8>| {
        let (body, tag) = packet.split_at(packet.len() - 10);
        [body, &[0, 0, 0, 1], tag].concat()
    };
    let first = with_mki(seal(&mut sender, &rtp(1, 1, b"one")));
    assert_eq!(open(&mut receiver, &first), Ok(rtp(1, 1, b"one")));
    assert_eq!(open(&mut receiver, &first), Err(Refused::Replayed));
    assert_eq!(open(&mut receiver, &seal(&mut sender, &rtp(1, 2, b"two"))), Ok(rtp(1, 2, b"two")), "announced only");
    let mut out = [0; 100];
    let length = sender.rtcp(&bytes("80c9000100000001"), &mut out).unwrap();
    let report = with_mki(out[..length].to_vec());
    assert_eq!(receiver.rtcp(&report, &mut out), Ok(8));
}

#[test]
fn reports_in_the_clear_are_refused_though_they_are_signed() {
    let key = short();
    let mut out = [0; 100];
    let length = Sender::new(&key).unwrap().rtcp(&bytes("80c9000100000001"), &mut out).unwrap();
    let mut report = out[..length].to_vec();
    report[8] &= 0x7f;
    let signed = cipher::Cipher::derive(&key, cipher::RTCP).unwrap().tag(&report[..12], &[]);
    report[12..].copy_from_slice(&signed[..10]);
    assert_eq!(Receiver::new(&key).unwrap().rtcp(&report, &mut out), Err(Refused::Malformed));
}

proptest! {
    #[test]
    fn whatever_is_protected_is_read_by_who_has_the_key(
        which in 0usize..4,
        (ssrc, sequence, timestamp, payload_type, marker) in any::<(u32, u16, u32, u8, bool)>(),
        csrcs in proptest::collection::vec(any::<[u8; 4]>(), 0..16),
        extension in proptest::option::of((any::<u16>(), proptest::collection::vec(any::<[u8; 4]>(), 0..9))),
        payload in proptest::collection::vec(any::<u8>(), 0..700),
        padding in any::<u8>(),
        fill in any::<u8>(),
    ) {
        let csrcs = csrcs.concat();
        let extension = extension.map(|(profile, data)| (profile, data.concat()));
        let header = Header { marker, payload_type: payload_type & 0x7f, sequence, timestamp, ssrc };
        let mut plain = Vec::new();
        Packet { header, csrcs: &csrcs, extension: extension.as_ref().map(|(p, d)| (*p, d.as_slice())), payload: &payload, padding }.write(&mut plain);
        let key = some_key(Suite::ALL[which], fill);
        let sealed = seal(&mut Sender::new(&key).unwrap(), &plain);
        prop_assert_eq!(sealed.len(), plain.len() + key.suite.tag_length());
        let mut receiver = Receiver::new(&key).unwrap();
        prop_assert_eq!(open(&mut receiver, &sealed), Ok(plain));
        prop_assert_eq!(open(&mut receiver, &sealed), Err(Refused::Replayed));
    }

    #[test]
    fn any_bytes_are_refused_without_panic(packet in proptest::collection::vec(any::<u8>(), 0..64), mki in 0u8..20) {
        let mut receiver = Receiver::new(&SrtpKey { mki, ..short() }).unwrap();
        let mut out = [0; 64];
        prop_assert!(receiver.rtp(&packet, &mut out).is_err());
        prop_assert!(receiver.rtcp(&packet, &mut out).is_err());
        let _ = Sender::new(&short()).unwrap().rtp(&packet, &mut out);
        let _ = Sender::new(&short()).unwrap().rtcp(&packet, &mut out);
    }
}
