//! Lamps beside names (RFC 4235): who watches which extension or room, and what they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use crate::base::id::ExtensionId;
use crate::base::{LegId, Now, RoomId};
use crate::gateway::Gateway;
use crate::gateway::event::Happening;
use crate::gateway::registrar::Shown;
use crate::gateway::requests::Asker;
use crate::gateway::view::CallDirection;
use crate::route::{Called, Destination};
use crate::sip::dialog_info::{self, DialogInfo, MEDIA_TYPE};
use crate::sip::endpoint::{Headers, TransactionId};
use crate::sip::subscription::{self, MIN_EXPIRES, Notifier, SubscriptionId};
use crate::sip::transport::{Source, Target};
use crate::wire::sip::{Method, Name, Request, Status, Text};

/// The package that is served.
const PACKAGE: &str = "dialog";
/// Lamps of one extension's telephones. More than any telephone has keys for.
const MOST_LAMPS: usize = 500;

/// Who may be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Watched {
    /// Somebody of the house.
    Extension(ExtensionId),
    /// A room: whether anybody is in it.
    Room(RoomId),
}

/// Who watches whom, and what there is to see.
#[derive(Debug)]
pub(super) struct Presence {
    notifier: Notifier<Watched, ExtensionId>,
    calls: BTreeMap<LegId, Call>,
    by_extension: BTreeMap<ExtensionId, BTreeSet<LegId>>,
}

/// A call of an extension, as lamps see it.
#[derive(Debug)]
struct Call {
    extension: ExtensionId,
    initiator: bool,
    state: dialog_info::State,
}

impl Default for Presence {
    fn default() -> Self {
        let notifier = Notifier::new(PACKAGE, MOST_LAMPS);
        Self { notifier, calls: BTreeMap::new(), by_extension: BTreeMap::new() }
    }
}

impl Presence {
    /// What came of a NOTIFY.
    pub(super) fn answered(&mut self, id: SubscriptionId, status: Option<Status>, now: Now) {
        self.notifier.answered(id, status, now.mono);
    }

    /// When [`Presence::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<crate::base::Instant> {
        self.notifier.poll_timeout()
    }

    /// Subscriptions whose time is up end.
    pub(super) fn handle_timeout(&mut self, now: Now) {
        self.notifier.handle_timeout(now.mono);
    }

    /// Somebody is there no more to be watched.
    pub(super) fn gone(&mut self, watched: Watched, now: Now) {
        self.notifier.gone(&watched, now.mono);
    }

    /// How many watch.
    pub(super) fn len(&self) -> usize {
        self.notifier.len()
    }

    fn begin(&mut self, leg: LegId, extension: ExtensionId, initiator: bool, now: Now) {
        let state = dialog_info::State::Trying;
        self.calls.insert(leg, Call { extension, initiator, state });
        self.by_extension.entry(extension).or_default().insert(leg);
        self.notifier.changed(&Watched::Extension(extension), now.mono);
    }

    fn go_on(&mut self, leg: LegId, state: dialog_info::State, now: Now) {
        if let Some(call) = self.calls.get_mut(&leg).filter(|call| call.state != state) {
            call.state = state;
            self.notifier.changed(&Watched::Extension(call.extension), now.mono);
        }
    }

    fn end(&mut self, leg: LegId, now: Now) {
        let Some(call) = self.calls.remove(&leg) else { return };
        if let Some(legs) = self.by_extension.get_mut(&call.extension) {
            legs.remove(&leg);
            if legs.is_empty() {
                self.by_extension.remove(&call.extension);
            }
        }
        self.notifier.changed(&Watched::Extension(call.extension), now.mono);
    }
}

impl Gateway {
    /// Notes what lamps show of a happening.
    pub(super) fn note_for_lamps(&mut self, what: &Happening, now: Now) {
        match what {
            Happening::CallBegan { call, direction, .. } => {
                if let Some(extension) = self.legs.get(call).and_then(|leg| leg.party.extension()) {
                    self.presence.begin(*call, extension, *direction == CallDirection::Inbound, now);
                }
            }
            Happening::CallRinging { call, .. } => self.presence.go_on(*call, dialog_info::State::Early, now),
            Happening::CallAnswered { call } => self.presence.go_on(*call, dialog_info::State::Confirmed, now),
            Happening::CallEnded { call, .. } => self.presence.end(*call, now),
            Happening::Joined { room, .. } | Happening::Left { room, .. } => {
                self.presence.notifier.changed(&Watched::Room(*room), now.mono);
            }
            Happening::RoomDeleted { room } => self.presence.gone(Watched::Room(*room), now),
            _ => {}
        }
    }

    /// A SUBSCRIBE came.
    pub(super) fn on_subscribe(&mut self, transaction: TransactionId, request: &Request, source: Source, now: Now) {
        let answer = match request.headers.to().is_some_and(|to| to.tag().is_some()) {
            true => self.refresh_lamp(transaction, request, source, now),
            false => self.begin_lamp(transaction, request, source, now),
        };
        if let Err((status, headers)) = answer {
            self.endpoint.respond(transaction, status, &headers, None, now);
        }
    }

