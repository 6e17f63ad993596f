//! The one ordered event log: what happened, numbered, for pages, integrations and the store.

use serde::{Deserialize, Serialize};

use crate::base::id::{CodeId, ElevationId, RelayId, TrunkId};
use crate::base::{Cause, ExtensionId, LegId, ParticipantId, RoomId, Utc};
use crate::elevation::{Asker, Reason, Step};
use crate::gateway::callback::view::CallbackStep;
use crate::gateway::code::view::{DeviceKind, Receiver};
use crate::gateway::device::view::MoveEvent;
use crate::gateway::view::{CallDirection, ParticipantView};
use crate::identity::Standing;
use crate::sip::registrar::Gone;
use crate::transfer;

/// An event with its place in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Event {
    /// Grows with every event; a restart leaves a gap, never a repetition.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    #[cfg_attr(feature = "node", schema(value_type = i64))]
    pub at: Utc,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened. Numbers in it are masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Happening {
    /// The node began.
    #[serde(rename = "node.started")]
    NodeStarted {},
    /// The node goes out of service.
    #[serde(rename = "node.draining")]
    NodeDraining {},
    /// An authorised call came in, or we ring somebody.
    #[serde(rename = "call.began")]
    CallBegan {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// Who rings whom.
        #[serde(default)]
        direction: CallDirection,
        /// Who rings, masked.
        from: Option<String>,
        /// What was dialled.
        to: String,
    },
    /// The telephone we ring, rings.
    #[serde(rename = "call.ringing")]
    CallRinging {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// What it sends before the answer is heard.
        early_media: bool,
    },
    /// A caller's signed identity was looked at (STIR/SHAKEN).
    #[serde(rename = "call.identity")]
    CallIdentity {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// What it is worth.
        identity: Standing,
    },
    /// A call was answered.
    #[serde(rename = "call.answered")]
    CallAnswered {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
    },
    /// Two people can talk: both legs of a call are up and in its room.
    #[serde(rename = "call.bridged")]
    CallBridged {
        /// Who waited.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// Who answered.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        with: LegId,
        /// The room they are in.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// A call was put on hold or taken back.
    #[serde(rename = "call.held")]
    CallHeld {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// On hold.
        held: bool,
        /// Whose doing it is.
        by: HeldBy,
    },
    /// What a telephone hears comes back from it, so that the others hear themselves; or no longer does.
    #[serde(rename = "call.echo")]
    CallEcho {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// It does.
        heard: bool,
        /// It is taken out.
        removed: bool,
        /// How much later, in milliseconds.
        delay_ms: Option<u16>,
        /// How much softer, in dB.
        loss_db: Option<u8>,
    },
    /// What a telephone sends is music or a tone, as of one who put a meeting on hold, and the others do not hear it; or it
    /// is a voice again.
    #[serde(rename = "call.music")]
    CallMusic {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// The room it is in.
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        room: Option<RoomId>,
        /// Whose leg.
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        participant: Option<ParticipantId>,
        /// It is music.
        heard: bool,
    },
    /// A call was brought into a meeting without PIN and lobby, because somebody vouched for whoever calls.
    #[serde(rename = "call.merged")]
    CallMerged {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// The meeting.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Their place there.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Who vouched, of the meeting; none: the operator, by API.
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        by: Option<ParticipantId>,
    },
    /// A call was handed over: whoever talked talks with somebody else, or by another telephone.
    #[serde(rename = "call.transferred")]
    CallTransferred {
        /// The leg whose call was handed over; where another telephone took a place, the one that had it.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// The leg that handed it over.
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        by: Option<LegId>,
        /// The leg of whoever took it over, where it is one of ours.
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        with: Option<LegId>,
        /// What was dialled.
        to: String,
        /// How.
        way: TransferWay,
    },
    /// A call was to be handed over and was not; everybody who is still there keeps it.
    #[serde(rename = "call.transfer_failed")]
    CallTransferFailed {
        /// The leg whose call was to be handed over.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// What was dialled.
        to: String,
        /// Why.
        cause: Cause,
        /// The same as a SIP status, the far end's own where it said one.
        status: u16,
    },
    /// A call ended.
    #[serde(rename = "call.ended")]
    CallEnded {
        /// The leg.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        call: LegId,
        /// Why.
        cause: Cause,
    },
    /// Somebody took a place in a room.
    #[serde(rename = "participant.joined")]
    Joined {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who, in full.
        participant: Box<ParticipantView>,
    },
    /// Somebody's state, mute, hand, name, role or hold changed; speaking has an event of its own.
    #[serde(rename = "participant.changed")]
    Changed {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who, in full.
        participant: Box<ParticipantView>,
    },
    /// Somebody began or stopped being heard.
    #[serde(rename = "participant.speaking")]
    Speaking {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Began or stopped.
        speaking: bool,
    },
    /// Somebody's place is gone.
    #[serde(rename = "participant.left")]
    Left {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
        /// Why.
        cause: Cause,
    },
    /// Somebody pressed the key for help.
    #[serde(rename = "participant.operator")]
    OperatorAsked {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        participant: ParticipantId,
    },
    /// Somebody wrote to everyone in the room. What is written to one alone is never here.
    #[serde(rename = "chat.said")]
    Said {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Who; none: the operator.
        #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
        from: Option<ParticipantId>,
        /// What the writer was called then.
        name: String,
        /// Plain text.
        text: String,
    },
    /// The meeting began.
    #[serde(rename = "room.started")]
    RoomStarted {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// The room was locked or unlocked.
    #[serde(rename = "room.locked")]
    RoomLocked {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
        /// Locked.
        locked: bool,
    },
    /// The last participant left, or a host ended the meeting.
    #[serde(rename = "room.ended")]
    RoomEnded {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// A room was made or its settings changed.
    #[serde(rename = "room.configured")]
    RoomConfigured {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// A trunk takes calls: it answers, and we are registered where it wants that.
    #[serde(rename = "trunk.up")]
    TrunkUp {
        /// Which.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        trunk: TrunkId,
    },
    /// A trunk takes no calls.
    #[serde(rename = "trunk.down")]
    TrunkDown {
        /// Which.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        trunk: TrunkId,
        /// Why, in words.
        why: String,
    },
    /// One of the places that take a trunk's calls answers OPTIONS.
    #[serde(rename = "trunk.target_up")]
    TrunkTargetUp {
        /// Which trunk.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        trunk: TrunkId,
        /// Transport, address and port.
        address: String,
    },
    /// One of the places that take a trunk's calls is passed over; others of the trunk may take its calls.
    #[serde(rename = "trunk.target_down")]
    TrunkTargetDown {
        /// Which trunk.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        trunk: TrunkId,
        /// Transport, address and port.
        address: String,
        /// Why, in words.
        why: String,
    },
    /// A relay's tunnel stands: the telephones of its network can be called.
    #[serde(rename = "relay.connected")]
    RelayConnected {
        /// Which.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        relay: RelayId,
    },
    /// A relay's tunnel is gone; its calls wait a little for the next.
    #[serde(rename = "relay.disconnected")]
    RelayDisconnected {
        /// Which.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        relay: RelayId,
        /// For good: it was stopped, or is not let in any more.
        ended: bool,
    },
    /// A telephone registered.
    #[serde(rename = "extension.registered")]
    ExtensionRegistered {
        /// Whose.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        extension: ExtensionId,
        /// Where it is reached: transport, address and port.
        address: String,
        /// Its User-Agent.
        user_agent: Option<String>,
    },
    /// A telephone is registered no more.
    #[serde(rename = "extension.unregistered")]
    ExtensionUnregistered {
        /// Whose.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        extension: ExtensionId,
        /// Where it was reached.
        address: String,
        /// Why.
        why: Gone,
    },
    /// A room was taken away.
    #[serde(rename = "room.deleted")]
    RoomDeleted {
        /// The room.
        #[cfg_attr(feature = "node", schema(value_type = String))]
        room: RoomId,
    },
    /// Somebody began a call by a printed code.
    #[serde(rename = "code.printed_used")]
    CodeBegan(Box<CodeBegan>),
    /// A call is moving by a code: `code.shown`, `code.transferred`, … Its type is in the step.
    #[serde(untagged)]
    Code(Box<CodeStep>),
    /// A telephone call is becoming a meeting: `elevation.asked`, `elevation.texted`, … Its type is in the step.
    #[serde(untagged)]
    Elevation(ElevationStep),
    /// A call is moved to another device of its person: `move.asked`, `move.began`, `move.done`, `move.failed`.
    #[serde(untagged)]
    Move(MoveEvent),
    /// Somebody is called back: `callback.calling`, `callback.ringing`, … Its type is in the step.
    #[serde(untagged)]
    Callback(Box<CallbackStep>),
}

/// A step of a code. Neither its link nor its digits are in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CodeStep {
    /// How far.
    #[serde(rename = "type", with = "code_type")]
    #[cfg_attr(feature = "node", schema(value_type = String, pattern = r"^code\.[a-z_]+$"))]
    pub state: transfer::State,
    /// Which code.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub code: CodeId,
    /// The call, by the leg that carried it when the code was made.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: LegId,
    /// Where it is.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// Whose.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// Who shows, who reads.
    pub topology: transfer::Topology,
    /// Who is asked.
    pub confirm: transfer::Confirm,
    /// Why it came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<transfer::Reason>,
    /// Who wants the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Receiver>,
    /// What the integration that asked gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// A call that began by a printed code. Neither its link nor its digits are in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CodeBegan {
    /// Which code.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub code: CodeId,
    /// What it is called.
    pub title: String,
    /// Whoever read it: a telephone's leg or a browser's.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: LegId,
    /// Where they are.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// As whom.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// With what.
    pub by: DeviceKind,
    /// How many calls it began so far.
    pub used: u32,
    /// What is known of whom it was printed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// A step of an elevation. Neither the link nor the code is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct ElevationStep {
    /// How far.
    #[serde(rename = "type", with = "elevation_type")]
    #[cfg_attr(feature = "node", schema(value_type = String, pattern = r"^elevation\.[a-z_]+$"))]
    pub step: Step,
    /// Which elevation.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub elevation: ElevationId,
    /// The call.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub call: LegId,
    /// Where the person is.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub room: RoomId,
    /// Whose.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub participant: ParticipantId,
    /// At whose wish.
    pub by: Asker,
    /// Why it went on as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub reason: Option<Reason>,
    /// What the integration that asked gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// How a call was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum TransferWay {
    /// Here: everybody's call goes on through us.
    Bridged,
    /// The far end called by itself, as our REFER asked.
    Referred,
    /// Another telephone took a place over (RFC 3891).
    Replaced,
}

/// Who put a call on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum HeldBy {
    /// We did: the far end hears music.
    Us,
    /// The far end did: what it plays is kept out of the room.
    Them,
}

impl Happening {
    /// The room it happened in.
    pub fn room(&self) -> Option<RoomId> {
        match self {
            Happening::Joined { room, .. }
            | Happening::Changed { room, .. }
            | Happening::Speaking { room, .. }
            | Happening::Left { room, .. }
            | Happening::OperatorAsked { room, .. }
            | Happening::Said { room, .. }
            | Happening::RoomStarted { room }
            | Happening::RoomLocked { room, .. }
            | Happening::RoomEnded { room }
            | Happening::RoomConfigured { room }
            | Happening::RoomDeleted { room }
            | Happening::CallBridged { room, .. }
            | Happening::CallMerged { room, .. } => Some(*room),
            Happening::Elevation(of) => Some(of.room),
            Happening::Move(of) => Some(of.room),
            Happening::CallMusic { room, .. } => *room,
            Happening::Callback(of) => of.room,
            Happening::Code(of) => Some(of.room),
            Happening::CodeBegan(of) => Some(of.room),
            Happening::NodeStarted {}
            | Happening::TrunkUp { .. }
            | Happening::TrunkDown { .. }
            | Happening::TrunkTargetUp { .. }
            | Happening::TrunkTargetDown { .. }
            | Happening::RelayConnected { .. }
            | Happening::RelayDisconnected { .. }
            | Happening::ExtensionRegistered { .. }
            | Happening::ExtensionUnregistered { .. }
            | Happening::NodeDraining {}
            | Happening::CallBegan { .. }
            | Happening::CallRinging { .. }
            | Happening::CallIdentity { .. }
            | Happening::CallAnswered { .. }
            | Happening::CallHeld { .. }
            | Happening::CallEcho { .. }
            | Happening::CallTransferred { .. }
            | Happening::CallTransferFailed { .. }
            | Happening::CallEnded { .. } => None,
        }
    }
}

/// A state as the type of an event: `code.` before its name.
mod code_type {
    use serde::de::{Error, IntoDeserializer};
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::transfer::State;

    const PREFIX: &str = "code.";

    pub(super) fn serialize<S: Serializer>(state: &State, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&format_args!("{PREFIX}{}", state.name()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<State, D::Error> {
        let name = String::deserialize(from)?;
        let state = name.strip_prefix(PREFIX).ok_or_else(|| D::Error::custom("no event of a code"))?;
        State::deserialize(state.into_deserializer())
    }
}

/// A step as the type of an event: `elevation.` before its name.
mod elevation_type {
    use serde::de::{Error, IntoDeserializer};
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::elevation::Step;

    const PREFIX: &str = "elevation.";

    pub(super) fn serialize<S: Serializer>(step: &Step, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&format_args!("{PREFIX}{}", step.name()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Step, D::Error> {
        let name = String::deserialize(from)?;
        let step = name.strip_prefix(PREFIX).ok_or_else(|| D::Error::custom("no event of an elevation"))?;
        Step::deserialize(step.into_deserializer())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_elevations_event_is_typed_by_its_step_and_reads_back() {
        for step in Step::ALL {
            let of = ElevationStep {
                step,
                elevation: ElevationId::from_bits(1),
                call: LegId::from_bits(2),
                room: RoomId::from_bits(3),
                participant: ParticipantId::from_bits(4),
                by: Asker::Key,
                reason: Some(Reason::NoReceipt),
                context: None,
            };
            let event = Event { seq: 7, at: Utc(0), what: Happening::Elevation(of) };
            let written = serde_json::to_value(&event).unwrap();
            assert_eq!(written["type"], json!(format!("elevation.{}", step.name())));
            assert_eq!((&written["by"], &written["reason"]), (&json!("key"), &json!("no_receipt")));
            assert_eq!(written["step"], json!(null), "once is enough");
            assert_eq!(serde_json::from_value::<Event>(written).unwrap(), event);
        }
        let strange = json!({ "seq": 1, "at": 0, "type": "elevation.forgotten", "room": "room_0000000000003" });
        assert!(serde_json::from_value::<Event>(strange).is_err());
    }
}
