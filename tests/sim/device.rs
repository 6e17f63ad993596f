//! A call follows its person from device to device, in virtual time: the far end's dialog and stream stay what they are.

use std::net::SocketAddr;
use std::time::Duration;

use ringlift::base::id::{DeviceId, ExtensionId};
use ringlift::base::{LegId, Rng, Utc};
use ringlift::device::{Failure, How, Refusal, Report, Transfers};
use ringlift::gateway::Input;
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::device::view::{
    CallOfMine, CallRef, DeviceChange, DeviceCommand, DeviceReply, DeviceView, Me, MoveEvent, MoveRequest, MoveStep,
    TakeCall,
};
use ringlift::gateway::event::Happening;
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::ServerMessage;
use ringlift::media::command::MediaEvent;
use ringlift::profile::{AutoAnswer, Book, Profile};
use ringlift::room::Channel;
use ringlift::wire::sip::{Method, Name};
use serde_json::json;

use crate::desks::Desk;
use crate::house::{dial, hang_up, is_connected, registered};
use crate::meeting::{connects, speaks};
use crate::pages::{Page, refused};
use crate::telephone::{Telephone, extension};
use crate::world::World;

/// Anna, who has the devices, and Ben, who talks with her.
pub const ANNA: u64 = 101;

impl World {
    /// Asks something of devices.
    pub fn devices(&mut self, command: DeviceCommand) -> Result<DeviceReply, Denial> {
        match self.ask(Command::Devices(Box::new(command))) {
            Ok(Reply::Device(reply)) => Ok(*reply),
            Ok(Reply::Done) => Ok(DeviceReply::Devices(Vec::new())),
            Ok(other) => panic!("{other:?}"),
            Err(denial) => Err(denial),
        }
    }

    /// The devices of Anna.
    pub fn annas(&mut self) -> Vec<DeviceView> {
        match self.devices(DeviceCommand::List(Some(anna()))) {
            Ok(DeviceReply::Devices(devices)) => devices,
            other => panic!("{other:?}"),
        }
    }

    /// The calls of Anna.
    pub fn annas_calls(&mut self) -> Vec<CallOfMine> {
        match self.devices(DeviceCommand::Calls(anna())) {
            Ok(DeviceReply::Calls(calls)) => calls,
            other => panic!("{other:?}"),
        }
    }

    /// The only call of Anna.
    pub fn annas_call(&mut self) -> CallOfMine {
        let mut calls = self.annas_calls();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.remove(0)
    }

    /// Which device a telephone is: the only one that is new since then.
    fn new_device(&mut self, before: &[DeviceView]) -> DeviceId {
        let now = self.annas();
        let mut new = now.iter().filter(|device| !before.iter().any(|known| known.id == device.id));
        let id = new.next().expect("a new device").id;
        assert!(new.next().is_none());
        id
    }

    /// A telephone of Anna's registers.
    pub fn annas_phone(&mut self, nth: u8) -> (Desk, DeviceId) {
        let before = self.annas();
        let (_, desk) = registered(self, ANNA, nth);
        let id = self.new_device(&before);
        (desk, id)
    }

    /// Anna's only call is to move.
    pub fn moves(&mut self, to: DeviceId) -> Result<DeviceReply, Refusal> {
        self.moves_by(MoveRequest { device: Some(to), ..nothing() })
    }

