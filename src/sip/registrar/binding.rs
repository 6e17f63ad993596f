//! What a REGISTER asks for, and what is kept of it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Account, Contact, MOST_AT_ONCE, Reply, Settings, is_sip};
use crate::base::Now;
use crate::sip::transport::{FlowId, Source, Target, Transport};
use crate::wire::sip::{Name, NameAddr, Request, Status, Text, Uri};

/// What a REGISTER asks for, checked whole.
pub(super) struct Wanted {
    /// `Contact: *`: everything is to go.
    pub(super) star: bool,
    pub(super) contacts: Vec<WantedContact>,
    pub(super) call_id: Text,
    pub(super) seq: u32,
    pub(super) path: Vec<NameAddr>,
    /// The way back is kept as RFC 5626 asks.
    pub(super) outbound: bool,
    user_agent: Text,
}

/// One Contact of a REGISTER.
pub(super) struct WantedContact {
    uri: Uri,
    pub(super) expires: Duration,
    q: u16,
    instance: Text,
    reg_id: Option<u32>,
    pub(super) target: Target,
    behind_nat: bool,
}

/// A contact and the request that made it.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) contact: Contact,
    call_id: Text,
    seq: u32,
}

impl Wanted {
    /// Reads a REGISTER; the answer where it asks for what it cannot have (§10.3 items 6 and 7).
    pub(super) fn of(request: &Request, source: &Source, settings: &Settings) -> Result<Self, Reply> {
        let bad = || Reply::because(Status::BAD_REQUEST);
        let headers = &request.headers;
        let listed = headers.contacts().map_err(|_| bad())?;
        let star = headers.contact_is_star();
        // §10.3 item 6: `*` stands alone and takes everything away.
        let beside = headers.values(Name::Contact).count() != 1;
        if star && (beside || headers.expires() != Some(0)) {
            return Err(bad());
        }
        if listed.len() > MOST_AT_ONCE || listed.iter().any(|contact| !is_sip(contact)) {
            return Err(bad());
        }
        let path = headers.name_addrs(Name::Path).map_err(|_| bad())?;
        let direct = headers.values(Name::Via).count() == 1;
        let keeps_flow = headers.supports("outbound") || headers.require().any(|tag| tag == "outbound");
        // RFC 5626 §6: the first hop must keep the flow too.
        let by_edge = path.first().is_some_and(|edge| edge.uri.param("ob").is_some());
        let asks = listed.iter().any(|contact| contact.params.has("reg-id"));
        if asks && keeps_flow && !direct && !by_edge {
            return Err(Reply::because(Status::FIRST_HOP_LACKS_OUTBOUND));
        }
        let asked_by_rport = headers.top_via().is_some_and(|via| via.rport().is_some());
        let way = Way { source, direct, asked_by_rport };
        let mut contacts = Vec::with_capacity(listed.len());
        for contact in &listed {
            contacts.push(WantedContact::of(contact, headers.expires(), keeps_flow, &way, settings)?);
        }
        Ok(Self {
            star,
            outbound: contacts.iter().any(|contact| contact.reg_id.is_some()),
            contacts,
            call_id: Text::from(headers.call_id().unwrap_or_default()),
            seq: headers.cseq().ok_or_else(bad)?.seq,
            path: path.iter().filter_map(owned).collect(),
            user_agent: Text::from(headers.get(Name::UserAgent).unwrap_or_default()),
        })
    }
}

/// How a REGISTER came.
struct Way<'a> {
    source: &'a Source,
    /// Straight from the telephone, through nobody else.
    direct: bool,
    /// The telephone asked to be answered where it sends from (RFC 3581).
    asked_by_rport: bool,
}

impl Way<'_> {
    /// The way back to a contact, and whether the address it names is not the one its messages come from.
    ///
    /// Where its REGISTER came from, whatever it calls itself: so a telephone behind NAT is reached, and nobody registers
    /// somebody else's address. Only one that does not ask for that (RFC 3581), and is where it says, is taken at its word.
    fn back_to(&self, uri: &Uri) -> (Target, bool) {
        let back = Target::back_to(self.source);
        let seen = self.source.remote.ip().to_canonical();
        let named = uri.host().and_then(|host| host.ip()).map(|ip| ip.to_canonical());
        let behind_nat = self.direct && named != Some(seen);
        if self.source.transport == Transport::Udp && self.direct && !self.asked_by_rport && named == Some(seen) {
            let remote = listening(uri, self.source.remote.ip(), Transport::Udp);
            return (Target { remote, ..back }, behind_nat);
        }
        (back, behind_nat)
    }
}

