//! Rank 7: providers of text messages. Each is a client over HTTPS that hands a text over once, reads what the provider
//! reports of it, and proves that the report is the provider's. Who decides when, and keeps the texts, is `engine::texter`.
//!
//! What a provider answers is one of four things, and only two of them allow another try: it took the text, it certainly
//! did not, it refused it for good, or nobody can say.

mod form;
mod http;
mod https;
pub mod signature;
mod telnyx;
mod twilio;
mod vonage;

use std::fmt;
use std::time::Duration;

use axum::http::HeaderMap;

use crate::base::{PhoneNumber, Secret, Utc};
use crate::texting::{LineType, TextFailure, TextId, TextState};
use https::Https;
use telnyx::Telnyx;
use twilio::Twilio;
use vonage::Vonage;

/// How far a report's clock may be from ours: as Telnyx wants it. Longer: an old report can be played again for longer.
/// Shorter: a node whose clock is off hears nothing.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Whose service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Nobody's: texts are kept and shown.
    #[default]
    Outbox,
    /// Twilio Programmable Messaging.
    Twilio,
    /// Telnyx Messaging.
    Telnyx,
    /// Vonage Messages.
    Vonage,
    /// Any that takes one HTTPS request, by the operator's template.
    Https,
}

/// What a provider is given at start.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whose service.
    pub kind: Kind,
    /// The sender: a number, a short code or a name; where an order names none.
    pub from: String,
    /// Twilio: Account SID. Vonage: API key.
    pub account: String,
    /// Twilio: SID of an API key; empty is the account itself.
    pub user: String,
    /// What proves that it is us: Twilio's token or the API key's secret, Telnyx' API key, Vonage's API secret.
    pub secret: Secret,
    /// What proves that it is them: Twilio's primary token, Telnyx' public key, Vonage's signature secret, or the secret from
    /// which tokens in addresses are made.
    pub signing: Secret,
    /// Twilio: Messaging Service SID. Telnyx: messaging profile.
    pub service: String,
    /// Another address of the provider's API; for [`Kind::Https`] the template of the address.
    pub url: String,
    /// [`Kind::Https`]: the template of the body.
    pub body: String,
    /// [`Kind::Https`]: what the body is.
    pub content_type: String,
    /// [`Kind::Https`]: headers, `Name: template` each.
    pub headers: Vec<String>,
    /// [`Kind::Https`]: where in a JSON answer the provider names the text (RFC 6901); empty where it does not.
    pub answer_id: String,
    /// How long a provider may take.
    pub timeout: Duration,
}

/// A provider.
#[derive(Debug)]
pub enum Provider {
    /// Nobody: texts are kept and shown.
    Outbox,
    /// Twilio.
    Twilio(Twilio),
    /// Telnyx.
    Telnyx(Telnyx),
    /// Vonage.
    Vonage(Vonage),
    /// By template.
    Https(Box<Https>),
}

/// A text as it is handed over.
#[derive(Debug, Clone)]
pub struct Message {
    /// Our name for it.
    pub id: TextId,
    /// Who gets it.
    pub to: PhoneNumber,
    /// Another sender than the configured one.
    pub from: Option<PhoneNumber>,
    /// What is written.
    pub body: Secret,
    /// Where the provider is to report.
    pub callback: Option<String>,
    /// How long it is worth delivering.
    pub valid: Duration,
}

/// What became of handing a text over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handed {
    /// The provider has it.
    Taken {
        /// What the provider calls it.
        id: Option<Box<str>>,
    },
    /// The provider certainly has it not; it may be tried again.
    NotTaken {
        /// Why.
        reason: TextFailure,
        /// What the provider calls that.
        code: Option<Box<str>>,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
    /// The provider will not have it.
    Refused {
        /// Why.
        reason: TextFailure,
        /// What the provider calls that.
        code: Option<Box<str>>,
    },
    /// The provider may have it or not: no answer came, or one that cannot be read.
    Unclear,
}

/// Whether a provider has a text whose handing over was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It has, under these names, the newest first.
    These(Vec<Box<str>>),
    /// It has none.
    None,
    /// It cannot be asked, or does not answer.
    CannotSay,
}

/// What a provider reports of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the provider calls it.
    pub provider_id: Option<Box<str>>,
    /// How far it is.
    pub state: TextState,
    /// Why it did not arrive.
    pub reason: Option<TextFailure>,
    /// What the provider calls that.
    pub code: Option<Box<str>>,
}

/// A text that somebody sent to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What the provider calls it.
    pub provider_id: Box<str>,
    /// Who sent it.
    pub from: PhoneNumber,
    /// To which of our numbers.
    pub to: Box<str>,
    /// What is written.
    pub body: Secret,
}

