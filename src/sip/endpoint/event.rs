//! What an endpoint takes in and what it gives out.

use std::time::Duration;

use bytes::Bytes;

use super::manner::Manner;
use super::{ReferId, ReferStep};
use crate::base::{Cause, LegId};
use crate::sip::reason::Reason;
use crate::sip::refer_to::ReferTo;
use crate::sip::transport::{FlowId, Source, Target};
use crate::sip::uui::Uui;
use crate::wire::sip::{Message, Method, Name, NameAddr, ParseError, Request, Response, Status, Text, Uri};

/// Names one transaction of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub(super) u64);

/// One far end of a call that we make: a forked INVITE is answered by several (§12.1.2). Its ids are of one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fork(pub(super) u32);

/// Header fields that the user adds to a message: name and value. Control characters in a value are dropped.
pub type Headers = Vec<(Name, Text)>;

/// A fact for the endpoint.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "it is moved once per message; a box would cost an allocation each")]
pub enum Input {
    /// A message came, parsed or not.
    Received {
        /// What.
        message: Result<Message, ParseError>,
        /// How it came.
        source: Source,
    },
    /// An [`Output::Send`] could not be carried out.
    SendFailed {
        /// Its reference.
        reference: SendRef,
    },
    /// A connection is gone. Messages that should have gone by it go by a new one.
    FlowClosed {
        /// Which.
        flow: FlowId,
    },
    /// The moment that [`super::Endpoint::poll_timeout`] named has come.
    Timeout,
}

/// Names what was to be sent, for [`Input::SendFailed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendRef {
    /// A request of this transaction.
    Client(TransactionId),
    /// A response of this transaction.
    Server(TransactionId),
    /// A message that belongs to no transaction: an ACK to a 2xx, a stateless refusal. Its loss is mended by its peer.
    Nothing,
}

/// An order to the one who owns the sockets, or a report to the user.
#[derive(Clone)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// Where.
        to: Target,
        /// What.
        bytes: Bytes,
        /// What to say if it fails.
        reference: SendRef,
    },
    /// Something happened.
    Event(Event),
}

/// What happened, for the user of an endpoint.
#[derive(Clone)]
pub enum Event {
    /// A new call: an INVITE that passed the checks of §8.2. The 100 has gone out; the user rings, answers or refuses.
    Invited {
        /// The new leg.
        leg: LegId,
        /// The INVITE.
        request: Box<Request>,
        /// How it came.
        source: Source,
    },
    /// Our answer was acknowledged. Also for a re-INVITE without SDP, whose ACK carries the answer.
    Acked {
        /// The leg.
        leg: LegId,
        /// The SDP of the ACK: the answer to our offer in the 2xx.
        sdp: Option<Bytes>,
    },
    /// The caller gave up before our final answer; 487 has gone out. [`Event::Ended`] follows at once.
    Cancelled {
        /// The leg.
        leg: LegId,
    },
    /// Our reliable provisional answer was acknowledged (RFC 3262).
    Pracked {
        /// The leg.
        leg: LegId,
        /// Their answer, where the provisional answer held our offer.
        sdp: Option<Bytes>,
    },
    /// A re-INVITE or an UPDATE with SDP came; of a call that rings here also a PRACK with an offer. The user answers with
    /// `accept_offer` or `refuse_offer`.
    Offered {
        /// The leg.
        leg: LegId,
        /// Their offer; none where we are to offer (re-INVITE without SDP): the ACK will carry their answer.
        sdp: Option<Bytes>,
        /// INVITE, UPDATE or PRACK.
        method: Method,
    },
    /// Our change was answered: with their SDP, or with the status that refused it. The call goes on either way. Where we
    /// asked for their offer (`reinvite` without SDP), this is it: the user answers with `accept_offer`, which goes in the
    /// ACK.
    Modified {
        /// The leg.
        leg: LegId,
        /// Their answer or the refusal.
        result: Result<Option<Bytes>, Status>,
    },
    /// The session timer was refreshed, by either side (RFC 4028).
    Refreshed {
        /// The leg.
        leg: LegId,
        /// Their SDP, where our refresh brought another than before: their answer to the SDP that we sent last.
        sdp: Option<Bytes>,
    },
    /// An INFO came in the dialog. The user answers with `respond`.
    Info {
        /// The leg.
        leg: LegId,
        /// To answer it by.
        transaction: TransactionId,
        /// The Content-Type as written, none where there was no body.
        content_type: Option<Text>,
        /// The body.
        body: Bytes,
    },
    /// A 1xx but 100 to our INVITE.
    Progress {
        /// The leg.
        leg: LegId,
        /// Which far end.
        fork: Fork,
        /// Which.
        status: Status,
        /// Early SDP: an answer of this far end, to be taken as one.
        sdp: Option<Bytes>,
        /// Whether it was acknowledged by PRACK: then its SDP is this far end's last word before the call is up.
        reliable: bool,
        /// The whole response.
        response: Box<Response>,
    },
    /// A far end of our INVITE makes an offer before the call is up: in a reliable 1xx where ours had none, or by UPDATE.
    /// The user answers with `accept_early_offer` or `refuse_early_offer`.
    EarlyOffered {
        /// The leg.
        leg: LegId,
        /// Which far end.
        fork: Fork,
        /// Its offer.
        sdp: Bytes,
    },
    /// A 2xx to our INVITE; the ACK has gone out, or goes with `accept_offer` where `offer` says so.
    Answered {
        /// The leg.
        leg: LegId,
        /// Which far end.
        fork: Fork,
        /// Their answer: of the 2xx, or what this far end said before where its 2xx says nothing.
        sdp: Option<Bytes>,
        /// Whether `sdp` is an offer, our INVITE having had none: the user answers with `accept_offer`.
        offer: bool,
        /// The whole response.
        response: Box<Response>,
        /// How it came.
        source: Source,
    },
    /// A 3xx to 6xx to our INVITE. [`Event::Ended`] follows at once.
    Refused {
        /// The leg.
        leg: LegId,
        /// Which.
        status: Status,
        /// Its Retry-After.
        retry_after: Option<Duration>,
        /// The whole response: Contacts of a 3xx, challenges of a 401 or 407.
        response: Box<Response>,
    },
    /// The leg is over: exactly once per leg. For the user nothing of it remains; what the protocol still owes (a BYE
    /// repeated until its answer, a late 2xx acknowledged and hung up) is finished inside, see [`super::Counts`].
    Ended {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: Cause,
        /// The far end's own words, from the Reason header of its BYE, CANCEL or refusal.
        reasons: Vec<Reason>,
    },
    /// A REFER came in the dialog of a call that is up. The user answers with `accept_refer` or `refuse_refer`.
    Referred {
        /// The leg.
        leg: LegId,
        /// To answer it by.
        refer: ReferId,
        /// Where the call is to go.
        to: Box<ReferTo>,
        /// Who asks, as they say (RFC 3892).
        referred_by: Option<Box<NameAddr>>,
        /// What is told to the target's application, of the REFER and of its Refer-To.
        uui: Vec<Uui>,
        /// The whole request.
        request: Box<Request>,
        /// How it came.
        source: Source,
    },
    /// A REFER of ours, and the call it asked for, are that far. It may follow the end of the leg.
    ReferProgress {
        /// The leg.
        leg: LegId,
        /// Which.
        refer: ReferId,
        /// How far.
        step: ReferStep,
    },
    /// A request that belongs to no leg (OPTIONS, REGISTER, ...), or to one but is neither INVITE, ACK, BYE, CANCEL,
    /// UPDATE nor INFO. The user answers with `respond`.
    Request {
        /// To answer it by.
        transaction: TransactionId,
        /// What.
        request: Box<Request>,
        /// How it came.
        source: Source,
        /// The leg in whose dialog it is.
        leg: Option<LegId>,
    },
    /// A request of ours outside an INVITE was finally answered, or nobody answered.
    Response {
        /// Which.
        transaction: TransactionId,
        /// The answer, or why there is none.
        result: Result<Box<Response>, Unanswered>,
        /// How the answer came.
        source: Option<Source>,
    },
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Nobody answered within 64·T1.
    TimedOut,
    /// It could not be sent.
    TransportFailed,
    /// Too many transactions are under way, or the leg is gone.
    NotSent,
}

