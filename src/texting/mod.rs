//! Rank 2: text messages as plain data: what is to be sent, what became of it, what people answer. Who sends them is
//! `sms`, who keeps them `store`, and what follows from them is decided by the gateway.

mod failure;
mod keyword;
mod state;

pub use crate::base::id::TextId;
pub use failure::{Remedy, TextFailure};
pub use keyword::Keyword;
pub use state::TextState;

use serde::{Deserialize, Serialize};

use crate::base::{LegId, PhoneNumber, Secret, Utc};

/// A text that is to be sent, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextOrder {
    /// Names it; given to the provider as part of the address that it reports to.
    pub id: TextId,
    /// Who gets it.
    pub to: PhoneNumber,
    /// The number of ours that it comes from; none is the configured sender.
    pub from: Option<PhoneNumber>,
    /// What is written: it holds a link that opens something.
    pub body: Secret,
    /// The call that it is about.
    pub call: Option<LegId>,
    /// How the person asked for it: `key *3`, `api`; kept with the text as the proof of consent.
    pub consent: Box<str>,
    /// Not handed to the provider after this moment: who waits for it has been helped otherwise.
    pub until: Utc,
}

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEvent {
    /// Which.
    pub id: TextId,
    /// How far it is.
    pub state: TextState,
    /// Why it is not delivered; in [`TextState::Queued`], why it is to be tried again.
    pub reason: Option<TextFailure>,
    /// What the provider calls that reason.
    pub code: Option<Box<str>>,
    /// When.
    pub at: Utc,
}

/// Names one question about a number; its answer carries it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookUpId(pub u64);

/// Whatever comes from those who send texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Texting {
    /// A text went on, or will not.
    Text(TextEvent),
    /// What kind of line a number is.
    LookedUp {
        /// The question.
        id: LookUpId,
        /// The answer; [`LineType::Unknown`] where nobody can say, or not in time.
        line: LineType,
    },
    /// Somebody wants no more texts, or texts again.
    Opted {
        /// Whose number.
        number: PhoneNumber,
        /// Whether out.
        out: bool,
    },
}

/// What kind of line a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum LineType {
    /// A mobile telephone.
    Mobile,
    /// A line on a wall: no text reaches it.
    Landline,
    /// Telephony over the internet, which may take texts or not.
    Voip,
    /// A freephone number.
    TollFree,
    /// Premium, shared cost, pager, voicemail: nobody reads a text there.
    Other,
    /// Nobody could say.
    #[default]
    Unknown,
}

impl LineType {
    /// Whether a text is worth trying.
    pub const fn may_get_texts(self) -> bool {
        match self {
            LineType::Mobile | LineType::Voip | LineType::TollFree | LineType::Unknown => true,
            LineType::Landline | LineType::Other => false,
        }
    }

    /// Its name in the store and the API.
    pub const fn name(self) -> &'static str {
        match self {
            LineType::Mobile => "mobile",
            LineType::Landline => "landline",
            LineType::Voip => "voip",
            LineType::TollFree => "toll_free",
            LineType::Other => "other",
            LineType::Unknown => "unknown",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        use LineType::{Landline, Mobile, Other, TollFree, Unknown, Voip};
        [Mobile, Landline, Voip, TollFree, Other, Unknown].into_iter().find(|line| line.name() == name)
    }
}
