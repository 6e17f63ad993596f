//! A node for the tests: the real store, writer, handle, router and listener, and in place of the gateway a task that
//! answers from a real routing table and rooms whose people the test puts in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Client, RequestBuilder, Response};
use ringlift::api::phones::Provisioning;
use ringlift::api::scope::Scope;
use ringlift::api::{self, Settings, Shared};
use ringlift::base::id::{DidId, ExtensionId, TrunkId};
use ringlift::base::{Cause, LegId, ParticipantId, PhoneNumber, RoomId, Utc};
use ringlift::engine::handle::{Asked, Handle, Inbox, Outbox};
use ringlift::gateway::Record;
use ringlift::gateway::command::{Command, Denial, Outcome, Reply};
use ringlift::gateway::elevate::view::Shut;
use ringlift::gateway::event::{Event, Happening, HeldBy};
use ringlift::gateway::view::{
    AudioBy, CallDirection, CallRecord, CallState, CallView, ParticipantView, RegistrationView, RoomView, Status,
    TrunkStateView,
};
use ringlift::provision::Templates;
use ringlift::room::{Operation, Refusal, Role, State};
use ringlift::route::{Table, Trunk};
use ringlift::store::{self, Store, Writer, clock};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A file name that no other test has.
pub fn fresh_path() -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("ringlift-it-{}-{number}", std::process::id()));
    // Left behind by an earlier process of that number.
    let _ = std::fs::remove_dir_all(&folder);
    folder.join("node.db")
}

/// A running node.
pub struct Node {
    pub address: SocketAddr,
    pub handle: Handle,
    pub admin: String,
    pub client: Client,
    pub path: PathBuf,
    gateway: mpsc::UnboundedSender<Act>,
    told: Mutex<mpsc::UnboundedReceiver<Command>>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

/// How somebody changes.
type Change = Box<dyn FnOnce(&mut ParticipantView, &mut CallView) + Send>;

/// What a test makes happen.
enum Act {
    Join(RoomId, String, oneshot::Sender<(LegId, ParticipantId)>),
    Publish(Happening, oneshot::Sender<u64>),
    Alter(ParticipantId, Change, oneshot::Sender<()>),
    Leave(ParticipantId, oneshot::Sender<()>),
    Register(ExtensionId, &'static str, oneshot::Sender<()>),
    Drain,
}

impl Node {
    pub async fn start() -> Self {
        Self::start_at(fresh_path()).await
    }

    pub async fn start_at(path: PathBuf) -> Self {
        let opened = Store::open(&path, clock::utc()).await.unwrap();
        let settings = store::Settings { path: path.clone(), event_days: 30, record_days: 30 };
        let writer = Writer::start(opened.store.clone(), settings);
        let (handle, inbox) = Handle::new(opened.store.clone(), writer);
        let admin = match api::first_key::first_key(&opened.store).await.unwrap() {
            Some(secret) => secret.expose().to_owned(),
            None => {
                opened.store.add_key("again", &["admin".to_owned()], clock::utc()).await.unwrap().1.expose().to_owned()
            }
        };
        let (gateway, acts) = mpsc::unbounded_channel();
        let table = opened.store.table().await.unwrap();
        let rooms = opened.store.rooms().await.unwrap();
        let rooms = rooms
            .into_iter()
            .map(|settings| (settings.id, RoomView { settings, started: false, locked: false, participants: vec![] }));
        let (tell, told) = mpsc::unbounded_channel();
        let stand_in = StandIn {
            tell,
            table,
            phones: Vec::new(),
            rooms: rooms.collect(),
            calls: BTreeMap::new(),
            next_seq: opened.next_seq,
            next_id: 1,
            draining: false,
        };
        tokio::spawn(stand_in.run(inbox, acts));
        let provisioning = Provisioning {
            url: "https://pbx.example.org".into(),
            host: "pbx.example.org".into(),
            port: 5061,
            transport: ringlift::sip::transport::Transport::Tls,
            verify: true,
            templates: Templates::load(None).unwrap(),
        };
        let settings = Settings {
            provisioning: Some(std::sync::Arc::new(provisioning)),
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
            ..Settings::default()
        };
        let app = Shared::start(handle.clone(), settings);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(api::serve(listener, None, app, async move {
            let _ = stopped.await;
        }));
        let (client, told) = (Client::new(), Mutex::new(told));
        Self { address, handle, admin, client, path, gateway, told, stop: Some(stop), served: Some(served) }
    }

