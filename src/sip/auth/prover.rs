//! Our side of an account with somebody who asks for credentials: remembers what was asked, so that the next request
//! carries them at once, and tells a nonce that grew old from a password that is wrong.

use super::{Algorithm, Challenge};
use crate::base::{Rng, Secret};
use crate::sip::endpoint::Headers;
use crate::wire::sip::{Method, Name, Response, Status, Text, Uri};

/// How many realms of one account are answered: a carrier and the proxies before it. More: a far end fills our requests.
const MOST_REALMS: usize = 4;

/// An account: a user name, a password, and what its far end last asked for.
#[derive(Debug, Clone)]
pub struct Prover {
    username: String,
    password: Secret,
    asked: Vec<Asked>,
}

#[derive(Debug, Clone)]
struct Asked {
    /// The header that answers.
    by: Name,
    challenge: Challenge,
    /// How often its challenges to the request under way were answered; one left from before is none of them.
    answered: u8,
    /// Whether it was asked for the request under way.
    now: bool,
}

/// Which challenges to one of several requests under way at once were answered, and how often.
#[derive(Debug, Clone, Default)]
pub struct Tries(Vec<(Name, String, u8)>);

/// How often one request answers nonces that are said to be stale. More: a far end that calls every nonce stale has us
/// ask for ever. Less: a slow link loses a call.
const MOST_STALE: u8 = 3;

impl Prover {
    /// An account that nobody has asked about yet.
    pub fn new(username: impl Into<String>, password: Secret) -> Self {
        Self { username: username.into(), password, asked: Vec::new() }
    }

    /// Takes the challenges of a 401 or 407. False where repeating the request is of no use: nothing in it can be
    /// answered, or the very same was answered already and the password is wrong.
    pub fn take(&mut self, response: &Response) -> bool {
        let (asked, by) = match response.status {
            Status::UNAUTHORIZED => (Name::WwwAuthenticate, Name::Authorization),
            Status::PROXY_AUTHENTICATION_REQUIRED => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => return false,
        };
        let challenges = Challenge::all(response.headers.fields_of(&asked));
        let mut new = false;
        for challenge in challenges {
            let full = self.asked.len() >= MOST_REALMS;
            let known = self.asked.iter_mut().find(|known| known.by == by && known.challenge.realm == challenge.realm);
            match known {
                // Answered with what it asks for now, and asked again: the password is wrong.
                Some(known) if known.answered >= if challenge.stale { MOST_STALE } else { 1 } => {}
                Some(known) => {
                    known.challenge.renew(challenge);
                    known.now = true;
                    new = true;
                }
                None if full => {}
                None => {
                    self.asked.push(Asked { by: by.clone(), challenge, answered: 0, now: true });
                    new = true;
                }
            }
        }
        new
    }

    /// The credentials for a request: for its first sending none, unless its far end asked before. Each call counts the
    /// nonces up.
    pub fn headers(&mut self, method: &Method, uri: &Uri, rng: &mut Rng) -> Headers {
        let (username, password) = (&self.username, &self.password);
        let answer = |asked: &mut Asked| {
            asked.answered = asked.answered.saturating_add(u8::from(asked.now));
            let value = asked.challenge.answer(username, password, method.as_str(), uri.as_str(), rng);
            (asked.by.clone(), Text::from(value))
        };
        self.asked.iter_mut().map(answer).collect()
    }

    /// The credentials for one of several requests under way at once, that this answer asks for; none where repeating it
    /// is of no use. `tries` is of that request alone, while nonces and their counts are of the account.
    pub fn answer(
        &mut self,
        response: &Response,
        method: &Method,
        uri: &Uri,
        tries: &mut Tries,
        rng: &mut Rng,
    ) -> Option<Headers> {
        for asked in &mut self.asked {
            let known = tries.0.iter().find(|(by, realm, _)| *by == asked.by && *realm == asked.challenge.realm);
            (asked.answered, asked.now) = (known.map_or(0, |(.., times)| *times), false);
        }
        let headers = self.take(response).then(|| self.headers(method, uri, rng));
        let answered = self.asked.iter().filter(|asked| asked.answered > 0);
        tries.0 = answered.map(|asked| (asked.by.clone(), asked.challenge.realm.to_string(), asked.answered)).collect();
        self.passed();
        headers
    }

    /// A request with our credentials was let pass, or another begins: whatever is asked next is asked anew.
    pub fn passed(&mut self) {
        for asked in &mut self.asked {
            (asked.answered, asked.now) = (0, false);
        }
    }
}

