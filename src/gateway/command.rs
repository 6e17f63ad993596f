//! What the API (or a test) asks of the gateway, and what it answers.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::id::{CallbackId, CodeId, DidId, ElevationId, ExtensionId, GroupId, RuleId, TicketId, TrunkId};
use crate::base::{LegId, PhoneNumber, RoomId, Secret, Utc};
use crate::callback::Failure;
use crate::device;
use crate::gateway::callback::view::{CallbackRequest, CallbackView, Kept};
use crate::gateway::code::printed::{Drawn, PrintCommand};
use crate::gateway::code::view::{ClaimView, Claiming, Closed, CodeInfo, CodeRequest, CodeView, Read, Unfit as NoCode};
use crate::gateway::device::view::{DeviceCommand, DeviceReply};
use crate::gateway::elevate::view::{ElevateRequest, ElevationView, LinkView, Redeem, Redeemed, Shut, Unfit};
use crate::gateway::merge::{MergeRequest, Unmerged};
use crate::gateway::treatment::TreatmentOrder;
use crate::gateway::view::{CallView, RegistrationView, RoomView, Status, TrialReport, TrialRequest, TrunkStateView};
use crate::gateway::web::{Code, Preview};
use crate::room::{self, Operation, RoomSettings};
use crate::route::{Did, Explanation, Extension, Group, Party, Problem, Rule, Trunk};
use crate::ticket::Ticket;

