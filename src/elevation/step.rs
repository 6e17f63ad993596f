//! How far an elevation is, why, and at whose wish: stable names for pages, events and the API.

use serde::{Deserialize, Serialize};

use crate::texting::TextFailure;

/// How far an elevation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Step {
    /// Somebody asked.
    Asked,
    /// What kind of line the number is, is being asked.
    LookingUp,
    /// A push service has the notification for the person's browser.
    Pushed,
    /// A text is on its way to the provider.
    Texted,
    /// The provider has the text.
    Sent,
    /// The telephone has the text.
    Delivered,
    /// The short link and the code are said on the telephone.
    Spoken,
    /// Link and code are shown to whoever asked.
    Shown,
    /// Somebody opened the link or entered the code.
    Opened,
    /// They proved who they are.
    Authenticated,
    /// Their browser is in the person's seat.
    Bound,
    /// Their browser left the seat; it can come back.
    Closed,
    /// It came to nothing.
    Failed,
    /// It is over, after it was good for something.
    Ended,
}

impl Step {
    /// Every one.
    pub const ALL: [Step; 14] = [
        Step::Asked,
        Step::LookingUp,
        Step::Pushed,
        Step::Texted,
        Step::Sent,
        Step::Delivered,
        Step::Spoken,
        Step::Shown,
        Step::Opened,
        Step::Authenticated,
        Step::Bound,
        Step::Closed,
        Step::Failed,
        Step::Ended,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Step::Asked => "asked",
            Step::LookingUp => "looking_up",
            Step::Pushed => "pushed",
            Step::Texted => "texted",
            Step::Sent => "sent",
            Step::Delivered => "delivered",
            Step::Spoken => "spoken",
            Step::Shown => "shown",
            Step::Opened => "opened",
            Step::Authenticated => "authenticated",
            Step::Bound => "bound",
            Step::Closed => "closed",
            Step::Failed => "failed",
            Step::Ended => "ended",
        }
    }
}

/// Why an elevation went on as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Reason {
    /// The push was not answered in time.
    NoAnswer,
    /// The person's browsers take no notifications any more.
    PushGone,
    /// Push services were not reached, or could not take the notification now.
    PushDown,
    /// Push services refuse our notifications.
    PushRefused,
    /// Nobody said in time that the text arrived.
    NoReceipt,
    /// Texts are kept on the console: no provider is configured.
    NoProvider,
    /// The caller's number is withheld.
    NoNumber,
    /// The key was pressed again.
    AskedAgain,
    /// The code was said and not entered.
    NotEntered,
    /// The link's time is over.
    TooLate,
    /// Too many wrong PINs.
    WrongPin,
    /// A newer link takes its place.
    Superseded,
    /// It was taken back.
    Withdrawn,
    /// The call is over.
    CallEnded,
    /// A host or the operator removed the person.
    Removed,
    /// The page was closed, or its connection did not come back.
    PageClosed,
    /// The telephone hung up; the page stays.
    PhoneHungUp,
    /// The text does not arrive.
    #[serde(untagged)]
    Text(TextFailure),
}

/// At whose wish a call is elevated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Asker {
    /// The caller, by key.
    Key,
    /// A host, on the page.
    Host,
    /// The other party of a call between people.
    Other,
    /// An integration, by API.
    Api,
    /// A rule, on arrival.
    Rule,
}

impl Asker {
    /// Its name, as it is kept with texts.
    pub const fn name(self) -> &'static str {
        match self {
            Asker::Key => "key",
            Asker::Host => "host",
            Asker::Other => "other",
            Asker::Api => "api",
            Asker::Rule => "rule",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_back_by_one_plain_name() {
        for (reason, name) in [
            (Reason::NoReceipt, "no_receipt"),
            (Reason::PushGone, "push_gone"),
            (Reason::Text(TextFailure::OptedOut), "opted_out"),
            (Reason::Text(TextFailure::Expired), "expired"),
        ] {
            assert_eq!(serde_json::to_value(reason).unwrap(), name);
            assert_eq!(serde_json::from_value::<Reason>(name.into()).unwrap(), reason);
        }
    }
}
