//! AES in counter mode, HMAC-SHA1, and the session keys (RFC 3711 §4).

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes256Enc, Block};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::media::command::SrtpKey;
use crate::wire::sdp::Suite;

/// Blocks enciphered at once, so that the processor works on several; 192 bytes are one packet of G.711.
const BLOCKS: usize = 12;

/// Labels of derived keys (RFC 3711 §4.3.2).
pub(super) const RTP: u8 = 0;
/// The same for RTCP.
pub(super) const RTCP: u8 = 3;

/// A block cipher by key length.
#[derive(Clone)]
enum Aes {
    Short(Aes128Enc),
    Long(Aes256Enc),
}

/// The session keys of one direction and kind.
#[derive(Clone)]
pub(super) struct Cipher {
    aes: Aes,
    salt: [u8; Suite::SALT],
    /// Keyed once; each packet begins with a copy.
    mac: Hmac<Sha1>,
}

impl Aes {
    fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128Enc::new_from_slice(key).ok().map(Aes::Short),
            _ => Aes256Enc::new_from_slice(key).ok().map(Aes::Long),
        }
    }

    /// Enciphers, or deciphers, with the key stream that begins at this counter block.
    fn apply(&self, counter: [u8; 16], bytes: &mut [u8]) {
        let first = u128::from_be_bytes(counter);
        let mut stream = [Block::default(); BLOCKS];
        let mut next = first;
        for run in bytes.chunks_mut(BLOCKS * 16) {
            let used = run.len().div_ceil(16);
            let blocks = stream.get_mut(..used).unwrap_or_default();
            for block in blocks.iter_mut() {
                *block = next.to_be_bytes().into();
                next = next.wrapping_add(1);
            }
            match self {
                Aes::Short(aes) => aes.encrypt_blocks(blocks),
                Aes::Long(aes) => aes.encrypt_blocks(blocks),
            }
            for (byte, key) in run.iter_mut().zip(blocks.iter().flatten()) {
                *byte ^= key;
            }
        }
    }
}

impl Cipher {
    /// Derives the keys whose labels begin at [`RTP`] or [`RTCP`]; none where the master key has another length than its
    /// suite's.
    pub(super) fn derive(key: &SrtpKey, label: u8) -> Option<Self> {
        let master = Aes::new(Some(key.master.key()).filter(|bytes| bytes.len() == key.suite.key_length())?)?;
        let salt: [u8; Suite::SALT] = key.master.salt().try_into().ok()?;
        let derive = |label: u8, out: &mut [u8]| {
            let mut counter = [0; 16];
            for (byte, salt) in counter.iter_mut().zip(&salt) {
                *byte = *salt;
            }
            if let Some(byte) = counter.get_mut(7) {
                *byte ^= label;
            }
            master.apply(counter, out);
        };
        let (mut session, mut mac, mut session_salt) = ([0; 32], [0; 20], [0; Suite::SALT]);
        let session = session.get_mut(..key.suite.key_length())?;
        derive(label, session);
        derive(label + 1, &mut mac);
        derive(label + 2, &mut session_salt);
        Some(Self {
            aes: Aes::new(session)?,
            salt: session_salt,
            mac: <Hmac<Sha1> as KeyInit>::new_from_slice(&mac).ok()?,
        })
    }

    /// Enciphers or deciphers what the packet of this index carries (RFC 3711 §4.1.1).
    pub(super) fn apply(&self, ssrc: u32, index: u64, bytes: &mut [u8]) {
        let mut salt = [0; 16];
        for (byte, own) in salt.iter_mut().zip(&self.salt) {
            *byte = *own;
        }
        let packet = u128::from(ssrc) << 64 | u128::from(index) << 16;
        self.aes.apply((u128::from_be_bytes(salt) ^ packet).to_be_bytes(), bytes);
    }

    /// Authenticates a packet with what follows it unsent: the rollover counter of RTP, nothing of RTCP.
    pub(super) fn tag(&self, packet: &[u8], after: &[u8]) -> [u8; 20] {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(after);
        mac.finalize().into_bytes().into()
    }
}

/// Compares without telling by its duration where the difference lies.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::srtp::tests::{bytes, key};

    /// RFC 3711 §B.2.
    #[test]
    fn the_key_stream_is_that_of_the_rfc() {
        let aes = Aes::new(&bytes("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let mut stream = vec![0; 16 * 0xff02];
        aes.apply(bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap(), &mut stream);
        let first = "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(stream[..48], bytes(first));
        let last = "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE6A2CC3787889374FBEB4C81B17BA6C44";
        assert_eq!(stream[16 * 0xfeff..], bytes(last));
    }

    /// RFC 3711 §B.3.
    #[test]
    fn keys_of_128_bits_are_derived_as_in_the_rfc() {
        let key = key(Suite::Aes128Sha1Tag80, "E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6");
        let cipher = Cipher::derive(&key, RTP).unwrap();
        check(
            &cipher,
            "C61E7A93744F39EE10734AFE3FF7A087",
            "30CBBC08863D8C85D49DB34A9AE1",
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4",
        );
    }

    /// RFC 6188 §7.2.
    #[test]
    fn keys_of_256_bits_are_derived_as_in_the_rfc() {
        let key = key(
            Suite::Aes256Sha1Tag80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
            "3b04803de51ee7c96423ab5b78d2",
        );
        let cipher = Cipher::derive(&key, RTP).unwrap();
        check(
            &cipher,
            "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
            "fa31791685ca444a9e07c6c64e93",
            "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
        );
    }

    fn check(cipher: &Cipher, session: &str, salt: &str, mac: &str) {
        let (mut ours, mut theirs) = ([0; 64], [0; 64]);
        cipher.aes.apply([7; 16], &mut ours);
        Aes::new(&bytes(session)).unwrap().apply([7; 16], &mut theirs);
        assert_eq!(ours, theirs);
        assert_eq!(cipher.salt.to_vec(), bytes(salt));
        let mut expected = <Hmac<Sha1> as KeyInit>::new_from_slice(&bytes(mac)).unwrap();
        expected.update(b"packet");
        assert_eq!(cipher.tag(b"pac", b"ket")[..], expected.finalize().into_bytes()[..]);
    }

    /// RFC 6188 §7.1.
    #[test]
    fn the_key_stream_of_256_bits_is_that_of_the_rfc() {
        let aes = Aes::new(&bytes("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98")).unwrap();
        let mut stream = [0; 32];
        aes.apply(bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000").try_into().unwrap(), &mut stream);
        assert_eq!(stream[..], bytes("92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac"));
    }
}