/// Names one command; its answer carries it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// What is asked. Changes of configuration are stored first by whoever asks; the gateway is told after.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "a command travels in a box as a whole")]
pub enum Command {
    /// A trunk was added or changed.
    PutTrunk(Trunk),
    /// A trunk was taken away; its calls go on.
    DeleteTrunk(TrunkId),
    /// A number was added or changed.
    PutDid(Did),
    /// A number was taken away.
    DeleteDid(DidId),
    /// An extension was added or changed.
    PutExtension(Box<Extension>),
    /// An extension was taken away; its calls go on.
    DeleteExtension(ExtensionId),
    /// A group was added or changed.
    PutGroup(Group),
    /// A group was taken away.
    DeleteGroup(GroupId),
    /// A rule was added or changed. Whoever asks has had it checked ([`Command::CheckRule`]).
    PutRule(Box<Rule>),
    /// A rule was taken away.
    DeleteRule(RuleId),
    /// The rules stand in this order from now on: their positions become 1, 2, 3 and so on.
    OrderRules(Vec<RuleId>),
    /// What is wrong with a rule that is to be kept: it must point somewhere.
    CheckRule(Box<Rule>),
    /// A room was added or changed; a live one takes it over.
    PutRoom(RoomSettings),
    /// A room was taken away; refused while people are in it.
    DeleteRoom(RoomId),
    /// Every room with its roster.
    Rooms {
        /// Whether whole numbers may be shown.
        numbers: bool,
    },
    /// One room with its roster.
    Room {
        /// Which.
        room: RoomId,
        /// Whether whole numbers may be shown.
        numbers: bool,
    },
    /// Something is to be done in a room, with a host's rights.
    Operate {
        /// Where.
        room: RoomId,
        /// What.
        operation: Operation,
    },
    /// An invitation was made or changed.
    PutTicket(Box<Ticket>),
    /// An invitation was withdrawn; whoever came by it stays.
    DeleteTicket(TicketId),
    /// What an invitation is for.
    Preview {
        /// Its ticket.
        ticket: Secret,
        /// What the last welcome gave whoever asks.
        resume: Option<Secret>,
        /// Where whoever asks comes from.
        from: IpAddr,
    },
    /// Whether whoever holds this resume ticket may set a picture now; it counts as one.
    MayPicture(Secret),
    /// Sets the picture of whoever holds this resume ticket, or takes it away.
    SetPicture {
        /// Who.
        resume: Secret,
        /// A path on this node.
        picture: Option<String>,
    },
    /// Has video added to a call: the person gets a link.
    Elevate {
        /// The call.
        leg: LegId,
        /// How.
        request: Box<ElevateRequest>,
    },
    /// Brings a call into a meeting: somebody vouches for whoever calls.
    Merge {
        /// The call.
        leg: LegId,
        /// Where to, and who vouches.
        request: MergeRequest,
    },
    /// How far an elevation is.
    Elevation(ElevationId),
    /// Takes an elevation's link back.
    WithdrawElevation(ElevationId),
    /// Who is invited to what by a link; changes nothing.
    LookAtLink {
        /// The end of the link.
        ticket: Secret,
        /// Where it comes from.
        from: IpAddr,
    },
    /// Redeems a link or a code.
    Redeem(Box<Redeem>),
    /// Whose number a browser has that opened a link, for its notifications.
    NumberOfHolder {
        /// What it was given then.
        holder: Secret,
        /// Where it comes from.
        from: IpAddr,
    },
    /// Has somebody called back now.
    CallBack {
        /// The meeting.
        room: RoomId,
        /// Whom, and how.
        request: Box<CallbackRequest>,
    },
    /// What is to be kept of a callback at a set time.
    PlanCallback {
        /// The meeting.
        room: RoomId,
        /// Whom, and how.
        request: Box<CallbackRequest>,
    },
    /// A callback at a set time was kept.
    PutCallback(Box<Kept>),
    /// Every callback.
    Callbacks,
    /// How far a callback is.
    Callback(CallbackId),
    /// Takes a callback back.
    CancelCallback(CallbackId),
    /// Has a code made by which a call moves to another device.
    ShowCode {
        /// The call: a telephone's leg or a browser's.
        leg: LegId,
        /// How.
        request: Box<CodeRequest>,
    },
    /// Something about printed codes.
    Printed(Box<PrintCommand>),
    /// How far a code is.
    Code(CodeId),
    /// Takes a code back.
    WithdrawCode(CodeId),
    /// Answers for the holder of a code, who is asked whether a device may take the call.
    AnswerCode {
        /// Which.
        code: CodeId,
        /// It may.
        allow: bool,
    },
    /// What a code is for; changes nothing.
    LookAtCode {
        /// The code as read.
        read: Read,
        /// Where it was read.
        from: IpAddr,
    },
    /// A device reads a code, or shows one of its own.
    ClaimCode(Box<Claiming>),
    /// How far it is, for the device that wants the call.
    Claim(Secret),
    /// The device that wanted the call gives up.
    LeaveClaim(Secret),
    /// Every live call.
    Calls {
        /// Whether whole numbers may be shown.
        numbers: bool,
    },
    /// One live call.
    Call {
        /// Which.
        leg: LegId,
        /// Whether whole numbers may be shown.
        numbers: bool,
    },
    /// Ends a call, or stops ringing somebody.
    HangUp(LegId),
    /// Rings somebody: for a person of the house, or for a room.
    Dial(Box<DialRequest>),
    /// Answers a caller for whom somebody is being rung, before they answer: the caller hears music meanwhile.
    Answer(LegId),
    /// Puts a call on hold: the far end hears music.
    Hold(LegId),
    /// Takes a call back from hold.
    Unhold(LegId),
    /// Says what is done to a call's voice.
    Treat {
        /// The call.
        leg: LegId,
        /// What is changed of it.
        order: TreatmentOrder,
    },
    /// Keys digits to the far end of a call.
    SendDigits {
        /// The call.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`; `w` pauses half a second, `p` or `,` two seconds.
        digits: Secret,
    },
    /// Plays to the far end of a call, over what else it hears.
    Play {
        /// The call.
        leg: LegId,
        /// What, in order.
        what: Vec<Playable>,
        /// From the beginning again at the end, until stopped.
        repeat: bool,
    },
    /// Ends what [`Command::Play`] began.
    StopPlaying(LegId),
    /// Rings somebody for a room; whoever answers has a place in it. Nobody there is asked to renegotiate anything.
    AddToRoom {
        /// The room, of a meeting or of a call.
        room: RoomId,
        /// Whom, and how; its own `room` and `from` are not looked at.
        request: Box<DialRequest>,
    },
    /// Hands a call over: the far end of `leg` is to talk with somebody else instead.
    Transfer {
        /// The call to be handed over.
        leg: LegId,
        /// To whom: a number or a user, as somebody of the house would dial it.
        to: String,
        /// For an attended transfer: the other call of the one who hands over, to whose far end this one goes.
        consult: Option<LegId>,
        /// More header fields for the new call.
        headers: Vec<(String, String)>,
        /// User-to-User (RFC 7433) for the new call.
        uui: Option<String>,
    },
    /// Says what would be done with an INVITE, and why.
    Explain(Box<ExplainRequest>),
    /// Telephones that are registered.
    Registrations {
        /// Of this extension alone; none for all.
        extension: Option<ExtensionId>,
    },
    /// How trunks stand that calls go out by.
    TrunkStates {
        /// This one alone; none for all.
        trunk: Option<TrunkId>,
    },
    /// Begins a test of a trunk; what it found so far is answered.
    TestTrunk {
        /// Which.
        trunk: TrunkId,
        /// What is tested beyond OPTIONS and the registration.
        request: TrialRequest,
    },
    /// What the latest test of a trunk found so far, with whole numbers.
    TrunkTest(TrunkId),
    /// Makes every telephone of an extension read its settings again.
    CheckSync(ExtensionId),
    /// Something about people's devices.
    Devices(Box<DeviceCommand>),
    /// Counts and state of the node.
    Status,
}

