//! TURN credentials that expire by themselves (the REST way, draft-uberti-behave-turn-rest): a name with a date in it, and
//! the code that proves that we wrote it.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::base::{Secret, Utc};
use crate::gateway::web::protocol::IceServer;
use crate::identity::base64url;

/// What browsers are told of servers between them and us.
#[derive(Debug, Clone, PartialEq)]
pub struct Ice {
    /// `stun:…`.
    pub stun: Vec<String>,
    /// `turn:…` and `turns:…`.
    pub turn: Vec<String>,
    /// Shared with the TURN servers.
    pub secret: Option<Secret>,
    /// How long credentials count. Longer: whoever leaves a meeting relays by us for longer. Shorter: long meetings lose
    /// their relay when they renew it.
    pub lifetime: Duration,
}

impl Default for Ice {
    fn default() -> Self {
        Self { stun: Vec::new(), turn: Vec::new(), secret: None, lifetime: Duration::from_secs(12 * 3600) }
    }
}

impl Ice {
    /// The servers, with credentials of this person's own.
    pub fn servers(&self, user: &str, now: Utc) -> Vec<IceServer> {
        let mut servers = Vec::new();
        if !self.stun.is_empty() {
            servers.push(IceServer { urls: self.stun.clone(), username: None, credential: None });
        }
        if let (false, Some(secret)) = (self.turn.is_empty(), &self.secret) {
            let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
            let username = format!("{}:{user}", (now.0 / 1000).saturating_add(lifetime));
            if let Some(credential) = sign(secret, &username) {
                let (username, credential) = (Some(username), Some(credential));
                servers.push(IceServer { urls: self.turn.clone(), username, credential });
            }
        }
        servers
    }
}

fn sign(secret: &Secret, username: &str) -> Option<Secret> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(username.as_bytes());
    Some(Secret::new(base64url::encode_padded(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_that_coturn_computes() {
        // echo -n 1800003600:par_1 | openssl dgst -sha1 -hmac north -binary | base64
        let ice = Ice {
            turn: vec!["turn:turn.example".into()],
            secret: Some(Secret::new("north")),
            lifetime: Duration::from_secs(3600),
            ..Ice::default()
        };
        let servers = ice.servers("par_1", Utc(1_800_000_000_000));
        assert_eq!(servers[0].username.as_deref(), Some("1800003600:par_1"));
        assert_eq!(servers[0].credential, Some(Secret::new("9svbewTQRNctWXn26K/yvbBzo0Y=")));
        assert!(Ice::default().servers("x", Utc(0)).is_empty());
    }
}
