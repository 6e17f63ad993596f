//! Telephones that register: who may, what is told of it, and where extensions are called.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::id::ExtensionId;
use crate::base::{Cause, Now, Secret, Throttle};
use crate::gateway::Gateway;
use crate::gateway::event::Happening;
use crate::route::Extension;
use crate::sip::auth::{Algorithm, Verdict, Verifier};
use crate::sip::endpoint::{Headers, TransactionId};
use crate::sip::registrar::{Account, Change, Contact, Registrar, Settings};
use crate::sip::transport::{FlowId, Source};
use crate::wire::sip::{Name, Request, Status, Text};

/// A telephone that is registered, as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct RegistrationView {
    /// Whose.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub extension: ExtensionId,
    /// What it calls itself.
    pub contact: String,
    /// Where it is reached: transport, address and port.
    pub address: String,
    /// Its User-Agent; none where it names none.
    pub user_agent: Option<String>,
    /// The dialect spoken to it.
    pub profile: String,
    /// Which device it is, where it says so.
    pub instance: Option<String>,
    /// Whether it is behind NAT.
    pub behind_nat: bool,
    /// When it came, RFC 3339.
    pub since: String,
    /// Seconds until it is forgotten if nothing is heard of it.
    pub expires_in: u64,
}

/// The registrar of the node.
#[derive(Debug)]
pub(super) struct Phones {
    pub(super) registrar: Registrar,
    /// REGISTERs without credentials that are challenged; above it they are sent away for a while.
    asked: Throttle<()>,
    /// REGISTERs with credentials that are looked at.
    shown: Throttle<()>,
    /// For user names that nobody has: they take as long to refuse as wrong passwords.
    decoy: Secret,
}

/// What the credentials of a request were worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// They are this extension's.
    Extension(ExtensionId),
    /// There were none, or wrong ones, or (`stale`) ones with a nonce that is used up.
    Nothing {
        /// The nonce was ours and the password right.
        stale: bool,
    },
    /// Too many wrong ones came from there: they are not looked at for so long.
    TooMany(Duration),
}

/// Sent away for at least so many seconds, and up to as many more, so that a storm spreads. Longer: phones are away for
/// longer than they need to be. Shorter: the same phones come back while the others are still waiting.
const AWAY: u64 = 5;
/// And up to so many more.
const SPREAD: u64 = 30;

impl Phones {
    /// Knows nobody yet; `most` REGISTERs a second are dealt with.
    pub(super) fn new(settings: Settings, most: u32, decoy: Secret) -> Self {
        let most = most.max(1);
        let every = Duration::from_secs(1) / most;
        Self {
            registrar: Registrar::new(settings),
            asked: Throttle::new(most, every, 1),
            // Who was challenged is to come through.
            shown: Throttle::new(most.saturating_mul(2), every / 2, 1),
            decoy,
        }
    }
}

impl Gateway {
    /// A REGISTER came.
    pub(super) fn on_register(&mut self, transaction: TransactionId, request: &Request, source: Source, now: Now) {
        let shows = request.headers.has(Name::Authorization);
        let throttle = if shows { &mut self.phones.shown } else { &mut self.phones.asked };
        if throttle.take(&(), now.mono).is_err() {
            let away = AWAY + self.rng.below(SPREAD);
            return self.send_away(transaction, Duration::from_secs(away), now);
        }
        match self.credentials_shown(request, &source, now) {
            Shown::Nothing { stale } => self.ask_for_credentials(transaction, request, &source, stale, now),
            Shown::TooMany(wait) => self.send_away(transaction, wait, now),
            Shown::Extension(extension) => self.register(transaction, extension, request, source, now),
        }
    }

    /// Takes a REGISTER of an extension that has shown its password.
    fn register(&mut self, transaction: TransactionId, id: ExtensionId, request: &Request, source: Source, now: Now) {
        let to = request.headers.to();
        let to = to.as_ref().and_then(|to| to.uri.user_decoded());
        // One may speak for nobody else (RFC 3261 §10.3 item 4).
        let own = self
            .table
            .extensions
            .get(&id)
            .filter(|extension| extension.enabled && to.as_deref() == Some(&*extension.user));
        let Some(extension) = own else {
            *self.counters.refused.entry(Cause::NotAllowed).or_default() += 1;
            return self.endpoint.respond(transaction, Status::FORBIDDEN, &Vec::new(), None, now);
        };
        let account = Account {
            extension: id,
            max_contacts: usize::from(extension.max_contacts),
            profile: self.profile_name(extension, request.headers.get(Name::UserAgent).unwrap_or_default()),
        };
        let reply = self.phones.registrar.register(&account, request, &source, now);
        self.endpoint.respond(transaction, reply.status, &reply.headers, None, now);
        self.tell_of_phones(now);
    }

