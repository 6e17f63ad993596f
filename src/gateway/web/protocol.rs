//! What a page and the gateway say to each other over a WebSocket: version 1, one JSON object per text message.
//!
//! ```text
//! page                                    gateway
//!  ── join {id, ticket | passcode} ──────▶
//!  ◀──────────────── welcome {id, people, chat, slots, resume} ──
//!  ── offer {id, sdp} ───────────────────▶   the browser's one peer connection; candidates both ways
//!  ◀──────────────────────────── answer {id, sdp} ──
//!  ── operate, chat, react, watch, publish {id} ─▶
//!  ◀───────────────── done {id} | problem {id, code} ──
//!  ◀── joined, changed, left, speaking, slots, chat, reaction, room, shown, quality, media ──
//! ```
//!
//! Every request is answered: `join` by `welcome`, `offer` by `answer`, `invite` by `invited`, `ping` by `pong`, all others
//! by `done`; each of them by `problem` where it is refused. `docs/meeting.md` has an example of every message, and a test that reads them.

use serde::{Deserialize, Serialize};

use crate::base::id::{CodeId, ElevationId};
use crate::base::{LegId, ParticipantId, Secret};
use crate::gateway::code::view::CodeRequest;
use crate::gateway::device::protocol::{AnswerMove, MoveHere, MoveThere, OpenMe, SetDevice};
use crate::gateway::knock::KnockAnswer;
use crate::gateway::web::code::Code;
use crate::media::web::{Source, Wish};
use crate::room::{Operation, Reaction, Role};
use crate::ticket::Wanted;

pub use crate::gateway::web::told::*;

/// The one version there is.
pub const VERSION: u32 = 1;

/// Longest message of a page that is no offer, in bytes.
pub const LONGEST: usize = 16 * 1024;

/// Longest offer with all around it, in bytes: Chromium writes 4 KiB for each of a dozen tracks.
pub const LONGEST_OFFER: usize = 128 * 1024;

/// Video slots a page may fill.
pub const VIDEO_SLOTS: u8 = 9;

/// A message of a page, with the number it chose for the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Chosen by the page; the answer repeats it.
    pub id: u64,
    /// What it asks.
    pub message: ClientMessage,
}

/// Why a message of a page could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its number, where it had one.
    pub id: Option<u64>,
    /// [`Code::BadMessage`] or [`Code::TooLarge`].
    pub code: Code,
    /// What is wrong with it.
    pub why: String,
}

impl Request {
    /// Reads a message.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.len() > LONGEST_OFFER {
            return Err(Unreadable { id: None, code: Code::TooLarge, why: "the message is too long".into() });
        }
        let bad = |id, why: String| Unreadable { id, code: Code::BadMessage, why };
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| bad(None, error.to_string()))?;
        let serde_json::Value::Object(mut fields) = value else {
            return Err(bad(None, "a message is a JSON object".into()));
        };
        let id = fields.remove("id").and_then(|id| id.as_u64());
        let Some(id) = id else { return Err(bad(None, "`id`: choose a number from 0".into())) };
        let message: ClientMessage =
            serde_json::from_value(fields.into()).map_err(|error| bad(Some(id), error.to_string()))?;
        if text.len() > LONGEST && !matches!(message, ClientMessage::Offer { .. }) {
            return Err(Unreadable { id: Some(id), code: Code::TooLarge, why: "the message is too long".into() });
        }
        Ok(Self { id, message })
    }
}

