//! Who comes into a meeting by browser or telephone, who is kept out, and as whom: in virtual time.

use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::{Invited, ServerMessage};
use ringlift::room::Role;
use serde_json::{Value, json};

use crate::pages::{Page, refused};
use crate::world::{HOST_PIN, PIN, World};

/// What a host's page gets for an invitation.
fn invited(world: &mut World, page: &mut Page, wanted: Value) -> Invited {
    match world.says(page, json!({ "type": "invite", "invitation": wanted })) {
        ServerMessage::Invited { invitation, .. } => *invitation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_invites_from_the_meeting_and_nobody_else_does() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    let mut guest = world.page_by_pin(PIN, "Gus");
    let mia = invited(&mut world, &mut host, json!({ "role": "member", "name": "Mia", "seconds": 120 }));
    assert_eq!((mia.role, mia.name.as_deref(), mia.personal), (Role::Member, Some("Mia"), true));
    assert_eq!(mia.path.expose(), format!("/j/{}", mia.ticket.expose()));
    let mut page = world.opens_page();
    let welcome = world.joins(&mut page, json!({ "ticket": mia.ticket.expose() }));
    let me = welcome.people.iter().find(|person| person.id == page.you).unwrap();
    assert_eq!((welcome.role, me.name.as_deref()), (Role::Member, Some("Mia")));
    // Without wishes: a link for any number of guests.
    let ServerMessage::Invited { invitation, .. } = world.says(&mut host, json!({ "type": "invite" })) else {
        panic!("no invitation");
    };
    assert_eq!((invitation.role, invitation.personal, invitation.uses), (Role::Guest, false, None));
    for name in ["Ann", "Ben"] {
        let mut page = world.opens_page();
        let welcome = world.joins(&mut page, json!({ "ticket": invitation.ticket.expose(), "name": name }));
        assert_eq!(welcome.role, Role::Guest);
    }
    // Members and guests may not; nonsense is said to be so.
    for page in [&mut page, &mut guest] {
        assert_eq!(refused(&world.says(page, json!({ "type": "invite" }))), Some(Code::HostOnly));
    }
    for (wish, code) in [
        (json!({ "uses": 0 }), Code::BadInvitation),
        (json!({ "seconds": 59 }), Code::BadInvitation),
        (json!({ "name": "x".repeat(65) }), Code::BadName),
        (json!({ "role": "king" }), Code::BadMessage),
    ] {
        assert_eq!(refused(&world.says(&mut host, json!({ "type": "invite", "invitation": wish }))), Some(code));
    }
    let flood = (0..70).map(|_| world.says(&mut host, json!({ "type": "invite" })));
    assert_eq!(flood.filter(|said| refused(said) == Some(Code::TooOften)).count(), 12, "sixty at once");
}
