//! `/v1/trunks`: carrier links and switchboards.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::body::{Body, Id};
use super::caller::Caller;
use super::change::Changed;
use super::leads::used;
use super::limits::NewLimits;
use super::merge::Patch;
use super::once::{OnceKey, answer, created};
use super::rooms::odd;
use super::scope::Scope;
use super::valid::Check;
use super::{App, Problem, openapi};
use crate::base::id::{RelayId, TrunkId};
use crate::base::phone_number::NumberPlan;
use crate::base::{PhoneNumber, Rng, Secret};
use crate::gateway::command::{Command, Reply};
use crate::gateway::view::TrunkStateView;
use crate::route::{
    CallLimits, CallManager, Credentials, Directory, IdentityPolicy, Network, Outbound, OutboundTarget, Register,
    TlsRules, Trunk,
};
use crate::store::StoreError;
use crate::store::error::Constraint;
use crate::store::leads_to::End;
use crate::wire::sip::Uri;

/// A trunk as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrunk {
    /// What people call it; no other trunk's.
    #[schema(example = "Carrier A")]
    pub name: String,
    /// Networks its signalling comes from.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["203.0.113.0/24"]))]
    pub networks: Vec<Network>,
    /// What it shows instead, or besides, by digest.
    #[serde(default)]
    pub credentials: Option<NewCredentials>,
    /// How it writes numbers.
    #[serde(default)]
    pub numbers: NumberPlan,
    /// Calls at once, both ways; none means no limit of its own.
    #[serde(default)]
    pub max_calls: Option<u32>,
    /// Calls that may begin in a second, both ways; none means no limit of its own.
    #[serde(default)]
    pub calls_per_second: Option<u32>,
    /// Whether calls may come and go by it at all; true where absent.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its dialect: the name of a profile; `generic` where absent.
    #[serde(default)]
    pub profile: Option<String>,
    /// How calls go out by it; none means that none do.
    #[serde(default)]
    pub outbound: Option<NewOutbound>,
    /// It is a call manager: which telephones of its own it is asked to ring for callbacks. A directory's secret is never
    /// shown; when a trunk is changed, none keeps the one it has.
    #[serde(default)]
    pub callback: Option<CallManager>,
    /// How TLS is spoken with it; none means as the node does.
    #[serde(default)]
    pub tls: Option<TlsRules>,
    /// What calls that come by it may cost where a rule sends them out again by a trunk.
    #[serde(default)]
    pub limits: Option<NewLimits>,
    /// What is asked of signed caller identities (RFC 8224).
    #[serde(default)]
    pub identity: IdentityPolicy,
    /// The relay in whose network its far ends are; none where they are reached from here.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "relay_0123456789abc")]
    pub relay: Option<RelayId>,
}

/// How calls go out by a trunk, as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOutbound {
    /// Where to, 1 to 16; each is located by RFC 3263 on its own.
    pub targets: Vec<OutboundTarget>,
    /// What we answer its challenges with.
    #[serde(default)]
    pub credentials: Option<NewCredentials>,
    /// Where we register, for carriers that want it.
    #[serde(default)]
    pub register: Option<Register>,
    /// The number shown for callers who have none of their own.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "+4930901820")]
    pub caller_id: Option<PhoneNumber>,
    /// Whether a redirection (3xx) is followed to wherever it points, rather than ending the attempt.
    #[serde(default)]
    pub follow_redirects: bool,
}

/// A user name and its password, as they are sent.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    /// The user name; no other trunk's.
    pub username: String,
    /// The password; when a trunk is changed, none keeps the one it has.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub password: Option<Secret>,
}

/// A trunk as it is shown: without its password.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TrunkView {
    /// Its id.
    #[schema(value_type = String, example = "trunk_0123456789abc")]
    pub id: TrunkId,
    /// What people call it.
    pub name: String,
    /// Networks its signalling comes from.
    #[schema(value_type = Vec<String>)]
    pub networks: Vec<Network>,
    /// The user name it shows by digest; the password is never shown.
    pub username: Option<String>,
    /// How it writes numbers.
    pub numbers: NumberPlan,
    /// Calls at once.
    pub max_calls: Option<u32>,
    /// Calls that may begin in a second.
    pub calls_per_second: Option<u32>,
    /// Whether calls may come and go by it.
    pub enabled: bool,
    /// Its dialect.
    pub profile: String,
    /// How calls go out by it.
    pub outbound: Option<OutboundView>,
    /// Which telephones of its own it is asked to ring for callbacks; the directory's secret is never shown.
    pub callback: Option<CallManager>,
    /// How TLS is spoken with it.
    pub tls: Option<TlsRules>,
    /// What calls that come by it may cost where a rule sends them out again.
    pub limits: CallLimits,
    /// What is asked of signed caller identities.
    pub identity: IdentityPolicy,
    /// The relay in whose network its far ends are.
    #[schema(value_type = Option<String>)]
    pub relay: Option<RelayId>,
    /// How it stands: up or down and why, registered or not; none where no calls go out by it.
    pub state: Option<TrunkStateView>,
}