    /// Which extension's credentials a request shows (RFC 3261 §22).
    pub(super) fn credentials_shown(&mut self, request: &Request, source: &Source, now: Now) -> Shown {
        let Some(value) = request.headers.fields_of(&Name::Authorization).next() else {
            return Shown::Nothing { stale: false };
        };
        let ip = source.remote.ip();
        if !self.may_show_password(ip, now) {
            return Shown::TooMany(super::WRONG_PASSWORD_EVERY * 2);
        }
        let username = Verifier::username(value).unwrap_or_default();
        let known = self.table.extensions.by_user(&username).filter(|extension| extension.enabled);
        let (extension, password) = match known {
            Some(extension) => (Some(extension.id), &extension.password),
            None => (None, &self.phones.decoy),
        };
        match (self.verifier.verify(value, request.method.as_str(), &request.uri, password, ip, now.mono), extension) {
            (Verdict::Right, Some(extension)) => {
                self.password_shown(ip, true, now);
                Shown::Extension(extension)
            }
            (Verdict::Stale, Some(_)) => Shown::Nothing { stale: true },
            (Verdict::Right | Verdict::Stale | Verdict::Wrong, _) => {
                self.password_shown(ip, false, now);
                Shown::Nothing { stale: false }
            }
        }
    }

    /// 401 with a fresh nonce.
    pub(super) fn ask_for_credentials(
        &mut self,
        transaction: TransactionId,
        request: &Request,
        source: &Source,
        stale: bool,
        now: Now,
    ) {
        let headers = self.challenges(request, source, stale, now);
        self.endpoint.respond(transaction, Status::UNAUTHORIZED, &headers, None, now);
    }

    /// What a request is to show credentials by: the hashes that its sender's family understands.
    pub(super) fn challenges(&mut self, request: &Request, source: &Source, stale: bool, now: Now) -> Headers {
        let profile = self.profiles.of_agent(request.headers.get(Name::UserAgent).unwrap_or_default());
        let algorithms: Vec<Algorithm> =
            profile.digest.iter().filter_map(|token| Algorithm::from_token(token)).collect();
        let values = self.verifier.challenges(source.remote.ip(), stale, &algorithms, &mut self.rng, now.mono);
        values.into_iter().map(|value| (Name::WwwAuthenticate, Text::from(value))).collect()
    }

    /// 503 with Retry-After.
    pub(super) fn send_away(&mut self, transaction: TransactionId, wait: Duration, now: Now) {
        *self.counters.refused.entry(Cause::Throttled).or_default() += 1;
        let headers = vec![(Name::RetryAfter, Text::from(wait.as_secs().max(1).to_string()))];
        self.endpoint.respond(transaction, Status::SERVICE_UNAVAILABLE, &headers, None, now);
    }

    /// A connection is gone, and with it telephones and registrations that were reached by it.
    pub(super) fn on_flow_closed(&mut self, flow: FlowId, now: Now) {
        self.phones.registrar.flow_closed(flow);
        self.tell_of_phones(now);
        self.registrations_lose(flow, now);
    }

    /// Where an extension is called, the most wanted telephone first.
    pub(super) fn telephones(&self, extension: ExtensionId) -> Vec<Contact> {
        self.phones.registrar.targets(extension)
    }

    /// An extension was changed or taken away: what its telephones registered with is good no more.
    pub(super) fn forget_telephones(&mut self, extension: ExtensionId, now: Now) {
        self.phones.registrar.remove(extension);
        self.tell_of_phones(now);
    }

    /// Tells of telephones that came and went.
    pub(super) fn tell_of_phones(&mut self, now: Now) {
        while let Some(change) = self.phones.registrar.poll_change() {
            let happening = match change {
                Change::Registered { extension, contact } => Happening::ExtensionRegistered {
                    extension,
                    address: address_of(&contact),
                    user_agent: shown_agent(&contact),
                },
                Change::Unregistered { extension, contact, why } => {
                    Happening::ExtensionUnregistered { extension, address: address_of(&contact), why }
                }
            };
            self.publish(happening, now);
        }
    }

    /// Registered telephones as shown: of one extension, or all.
    pub(super) fn registration_views(&self, extension: Option<ExtensionId>, now: Now) -> Vec<RegistrationView> {
        let registrar = &self.phones.registrar;
        match extension {
            Some(id) => registrar.contacts(id).map(|contact| view(id, contact, now)).collect(),
            None => registrar.all().map(|(id, contact)| view(id, contact, now)).collect(),
        }
    }

    /// The dialect of an extension's telephone: as configured, else by its User-Agent.
    fn profile_name(&self, extension: &Extension, user_agent: &str) -> Arc<str> {
        match extension.profile.as_deref().filter(|name| self.profiles.has(name)) {
            Some(name) => Arc::from(name),
            None => Arc::from(self.profiles.of_agent(user_agent).name.as_str()),
        }
    }
}

/// The longest User-Agent that is shown.
const LONGEST_AGENT: usize = 120;

fn shown_agent(contact: &Contact) -> Option<String> {
    let agent: String = contact.user_agent.chars().filter(|c| !c.is_control()).take(LONGEST_AGENT).collect();
    (!agent.is_empty()).then_some(agent)
}

fn address_of(contact: &Contact) -> String {
    format!("{} {}", contact.target.transport, contact.target.remote)
}

fn view(extension: ExtensionId, contact: &Contact, now: Now) -> RegistrationView {
    RegistrationView {
        extension,
        contact: contact.uri.to_string(),
        address: address_of(contact),
        user_agent: shown_agent(contact),
        profile: contact.profile.to_string(),
        instance: (!contact.instance.is_empty()).then(|| contact.instance.trim_matches('"').to_owned()),
        behind_nat: contact.behind_nat,
        since: contact.since.to_string(),
        expires_in: contact.expires.since(now.mono).as_secs(),
    }
}
