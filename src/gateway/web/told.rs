//! What a page is told, and of what that is made.

use serde::{Deserialize, Serialize};

use crate::base::id::{CodeId, DeviceId, ElevationId, TicketId};
use crate::base::{Cause, LegId, ParticipantId, RoomId, Secret, SessionId, Utc};
use crate::elevation::{Asker, Reason, Step};
use crate::gateway::callback::view::CallbackView;
use crate::gateway::code::view::Receiver;
use crate::gateway::device::view::{DeviceView, Me, MoveAsked, MoveOver, NotMoved, TakeCall};
use crate::gateway::web::code::Code;
use crate::media::web::Shown;
use crate::room::{Channel, ChatLine, Reaction, Role, State};
use crate::transfer;

/// What a page is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum ServerMessage {
    /// The answer to `me`, and everything anew whenever something of it changed.
    Me(Box<Me>),
    /// The answer to `devices`.
    Devices {
        /// Which.
        id: u64,
        /// Those of the person.
        devices: Vec<DeviceView>,
        /// The device that the call of this page came from, and can be handed back to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        back: Option<DeviceId>,
    },
    /// A move does not begin.
    NotMoved(NotMoved),
    /// Whether this device takes a call, to be answered by `move_answer`.
    MoveAsked(Box<MoveAsked>),
    /// This device takes a call: what it joins by.
    TakeCall(Box<TakeCall>),
    /// A move is over.
    MoveOver(MoveOver),
    /// A request was done.
    Done {
        /// Which.
        id: u64,
    },
    /// A request was refused, or a message could not be read.
    Problem {
        /// Which, where it had a number.
        id: Option<u64>,
        /// Why; stable, for the page to translate.
        code: Code,
        /// Why, in words for whoever writes pages.
        detail: String,
        /// When to try again, in milliseconds, where waiting helps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_ms: Option<u64>,
    },
    /// The answer to `join`.
    Welcome(Box<Welcome>),
    /// The lobby is over: the same as a welcome, with everything in it.
    Admitted(Box<Welcome>),
    /// Somebody took a place.
    Joined {
        /// Who.
        person: Box<Person>,
    },
    /// Somebody changed; who was not known to the page joined.
    Changed {
        /// Who.
        person: Box<Person>,
    },
    /// Somebody's place is gone.
    Left {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Why.
        cause: Cause,
    },
    /// Everybody anew: the page's rights changed, and with them whom it sees.
    People {
        /// In order of arrival.
        people: Vec<Person>,
    },
    /// Somebody began or ceased to be heard.
    Speaking {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Began.
        speaking: bool,
    },
    /// Whose voice is on which audio track.
    Slots {
        /// Track by track.
        #[cfg_attr(feature = "node", schema(value_type = Vec<Option<String>>))]
        slots: Vec<Option<ParticipantId>>,
    },
    /// Somebody wrote.
    Chat {
        /// What.
        line: ChatLine,
    },
    /// Somebody reacted.
    Reaction {
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        from: ParticipantId,
        /// How.
        reaction: Reaction,
    },
    /// The room itself changed.
    Room {
        /// As it is now.
        room: RoomInfo,
    },
    /// The answer to `offer`.
    Answer {
        /// Which offer.
        id: u64,
        /// SDP.
        sdp: String,
    },
    /// The answer to `invite`.
    Invited {
        /// Which.
        id: u64,
        /// What was made; its ticket is told this once.
        invitation: Box<Invited>,
    },
    /// One more way to us.
    Candidate {
        /// The line `candidate:…`.
        candidate: String,
    },
    /// What is on which video track; tracks that are not named show nothing.
    Shown {
        /// Slot by slot.
        slots: Vec<Shown>,
    },
    /// How good somebody's network is.
    Quality {
        /// Whose.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// 0 unusable to 4 good.
        quality: u8,
    },
    /// How the page's own peer connection is.
    Media {
        /// How.
        state: MediaState,
    },
    /// The place is gone; the socket closes.
    Bye {
        /// Why: `replaced` where another tab took the place.
        cause: Cause,
        /// The same in words.
        text: String,
    },
    /// The node goes out of service: the page comes back by itself, after the bye or after this time.
    Goaway {
        /// At the latest, in milliseconds.
        after_ms: u64,
        /// The same in words.
        text: String,
    },
    /// How far an elevation is; for whoever asked, for hosts, and for the person whose it is.
    Elevation(Box<Progress>),
    /// How far a code is: for whoever has the call, and for whoever is asked.
    Code(Box<CodeProgress>),
    /// Somebody on a telephone was brought in without PIN and lobby.
    Merged {
        /// Who; the place itself is told by `joined`.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Who vouched; none: the operator.
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        by: Option<ParticipantId>,
    },
    /// Somebody calls a person in the meeting; for that person, where they may let others in, and for hosts.
    Knock(Knocking),
    /// It is settled, or nobody said in time.
    KnockOver {
        /// The caller's leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
    },
    /// Calls that the person has on the telephone beside the meeting, all of them, whenever they change: `merge` brings one in.
    Lines {
        /// Every one.
        lines: Vec<Line>,
    },
    /// The person's telephone hung up some seconds ago; the page can carry the voice.
    AudioOffer {
        /// Why.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        reason: Reason,
    },
    /// How far a callback is that rings for this page's person.
    Callback(Box<CallbackView>),
    /// The answer to `ping`.
    Pong {
        /// Which.
        id: u64,
    },
}

