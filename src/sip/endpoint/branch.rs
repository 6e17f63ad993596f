//! Branches of our requests: which transaction, and a print of the Request-URI, so that we know our own when it comes
//! back. The addresses that go with them into Via and Contact.

use super::{Endpoint, TransactionId};
use crate::sip::compose;
use crate::sip::transport::{HostPort, Target, Transport};
use crate::wire::sip::{Host, Uri};

/// How many characters of a branch, after the cookie, name the transaction.
pub(super) const ID_LENGTH: usize = 13;
/// How many characters after that are a print of the Request-URI.
pub(super) const PRINT_LENGTH: usize = 7;
/// The digits of ids and prints in branches.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl Endpoint {
    /// Whether we are reached by this transport.
    pub(super) fn has(&self, transport: Transport) -> bool {
        self.settings.advertised.iter().any(|a| a.transport == transport)
    }

    pub(super) fn via(&self, id: TransactionId, uri: &Uri, target: &Target) -> String {
        let branch = format!("{}{}{}", self.cookie, encode(id.0 & !1), print_of(uri.as_str()));
        match self.address(target.transport, target) {
            Some(address) => compose::via(target.transport, address, &branch),
            // Nothing is advertised for it; `rport` and `received` bring the answer back.
            None => {
                let nowhere = HostPort { host: "invalid".to_owned(), port: 9 };
                compose::via(target.transport, &nowhere, &branch)
            }
        }
    }

    /// The host under which peers reached by `target` know us.
    pub fn own_host(&self, target: &Target) -> Option<Host> {
        let address = self.address(target.transport, target)?;
        let host = if address.host.contains(':') { format!("[{}]", address.host) } else { address.host.clone() };
        Host::parse(&host).ok()
    }

    /// Our Contact value for peers reached by `target`.
    pub(super) fn contact(&self, target: &Target, sips: bool, user: Option<&str>) -> String {
        let written = |transport, sips| {
            let address = self.address(transport, target);
            address.map(|address| compose::contact(transport, address, sips, user))
        };
        // Without TLS of our own there is no sips; what carried the call is the best there is.
        let secure = if sips { written(Transport::Tls, true) } else { None };
        secure.or_else(|| written(target.transport, false)).unwrap_or_default()
    }
}

pub(super) fn encode(bits: u64) -> String {
    (0..ID_LENGTH)
        .rev()
        .map(|place| {
            let digit = (bits.checked_shr(u32::try_from(place * 5).unwrap_or(64)).unwrap_or(0) & 31) as usize;
            char::from(DIGITS.get(digit).copied().unwrap_or(b'0'))
        })
        .collect()
}

pub(super) fn decode(text: &str) -> Option<u64> {
    text.bytes().try_fold(0u64, |bits, byte| {
        let digit = DIGITS.iter().position(|known| *known == byte.to_ascii_lowercase())?;
        Some((bits << 5) | digit as u64)
    })
}

/// A print of a Request-URI (FNV-1a): tells a circle from a spiral.
pub(super) fn print_of(uri: &str) -> String {
    let hash = hash_of(0, &[uri]);
    encode(hash).chars().skip(ID_LENGTH - PRINT_LENGTH).collect()
}

/// FNV-1a over parts, after a secret.
pub(super) fn hash_of(secret: u64, parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ secret;
    for byte in parts.iter().flat_map(|part| part.bytes().chain(std::iter::once(0))) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// A tag that is the same for each copy of a request.
pub(super) fn tag_of(secret: u64, parts: &[&str]) -> String {
    encode(hash_of(secret, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_gives_back_its_transaction() {
        for bits in [0, 1, 31, 32, u64::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(decode(&encode(bits)), Some(bits));
            assert_eq!(encode(bits).len(), ID_LENGTH);
        }
        assert_eq!(print_of("sip:a@b").len(), PRINT_LENGTH);
        assert_ne!(print_of("sip:a@b"), print_of("sip:a@c"));
    }
}