    pub fn moves_by(&mut self, request: MoveRequest) -> Result<DeviceReply, Refusal> {
        match self.devices(DeviceCommand::Move(CallRef::Of(anna()), request)) {
            Ok(reply) => Ok(reply),
            Err(Denial::NotMoved(why)) => Err(why),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// The first packet of a telephone comes.
    pub fn latches(&mut self, leg: LegId) {
        let remote: SocketAddr = "203.0.113.1:30000".parse().unwrap();
        self.give(Input::Media(MediaEvent::Latched { leg, remote }));
    }

    /// The leg that was made last.
    pub fn last_leg(&mut self) -> LegId {
        self.events
            .iter()
            .rev()
            .find_map(|event| match event {
                Happening::CallBegan { call, .. } => Some(*call),
                _ => None,
            })
            .expect("a call")
    }

    /// What the log told of moves.
    pub fn move_events(&self) -> Vec<MoveEvent> {
        let of = |event: &Happening| match event {
            Happening::Move(of) => Some(of.clone()),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    /// How far the latest move is.
    pub fn last_move(&self) -> (MoveStep, Option<Failure>) {
        let last = self.move_events().pop().expect("a move");
        (last.step, last.reason)
    }

    pub fn consents(&mut self, device: DeviceId, transfers: Transfers) {
        let change = DeviceChange { transfers: Some(transfers), ..DeviceChange::default() };
        self.devices(DeviceCommand::Change(device, change)).unwrap();
    }

    /// A telephone that rings for a move is answered, and heard. Its leg.
    pub fn picks_up(&mut self, desk: &mut Desk) -> LegId {
        self.rung(desk);
        self.rings(desk);
        self.answers(desk);
        let leg = self.last_leg();
        self.latches(leg);
        self.pass(Duration::from_secs(2));
        leg
    }
}

pub fn anna() -> ExtensionId {
    ExtensionId::from_bits(ANNA)
}

pub fn nothing() -> MoveRequest {
    MoveRequest { device: None, channels: None, keep: false, pull: false }
}

/// Ben calls Anna, who answers on her desk phone. Ben, the desk phone and its device, and Anna's leg.
pub fn talking(world: &mut World) -> (Telephone, Desk, DeviceId, LegId) {
    extension(world, ANNA);
    extension(world, 102);
    let (mut desk, device) = world.annas_phone(0);
    let (mut ben, _) = registered(world, 102, 0);
    dial(world, &mut ben, "101");
    world.rung(&mut desk);
    world.rings(&desk);
    world.answers(&desk);
    let leg = world.last_leg();
    is_connected(world, &mut ben);
    world.latches(leg);
    (ben, desk, device, leg)
}

/// What was sent to Ben that is not an answer: he is to notice nothing.
pub fn ben_is_asked_nothing(world: &mut World, ben: &Telephone) {
    assert!(ben.request(world).is_none(), "Ben's dialog is untouched");
}

#[test]
fn a_call_goes_on_by_another_telephone_and_the_far_end_is_sent_nothing() {
    let mut world = World::new();
    let (mut ben, desk, device, first) = talking(&mut world);
    let (mut mobile, there) = world.annas_phone(1);
    let call = world.annas_call();
    assert_eq!((call.audio, call.video, call.with.len(), call.movable), (Some(device), None, 1, true));
    let place = call.call;
    world.moves(there).unwrap();
    let invite = world.rung(&mut mobile);
    assert_eq!(invite.uri.to_string(), "sip:101@10.0.1.9:5060", "that telephone alone rings");
    assert!(world.asked(&desk, &Method::Invite).is_none());
    world.rings(&mobile);
    assert_eq!(world.moves(device), Err(Refusal::UnderWay));
    world.answers(&mobile);
    let second = world.last_leg();
    assert_eq!(world.annas_call().audio, Some(device), "until it is heard nothing has changed");
    assert!(world.bridged.contains_key(&first) && !world.bridged.contains_key(&second));
    world.latches(second);
    assert!(world.bridged.contains_key(&first) && world.bridged.contains_key(&second), "both, for a moment");
    world.pass(Duration::from_secs(2));
    assert!(world.is_hung_up(&desk).contains("moved") || !world.bridged.contains_key(&first));
    let call = world.annas_call();
    assert_eq!((call.call, call.audio, call.back), (place, Some(there), Some(device)), "the same place");
    assert_eq!(world.last_move(), (MoveStep::Done, None));
    assert_eq!(world.calls().len(), 2, "no leg is left over");
    ben_is_asked_nothing(&mut world, &ben);
    hang_up(&mut world, &mut ben);
    world.is_hung_up(&mobile);
    world.ends_clean();
}

#[test]
fn a_telephone_that_does_not_take_the_call_changes_nothing_and_says_why() {
    let mut world = World::new();
    let (mut ben, desk, device, _) = talking(&mut world);
    let (mut mobile, there) = world.annas_phone(1);
    for (status, why) in [("486 Busy Here", Failure::Busy), ("603 Decline", Failure::Declined)] {
        world.moves(there).unwrap();
        world.rung(&mut mobile);
        world.refuses(&mobile, status, "");
        assert_eq!(world.last_move(), (MoveStep::Failed, Some(why)));
        assert_eq!(world.annas_call().audio, Some(device));
        world.pass(Duration::from_secs(3));
    }
    world.moves(there).unwrap();
    world.rung(&mut mobile);
    world.rings(&mobile);
    world.pass(Duration::from_secs(120));
    world.is_cancelled(&mobile);
    assert_eq!(world.last_move(), (MoveStep::Failed, Some(Failure::NoAnswer)));
    // Answered, and never heard.
    world.moves(there).unwrap();
    world.rung(&mut mobile);
    world.answers(&mobile);
    world.pass(Duration::from_secs(25));
    world.is_hung_up(&mobile);
    assert_eq!(world.last_move(), (MoveStep::Failed, Some(Failure::NotConnected)));
    // Taken back.
    world.moves(there).unwrap();
    world.rung(&mut mobile);
    world.rings(&mobile);
    world.devices(DeviceCommand::CancelMove(CallRef::Of(anna()))).unwrap();
    world.is_cancelled(&mobile);
    assert_eq!(world.last_move(), (MoveStep::Failed, Some(Failure::Cancelled)));
    assert_eq!((world.annas_call().audio, world.calls().len()), (Some(device), 2));
    ben_is_asked_nothing(&mut world, &ben);
    // The call ends while the telephone rings.
    world.moves(there).unwrap();
    world.rung(&mut mobile);
    world.rings(&mobile);
    hang_up(&mut world, &mut ben);
    world.is_hung_up(&desk);
    world.is_cancelled(&mobile);
    world.ends_clean();
}

#[test]
fn each_move_that_cannot_be_is_refused_for_its_own_reason() {
    let mut world = World::new();
    extension(&mut world, ANNA);
    let (_, there) = world.annas_phone(1);
    assert_eq!(world.moves(there), Err(Refusal::NoCall));
    let (mut ben, desk, device, leg) = talking_again(&mut world);
    assert_eq!(world.moves(device), Err(Refusal::AlreadyThere));
    assert_eq!(world.moves(DeviceId::from_bits(9)), Err(Refusal::NoSuchDevice));
    let bens = match world.devices(DeviceCommand::List(Some(ExtensionId::from_bits(102)))) {
        Ok(DeviceReply::Devices(devices)) => devices[0].id,
        other => panic!("{other:?}"),
    };
    assert_eq!(world.moves(bens), Err(Refusal::AnotherPerson));
    let video = MoveRequest { device: Some(there), channels: Some(vec![Channel::Video]), ..nothing() };
    assert!(matches!(world.moves_by(video), Err(Refusal::Lacks(_))));
    world.consents(there, Transfers::Never);
    assert_eq!(world.moves(there), Err(Refusal::Unwilling));
    world.consents(there, Transfers::Ask);
    assert_eq!(world.moves_by(nothing()), Err(Refusal::NothingToHandBack));
    world.ask(Command::Hold(leg)).unwrap();
    world.pass(Duration::from_secs(1));
    assert_eq!(world.moves(there), Err(Refusal::Held));
    let by_leg =
        world.devices(DeviceCommand::Move(CallRef::Leg(leg), MoveRequest { device: Some(there), ..nothing() }));
    assert_eq!(by_leg, Err(Denial::NotMoved(Refusal::Held)));
    drop((desk, &mut ben));
}

/// The same with Anna there already.
fn talking_again(world: &mut World) -> (Telephone, Desk, DeviceId, LegId) {
    extension(world, 102);
    let (mut desk, device) = world.annas_phone(0);
    let (mut ben, _) = registered(world, 102, 0);
    dial(world, &mut ben, "101");
    world.rung(&mut desk);
    world.answers(&desk);
    let leg = world.last_leg();
    is_connected(world, &mut ben);
    world.latches(leg);
    (ben, desk, device, leg)
}

/// A personal link of Anna's.
pub fn link(world: &mut World) -> String {
    link_of(world, anna())
}

/// A personal link of somebody's.
pub fn link_of(world: &mut World, extension: ExtensionId) -> String {
    match world.devices(DeviceCommand::Link(extension, 86_400)) {
        Ok(DeviceReply::Link(ticket, _)) => ticket.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Anna opens her page in a browser; its device.
pub fn opens_me(world: &mut World, ticket: &str) -> (Page, Me) {
    let mut page = world.opens_page();
    let asked = json!({ "type": "me", "ticket": ticket, "name": "Laptop", "capabilities": ["audio", "video"] });
    match world.says(&mut page, asked) {
        ServerMessage::Me(me) => (page, *me),
        other => panic!("{other:?}"),
    }
}

/// What a page was given to take a call by, if it was.
fn given(world: &mut World, page: &Page) -> Option<TakeCall> {
    world.told(page).into_iter().rev().find_map(|told| match told {
        ServerMessage::TakeCall(taking) => Some(*taking),
        _ => None,
    })
}

/// A browser takes the seat and its peer connection stands. The meeting's page, and its leg.
fn takes(world: &mut World, taking: &TakeCall) -> (Page, LegId) {
    let mut page = world.opens_page();
    let welcome = world.joins(&mut page, json!({ "ticket": taking.ticket.expose() }));
    assert!(welcome.resumed && welcome.you == taking.call, "the same seat");
    let leg = connects(world, &mut page);
    speaks(world, leg, true);
    (page, leg)
}

fn why(said: &ServerMessage) -> &str {
    match said {
        ServerMessage::NotMoved(not) => &not.why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_person_pulls_a_call_to_the_browser_and_hands_it_back_and_the_far_end_is_sent_nothing() {
    let mut world = World::new();
    let (mut ben, mut desk, device, first) = talking(&mut world);
    let ticket = link(&mut world);
    let (mut me, all) = opens_me(&mut world, &ticket);
    assert_eq!((all.user.as_str(), all.devices.len(), all.calls.len()), ("101", 2, 1));
    assert!(all.key.is_some());
    let said = world.says(&mut me, json!({ "type": "move_here" }));
    assert!(matches!(said, ServerMessage::Done { .. }), "{said:?}");
    let taking = given(&mut world, &me).expect("a ticket");
    assert_eq!(taking.channels, [Channel::Audio, Channel::Video]);
    assert!(world.bridged.contains_key(&first));
    let (page, leg) = takes(&mut world, &taking);
    world.pass(Duration::from_secs(2));
    let reason = world.is_hung_up(&desk);
    let call = world.annas_call();
    assert_eq!((call.audio, call.video, call.back), (Some(all.device), Some(all.device), Some(device)), "{reason}");
    assert!(world.bridged.contains_key(&leg) && !world.bridged.contains_key(&first));
    assert_eq!((world.calls().len(), world.last_move()), (1, (MoveStep::Done, None)));
    ben_is_asked_nothing(&mut world, &ben);
    // Back: the desk phone rings, and the page is closed once it is heard.
    world.says(&mut me, json!({ "type": "hand_back" }));
    world.picks_up(&mut desk);
    assert!(world.pages.closed.contains(&page.session), "the page is not needed any more");
    let call = world.annas_call();
    assert_eq!((call.audio, call.video, call.back), (Some(device), None, None));
    ben_is_asked_nothing(&mut world, &ben);
    hang_up(&mut world, &mut ben);
    world.is_hung_up(&desk);
    world.drops(&me);
    world.ends_clean();
}

#[test]
fn only_the_pictures_go_to_the_browser_and_the_voice_stays_until_they_are_handed_back() {
    let mut world = World::new();
    let (mut ben, desk, device, first) = talking(&mut world);
    let ticket = link(&mut world);
    let (mut me, all) = opens_me(&mut world, &ticket);
    world.says(&mut me, json!({ "type": "move_here", "channels": ["video"] }));
    let taking = given(&mut world, &me).expect("a ticket");
    let (page, _) = takes(&mut world, &taking);
    world.pass(Duration::from_secs(2));
    let call = world.annas_call();
    assert_eq!((call.audio, call.video, call.back), (Some(device), Some(all.device), Some(device)));
    assert!(world.bridged.contains_key(&first) && world.asked(&desk, &Method::Bye).is_none());
    let said = world.says(&mut me, json!({ "type": "hand_back" }));
    assert!(matches!(said, ServerMessage::Done { .. }), "{said:?}");
    assert!(world.pages.closed.contains(&page.session));
    let call = world.annas_call();
    assert_eq!((call.audio, call.video, call.back), (Some(device), None, None));
    ben_is_asked_nothing(&mut world, &ben);
    hang_up(&mut world, &mut ben);
    world.is_hung_up(&desk);
    world.drops(&me);
    world.ends_clean();
}

#[test]
fn a_page_is_asked_or_opens_at_once_as_its_person_wants_and_a_no_changes_nothing() {
    let mut world = World::new();
    let (mut ben, desk, device, _) = talking(&mut world);
    let ticket = link(&mut world);
    let (mut me, all) = opens_me(&mut world, &ticket);
    let laptop = all.device;
    world.moves(laptop).unwrap();
    let place = world.annas_call().call;
    let asked =
        world.told(&me).into_iter().any(|told| matches!(told, ServerMessage::MoveAsked(of) if of.call == place));
    assert!(asked && given(&mut world, &me).is_none());
    world.says(&mut me, json!({ "type": "move_answer", "call": place, "takes": false }));
    assert_eq!(world.last_move(), (MoveStep::Failed, Some(Failure::Declined)));
    world.moves(laptop).unwrap();
    world.pass(Duration::from_secs(31));
    assert_eq!(world.last_move(), (MoveStep::Failed, Some(Failure::NoAnswer)));
    world.says(&mut me, json!({ "type": "set_device", "transfers": "at_once", "camera": true }));
    world.moves(laptop).unwrap();
    let taking = given(&mut world, &me).expect("at once");
    assert!(taking.camera);
    // It never comes.
    world.pass(Duration::from_secs(46));
    assert_eq!(world.last_move(), (MoveStep::Failed, Some(Failure::NotConnected)));
    assert_eq!(world.annas_call().audio, Some(device));
    let mut late = world.opens_page();
    let refused = world.tries(&mut late, json!({ "ticket": taking.ticket.expose() }));
    assert!(matches!(refused, ServerMessage::Problem { .. }), "{refused:?}");
    // It comes, and goes before its connection stands.
    world.moves(laptop).unwrap();
    let taking = given(&mut world, &me).expect("at once");
    let mut page = world.opens_page();
    world.joins(&mut page, json!({ "ticket": taking.ticket.expose() }));
    world.drops(&page);
    assert_eq!(world.last_move(), (MoveStep::Failed, Some(Failure::NotConnected)));
    world.pass(Duration::from_secs(40));
    let call = world.annas_call();
    assert_eq!((call.audio, call.video), (Some(device), None));
    world.drops(&me);
    assert_eq!(world.moves(laptop), Err(Refusal::Offline));
    ben_is_asked_nothing(&mut world, &ben);
    hang_up(&mut world, &mut ben);
    world.is_hung_up(&desk);
    world.drops(&late);
    world.ends_clean();
}

#[test]
fn a_personal_page_knows_its_browser_again_and_strangers_and_old_links_open_nothing() {
    let mut world = World::new();
    extension(&mut world, ANNA);
    let ticket = link(&mut world);
    let (page, first) = opens_me(&mut world, &ticket);
    let key = first.key.expect("a key").expose().to_owned();
    let mut again = world.opens_page();
    let said = world.says(&mut again, json!({ "type": "me", "ticket": ticket, "key": key }));
    let ServerMessage::Me(me) = said else { panic!("{said:?}") };
    assert_eq!((me.device, me.key, me.devices.len()), (first.device, None, 1));
    assert_eq!(why(&world.says(&mut again, json!({ "type": "move_here" }))), "move-no-call");
    let mut stranger = world.opens_page();
    let said = world.says(&mut stranger, json!({ "type": "me", "ticket": "abcdefghijklmnopqrstuvwxyz" }));
    assert_eq!(refused(&said), Some(Code::BadTicket));
    assert_eq!(refused(&world.says(&mut stranger, json!({ "type": "move_here" }))), Some(Code::NotJoined));
    // Years ahead by a clock that jumped, and back.
    let utc = world.now.utc;
    world.now.utc = Utc(utc.0 + 100 * 86_400_000);
    let said = world.says(&mut stranger, json!({ "type": "me", "ticket": ticket }));
    assert_eq!(refused(&said), Some(Code::ExpiredTicket));
    world.now.utc = utc;
    world.devices(DeviceCommand::Unlink(anna())).unwrap();
    assert!(world.pages.closed.contains(&page.session), "pages that are open are closed");
    let mut late = world.opens_page();
    let said = world.says(&mut late, json!({ "type": "me", "ticket": ticket }));
    assert_eq!(refused(&said), Some(Code::BadTicket));
}

#[test]
fn of_several_calls_one_is_named_and_an_emergency_stays_where_it_is() {
    let mut world = World::new();
    let (mut ben, desk, device, _) = talking(&mut world);
    let (mut mobile, there) = world.annas_phone(1);
    let (mut cleo, _) = {
        extension(&mut world, 103);
        registered(&mut world, 103, 0)
    };
    dial(&mut world, &mut cleo, "101");
    world.rung(&mut mobile);
    world.answers(&mobile);
    let second = world.last_leg();
    is_connected(&mut world, &mut cleo);
    world.latches(second);
    let calls = world.annas_calls();
    assert_eq!(calls.len(), 2);
    let ids = calls.iter().map(|call| call.call).collect();
    assert_eq!(world.moves(there), Err(Refusal::SeveralCalls(ids)));
    let first = calls.iter().find(|call| call.audio == Some(device)).unwrap();
    let named = CallRef::Place(first.room, first.call);
    let busy = world.devices(DeviceCommand::Move(named, MoveRequest { device: Some(there), ..nothing() }));
    assert_eq!(busy, Err(Denial::NotMoved(Refusal::Busy)));
    hang_up(&mut world, &mut ben);
    hang_up(&mut world, &mut cleo);
    world.is_hung_up(&mobile);
    drop(desk);
}

fn reports(world: &mut World, device: DeviceId, metres: f32) {
    let report = Report { distance_m: Some(metres), ..Report::default() };
    world.devices(DeviceCommand::Report(device, report)).unwrap();
}

#[test]
fn a_call_follows_its_person_only_where_they_want_it_and_not_against_their_hand() {
    let mut world = World::new();
    let (mut ben, desk, device, _) = talking(&mut world);
    let (mut mobile, there) = world.annas_phone(1);
    let walks = |world: &mut World, seconds: u32| {
        for _ in 0..seconds * 2 {
            reports(world, device, 4.0);
            reports(world, there, 1.0);
            world.pass(Duration::from_millis(500));
        }
    };
    walks(&mut world, 10);
    assert!(world.move_events().is_empty(), "off until it is wanted");
    world.devices(DeviceCommand::Follow(anna(), Some(true))).unwrap();
    walks(&mut world, 2);
    assert!(world.move_events().is_empty(), "not yet");
    // A clock that jumps moves nothing.
    world.now.utc = Utc(world.now.utc.0 + 1_000_000_000);
    reports(&mut world, there, 1.0);
    assert!(world.move_events().is_empty());
    world.now.utc = Utc(world.now.utc.0 - 2_000_000_000);
    walks(&mut world, 2);
    world.picks_up(&mut mobile);
    assert_eq!(world.move_events().last().map(|of| (of.step, of.how)), Some((MoveStep::Done, How::Followed)));
    world.is_hung_up(&desk);
    // By hand, back; then it stays for minutes, however near the other is.
    world.moves(device).unwrap();
    let mut desk = desk;
    world.picks_up(&mut desk);
    world.is_hung_up(&mobile);
    let before = world.move_events().len();
    walks(&mut world, 60);
    assert_eq!(world.move_events().len(), before, "the person has said where they want it");
    let cannot = Report { distance_m: Some(-1.0), ..Report::default() };
    assert!(matches!(world.devices(DeviceCommand::Report(there, cannot)), Err(Denial::Invalid(_))));
    ben_is_asked_nothing(&mut world, &ben);
    hang_up(&mut world, &mut ben);
    world.is_hung_up(&desk);
    world.ends_clean();
}

#[test]
fn a_telephone_that_answers_by_itself_is_heard_only_after_its_tone() {
    let answers = Profile {
        name: "yealink".into(),
        user_agents: vec!["Yealink".into()],
        auto_answer: AutoAnswer::CallInfo,
        ..Profile::default()
    };
    let mut world = World::of(|_| {}, |_| {}, |directory| directory.profiles = Book::new([answers]));
    let (mut ben, desk, device, first) = talking(&mut world);
    let mut yealink = Telephone { user_agent: "Yealink SIP-T54W 96.86.0.100".into(), ..Telephone::new(ANNA) };
    yealink.source.remote.set_ip([203, 0, 113, 211].into());
    yealink.call_id = "yealink".into();
    yealink.contact = "<sip:101@10.0.7.9:5060>".into();
    let before = world.annas();
    assert_eq!(yealink.register(&mut world, 3600).status.code(), 200);
    let there = world.new_device(&before);
    let mut set = Desk { tag: "yealink".into(), ..Desk::at(yealink.source.remote) };
    world.consents(there, Transfers::AtOnce);
    world.moves(there).unwrap();
    let invite = world.rung(&mut set);
    let text = format!("{:?}", invite.headers);
    assert!(invite.headers.has(Name::CallInfo) || invite.headers.has(Name::AlertInfo), "asked to answer: {text}");
    world.answers(&set);
    let leg = world.last_leg();
    world.latches(leg);
    world.pass(Duration::from_millis(300));
    assert_eq!(world.heard[&leg], ["Done", "pause", "Done"], "a tone first");
    assert!(!world.bridged.contains_key(&leg), "nothing of its microphone is in any room");
    assert_eq!(world.annas_call().audio, Some(device));
    world.finish_playing(leg);
    assert_eq!(world.bridged.get(&leg), Some(&false), "open, after the tone");
    world.pass(Duration::from_secs(2));
    assert!(!world.bridged.contains_key(&first));
    world.is_hung_up(&desk);
    ben_is_asked_nothing(&mut world, &ben);
    hang_up(&mut world, &mut ben);
    world.is_hung_up(&set);
    world.ends_clean();
}

/// Phone, laptop, desk phone, phone, at random, with refusals and drops in between.
#[test]
fn a_hundred_moves_at_random_leave_one_seat_one_call_and_no_leg_over() {
    for seed in 1..=4 {
        walk(seed);
    }
}

fn walk(seed: u64) {
    let mut world = World::new();
    let mut rng = Rng::from_number(seed);
    let (mut ben, desk, device, _) = talking(&mut world);
    let (mobile, there) = world.annas_phone(1);
    let ticket = link(&mut world);
    let (mut me, all) = opens_me(&mut world, &ticket);
    let place = world.annas_call().call;
    let mut phones = [(device, desk), (there, mobile)];
    let mut page: Option<Page> = None;
    let mut moved = 0;
    while moved < 100 {
        let now = world.annas_call().audio.expect("somebody carries the voice");
        let to = [device, there, all.device][usize::try_from(rng.below(3)).unwrap()];
        if to == now {
            assert_eq!(world.moves_by(MoveRequest { device: Some(to), ..nothing() }), Err(Refusal::AlreadyThere));
            continue;
        }
        let drops = rng.below(4) == 0;
        if to == all.device {
            world.says(&mut me, json!({ "type": "move_here" }));
            let taking = given(&mut world, &me).expect("a ticket");
            if drops {
                let mut lost = world.opens_page();
                world.joins(&mut lost, json!({ "ticket": taking.ticket.expose() }));
                world.drops(&lost);
            } else {
                page = Some(takes(&mut world, &taking).0);
            }
        } else {
            world.moves(to).unwrap();
            let phone = phones.iter_mut().find(|(id, _)| *id == to).map(|(_, desk)| desk).unwrap();
            world.rung(phone);
            match drops {
                true if rng.below(2) == 0 => world.refuses(phone, "486 Busy Here", ""),
                true => {
                    world.answers(phone);
                    world.asks(phone, "BYE", "");
                }
                false => {
                    world.answers(phone);
                    let leg = world.last_leg();
                    world.latches(leg);
                }
            }
        }
        world.pass(Duration::from_secs(3));
        let call = world.annas_call();
        assert_eq!(call.call, place, "one seat (seed {seed}, move {moved})");
        let carrier = call.audio.expect("the voice is carried");
        match drops {
            true => assert_eq!(carrier, now, "nothing changed (seed {seed}, move {moved})"),
            false => {
                assert_eq!(carrier, to, "it moved (seed {seed}, move {moved})");
                if let Some((_, left)) = phones.iter().find(|(id, _)| *id == now) {
                    world.is_hung_up(left);
                } else if let Some(page) = page.take() {
                    assert!(world.pages.closed.contains(&page.session), "the page left behind is closed");
                }
                moved += 1;
            }
        }
        let legs = world.calls().len();
        assert_eq!(legs, if carrier == all.device { 1 } else { 2 }, "no leg left over (seed {seed}, move {moved})");
        ben_is_asked_nothing(&mut world, &ben);
    }
    hang_up(&mut world, &mut ben);
    world.drops(&me);
    world.ends_clean();
}