/// Somebody calls a person in the meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Knocking {
    /// The caller's leg.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: LegId,
    /// Whom they call.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// Who they are, where they are of the house.
    pub name: Option<String>,
    /// Their number, masked.
    pub number: Option<String>,
}

/// A call that somebody has on the telephone beside the meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Line {
    /// The other's leg.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: LegId,
    /// Who they are, where they are of the house.
    pub name: Option<String>,
    /// Their number, masked.
    pub number: Option<String>,
}

/// An invitation that was made in the meeting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Invited {
    /// Its id, to withdraw it by; it opens nothing.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub id: TicketId,
    /// As what.
    pub role: Role,
    /// Whom.
    pub name: Option<String>,
    /// For one person.
    pub personal: bool,
    /// How many may come by it.
    pub uses: Option<u32>,
    /// Until when it counts, in milliseconds since 1970.
    #[cfg_attr(feature = "node", schema(value_type = Option<i64>))]
    pub expires: Option<Utc>,
    /// What opens the room.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub ticket: Secret,
    /// The link, without the node's name: the page's own site comes before it.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub path: Secret,
}

/// How far a code is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CodeProgress {
    /// Which.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub code: CodeId,
    /// Whose call it is.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// How far.
    pub state: transfer::State,
    /// Why it came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<transfer::Reason>,
    /// Who shows, who reads.
    pub topology: transfer::Topology,
    /// Who is asked.
    pub confirm: transfer::Confirm,
    /// What moves.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub channels: Vec<Channel>,
    /// Who wants the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Receiver>,
    /// This page is asked: `code_answer`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
    /// The other device shows a code now, which this page is to read: `code_scan`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scan: bool,
    /// The link in the picture, for the page that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub link: Option<Secret>,
    /// The six digits, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub digits: Option<Secret>,
    /// Until when it can be read, in milliseconds since 1970.
    #[cfg_attr(feature = "node", schema(value_type = i64))]
    pub expires: Utc,
}

/// How far an elevation is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Which.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub elevation: ElevationId,
    /// Whose.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// How far.
    pub step: Step,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub reason: Option<Reason>,
    /// At whose wish.
    pub by: Asker,
    /// Another browser wants the seat, and is let in by `allow` or by the key on the telephone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wants: bool,
    /// The link, for the page that asked, in the step `shown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub link: Option<Secret>,
    /// The six digits, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub code: Option<Secret>,
}

/// How a browser's peer connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum MediaState {
    /// Packets flow both ways.
    Connected,
    /// Nothing was heard for seconds; an ICE restart may help.
    Interrupted,
    /// Given up: offer a new peer connection.
    Lost,
}