    /// Ends it as SIGTERM would and forgets nothing.
    pub async fn stop(mut self) -> PathBuf {
        let _ = self.stop.take().unwrap().send(());
        self.served.take().unwrap().await.unwrap();
        self.handle.writer().finish().await;
        self.handle.store().close().await;
        self.path.clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn key(&self, scopes: &[Scope]) -> String {
        let names: Vec<String> = scopes.iter().map(|scope| scope.name().to_owned()).collect();
        let (_, secret) = self.handle.store().add_key("test", &names, clock::utc()).await.unwrap();
        secret.expose().to_owned()
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(&self.admin)
    }

    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(self.url(path)).bearer_auth(&self.admin)
    }

    pub fn post(&self, path: &str, body: Value) -> RequestBuilder {
        self.client.post(self.url(path)).bearer_auth(&self.admin).json(&body)
    }

    pub fn put(&self, path: &str, body: Value) -> RequestBuilder {
        self.client.put(self.url(path)).bearer_auth(&self.admin).json(&body)
    }

    /// Makes a room and returns its id.
    pub async fn room(&self, name: &str, pin: &str) -> RoomId {
        let made = ok(self.post("/v1/rooms", serde_json::json!({ "name": name, "pin": pin }))).await;
        made["settings"]["id"].as_str().unwrap().parse().unwrap()
    }

    /// Somebody dials in.
    pub async fn join(&self, room: RoomId, number: &str) -> (LegId, ParticipantId) {
        let (answer, answered) = oneshot::channel();
        self.gateway.send(Act::Join(room, number.to_owned(), answer)).ok().unwrap();
        answered.await.unwrap()
    }

    /// Something happens; returns its number.
    pub async fn happens(&self, what: Happening) -> u64 {
        let (answer, answered) = oneshot::channel();
        self.gateway.send(Act::Publish(what, answer)).ok().unwrap();
        answered.await.unwrap()
    }

    /// Somebody changes.
    pub async fn alter(
        &self,
        who: ParticipantId,
        change: impl FnOnce(&mut ParticipantView, &mut CallView) + Send + 'static,
    ) {
        let (answer, answered) = oneshot::channel();
        self.gateway.send(Act::Alter(who, Box::new(change), answer)).ok().unwrap();
        answered.await.unwrap();
    }

    /// Somebody hangs up.
    pub async fn leave(&self, who: ParticipantId) {
        let (answer, answered) = oneshot::channel();
        self.gateway.send(Act::Leave(who, answer)).ok().unwrap();
        answered.await.unwrap();
    }

    /// A telephone of this kind registers.
    pub async fn register(&self, extension: ExtensionId, user_agent: &'static str) {
        let (answer, answered) = oneshot::channel();
        self.gateway.send(Act::Register(extension, user_agent, answer)).ok().unwrap();
        answered.await.unwrap();
    }

    /// What the gateway was asked to do to calls since the last time.
    pub async fn told(&self) -> Vec<Command> {
        let mut told = self.told.lock().await;
        std::iter::from_fn(|| told.try_recv().ok()).collect()
    }

