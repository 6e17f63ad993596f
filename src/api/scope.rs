//! What an API key may do.

use serde::{Deserialize, Serialize};

/// One right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Scope {
    /// See rooms and who is in them.
    #[serde(rename = "rooms:read")]
    RoomsRead,
    /// Make, change and delete rooms, see PINs, do in a room what a host may.
    #[serde(rename = "rooms:write")]
    RoomsWrite,
    /// See live calls, call records and the node's state.
    #[serde(rename = "calls:read")]
    CallsRead,
    /// Hang up.
    #[serde(rename = "calls:write")]
    CallsWrite,
    /// See trunks and numbers, explain.
    #[serde(rename = "routing:read")]
    RoutingRead,
    /// Make, change and delete trunks and numbers.
    #[serde(rename = "routing:write")]
    RoutingWrite,
    /// See callers' whole numbers.
    #[serde(rename = "numbers:read")]
    NumbersRead,
    /// Follow events.
    #[serde(rename = "events:read")]
    EventsRead,
    /// See texts and how far they are.
    #[serde(rename = "texts:read")]
    TextsRead,
    /// See what is written in texts: links in them open calls.
    #[serde(rename = "texts:bodies")]
    TextsBodies,
    /// See webhooks, and what became of their deliveries.
    #[serde(rename = "webhooks:read")]
    WebhooksRead,
    /// Make, change and delete webhooks, and send events again.
    #[serde(rename = "webhooks:write")]
    WebhooksWrite,
    /// Make, list and revoke API keys. Nobody makes a key with rights that its own lacks.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// Everything.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 14] = [
        Scope::RoomsRead,
        Scope::RoomsWrite,
        Scope::CallsRead,
        Scope::CallsWrite,
        Scope::RoutingRead,
        Scope::RoutingWrite,
        Scope::NumbersRead,
        Scope::EventsRead,
        Scope::TextsRead,
        Scope::TextsBodies,
        Scope::WebhooksRead,
        Scope::WebhooksWrite,
        Scope::KeysWrite,
        Scope::Admin,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::RoomsRead => "rooms:read",
            Scope::RoomsWrite => "rooms:write",
            Scope::CallsRead => "calls:read",
            Scope::CallsWrite => "calls:write",
            Scope::RoutingRead => "routing:read",
            Scope::RoutingWrite => "routing:write",
            Scope::NumbersRead => "numbers:read",
            Scope::EventsRead => "events:read",
            Scope::TextsRead => "texts:read",
            Scope::TextsBodies => "texts:bodies",
            Scope::WebhooksRead => "webhooks:read",
            Scope::WebhooksWrite => "webhooks:write",
            Scope::KeysWrite => "keys:write",
            Scope::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}