/// Everything a page needs to begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Welcome {
    /// The `join` that this answers; none in `admitted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// [`VERSION`].
    pub version: u32,
    /// This connection, for logs.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub session: SessionId,
    /// Takes the same place again after the connection dropped; also the right to set one's picture.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub resume: Secret,
    /// The same place as before: `people` has it, and who was there knows it.
    pub resumed: bool,
    /// Whose page this is.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub you: ParticipantId,
    /// What they may do.
    pub role: Role,
    /// Where they stand.
    pub state: State,
    /// The room.
    pub room: RoomInfo,
    /// Who is there, in order of arrival; oneself alone in the lobby.
    pub people: Vec<Person>,
    /// What was written, the oldest first; nothing in the lobby.
    pub chat: Vec<ChatLine>,
    /// Whose voice is on which audio track.
    #[cfg_attr(feature = "node", schema(value_type = Vec<Option<String>>))]
    pub slots: Vec<Option<ParticipantId>>,
    /// For the peer connection.
    pub ice_servers: Vec<IceServer>,
    /// What is taken at most.
    pub limits: Limits,
    /// How to come by telephone.
    pub dial_in: DialIn,
    /// Who knocks, where this person may answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knocks: Vec<Knocking>,
    /// Calls that this person has on the telephone beside the meeting, where they may bring them in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
}

/// A room as its pages see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct RoomInfo {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub id: RoomId,
    /// What people call it.
    pub name: String,
    /// Nobody else comes in.
    pub locked: bool,
    /// The meeting is on.
    pub started: bool,
    /// Guests come in muted.
    pub muted_on_entry: bool,
    /// Guests whom a host muted may unmute alone.
    pub self_unmute: bool,
    /// Guests wait until they are admitted.
    pub lobby: bool,
}

/// Somebody in a room as pages see them: by telephone or by browser alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Person {
    /// Their place.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub id: ParticipantId,
    /// The name, else the masked number, else words for neither.
    pub display: String,
    /// The name.
    pub name: Option<String>,
    /// The telephone number, masked.
    pub number: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Where they stand.
    pub state: State,
    /// When they came, RFC 3339.
    pub since: String,
    /// What carries their voice.
    pub audio: AudioBy,
    /// A telephone of theirs is kept on the line in silence, while a browser carries the voice.
    #[serde(default)]
    pub phone_kept: bool,
    /// A browser of theirs could show a camera or a screen.
    pub video: bool,
    /// A screen of theirs can be seen.
    pub screen_on: bool,
    /// A camera of theirs can be seen.
    pub camera_on: bool,
    /// Muted by themselves.
    pub muted_by_self: bool,
    /// Muted by a host or the API.
    pub muted_by_host: bool,
    /// On hold by their telephone.
    pub held: bool,
    /// On hold by us.
    pub held_by_us: bool,
    /// The place in the queue of raised hands, from 1.
    pub hand: Option<u32>,
    /// Among the voices that are heard.
    pub speaking: bool,
    /// Their telephone rings; they are not here yet.
    pub ringing: bool,
    /// Their picture, a path on this node.
    pub avatar: Option<String>,
    /// How good their network is, 0 unusable to 4 good; none while nothing is known.
    pub quality: Option<u8>,
    /// The connection of their page dropped; the place is kept for a while.
    pub away: bool,
    /// Music on hold comes from their telephone, and is kept from the others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub music: bool,
    /// What their telephone hears comes back from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub echo: bool,
    /// Whom alone they speak to. Nobody: they speak to everybody, or with `others_hear` to people who have left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub whispers_to: Vec<ParticipantId>,
    /// While they speak to some alone: how loud the telephones of others hear it, in percent of the amplitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_hear: Option<u8>,
}

/// What carries a person's voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum AudioBy {
    /// A telephone.
    Phone,
    /// A browser.
    Web,
    /// Nothing yet.
    #[default]
    None,
}

/// Where a browser may ask for its own address, or have its packets carried (RFC 8656).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct IceServer {
    /// `stun:…`, `turn:…`, `turns:…`.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub credential: Option<Secret>,
}

/// What is taken at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Characters of a line of chat.
    pub chat_chars: u32,
    /// Slots in `watch`.
    pub video_slots: u8,
    /// Bytes of a picture.
    pub avatar_bytes: u32,
}

/// How to come by telephone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct DialIn {
    /// Numbers in E.164, those that lead straight into the room first.
    pub numbers: Vec<String>,
    /// What is keyed after the greeting; none where the numbers lead straight in.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub pin: Option<Secret>,
    /// Number and PIN as one thing to dial: `+4930901820,,482913#`.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub one_tap: Option<Secret>,
    /// The same as a link.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub tel: Option<Secret>,
}