    /// A new lamp, of somebody who shows an extension's credentials.
    fn begin_lamp(
        &mut self,
        transaction: TransactionId,
        request: &Request,
        source: Source,
        now: Now,
    ) -> Result<(), (Status, Headers)> {
        let plain = |status| (status, Headers::new());
        let watcher = match self.credentials_shown(request, &source, now) {
            Shown::Extension(extension) => extension,
            Shown::Nothing { stale } => {
                self.ask_for_credentials(transaction, request, &source, stale, now);
                return Ok(());
            }
            Shown::TooMany(wait) => {
                self.send_away(transaction, wait, now);
                return Ok(());
            }
        };
        let (package, event_id) = subscription::event_of(request);
        if package != PACKAGE {
            return Err((Status::BAD_EVENT, vec![(Name::AllowEvents, Text::from_static(PACKAGE))]));
        }
        let takes = |kind: &str| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind == "*/*" || kind == "application/*" || kind.eq_ignore_ascii_case(MEDIA_TYPE)
        };
        if request.headers.has(Name::Accept) && !request.headers.values(Name::Accept).any(takes) {
            return Err(plain(Status::NOT_ACCEPTABLE));
        }
        let length = subscription::expires_of(request).map_err(too_brief)?;
        let watched = self.watched_by(request).ok_or(plain(Status::NOT_FOUND))?;
        let hop = Target::back_to(&source);
        let dialog = self.endpoint.dialog_by(request, hop).ok_or(plain(Status::BAD_REQUEST))?;
        let tag = dialog.local_tag.clone();
        self.presence.notifier.begin(dialog, watched, watcher, event_id, length, now.mono).map_err(plain)?;
        self.endpoint.respond_in_dialog(transaction, Status::OK, &tag, &granted(length));
        Ok(())
    }

    /// A lamp is to burn on, or to go out.
    fn refresh_lamp(
        &mut self,
        transaction: TransactionId,
        request: &Request,
        source: Source,
        now: Now,
    ) -> Result<(), (Status, Headers)> {
        let plain = |status| (status, Headers::new());
        let id = self.presence.notifier.of(request).ok_or(plain(Status::CALL_DOES_NOT_EXIST))?;
        let length = subscription::expires_of(request).map_err(too_brief)?;
        let hop = Target::back_to(&source);
        self.presence.notifier.refresh(id, request, hop, length, now.mono).map_err(plain)?;
        let tag = self.presence.notifier.dialog_mut(id).map(|dialog| dialog.local_tag.clone()).unwrap_or_default();
        self.endpoint.respond_in_dialog(transaction, Status::OK, &tag, &granted(length));
        Ok(())
    }

    /// Whom a SUBSCRIBE names: an extension by its user, a room by its id or by what is dialled for it.
    fn watched_by(&self, request: &Request) -> Option<Watched> {
        let user = request.uri.user_decoded()?;
        if let Some(extension) = self.table.extensions.by_user(&user) {
            return Some(Watched::Extension(extension.id));
        }
        let by_id = user.parse::<RoomId>().ok().filter(|room| self.rooms.contains_key(room));
        let dialled = || {
            self.table.dids.values().find_map(|did| match (&did.called, &did.action) {
                (Called::User(name), Destination::Room { room }) if *name == *user => Some(*room),
                _ => None,
            })
        };
        by_id.or_else(dialled).map(Watched::Room)
    }

    /// Sends what watchers are to be told; whether there was anything.
    pub(super) fn tell_watchers(&mut self, now: Now) -> bool {
        let mut told = false;
        while let Some(notice) = self.presence.notifier.poll_notice() {
            told = true;
            let dialogs = self.seen_of(notice.watched);
            let Some(dialog) = self.presence.notifier.dialog_mut(notice.subscription) else { continue };
            let entity = dialog.local.uri.to_string();
            let body = Bytes::from(DialogInfo { version: notice.version, entity, dialogs }.write());
            let headers =
                vec![(Name::Event, Text::from(notice.event)), (Name::SubscriptionState, Text::from(notice.state))];
            let sent = self.endpoint.request_in(dialog, Method::Notify, &headers, Some((MEDIA_TYPE, &body)), now);
            self.askers.insert(sent, Asker::Subscription(notice.subscription));
        }
        told
    }

    /// What there is to see of somebody.
    fn seen_of(&self, watched: Watched) -> Vec<dialog_info::Shown> {
        match watched {
            Watched::Extension(extension) => {
                let legs = self.presence.by_extension.get(&extension).into_iter().flatten();
                legs.filter_map(|leg| self.seen_call(*leg)).collect()
            }
            Watched::Room(room) => {
                let live = self.rooms.get(&room).is_some_and(|room| !room.is_empty());
                let state = dialog_info::State::Confirmed;
                let meeting = dialog_info::Shown { id: room.to_string(), call: None, initiator: false, state };
                live.then_some(meeting).into_iter().collect()
            }
        }
    }

    fn seen_call(&self, leg: LegId) -> Option<dialog_info::Shown> {
        let call = self.presence.calls.get(&leg)?;
        Some(dialog_info::Shown {
            id: leg.to_string(),
            // As the watched telephone sees it: its own tag first.
            call: self
                .endpoint
                .tags(leg)
                .map(|(id, ours, theirs)| (id.to_string(), theirs.to_string(), ours.to_string())),
            initiator: call.initiator,
            state: call.state,
        })
    }
}

fn too_brief(status: Status) -> (Status, Headers) {
    (status, vec![(Name::MinExpires, Text::from(MIN_EXPIRES.as_secs().to_string()))])
}

fn granted(length: Duration) -> Headers {
    vec![(Name::Expires, Text::from(length.as_secs().to_string()))]
}