/// Whom to ring, for whom.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct DialRequest {
    /// A number or a user of the house, as somebody there would dial it.
    pub to: String,
    /// Whose call it is. This person is rung first, and `to` once they have answered; their rights and limits apply. None:
    /// `to` is rung at once, which needs `room`.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub from: Option<ExtensionId>,
    /// The room whoever answers is put into; none makes a call of two.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub room: Option<RoomId>,
    /// The number shown to `to`, where a trunk lets us choose; else that of `from`, else the trunk's.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub caller_id: Option<PhoneNumber>,
    /// A name shown to `to`, and on the roster for it.
    pub name: Option<String>,
    /// How long it may ring, in seconds.
    pub seconds: Option<u16>,
    /// The telephone of `from` answers by itself, where its owner opted in.
    pub auto_answer: bool,
    /// More header fields of the INVITE to `to`: names beginning with `X-` only.
    pub headers: Vec<(String, String)>,
    /// User-to-User (RFC 7433) to `to`.
    pub uui: Option<String>,
}

/// Something to be played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "play", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Playable {
    /// A prompt of the house by its file's name, in the call's language.
    Prompt {
        /// The name, such as `greeting`.
        name: String,
    },
    /// Music on hold.
    Music {},
    /// Nothing.
    Pause {
        /// How long.
        milliseconds: u16,
    },
}

/// An INVITE to be explained: the message itself, or its facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct ExplainRequest {
    /// The whole INVITE as text; line ends may be LF. Instead of `to` and `from`.
    #[serde(default)]
    pub invite: Option<String>,
    /// The request URI, or just a number or user: `sip:+4930901820@gw.example`, `+4930901820`.
    #[serde(default)]
    pub to: Option<String>,
    /// The From URI, or just a number.
    #[serde(default)]
    pub from: Option<String>,
    /// As whose call; none means by its source and what the INVITE itself shows.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub party: Option<Party>,
    /// As a call that `POST /v1/calls` or a transfer makes in nobody's name; instead of `party`.
    #[serde(default)]
    pub api: bool,
    /// At what time, in milliseconds since 1970; none means now.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<i64>))]
    pub at: Option<Utc>,
    /// The address it comes from.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "203.0.113.7"))]
    pub source: IpAddr,
}

/// The answer.
pub type Outcome = Result<Reply, Denial>;

/// What was done or asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done.
    Done,
    /// Rooms.
    Rooms(Vec<RoomView>),
    /// One room.
    Room(Box<RoomView>),
    /// Calls.
    Calls(Vec<CallView>),
    /// One call.
    Call(Box<CallView>),
    /// Somebody is being rung.
    Dialled {
        /// The first leg that is made.
        call: LegId,
        /// The room that whoever answers is put into.
        room: RoomId,
    },
    /// A callback.
    Callback(Box<CallbackView>),
    /// Callbacks.
    Callbacks(Vec<CallbackView>),
    /// What is to be kept of one.
    CallbackPlan(Box<Kept>),
    /// An elevation.
    Elevation(Box<ElevationView>),
    /// Who is invited to what.
    Link(Box<LinkView>),
    /// A code.
    Code(Box<CodeView>),
    /// A printed code that is to be kept.
    Printed(Box<Drawn>),
    /// The link of a printed code.
    PrintedLink(Secret),
    /// What a code is for.
    CodeInfo(Box<CodeInfo>),
    /// How far it is, for the device that wants a call.
    Claimed(Box<ClaimView>),
    /// A link or code was redeemed.
    Redeemed(Box<Redeemed>),
    /// Something about devices.
    Device(Box<DeviceReply>),
    /// Somebody's number.
    Telephone(PhoneNumber),
    /// What is wrong; nothing where nothing is.
    Problems(Vec<Problem>),
    /// What would be done, and why.
    Explained(Box<Explanation>),
    /// Telephones that are registered.
    Registrations(Vec<RegistrationView>),
    /// How trunks stand.
    TrunkStates(Vec<TrunkStateView>),
    /// What a test of a trunk found so far.
    Trial(Box<TrialReport>),
    /// What an invitation is for, or why it does not count.
    Preview(Result<Box<Preview>, Code>),
    /// The node.
    Status(Box<Status>),
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// There is no such thing.
    NotFound(&'static str),
    /// It cannot be done as things stand.
    Conflict(String),
    /// The room says no.
    Refused(room::Refusal),
    /// Too much of it in too short a time: not before so many seconds.
    TooOften(String, u64),
    /// What was sent cannot be understood.
    Invalid(String),
    /// Nobody is called back.
    NotCalledBack(Failure),
    /// A call is not elevated.
    NotElevated(Unfit),
    /// A call is not merged.
    NotMerged(Unmerged),
    /// A call is not moved to another device.
    NotMoved(device::Refusal),
    /// A link or code opens nothing.
    Shut(Shut),
    /// No code is made for a call.
    NoCode(NoCode),
    /// A code opens nothing.
    Closed(Closed),
}