/// What a page says; on the wire with `id` beside `type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum ClientMessage {
    /// The first message, within ten seconds: who is here and by what right.
    Join(Box<Join>),
    /// Does something in the room, as by the REST API; who may is decided by the room.
    Operate {
        /// What.
        operation: Operation,
    },
    /// Writes to everyone, or to one alone.
    Chat {
        /// To whom; none for everyone.
        #[serde(default)]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        to: Option<ParticipantId>,
        /// 1 to 2000 characters.
        text: String,
    },
    /// Shows a reaction to everyone.
    React {
        /// Which.
        reaction: Reaction,
    },
    /// SDP of the browser's peer connection. A new one takes the place of an old one once it is connected; until then the
    /// old one carries everything.
    Offer {
        /// SDP.
        sdp: String,
        /// The peer connection that was offered before, whose ways are renewed (ICE restart).
        #[serde(default)]
        restart: bool,
    },
    /// One more way to the browser (trickle ICE); an empty one says that there are no more.
    Candidate {
        /// The line `candidate:…`.
        candidate: String,
    },
    /// Whom the page shows where; slots that are not named are empty.
    Watch {
        /// Slot by slot.
        slots: Vec<Wish>,
    },
    /// Makes an invitation to this meeting; for hosts.
    Invite {
        /// As whom, and for how long.
        #[serde(default = "for_anybody")]
        invitation: Wanted,
    },
    /// Whether the person wants a track of theirs to be sent. For the microphone this is muting oneself, as by key.
    Publish {
        /// Which.
        source: Source,
        /// To be sent.
        on: bool,
    },
    /// Gives somebody on a telephone a link that adds video to their call; hosts only, but everybody for oneself.
    Elevate {
        /// Whom.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// Brings a call of one's own telephone into the meeting, without PIN and lobby; hosts and members only.
    Merge {
        /// The far end's leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// One's own telephone comes, too; else it is let go.
        #[serde(default)]
        both: bool,
    },
    /// What becomes of somebody who calls a person in the meeting: the answer to `knock`.
    Knock {
        /// The caller's leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// What.
        answer: KnockAnswer,
    },
    /// Lets a browser take the seat that another has, or keeps it out: the answer of a host to the step `opened` again.
    Allow {
        /// Which elevation.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        elevation: ElevationId,
        /// Lets it.
        allow: bool,
    },
    /// Shows a code by which one's call moves to another device; told by `code`.
    CodeShow {
        /// Of a personal page: which call, where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        call: Option<ParticipantId>,
        /// How.
        #[serde(default)]
        code: CodeRequest,
    },
    /// Reads the code of a device that wants one's call: a link, or digits.
    CodeScan {
        /// Of a personal page: which call is given, where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        call: Option<ParticipantId>,
        /// What was in the picture: the link, or its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        ticket: Option<Secret>,
        /// Instead: the digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        digits: Option<Secret>,
        /// What moves, and who is asked.
        #[serde(default)]
        code: CodeRequest,
    },
    /// Whether a device may take the call: the answer to `code` with `asked`.
    CodeAnswer {
        /// Which code.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        code: CodeId,
        /// It may.
        allow: bool,
    },
    /// Takes one's code back.
    CodeWithdraw {
        /// Which code.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        code: CodeId,
    },
    /// Takes one's voice to the browser, or back to the telephone that is kept on the line.
    Audio {
        /// To what.
        by: AudioBy,
        /// The telephone stays on the line, silent.
        #[serde(default)]
        keep: bool,
    },
    /// Opens a personal page; instead of `join`.
    Me(OpenMe),
    /// Lists the devices of the person whose page it is.
    Devices {},
    /// Takes a call to this personal page.
    MoveHere(MoveHere),
    /// Moves a call to another device of the person.
    MoveThere(Box<MoveThere>),
    /// Hands a call back to the device that it came from.
    HandBack {
        /// Which, where there are several.
        #[serde(default)]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        call: Option<ParticipantId>,
    },
    /// Whether this device takes a call: the answer to `move_asked`.
    MoveAnswer(AnswerMove),
    /// Changes or forgets a device of the person; personal pages only.
    SetDevice(SetDevice),
    /// Calls follow the person to the device that is nearer, or do not; personal pages only.
    Follow {
        /// They do.
        on: bool,
    },
    /// Has a telephone ring that becomes one's voice; how that goes is told by `callback`.
    CallMe {
        /// Of a personal page: in which call, where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        call: Option<ParticipantId>,
        /// A number, as it is dialled.
        #[serde(default)]
        number: Option<String>,
        /// Instead: the user of an extension.
        #[serde(default)]
        extension: Option<String>,
    },
    /// Has it ring no longer.
    CallMeCancel {
        /// Of a personal page: for which call, where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        call: Option<ParticipantId>,
    },
    /// Leaves for good: no place is kept. Who has a telephone in the meeting stays by that.
    Leave {},
    /// Asks for a `pong`.
    Ping {},
}

fn for_anybody() -> Wanted {
    Wanted::of(Role::Guest)
}

/// By what right somebody comes in, and how.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Join {
    /// [`VERSION`].
    pub version: u32,
    /// The end of an invitation's link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub ticket: Option<Secret>,
    /// Instead of a ticket: the room's id. Not needed where a passcode is given, which is one room's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Instead of a ticket: the room's PIN, or its host PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub passcode: Option<Secret>,
    /// What the person is called.
    #[serde(default)]
    pub name: String,
    /// The language of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What the last welcome gave, to take the same place again. Where the place is gone, the ticket or passcode counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub resume: Option<Secret>,
    /// Has no microphone, or does not want to be heard: comes in muted.
    #[serde(default)]
    pub listen_only: bool,
}
