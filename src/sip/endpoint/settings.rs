//! What an endpoint is told once.

use std::time::Duration;

use crate::sip::timing::Timing;
use crate::sip::transport::Advertised;
use crate::wire::sip::Method;

/// How an endpoint presents itself and what it takes on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Under which address each transport and family is reached: sent-by of Via, and Contact.
    pub advertised: Vec<Advertised>,
    /// User-Agent of requests and Server of responses; empty: neither header.
    pub user_agent: String,
    /// The methods answered at all; others get 405, or 501 where the method is unknown. INVITE, ACK, CANCEL and BYE
    /// belong in it.
    pub allow: Vec<Method>,
    /// The option tags understood; any other in Require gets 420 (§8.2.2.3).
    pub supported: Vec<String>,
    /// The body types of an INVITE, re-INVITE or UPDATE; others get 415 (§8.2.3). In lower case.
    pub accept: Vec<String>,
    /// T1, T2, T4.
    pub timing: Timing,
    /// How much is taken on.
    pub limits: Limits,
}

/// How much an endpoint takes on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Transactions at a time, both ways. Each holds a message or two, some 3 KB. At the limit new INVITEs get 503;
    /// at twice the limit so does every other new request.
    pub transactions: usize,
    /// Legs at a time, both ways. At the limit new INVITEs get 503.
    pub legs: usize,
    /// The longest request in bytes; a longer one gets 513.
    pub message: usize,
    /// The Retry-After of a 503 in seconds. More: callers wait for room that is there. Less: they come back too early.
    pub retry_after: u32,
    /// How long an inbound INVITE may go without a final answer of the user, before it is refused with 480.
    pub ring: Duration,
    /// Answers a second to malformed requests of one address; more are counted and dropped.
    pub malformed_answers: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions: 20_000,
            legs: 4_000,
            message: 65_535,
            retry_after: 10,
            ring: Duration::from_secs(300),
            malformed_answers: 10,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            advertised: Vec::new(),
            user_agent: String::new(),
            allow: vec![
                Method::Invite,
                Method::Ack,
                Method::Cancel,
                Method::Bye,
                Method::Options,
                Method::Info,
                Method::Update,
                Method::Prack,
                Method::Refer,
                Method::Notify,
                Method::Register,
                Method::Subscribe,
            ],
            supported: ["100rel", "timer", "replaces", "norefersub", "path", "outbound"].map(String::from).to_vec(),
            accept: vec!["application/sdp".to_owned()],
            timing: Timing::default(),
            limits: Limits::default(),
        }
    }
}
