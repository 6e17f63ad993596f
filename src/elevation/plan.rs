//! What an elevation is begun with: the ways that there are to this person.

use std::time::Duration;

use crate::base::id::TextId;
use crate::base::{LegId, PhoneNumber, Secret};
use crate::elevation::Reason;

/// The ways that there are to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// A browser of theirs may take notifications.
    pub push: bool,
    /// The text to be sent; none where no text reaches them.
    pub text: Option<Writing>,
    /// Why there is no text.
    pub no_text: Option<Reason>,
    /// What kind of line it is can be asked.
    pub look_up: bool,
    /// Something can be said to them.
    pub speaks: bool,
    /// Whoever asked has a screen.
    pub shows: bool,
    /// How long the link is good.
    pub lasts: Duration,
}

/// A text to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// Names it.
    pub id: TextId,
    /// Who gets it.
    pub to: PhoneNumber,
    /// What is written: the link is in it.
    pub body: Secret,
    /// The call that it is about.
    pub call: LegId,
    /// How the person asked for it.
    pub consent: Box<str>,
}