/// What came to one of our doors.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    /// The address as the provider called it.
    pub url: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body as it came.
    pub body: &'a [u8],
    /// When.
    pub now: Utc,
}

/// Why nothing is taken from a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTheirs {
    /// Its signature is missing, wrong or cannot be checked for want of a secret.
    Forged,
    /// Signed, but too long ago, or in the future.
    Stale,
    /// Signed, but not what they send.
    Unreadable,
}

impl fmt::Display for NotTheirs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotTheirs::Forged => "the signature is not the provider's",
            NotTheirs::Stale => "the signature is of another time",
            NotTheirs::Unreadable => "this is not what the provider sends",
        })
    }
}

impl std::error::Error for NotTheirs {}

impl Kind {
    /// Its name in the configuration and in the addresses of our doors.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Outbox => "outbox",
            Kind::Twilio => "twilio",
            Kind::Telnyx => "telnyx",
            Kind::Vonage => "vonage",
            Kind::Https => "https",
        }
    }
}

impl Provider {
    /// Makes the client; an error names the key of the configuration.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        Ok(match settings.kind {
            Kind::Outbox => Provider::Outbox,
            Kind::Twilio => Provider::Twilio(Twilio::new(settings)?),
            Kind::Telnyx => Provider::Telnyx(Telnyx::new(settings)?),
            Kind::Vonage => Provider::Vonage(Vonage::new(settings)?),
            Kind::Https => Provider::Https(Box::new(Https::new(settings)?)),
        })
    }

    /// Whose service.
    pub const fn kind(&self) -> Kind {
        match self {
            Provider::Outbox => Kind::Outbox,
            Provider::Twilio(_) => Kind::Twilio,
            Provider::Telnyx(_) => Kind::Telnyx,
            Provider::Vonage(_) => Kind::Vonage,
            Provider::Https(_) => Kind::Https,
        }
    }

    /// Hands a text over. Dropped half-way, nobody knows whether the provider has it.
    pub async fn hand(&self, message: &Message) -> Handed {
        match self {
            Provider::Outbox => Handed::Unclear,
            Provider::Twilio(twilio) => twilio.hand(message).await,
            Provider::Telnyx(telnyx) => telnyx.hand(message).await,
            Provider::Vonage(vonage) => vonage.hand(message).await,
            Provider::Https(https) => https.hand(message).await,
        }
    }

    /// Asks whether the provider has a text of exactly these words to this number.
    pub async fn find(&self, to: &PhoneNumber, body: &Secret) -> Found {
        match self {
            Provider::Twilio(twilio) => twilio.find(to, body).await,
            // Neither lists messages by number or by our name for them.
            Provider::Outbox | Provider::Telnyx(_) | Provider::Vonage(_) | Provider::Https(_) => Found::CannotSay,
        }
    }

    /// Asks what kind of line a number is.
    pub async fn look_up(&self, number: &PhoneNumber) -> LineType {
        match self {
            Provider::Twilio(twilio) => twilio.look_up(number).await,
            Provider::Telnyx(telnyx) => telnyx.look_up(number).await,
            Provider::Outbox | Provider::Vonage(_) | Provider::Https(_) => LineType::Unknown,
        }
    }

    /// What is added to the address that a provider reports to, where nothing else proves that it is theirs.
    pub fn callback_query(&self, id: TextId) -> Option<String> {
        match self {
            Provider::Https(https) => https.callback_query(id),
            Provider::Outbox | Provider::Twilio(_) | Provider::Telnyx(_) | Provider::Vonage(_) => None,
        }
    }

    /// Reads a report; none where it says nothing that counts.
    pub fn report(&self, id: TextId, callback: &Callback<'_>) -> Result<Option<Report>, NotTheirs> {
        match self {
            Provider::Outbox => Err(NotTheirs::Forged),
            Provider::Twilio(twilio) => twilio.report(callback),
            Provider::Telnyx(telnyx) => telnyx.report(callback),
            Provider::Vonage(vonage) => vonage.report(callback),
            Provider::Https(https) => https.report(id, callback),
        }
    }

    /// Reads a text that came in; none where it is something else.
    pub fn received(&self, callback: &Callback<'_>) -> Result<Option<Received>, NotTheirs> {
        match self {
            Provider::Outbox => Err(NotTheirs::Forged),
            Provider::Twilio(twilio) => twilio.received(callback),
            Provider::Telnyx(telnyx) => telnyx.received(callback),
            Provider::Vonage(vonage) => vonage.received(callback),
            Provider::Https(https) => https.received(callback),
        }
    }
}
