//! What is done to voices, by whose wish; what is told when it is needed; and who speaks to whom alone.

use ringlift::base::ParticipantId;
use ringlift::gateway::Input;
use ringlift::gateway::command::{Command, Denial};
use ringlift::gateway::event::Happening;
use ringlift::media::audience::Audience;
use ringlift::media::command::{MediaCommand, MediaEvent, Treatment};
use ringlift::media::echo::LineEcho;
use ringlift::media::treatment::{Ask, TreatmentChange, TreatmentOrder};
use ringlift::profile::{Book, Profile, SoundRules};
use ringlift::room::{Operation, Refusal};

use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

/// What was ordered of each voice since the last time, in order.
fn treatments(world: &mut World) -> Vec<Treatment> {
    let orders = std::mem::take(&mut world.orders);
    orders
        .into_iter()
        .filter_map(|order| if let MediaCommand::Treat { treatment, .. } = order { Some(treatment) } else { None })
        .collect()
}

#[test]
fn a_voice_is_treated_as_its_profile_its_room_and_then_a_program_say() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    let usual = Treatment { level: true, denoise: false, tones: false, music: false, echo: false };
    assert_eq!(treatments(&mut world), [usual]);
    let mut settings = world.room().settings;
    settings.sound = TreatmentChange { denoise: Some(true), music: Some(true), ..TreatmentChange::default() };
    world.ask(Command::PutRoom(settings)).unwrap();
    assert_eq!(treatments(&mut world), [Treatment { denoise: true, music: true, ..usual }]);
    let order = TreatmentOrder { music: Ask::Be(false), echo: Ask::Be(true), ..TreatmentOrder::default() };
    world.ask(Command::Treat { leg, order }).unwrap();
    let wanted = Treatment { denoise: true, echo: true, ..usual };
    assert_eq!(treatments(&mut world), [wanted]);
    assert_eq!(world.calls()[0].sound, wanted);
    world.ask(Command::Treat { leg, order }).unwrap();
    assert_eq!(treatments(&mut world), [], "nothing is new");
    let order = TreatmentOrder { music: Ask::TakenBack, ..TreatmentOrder::default() };
    world.ask(Command::Treat { leg, order }).unwrap();
    assert_eq!(treatments(&mut world), [Treatment { music: true, ..wanted }], "as the room has it again");
    world.bye(&mut phone);
    world.ends_clean();
}

#[test]
fn echo_is_told_and_what_takes_it_out_begins_and_ends_with_it() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    let mut settings = world.room().settings;
    settings.sound.echo = Some(true);
    world.ask(Command::PutRoom(settings)).unwrap();
    let usual = vec![treatments(&mut world)[1]];
    let echo = Some(LineEcho { delay_ms: 120, loss_db: 12.4 });
    world.give(Input::Media(MediaEvent::Echo { leg, echo }));
    assert_eq!(treatments(&mut world), usual, "again, so that it has its memory");
    let told = Happening::CallEcho { call: leg, heard: true, removed: true, delay_ms: Some(120), loss_db: Some(12) };
    assert!(world.events.contains(&told));
    assert!(world.place(leg).unwrap().echo);
    world.give(Input::Media(MediaEvent::Echo { leg, echo: None }));
    assert_eq!(treatments(&mut world), usual);
    assert!(!world.place(leg).unwrap().echo);
    let order = TreatmentOrder { echo: Ask::Be(false), ..TreatmentOrder::default() };
    world.ask(Command::Treat { leg, order }).unwrap();
    treatments(&mut world);
    world.give(Input::Media(MediaEvent::Echo { leg, echo }));
    assert_eq!(treatments(&mut world), []);
    let told = Happening::CallEcho { call: leg, heard: true, removed: false, delay_ms: Some(120), loss_db: Some(12) };
    assert!(world.events.contains(&told), "told all the same");
    world.bye(&mut phone);
    world.ends_clean();
}

#[test]
fn music_on_hold_is_told_with_whose_it_is() {
    let mut world = World::new();
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    let participant = world.place(leg).unwrap().id;
    for heard in [true, false] {
        world.give(Input::Media(MediaEvent::Music { leg, heard }));
        let told = Happening::CallMusic { call: leg, room: Some(ROOM), participant: Some(participant), heard };
        assert!(world.events.contains(&told));
        assert_eq!(world.place(leg).unwrap().music, heard);
    }
    world.bye(&mut phone);
    world.ends_clean();
}