/// A call that we make.
#[derive(Clone)]
pub struct OutboundInvite {
    /// The Request-URI.
    pub uri: Uri,
    /// Who calls, without a tag.
    pub from: NameAddr,
    /// Who is called.
    pub to: NameAddr,
    /// Where the INVITE goes; for a registered phone the connection or the socket that it registered by.
    pub target: Target,
    /// A preloaded route set.
    pub routes: Vec<NameAddr>,
    /// More header fields.
    pub headers: Headers,
    /// Our offer; none asks for theirs.
    pub sdp: Option<Bytes>,
    /// The user part of our Contact; none: no user.
    pub contact_user: Option<Text>,
    /// Which extensions are used.
    pub manner: Manner,
    /// How long it may ring before it is cancelled (timer C).
    pub ring: Duration,
    /// Max-Forwards: what the inbound call's had left less one, or 70. A call that runs in a circle ends by it.
    pub max_forwards: u8,
    /// For a repetition with credentials after 401 or 407 (§22.2): what the first attempt used.
    pub again: Option<Attempt>,
}

/// What a repeated request keeps of the one before it (§8.1.3.5).
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The Call-ID.
    pub call_id: Text,
    /// Our tag in From.
    pub local_tag: Text,
    /// The CSeq number of the earlier attempt; this one's is one higher.
    pub seq: u32,
}

impl Attempt {
    /// Of the request that a response answers: for a repetition with credentials after 401 or 407.
    pub fn of(response: &Response) -> Option<Self> {
        let headers = &response.headers;
        Some(Self {
            call_id: Text::from(headers.call_id()?),
            local_tag: Text::from(headers.from()?.tag()?),
            seq: headers.cseq()?.seq,
        })
    }
}

/// A request of ours outside any dialog.
#[derive(Clone)]
pub struct OutboundRequest {
    /// OPTIONS, REGISTER, ...; not INVITE, ACK or CANCEL.
    pub method: Method,
    /// The Request-URI.
    pub uri: Uri,
    /// Who asks, without a tag.
    pub from: NameAddr,
    /// Who is asked.
    pub to: NameAddr,
    /// Where it goes.
    pub target: Target,
    /// A preloaded route set.
    pub routes: Vec<NameAddr>,
    /// More header fields. Contact is ours where none is given.
    pub headers: Headers,
    /// Content-Type and body.
    pub body: Option<(Text, Bytes)>,
    /// For a repetition, or a refreshed registration: what the one before used.
    pub again: Option<Attempt>,
}