    pub fn drain(&self) {
        self.gateway.send(Act::Drain).ok().unwrap();
    }
}

/// Sends, and expects success with JSON.
pub async fn ok(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Sends, and expects a problem document of this status.
pub async fn problem(request: RequestBuilder, status: u16) -> Value {
    is_problem(request.send().await.unwrap(), status).await
}

pub async fn is_problem(response: Response, status: u16) -> Value {
    let found = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    assert_eq!(kind.as_deref(), Some("application/problem+json"), "{text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status);
    assert!(problem["type"].as_str().unwrap().starts_with("urn:ringlift:problem:"), "{problem}");
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    problem
}

struct StandIn {
    tell: mpsc::UnboundedSender<Command>,
    table: Table,
    phones: Vec<RegistrationView>,
    rooms: BTreeMap<RoomId, RoomView>,
    calls: BTreeMap<LegId, (CallView, CallRecord)>,
    next_seq: u64,
    next_id: u64,
    draining: bool,
}

impl StandIn {
    async fn run(mut self, mut inbox: Inbox, mut acts: mpsc::UnboundedReceiver<Act>) {
        loop {
            tokio::select! {
                Some(Asked { command, answer }) = inbox.commands.recv() => {
                    let outcome = self.command(command, &inbox.outbox);
                    let _ = answer.send(outcome);
                }
                Some(act) = acts.recv() => match act {
                    Act::Join(room, number, answer) => {
                        let ids = self.join(room, &number, &inbox.outbox);
                        let _ = answer.send(ids);
                    }
                    Act::Publish(what, answer) => {
                        let _ = answer.send(self.publish(what, &inbox.outbox));
                    }
                    Act::Alter(who, change, answer) => {
                        self.alter(who, change, &inbox.outbox);
                        let _ = answer.send(());
                    }
                    Act::Leave(who, answer) => {
                        let leg = self.calls.values().find(|(call, _)| call.participant == Some(who)).map(|(call, _)| call.id);
                        let _ = self.command(Command::HangUp(leg.unwrap()), &inbox.outbox);
                        let _ = answer.send(());
                    }
                    Act::Register(extension, user_agent, answer) => {
                        self.register(extension, user_agent, &inbox.outbox);
                        let _ = answer.send(());
                    }
                    Act::Drain => {
                        self.draining = true;
                        self.publish(Happening::NodeDraining {}, &inbox.outbox);
                    }
                },
                else => return,
            }
        }
    }

    fn publish(&mut self, what: Happening, outbox: &Outbox) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        outbox.publish(Event { seq, at: clock::utc(), what });
        seq
    }

    fn join(&mut self, room: RoomId, number: &str, outbox: &Outbox) -> (LegId, ParticipantId) {
        let (leg_id, id) = (LegId::from_bits(self.next_id), ParticipantId::from_bits(self.next_id));
        self.next_id += 1;
        let number = PhoneNumber::parse(number).unwrap();
        let participant = ParticipantView {
            whispers_to: Vec::new(),
            others_hear: None,
            music: false,
            echo: false,
            id,
            display: number.masked(),
            name: None,
            number: Some(number.masked()),
            role: Role::Guest,
            state: State::Active,
            held: false,
            held_by_us: false,
            muted_by_self: false,
            muted_by_host: false,
            hand: None,
            speaking: false,
            language: "en".into(),
            audio: Some(leg_id),
            audio_by: AudioBy::Phone,
            phone_kept: false,
            video: None,
            camera_on: false,
            screen_on: false,
            avatar: None,
            away: false,
            since: clock::utc().to_string(),
        };
        let (mut record, mut call) = leg(leg_id, &number.e164(), "+4930901820");
        (record.room, call.room, call.participant) = (Some(room), Some(room), Some(id));
        outbox.record(Record::Began(Box::new(record.clone())));
        self.calls.insert(leg_id, (call, record));
        self.rooms.get_mut(&room).unwrap().participants.push(participant.clone());
        self.publish(Happening::Joined { room, participant: Box::new(participant) }, outbox);
        (leg_id, id)
    }

    /// A trunk whose name has "dead" in it is down.
    fn state(&self, trunk: &Trunk) -> TrunkStateView {
        let dead = trunk.name.contains("dead");
        TrunkStateView {
            trunk: trunk.id,
            up: Some(!dead),
            why: dead.then(|| "no answer to OPTIONS for 32 s".to_owned()),
            since: Some(clock::utc().to_string()),
            registration: trunk
                .outbound
                .as_ref()
                .and_then(|outbound| outbound.register.as_ref())
                .map(|_| "registered".to_owned()),
            registered_for: Some(300),
            far_ends: Vec::new(),
        }
    }

    fn register(&mut self, extension: ExtensionId, user_agent: &str, outbox: &Outbox) {
        let user = self.table.extensions.get(&extension).unwrap().user.clone();
        let address = format!("udp:192.0.2.{}:5060", self.phones.len() + 10);
        self.phones.push(RegistrationView {
            extension,
            contact: format!("sip:{user}@192.0.2.10"),
            address: address.clone(),
            user_agent: Some(user_agent.to_owned()),
            profile: "generic".into(),
            instance: None,
            behind_nat: false,
            since: clock::utc().to_string(),
            expires_in: 600,
        });
        let user_agent = Some(user_agent.to_owned());
        self.publish(Happening::ExtensionRegistered { extension, address, user_agent }, outbox);
    }

    fn alter(&mut self, who: ParticipantId, change: Change, outbox: &Outbox) {
        let (call, _) = self.calls.values_mut().find(|(call, _)| call.participant == Some(who)).unwrap();
        let room = call.room.unwrap();
        let people = &mut self.rooms.get_mut(&room).unwrap().participants;
        let participant = people.iter_mut().find(|participant| participant.id == who).unwrap();
        change(participant, call);
        let participant = Box::new(participant.clone());
        self.publish(Happening::Changed { room, participant }, outbox);
    }

    fn command(&mut self, command: Command, outbox: &Outbox) -> Outcome {
        match command {
            Command::PutTicket(_) | Command::DeleteTicket(_) => {}
            Command::Preview { .. } => return Ok(Reply::Preview(Err(ringlift::gateway::web::Code::BadTicket))),
            Command::MayPicture(_) | Command::SetPicture { .. } => return Err(Denial::NotFound("place in a meeting")),
            Command::Elevate { .. } => return Err(Denial::NotFound("call")),
            Command::ShowCode { .. } => return Err(Denial::NotFound("call")),
            Command::Code(_)
            | Command::Printed(_)
            | Command::WithdrawCode(_)
            | Command::AnswerCode { .. }
            | Command::LookAtCode { .. }
            | Command::ClaimCode(_)
            | Command::Claim(_)
            | Command::LeaveClaim(_) => return Err(Denial::NotFound("code")),
            Command::Devices(_) => return Err(Denial::NotFound("device")),
            Command::Elevation(_) | Command::WithdrawElevation(_) => return Err(Denial::NotFound("elevation")),
            Command::LookAtLink { .. } | Command::Redeem(_) | Command::NumberOfHolder { .. } => {
                return Err(Denial::Shut(Shut::Unknown));
            }
            Command::CallBack { .. } | Command::PlanCallback { .. } => {
                return Err(Denial::NotCalledBack(ringlift::callback::Failure::TooFrequent));
            }
            Command::PutCallback(_) | Command::Callback(_) | Command::CancelCallback(_) => {
                return Err(Denial::NotFound("callback"));
            }
            Command::Callbacks => return Ok(Reply::Callbacks(Vec::new())),
            Command::PutTrunk(trunk) => drop(self.table.trunks.insert(trunk.id, trunk)),
            Command::DeleteTrunk(id) => drop(self.table.trunks.remove(&id)),
            Command::PutDid(did) => drop(self.table.dids.insert(did.id, did)),
            Command::DeleteDid(id) => drop(self.table.dids.remove(&id)),
            Command::PutExtension(extension) => drop(self.table.extensions.insert(*extension)),
            Command::DeleteExtension(id) => drop(self.table.extensions.remove(&id)),
            Command::PutGroup(group) => drop(self.table.groups.insert(group.id, group)),
            Command::DeleteGroup(id) => drop(self.table.groups.remove(&id)),
            Command::PutRule(rule) => self.table.put_rule(*rule),
            Command::DeleteRule(id) => drop(self.table.delete_rule(id)),
            Command::OrderRules(order) => self.table.order_rules(&order).map_err(Denial::Conflict)?,
            Command::CheckRule(rule) => return Ok(Reply::Problems(self.table.check(&rule))),
            Command::PutRoom(settings) => {
                let room = settings.id;
                self.table.rooms.insert(room);
                let fresh =
                    RoomView { settings: settings.clone(), started: false, locked: false, participants: vec![] };
                self.rooms.entry(room).or_insert(fresh).settings = settings;
                self.publish(Happening::RoomConfigured { room }, outbox);
            }
            Command::DeleteRoom(id) => {
                if self.rooms.get(&id).is_some_and(|room| !room.participants.is_empty()) {
                    return Err(Denial::Conflict("people are in the room".into()));
                }
                self.rooms.remove(&id);
                self.table.rooms.remove(&id);
                self.publish(Happening::RoomDeleted { room: id }, outbox);
            }
            Command::Rooms { numbers } => {
                return Ok(Reply::Rooms(self.rooms.values().map(|room| self.seen(room, numbers)).collect()));
            }
            Command::Room { room, numbers } => {
                let room = self.rooms.get(&room).ok_or(Denial::NotFound("room"))?;
                return Ok(Reply::Room(Box::new(self.seen(room, numbers))));
            }
            Command::Operate { room, operation } => return self.operate(room, operation, outbox),
            Command::Calls { numbers } => {
                return Ok(Reply::Calls(self.calls.values().map(|(call, _)| seen_call(call, numbers)).collect()));
            }
            Command::Call { leg, numbers } => {
                let (call, _) = self.calls.get(&leg).ok_or(Denial::NotFound("call"))?;
                return Ok(Reply::Call(Box::new(seen_call(call, numbers))));
            }
            Command::HangUp(leg) => {
                let (call, mut record) = self.calls.remove(&leg).ok_or(Denial::NotFound("call"))?;
                record.ended = Some(Utc(record.began.0 + 1500));
                record.cause = Some(Cause::HungUpByOperator);
                outbox.record(Record::Ended(Box::new(record)));
                self.publish(Happening::CallEnded { call: leg, cause: Cause::HungUpByOperator }, outbox);
                let (Some(room), Some(participant)) = (call.room, call.participant) else { return Ok(Reply::Done) };
                self.rooms.get_mut(&room).unwrap().participants.retain(|one| one.id != participant);
                self.publish(Happening::Left { room, participant, cause: Cause::HungUpByOperator }, outbox);
            }
            Command::Explain(request) => {
                let explained = ringlift::gateway::explain(
                    &self.table,
                    &ringlift::route::CallLimits::of_trunk(),
                    &request,
                    clock::utc(),
                );
                return explained.map(|found| Reply::Explained(Box::new(found))).map_err(Denial::Invalid);
            }
            Command::Registrations { extension } => {
                let theirs = self.phones.iter().filter(|phone| extension.is_none_or(|one| phone.extension == one));
                return Ok(Reply::Registrations(theirs.cloned().collect()));
            }
            Command::TrunkStates { trunk } => {
                let wanted = |one: &&Trunk| one.outbound.is_some() && trunk.is_none_or(|id| id == one.id);
                let states = self.table.trunks.values().filter(wanted).map(|one| self.state(one));
                return Ok(Reply::TrunkStates(states.collect()));
            }
            Command::TestTrunk { trunk, .. } | Command::TrunkTest(trunk) => {
                let known = self.table.trunks.contains_key(&trunk);
                return Err(Denial::NotFound(if known { "test" } else { "trunk" }));
            }
            Command::CheckSync(_)
            | Command::Dial(_)
            | Command::AddToRoom { .. }
            | Command::Answer(_)
            | Command::Hold(_)
            | Command::Unhold(_)
            | Command::SendDigits { .. }
            | Command::Treat { .. }
            | Command::Play { .. }
            | Command::StopPlaying(_)
            | Command::Merge { .. }
            | Command::Transfer { .. } => {
                self.tell.send(command.clone()).unwrap();
                return self.act(command, outbox);
            }
            Command::Status => {
                let refused = BTreeMap::from([(Cause::NoRoute, 2)]);
                let status =
                    Status { calls: self.calls.len() as u64, draining: self.draining, refused, ..Status::default() };
                return Ok(Reply::Status(Box::new(status)));
            }
        }
        Ok(Reply::Done)
    }

    fn act(&mut self, command: Command, outbox: &Outbox) -> Outcome {
        let leg = match command {
            Command::Dial(request) => {
                let room = request.room.unwrap_or(RoomId::from_bits(self.next_id + 1000));
                return self.dial(room, request.from, &request.to, outbox);
            }
            Command::AddToRoom { room, request } => {
                self.rooms.get(&room).ok_or(Denial::NotFound("room"))?;
                return self.dial(room, None, &request.to, outbox);
            }
            Command::Hold(leg) | Command::Unhold(leg) => {
                let (call, _) = self.calls.get_mut(&leg).ok_or(Denial::NotFound("call"))?;
                if matches!(command, Command::Unhold(_)) && !call.held_by_us {
                    return Err(Denial::Conflict("the call is not on hold".into()));
                }
                call.held_by_us = matches!(command, Command::Hold(_));
                let held = call.held_by_us;
                self.publish(Happening::CallHeld { call: leg, held, by: HeldBy::Us }, outbox);
                leg
            }
            Command::CheckSync(_) => return Ok(Reply::Done),
            Command::Answer(leg) | Command::StopPlaying(leg) => leg,
            Command::SendDigits { leg, .. }
            | Command::Treat { leg, .. }
            | Command::Play { leg, .. }
            | Command::Merge { leg, .. }
            | Command::Transfer { leg, .. } => leg,
            other => panic!("{other:?} is done to no call"),
        };
        self.calls.get(&leg).map(|_| Reply::Done).ok_or(Denial::NotFound("call"))
    }

    /// Somebody of the house answers at once; everybody else rings.
    fn dial(&mut self, room: RoomId, from: Option<ExtensionId>, to: &str, outbox: &Outbox) -> Outcome {
        let callee = self.table.extensions.by_user(to).map(|one| one.id);
        let mut legs = Vec::new();
        for (extension, to) in
            from.filter(|_| callee.is_some()).map(|from| (Some(from), "")).into_iter().chain([(callee, to)])
        {
            let id = LegId::from_bits(self.next_id);
            self.next_id += 1;
            let (record, mut call) = leg(id, "+4930901820", to);
            call.state = if callee.is_some() { CallState::InRoom } else { CallState::Ringing };
            (call.direction, call.room, call.extension) = (CallDirection::Outbound, Some(room), extension);
            let (from, to) = (call.from.clone(), call.to.clone());
            self.calls
                .insert(id, (call, CallRecord { direction: CallDirection::Outbound, room: Some(room), ..record }));
            self.publish(Happening::CallBegan { call: id, direction: CallDirection::Outbound, from, to }, outbox);
            legs.push(id);
        }
        Ok(Reply::Dialled { call: legs[0], room })
    }

    fn operate(&mut self, id: RoomId, operation: Operation, outbox: &Outbox) -> Outcome {
        let room = self.rooms.get_mut(&id).ok_or(Denial::NotFound("room"))?;
        let people = &mut room.participants;
        let mut change = |who: ParticipantId, change: &dyn Fn(&mut ParticipantView)| {
            let found = people.iter_mut().find(|participant| participant.id == who);
            let participant = found.ok_or(Denial::Refused(Refusal::NoSuchParticipant))?;
            change(participant);
            Ok(Happening::Changed { room: id, participant: Box::new(participant.clone()) })
        };
        let happening = match operation {
            Operation::Mute { participant } => change(participant, &|one| one.muted_by_host = true)?,
            Operation::Unmute { participant } => change(participant, &|one| one.muted_by_host = false)?,
            Operation::LowerHand { participant } => change(participant, &|one| one.hand = None)?,
            Operation::Admit { participant } => {
                if !people.iter().any(|one| one.id == participant && one.state == State::Lobby) {
                    return Err(Denial::Refused(Refusal::NotInLobby));
                }
                let one = people.iter_mut().find(|one| one.id == participant).unwrap();
                one.state = State::Active;
                Happening::Changed { room: id, participant: Box::new(one.clone()) }
            }
            Operation::Remove { participant } | Operation::Refuse { participant } => {
                let leg = self
                    .calls
                    .values()
                    .find(|(call, _)| call.participant == Some(participant))
                    .map(|(call, _)| call.id);
                return self.command(Command::HangUp(leg.ok_or(Denial::Refused(Refusal::NoSuchParticipant))?), outbox);
            }
            Operation::Lock {} | Operation::Unlock {} => {
                room.locked = operation == Operation::Lock {};
                Happening::RoomLocked { room: id, locked: room.locked }
            }
            Operation::MuteAll {} => {
                let guests = people.iter().filter(|one| one.role == Role::Guest).map(|one| one.id);
                for participant in guests.collect::<Vec<_>>() {
                    self.operate(id, Operation::Mute { participant }, outbox)?;
                }
                return Ok(Reply::Done);
            }
            other => panic!("the stand-in does not know {other:?}"),
        };
        self.publish(happening, outbox);
        Ok(Reply::Done)
    }

    fn seen(&self, room: &RoomView, numbers: bool) -> RoomView {
        let mut room = room.clone();
        for participant in room.participants.iter_mut().filter(|_| numbers) {
            participant.number =
                participant.audio.and_then(|leg| self.calls.get(&leg)).and_then(|(call, _)| call.from.clone());
        }
        room
    }
}

/// A leg that is up since now.
fn leg(id: LegId, from: &str, to: &str) -> (CallRecord, CallView) {
    let record = CallRecord {
        id,
        call_id: format!("{id}@test"),
        direction: CallDirection::Inbound,
        from: Some(from.to_owned()),
        to: to.to_owned(),
        trunk: Some(TrunkId::from_bits(1)),
        extension: None,
        did: Some(DidId::from_bits(1)),
        room: None,
        began: clock::utc(),
        answered: Some(clock::utc()),
        ended: None,
        cause: None,
        figures: None,
    };
    let call = CallView {
        id,
        call_id: record.call_id.clone(),
        direction: CallDirection::Inbound,
        state: CallState::InRoom,
        from: record.from.clone(),
        to: record.to.clone(),
        trunk: record.trunk,
        extension: None,
        profile: "generic".into(),
        did: record.did,
        identity: Default::default(),
        room: None,
        participant: None,
        held: false,
        held_by_us: false,
        media: Some("PCMA/20".into()),
        sound: Default::default(),
        figures: None,
        since: record.began.to_string(),
        answered: Some(record.began.to_string()),
    };
    (record, call)
}

fn seen_call(call: &CallView, numbers: bool) -> CallView {
    let mut call = call.clone();
    if !numbers {
        call.from = call.from.and_then(|from| PhoneNumber::parse(&from)).map(|number| number.masked());
    }
    call
}
