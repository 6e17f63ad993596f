//! Credentials for a TURN server that are good for a while and for nobody else: both are made of one secret that the server
//! has too, so that it need not be asked (draft-uberti-behave-turn-rest-00 §2.2).

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::base::{Secret, Utc};
use crate::gateway::web::protocol::IceServer;
use crate::wire::sdp::to_base64;

/// TURN servers, and the secret shared with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Such as `turn:turn.example.org:3478?transport=udp`.
    pub urls: Vec<String>,
    /// Shared with the servers (coturn: `static-auth-secret`).
    pub secret: Secret,
    /// Seconds that credentials are good for.
    pub lifetime: u32,
}

/// What one person's browser is told now; `who` is written into the server's log, and should name nobody.
pub fn ice_servers(turn: Option<&Turn>, now: Utc, who: &str) -> Vec<IceServer> {
    let Some(turn) = turn.filter(|turn| !turn.urls.is_empty()) else { return Vec::new() };
    let until = now.0.div_euclid(1000).saturating_add(i64::from(turn.lifetime));
    let username = format!("{until}:{who}");
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(turn.secret.expose().as_bytes()) else { return Vec::new() };
    mac.update(username.as_bytes());
    let credential = Secret::new(to_base64(&mac.finalize().into_bytes()));
    vec![IceServer { urls: turn.urls.clone(), username: Some(username), credential: Some(credential) }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_that_coturn_computes() {
        // printf '1700086400:part_x' | openssl dgst -sha1 -hmac north -binary | base64
        let turn = Turn { urls: vec!["turn:turn.example.org".into()], secret: Secret::new("north"), lifetime: 86_400 };
        let servers = ice_servers(Some(&turn), Utc(1_700_000_000_123), "part_x");
        assert_eq!(servers[0].username.as_deref(), Some("1700086400:part_x"));
        assert_eq!(servers[0].credential, Some(Secret::new("0zSm3C13NF0fvGdghbFQUSRFhCs=")));
        assert_eq!(ice_servers(None, Utc(0), "x"), []);
    }
}