/// How calls go out by a trunk, as it is shown: without the password.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct OutboundView {
    /// Where to.
    pub targets: Vec<OutboundTarget>,
    /// The user name we answer its challenges with; the password is never shown.
    pub username: Option<String>,
    /// Where we register.
    pub register: Option<Register>,
    /// The number shown for callers who have none of their own.
    #[schema(value_type = Option<String>)]
    pub caller_id: Option<PhoneNumber>,
    /// Whether redirections are followed.
    pub follow_redirects: bool,
}

/// Trunks.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TrunkList {
    /// By name.
    pub items: Vec<TrunkView>,
}

/// A call manager without its directory's secret.
fn shown(of: CallManager) -> CallManager {
    let directory = of.directory.map(|directory| Directory { secret: None, ..directory });
    CallManager { directory, ..of }
}

/// A call manager as it is meant; without a secret, with the one kept.
fn manager(sent: CallManager, kept: Option<&CallManager>, outbound: bool, check: &mut Check) -> CallManager {
    check.that(outbound, "/callback", "a call manager is called: say in `outbound` where");
    let fine = |begins: &String| {
        let digits = begins.strip_prefix('+').unwrap_or(begins);
        !digits.is_empty() && digits.len() <= 15 && digits.chars().all(|c| c.is_ascii_digit())
    };
    let some = (1..=64).contains(&sent.numbers.len()) && sent.numbers.iter().all(fine);
    check.that(some, "/callback/numbers", "name 1 to 64 beginnings of numbers, such as 20 or +493090182");
    let kept = kept.and_then(|kept| kept.directory.as_ref()?.secret.clone());
    let directory = sent.directory.map(|directory| {
        let fine = directory.url.starts_with("https://") || directory.url.starts_with("http://");
        check.that(fine && directory.url.len() <= 1024, "/callback/directory/url", "write an https: address");
        Directory { secret: directory.secret.or(kept), ..directory }
    });
    CallManager { directory, ..sent }
}

fn yes() -> bool {
    true
}

impl TrunkView {
    fn of(trunk: Trunk, state: Option<TrunkStateView>) -> Self {
        Self {
            id: trunk.id,
            name: trunk.name,
            networks: trunk.networks,
            username: trunk.credentials.map(|credentials| credentials.username),
            numbers: trunk.numbers,
            max_calls: trunk.max_calls,
            calls_per_second: trunk.calls_per_second,
            enabled: trunk.enabled,
            profile: trunk.profile,
            outbound: trunk.outbound.map(|outbound| OutboundView {
                targets: outbound.targets,
                username: outbound.credentials.map(|credentials| credentials.username),
                register: outbound.register,
                caller_id: outbound.caller_id,
                follow_redirects: outbound.follow_redirects,
            }),
            callback: trunk.callback.map(shown),
            tls: trunk.tls,
            limits: trunk.limits,
            identity: trunk.identity,
            relay: trunk.relay,
            state,
        }
    }
}

impl From<&Credentials> for NewCredentials {
    /// As they would have been sent, without the password.
    fn from(credentials: &Credentials) -> Self {
        Self { username: credentials.username.clone(), password: None }
    }
}

impl From<&Trunk> for NewTrunk {
    /// As it would have been sent, without its password.
    fn from(trunk: &Trunk) -> Self {
        Self {
            name: trunk.name.clone(),
            networks: trunk.networks.clone(),
            credentials: trunk.credentials.as_ref().map(NewCredentials::from),
            numbers: trunk.numbers.clone(),
            max_calls: trunk.max_calls,
            calls_per_second: trunk.calls_per_second,
            enabled: trunk.enabled,
            profile: Some(trunk.profile.clone()),
            outbound: trunk.outbound.as_ref().map(|outbound| NewOutbound {
                targets: outbound.targets.clone(),
                credentials: outbound.credentials.as_ref().map(NewCredentials::from),
                register: outbound.register.clone(),
                caller_id: outbound.caller_id.clone(),
                follow_redirects: outbound.follow_redirects,
            }),
            callback: trunk.callback.clone().map(shown),
            tls: trunk.tls.clone(),
            limits: Some((&trunk.limits).into()),
            identity: trunk.identity,
            relay: trunk.relay,
        }
    }
}