impl Challenge {
    /// The challenges among several values that we can answer: of each realm the strongest, and of equals the first
    /// (RFC 8760 §2.4).
    pub fn all<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for challenge in values.filter_map(Self::parse) {
            match all.iter_mut().find(|known| known.realm == challenge.realm) {
                Some(known) if challenge.algorithm > known.algorithm => *known = challenge,
                Some(_) => {}
                None => all.push(challenge),
            }
        }
        all
    }

    /// Takes a newer challenge of the same realm; the count goes on where the nonce is the same.
    fn renew(&mut self, newer: Challenge) {
        let count = if newer.nonce == self.nonce { self.count } else { 0 };
        *self = Challenge { count, ..newer };
    }

    /// The hash asked for.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sip::Message;

    fn refusal(status: &str, fields: &str) -> Response {
        let text = format!(
            "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c\r\n\
             CSeq: 1 INVITE\r\n{fields}\r\n"
        );
        match Message::parse(&bytes::Bytes::from(text)).unwrap() {
            Message::Response(response) => response,
            Message::Request(_) => unreachable!(),
        }
    }

    fn headers(prover: &mut Prover) -> Vec<String> {
        let uri = Uri::parse("sip:+4930@example.org").unwrap();
        let headers = prover.headers(&Method::Invite, &uri, &mut Rng::from_number(1));
        headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_nonce_is_used_again_with_a_higher_count_until_it_is_stale() {
        let mut prover = Prover::new("u", Secret::new("p"));
        assert!(headers(&mut prover).is_empty(), "nobody asked yet");
        let first = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", opaque=\"o\"\r\n";
        assert!(prover.take(&refusal("401 Unauthorized", first)));
        assert!(headers(&mut prover)[0].contains("nc=00000001") && headers(&mut prover)[0].contains("nc=00000002"));
        prover.passed();
        assert!(headers(&mut prover)[0].contains("opaque=\"o\""));
        let stale = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", stale=TRUE\r\n";
        assert!(prover.take(&refusal("401 Unauthorized", stale)));
        let again = headers(&mut prover);
        assert!(again.len() == 1 && again[0].contains("nonce=\"n2\"") && again[0].contains("nc=00000001"), "{again:?}");
        assert!(!prover.take(&refusal("401 Unauthorized", first)), "answered and asked again: the password is wrong");
    }

    #[test]
    fn an_old_nonce_that_is_refused_without_stale_is_answered_once_more() {
        let mut prover = Prover::new("u", Secret::new("p"));
        let asked = |nonce: &str| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"\r\n");
        assert!(prover.take(&refusal("401 Unauthorized", &asked("n1"))));
        assert!(!headers(&mut prover)[0].contains("qop"), "none was asked for");
        prover.passed();
        assert!(headers(&mut prover)[0].contains("n1"));
        assert!(prover.take(&refusal("401 Unauthorized", &asked("n2"))), "it was of an earlier request");
        assert!(headers(&mut prover)[0].contains("n2"));
        assert!(!prover.take(&refusal("401 Unauthorized", &asked("n3"))));
    }

    #[test]
    fn a_far_end_that_calls_every_nonce_stale_is_given_up() {
        let mut prover = Prover::new("u", Secret::new("p"));
        let stale = refusal("401 Unauthorized", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=true\r\n");
        let tries = (0..20).take_while(|_| prover.take(&stale) && !headers(&mut prover).is_empty()).count();
        assert_eq!(tries, 3);
    }

    #[test]
    fn a_proxy_and_its_carrier_are_each_given_their_own() {
        let mut prover = Prover::new("u", Secret::new("p"));
        let proxies = "Proxy-Authenticate: Digest realm=\"p1\", nonce=\"a\", algorithm=MD5, qop=\"auth-int, auth\"\r\n\
                       Proxy-Authenticate: Digest realm=\"p1\", nonce=\"b\", algorithm=SHA-256, qop=\"auth\"\r\n\
                       Proxy-Authenticate: Digest realm=\"p2\", nonce=\"c\", qop=\"auth-int\"\r\n\
                       Proxy-Authenticate: Basic realm=\"p3\"\r\n";
        assert!(prover.take(&refusal("407 Proxy Authentication Required", proxies)));
        assert!(prover.take(&refusal("401 Unauthorized", "WWW-Authenticate: Digest realm=\"r\", nonce=\"d\"\r\n")));
        let all = headers(&mut prover);
        assert_eq!(all.len(), 2, "auth-int alone and Basic are not answered: {all:?}");
        assert!(all[0].starts_with("Proxy-Authorization: Digest") && all[0].contains("algorithm=SHA-256"), "{all:?}");
        assert!(all[1].starts_with("Authorization: Digest") && all[1].contains("nonce=\"d\""), "{all:?}");
        assert!(!prover.take(&refusal("403 Forbidden", proxies)));
    }
}
