//! A call follows its person from device to device, in virtual time: the far end's dialog and stream stay what they are.

use std::net::SocketAddr;
use std::time::Duration;

use ringlift::base::LegId;
use ringlift::base::id::{DeviceId, ExtensionId};
use ringlift::device::{Failure, Refusal, Transfers};
use ringlift::gateway::Input;
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::device::view::{
    CallOfMine, CallRef, DeviceChange, DeviceCommand, DeviceReply, DeviceView, MoveEvent, MoveRequest, MoveStep,
};
use ringlift::gateway::event::Happening;
use ringlift::media::command::MediaEvent;
use ringlift::room::Channel;
use ringlift::wire::sip::Method;

use crate::desks::Desk;
use crate::house::{dial, hang_up, is_connected, registered};
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
