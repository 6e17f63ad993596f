//! STUN as a keep-alive on the SIP port (RFC 5626 §3.5.2): a binding request is answered with the address it came from.
//!
//! ```text
//! 00 01 len len  21 12 a4 42  transaction id, 12 bytes   …attributes                        request (RFC 5389 §6)
//! 01 01 len len  21 12 a4 42  the same                   00 20 len len 00 family xport xaddr  answer (§15.2)
//! ```

use std::net::{IpAddr, SocketAddr};

const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];

/// Whether this is STUN rather than SIP: no SIP message begins with a byte below 0x04.
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= 20 && datagram.first().is_some_and(|&byte| byte < 4) && datagram.get(4..8) == Some(&MAGIC)
}

/// The answer to a binding request; none to anything else.
pub fn answer(datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    if !is_stun(datagram) || datagram.get(..2) != Some(&BINDING_REQUEST) {
        return None;
    }
    let transaction = datagram.get(8..20)?;
    let mask = || MAGIC.iter().chain(transaction);
    let (family, address) = match source.ip().to_canonical() {
        IpAddr::V4(v4) => (1u8, v4.octets().iter().zip(mask()).map(|(a, m)| a ^ m).collect::<Vec<u8>>()),
        IpAddr::V6(v6) => (2u8, v6.octets().iter().zip(mask()).map(|(a, m)| a ^ m).collect()),
    };
    let value = u16::try_from(address.len() + 4).ok()?;
    let port = source.port() ^ 0x2112;
    let mut out = Vec::with_capacity(44);
    out.extend_from_slice(&BINDING_SUCCESS);
    out.extend_from_slice(&(value + 4).to_be_bytes());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(transaction);
    out.extend_from_slice(&XOR_MAPPED_ADDRESS);
    out.extend_from_slice(&value.to_be_bytes());
    out.extend_from_slice(&[0, family]);
    out.extend_from_slice(&port.to_be_bytes());
    out.extend_from_slice(&address);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_learns_the_address_its_binding_request_came_from() {
        // The addresses of RFC 5769 §2.2 and §2.3.
        let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        request.extend_from_slice(&[0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);
        let v4 = answer(&request, "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(v4[20..], [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let v6 = answer(&request, "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap()).unwrap();
        assert_eq!(v6[24..28], [0x00, 0x02, 0xa1, 0x47]);
        assert_eq!(
            v6[28..],
            [0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9]
        );
        assert!(answer(b"OPTIONS sip:x SIP/2.0\r\n", "192.0.2.1:5060".parse().unwrap()).is_none());
        assert!(answer(&v4, "192.0.2.1:5060".parse().unwrap()).is_none(), "an answer is not answered");
    }
}