fn listening(uri: &Uri, ip: IpAddr, transport: Transport) -> SocketAddr {
    SocketAddr::new(ip, uri.port().unwrap_or(transport.default_port()))
}

impl WantedContact {
    fn of(
        contact: &NameAddr,
        header: Option<u32>,
        keeps_flow: bool,
        way: &Way<'_>,
        settings: &Settings,
    ) -> Result<Self, Reply> {
        // §10.3 item 7; what is no number counts as not written (§20.10).
        let written = contact.params.get("expires").and_then(|text| text.parse::<u32>().ok()).or(header);
        let asked = written.map_or(settings.default_expires, |seconds| Duration::from_secs(u64::from(seconds)));
        if !asked.is_zero() && asked < settings.min_expires {
            let least = settings.min_expires.as_secs().to_string();
            return Err(Reply::because(Status::INTERVAL_TOO_BRIEF).with(Name::MinExpires, least));
        }
        let instance = contact.params.get("+sip.instance").map(Text::from).unwrap_or_default();
        let reg_id = contact.params.get("reg-id").and_then(|text| text.parse().ok());
        let (target, behind_nat) = way.back_to(&contact.uri);
        Ok(Self {
            // The message it came in is not to live as long as the registration.
            uri: Uri::parse(contact.uri.as_str()).map_err(|_| Reply::because(Status::BAD_REQUEST))?,
            expires: asked.min(settings.max_expires),
            q: contact.params.get("q").and_then(thousandths).unwrap_or(1000),
            reg_id: reg_id.filter(|_| keeps_flow && !instance.is_empty()),
            instance,
            target,
            behind_nat,
        })
    }
}

impl Binding {
    pub(super) fn new(wanted: &WantedContact, request: &Wanted, account: &Account, now: Now) -> Self {
        Self {
            contact: Contact {
                uri: wanted.uri.clone(),
                target: wanted.target,
                routes: request.path.clone(),
                user_agent: request.user_agent.clone(),
                profile: account.profile.clone(),
                instance: wanted.instance.clone(),
                reg_id: wanted.reg_id,
                q: wanted.q,
                behind_nat: wanted.behind_nat,
                since: now.utc,
                refreshed: now.mono,
                expires: now.mono + wanted.expires,
            },
            call_id: request.call_id.clone(),
            seq: request.seq,
        }
    }

    /// Takes over what a newer request says of the same telephone.
    pub(super) fn refresh(&mut self, newer: Self) {
        let since = self.contact.since;
        *self = newer;
        self.contact.since = since;
    }

    /// Whether a wanted contact is this one: by its device and way (RFC 5626 §6), by its URI (RFC 3261 §10.3), or by its
    /// device alone, where neither names a way: a telephone that came back under another port is not two telephones.
    pub(super) fn is_of(&self, wanted: &WantedContact) -> bool {
        let held = &self.contact;
        let same_device = !held.instance.is_empty() && held.instance == wanted.instance;
        if same_device && (held.reg_id.is_some() || wanted.reg_id.is_some()) {
            return held.reg_id == wanted.reg_id;
        }
        same_device || held.uri == wanted.uri
    }

    /// Whether what is held was made by a later request of the same telephone (§10.3 item 7).
    pub(super) fn is_newer_than(&self, call_id: &Text, seq: u32) -> bool {
        self.call_id == *call_id && self.seq > seq
    }

    /// Whether it is still reached once a connection is closed: by another, or where it says it listens, if it is there.
    pub(super) fn outlives(&mut self, flow: FlowId) -> bool {
        let contact = &mut self.contact;
        if contact.target.flow != Some(flow) {
            return true;
        }
        let listens = contact.target.transport == Transport::Tcp && !contact.behind_nat;
        if !listens || contact.reg_id.is_some() || !contact.routes.is_empty() {
            return false;
        }
        let remote = listening(&contact.uri, contact.target.remote.ip(), Transport::Tcp);
        contact.target = Target::new(Transport::Tcp, remote);
        true
    }
}

/// `0.7` is 700; at most three digits after the point (RFC 3261 §25.1 `qvalue`).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = if part.is_empty() { 0 } else { format!("{part:0<3}").parse().ok()? };
    Some((whole * 1000 + part).min(1000))
}

/// A copy that shares nothing with the message it came in.
fn owned(address: &NameAddr) -> Option<NameAddr> {
    NameAddr::parse(&address.to_string()).ok()
}