impl NewTrunk {
    fn trunk(self, id: TrunkId, before: Option<&Trunk>, app: &App) -> Result<Trunk, Problem> {
        let mut check = Check::default();
        check.name(&self.name, "/name");
        check.that(self.networks.len() <= 256, "/networks", "a trunk has at most 256 networks");
        check.different(&self.networks, "/networks");
        let known = !self.networks.is_empty() || self.credentials.is_some() || self.outbound.is_some();
        check.that(
            known,
            "/networks",
            "nobody can be known as this trunk: name its networks, or credentials, or where calls go out",
        );
        for (value, pointer) in [(self.max_calls, "/max_calls"), (self.calls_per_second, "/calls_per_second")] {
            check.that(value != Some(0), pointer, "0 would refuse every call: leave it out, or set enabled to false");
        }
        check.plan(&self.numbers);
        check.profile(self.profile.as_deref(), &app.settings.profiles);
        let kept = before.and_then(|trunk| trunk.credentials.as_ref());
        let credentials = self.credentials.map(|sent| sent.credentials(kept, "/credentials", &mut check));
        let kept = before.and_then(|trunk| trunk.outbound.as_ref());
        let outbound = self.outbound.map(|sent| sent.outbound(kept, &mut check));
        if self.relay.is_some()
            && let Some(outbound) = &outbound
        {
            for (index, target) in outbound.targets.iter().enumerate() {
                let pointer = format!("/outbound/targets/{index}/uri");
                check.that(is_by_udp(&target.uri), &pointer, "a relay speaks with call managers by UDP alone");
            }
        }
        let kept = before.and_then(|trunk| trunk.callback.as_ref());
        let callback = self.callback.map(|sent| manager(sent, kept, outbound.is_some(), &mut check));
        if let Some(tls) = &self.tls {
            let both = tls.certificate.is_some() == tls.key.is_some();
            check.that(both, "/tls/key", "a certificate and its key go together: name both, or neither");
        }
        let limits = self.limits.unwrap_or_default().over(&CallLimits::of_trunk(), &mut check);
        check.done()?;
        let plain = Trunk::new(id, self.name.trim());
        Ok(Trunk {
            networks: self.networks,
            credentials,
            numbers: self.numbers,
            max_calls: self.max_calls,
            calls_per_second: self.calls_per_second,
            enabled: self.enabled,
            profile: self.profile.unwrap_or(plain.profile),
            outbound,
            callback,
            tls: self.tls,
            limits,
            identity: self.identity,
            relay: self.relay,
            id: plain.id,
            name: plain.name,
        })
    }
}

impl NewCredentials {
    /// Those that are meant; without a password, with the one kept.
    fn credentials(self, kept: Option<&Credentials>, pointer: &str, check: &mut Check) -> Credentials {
        check.account(&self.username, &format!("{pointer}/username"));
        let kept = kept.map(|credentials| credentials.password.clone());
        let password = self.password.or(kept).unwrap_or_default();
        check.password(&password, &format!("{pointer}/password"));
        Credentials { username: self.username, password }
    }
}

impl NewOutbound {
    fn outbound(self, kept: Option<&Outbound>, check: &mut Check) -> Outbound {
        let count = self.targets.len();
        check.that((1..=16).contains(&count), "/outbound/targets", "calls go out to 1 to 16 places");
        for (index, target) in self.targets.iter().enumerate() {
            check.sip_uri(&target.uri, false, &format!("/outbound/targets/{index}/uri"));
        }
        if let Some(register) = &self.register {
            check.sip_uri(&register.aor, true, "/outbound/register/aor");
            if let Some(registrar) = &register.registrar {
                check.sip_uri(registrar, false, "/outbound/register/registrar");
            }
            let fine = (60..=86_400).contains(&register.expires);
            check.that(fine, "/outbound/register/expires", "a registration lasts 60 to 86400 seconds");
        }
        let kept = kept.and_then(|outbound| outbound.credentials.as_ref());
        let credentials = self.credentials.map(|sent| sent.credentials(kept, "/outbound/credentials", check));
        Outbound {
            targets: self.targets,
            credentials,
            register: self.register,
            caller_id: self.caller_id,
            follow_redirects: self.follow_redirects,
        }
    }
}

/// Whether a URI can be reached by UDP.
fn is_by_udp(uri: &str) -> bool {
    let Ok(uri) = Uri::parse(uri) else { return true };
    !uri.is_sips() && uri.param("transport").is_none_or(|transport| transport.eq_ignore_ascii_case("udp"))
}

/// 64 bits of the system's randomness, for a new id.
pub(super) fn random() -> Result<Rng, Problem> {
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed).map_err(|_| Problem::unavailable("the system gives no randomness"))?;
    Ok(Rng::from_seed(seed))
}

/// Every trunk.
#[utoipa::path(get, path = "/v1/trunks", tag = "routing", security(("key" = ["routing:read"])),
    responses((status = 200, body = TrunkList), openapi::Refused))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<TrunkList>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let trunks = app.handle.store().trunks().await?;
    let states = states(&app, None).await?;
    let items = trunks.into_iter().map(|trunk| {
        let state = states.iter().find(|state| state.trunk == trunk.id).cloned();
        TrunkView::of(trunk, state)
    });
    Ok(Json(TrunkList { items: items.collect() }))
}