#[test]
fn nothing_is_done_to_what_a_machine_says_whoever_asks() {
    let machine = Profile {
        name: "recorder".to_owned(),
        sound: SoundRules { machine: true, ..SoundRules::default() },
        ..Profile::default()
    };
    let mut world = World::of(
        |room| room.sound.denoise = Some(true),
        |_| {},
        |directory| {
            directory.profiles = Book::new([machine]);
            directory.trunks[0].profile = "recorder".to_owned();
        },
    );
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    let order = TreatmentOrder { denoise: Ask::Be(true), ..TreatmentOrder::default() };
    let refused = world.ask(Command::Treat { leg, order });
    assert!(matches!(refused, Err(Denial::Conflict(_))), "{refused:?}");
    assert_eq!(treatments(&mut world), []);
    world.bye(&mut phone);
    world.ends_clean();
}

#[test]
fn a_host_coaches_one_alone_and_a_guest_has_no_say_in_who_hears_others() {
    let mut world = World::new();
    let (mut coach, mut agent, mut customer) = (Phone::new(1), Phone::new(2), Phone::new(3));
    let coach_leg = world.join(&mut coach, HOST_PIN);
    let agent_leg = world.join(&mut agent, PIN);
    let customer_leg = world.join(&mut customer, PIN);
    let [coaching, coached, other] =
        [coach_leg, agent_leg, customer_leg].map(|leg| world.place(leg).map(|place| place.id).unwrap());
    let whisper = |participant, to: &[ParticipantId], others| Command::Operate {
        room: ROOM,
        operation: Operation::Whisper { participant, to: to.to_vec(), others },
    };
    world.orders.clear();
    world.ask(whisper(coaching, &[coached], 0)).unwrap();
    let audience = Some(Audience::new(&[coached], 0));
    assert_eq!(world.orders, [MediaCommand::Direct { leg: coach_leg, audience }]);
    assert_eq!(world.place(coach_leg).unwrap().whispers_to, [coached]);
    assert_eq!(world.place(coach_leg).unwrap().others_hear, Some(0));
    // Who comes back from a hold is heard by nobody else for a moment: it is one order.
    world.ask(Command::Hold(coach_leg)).unwrap();
    world.orders.clear();
    world.ask(Command::Unhold(coach_leg)).unwrap();
    let back = |order: &MediaCommand| matches!(order, MediaCommand::Join { leg, audience: told, .. } if *leg == coach_leg && *told == audience);
    assert!(world.orders.iter().any(back), "{:?}", world.orders);
    for (to, others) in [(vec![coaching], 0), (vec![ParticipantId::from_bits(9)], 0), (vec![coached], 100)] {
        let refused = world.ask(whisper(coaching, &to, others));
        assert!(matches!(refused, Err(Denial::Refused(Refusal::BadAudience))), "{refused:?}");
    }
    world.orders.clear();
    world.ask(whisper(coaching, &[], 0)).unwrap();
    assert_eq!(world.orders, [MediaCommand::Direct { leg: coach_leg, audience: None }]);
    let place = world.place(coach_leg).unwrap();
    assert!(place.whispers_to.is_empty() && place.others_hear.is_none(), "to everybody");
    // A guest whispers by himself at most.
    let live = Operation::Whisper { participant: coached, to: vec![other], others: 0 };
    assert!(world.ask(Command::Operate { room: ROOM, operation: live }).is_ok(), "a program may");
    // The coach whispers to one who hangs up: to nobody then, and the customer hears no more of it.
    world.ask(whisper(coaching, &[coached], 25)).unwrap();
    world.orders.clear();
    world.bye(&mut agent);
    let place = world.place(coach_leg).unwrap();
    assert!(place.whispers_to.is_empty() && place.others_hear == Some(25), "{place:?}");
    assert!(!world.orders.iter().any(|order| matches!(order, MediaCommand::Direct { .. })), "{:?}", world.orders);
    [&mut coach, &mut customer].into_iter().for_each(|phone| world.bye(phone));
    world.ends_clean();
}