/// Adds a trunk.
#[utoipa::path(post, path = "/v1/trunks", tag = "routing", security(("key" = ["routing:write"])),
    params(openapi::OnceHeader), request_body = NewTrunk,
    responses((status = 201, body = TrunkView), openapi::Refused))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    once: OnceKey,
    body: Body<NewTrunk>,
) -> Result<Response, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    let trunk = body.value.trunk(TrunkId::draw(&mut random()?), None, &app)?;
    let now = created(format!("/v1/trunks/{}", trunk.id), &TrunkView::of(trunk.clone(), None))?;
    let once = once.with(&caller, body.hash, &now);
    let answered = app
        .change(async move |app| {
            let answered = app.handle.store().add_trunk(&trunk, once).await.map_err(taken)?;
            Ok(Changed::made(answered, Command::PutTrunk(trunk)))
        })
        .await?;
    answer(answered, now)
}

/// One trunk.
#[utoipa::path(get, path = "/v1/trunks/{id}", tag = "routing", security(("key" = ["routing:read"])),
    params(("id" = String, Path)), responses((status = 200, body = TrunkView), openapi::Refused))]
pub async fn show(State(app): State<App>, caller: Caller, Id(id): Id<TrunkId>) -> Result<Json<TrunkView>, Problem> {
    caller.needs(Scope::RoutingRead)?;
    let trunk = find(&app, id).await?;
    Ok(Json(view(&app, trunk).await?))
}

/// Writes over a trunk.
#[utoipa::path(put, path = "/v1/trunks/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body = NewTrunk,
    responses((status = 200, body = TrunkView), openapi::Refused))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TrunkId>,
    body: Body<NewTrunk>,
) -> Result<Json<TrunkView>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |_| Ok(body.value)).await
}

/// Changes what is sent of a trunk (RFC 7396).
#[utoipa::path(patch, path = "/v1/trunks/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TrunkView), openapi::Refused))]
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TrunkId>,
    patch: Patch,
) -> Result<Json<TrunkView>, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    put(app, id, |before| patch.over(&NewTrunk::from(before))).await
}

async fn put(
    app: App,
    id: TrunkId,
    sent: impl FnOnce(&Trunk) -> Result<NewTrunk, Problem> + Send + 'static,
) -> Result<Json<TrunkView>, Problem> {
    let asked = app.clone();
    let trunk = app
        .change(async move |app| {
            let before = find(&app, id).await?;
            let trunk = sent(&before)?.trunk(id, Some(&before), &app)?;
            app.handle.store().put_trunk(&trunk).await.map_err(taken)?;
            Ok(Changed::stored(trunk.clone(), Command::PutTrunk(trunk)))
        })
        .await?;
    Ok(Json(view(&asked, trunk).await?))
}

/// Takes a trunk away; its calls go on. Refused while a number or a rule names it.
#[utoipa::path(delete, path = "/v1/trunks/{id}", tag = "routing", security(("key" = ["routing:write"])),
    params(("id" = String, Path)), responses((status = 204, description = "gone"), openapi::Refused))]
pub async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<TrunkId>) -> Result<StatusCode, Problem> {
    caller.needs(Scope::RoutingWrite)?;
    app.change(async move |app| {
        if let Err(error) = app.handle.store().delete_trunk(id).await {
            return Err(used(&app, End::Trunk(id), error, "trunk").await);
        }
        Ok(Changed::stored(StatusCode::NO_CONTENT, Command::DeleteTrunk(id)))
    })
    .await
}

async fn view(app: &App, trunk: Trunk) -> Result<TrunkView, Problem> {
    let state = states(app, Some(trunk.id)).await?.pop();
    Ok(TrunkView::of(trunk, state))
}

async fn states(app: &App, trunk: Option<TrunkId>) -> Result<Vec<TrunkStateView>, Problem> {
    match app.ask(Command::TrunkStates { trunk }).await? {
        Reply::TrunkStates(states) => Ok(states),
        _ => Err(odd()),
    }
}

async fn find(app: &App, id: TrunkId) -> Result<Trunk, Problem> {
    app.handle.store().trunk(id).await.map_err(none)
}

/// A user name that is taken is named where a trunk has it.
fn taken(error: StoreError) -> Problem {
    if matches!(error, StoreError::Constraint(Constraint::StillUsed)) {
        return Problem::field("/relay", "there is no such relay");
    }
    let mut problem = none(error);
    for field in problem.errors.iter_mut().filter(|field| field.pointer == "/user") {
        field.pointer = "/credentials/username".to_owned();
    }
    problem
}

fn none(error: StoreError) -> Problem {
    Problem::of(error, "trunk")
}
