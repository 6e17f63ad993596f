//! Browsers' pages in virtual time: what they say goes in as text, what they are told is kept.

use std::collections::{BTreeMap, BTreeSet};

use ringlift::base::id::TicketId;
use ringlift::base::{ParticipantId, Rng, Secret, SessionId, Utc};
use ringlift::gateway::Input;
use ringlift::gateway::command::{Command, Reply};
use ringlift::gateway::device::view::NotMoved;
use ringlift::gateway::web::protocol::{Person, Request, ServerMessage, Welcome};
use ringlift::gateway::web::{self, Code, Output};
use ringlift::room::Role;
use ringlift::ticket::{Invitation, Right, Ticket, draw};
use serde_json::{Value, json};

use crate::world::{ROOM, World};

/// What pages were told, and which were closed.
#[derive(Debug, Default)]
pub struct Pages {
    told: BTreeMap<SessionId, Vec<ServerMessage>>,
    pub closed: BTreeSet<SessionId>,
    opened: u64,
}

impl Pages {
    pub fn perform(&mut self, order: Output) {
        match order {
            Output::Tell { sessions, message } => {
                for session in sessions {
                    assert!(!self.closed.contains(&session), "a closed page is told {message:?}");
                    // What is told can be read.
                    let text = serde_json::to_string(&message).unwrap();
                    assert_eq!(serde_json::from_str::<ServerMessage>(&text).unwrap(), *message);
                    self.told.entry(session).or_default().push((*message).clone());
                }
            }
            Output::Close { session } => {
                self.closed.insert(session);
            }
        }
    }
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    pub session: SessionId,
    next: u64,
    pub you: ParticipantId,
    pub resume: Secret,
}

impl World {
    /// A page connects.
    pub fn opens_page(&mut self) -> Page {
        self.opens_page_from("203.0.113.50")
    }

    pub fn opens_page_from(&mut self, from: &str) -> Page {
        self.pages.opened += 1;
        let session = SessionId::from_bits(self.pages.opened);
        self.give(Input::Web(web::Input::Opened { session, from: from.parse().unwrap() }));
        Page { session, next: 1, you: ParticipantId::from_bits(0), resume: Secret::default() }
    }

    /// A page says something; what it is answered.
    pub fn says(&mut self, page: &mut Page, mut message: Value) -> ServerMessage {
        let id = page.next;
        page.next += 1;
        message["id"] = json!(id);
        let before = self.pages.told.get(&page.session).map_or(0, Vec::len);
        let input = match Request::parse(&message.to_string()) {
            Ok(request) => web::Input::Said { session: page.session, request: Box::new(request) },
            Err(why) => web::Input::Garbled { session: page.session, why },
        };
        self.give(Input::Web(input));
        let told = self.pages.told.get(&page.session).cloned().unwrap_or_default();
        let mut answers = told.into_iter().skip(before).filter(|told| answered(told) == Some(id));
        let (answer, None) = (answers.next(), answers.next()) else { panic!("{message} is answered twice") };
        // An offer waits for the web plane.
        answer.unwrap_or(ServerMessage::Pong { id })
    }

    /// A page does something in the room; the code of the refusal, if any.
    pub fn does(&mut self, page: &mut Page, operation: Value) -> Option<Code> {
        let said = self.says(page, json!({ "type": "operate", "operation": operation }));
        refused(&said)
    }

    /// Joins; everything it is told.
    pub fn joins(&mut self, page: &mut Page, by: Value) -> Welcome {
        match self.tries(page, by) {
            ServerMessage::Welcome(welcome) => *welcome,
            other => panic!("{other:?}"),
        }
    }

    pub fn tries(&mut self, page: &mut Page, by: Value) -> ServerMessage {
        let mut join = json!({ "type": "join", "version": 1 });
        for (name, value) in by.as_object().unwrap() {
            join[name] = value.clone();
        }
        let said = self.says(page, join);
        if let ServerMessage::Welcome(welcome) = &said {
            page.you = welcome.you;
            page.resume = welcome.resume.clone();
        }
        said
    }

    /// Opens a page and joins by passcode.
    pub fn page_by_pin(&mut self, pin: &str, name: &str) -> Page {
        let mut page = self.opens_page();
        self.joins(&mut page, json!({ "passcode": pin, "name": name }));
        page
    }

    /// An invitation; its ticket.
    pub fn invites(&mut self, role: Role, name: Option<&str>, personal: bool, uses: Option<u32>) -> Secret {
        let mut rng = Rng::from_number(self.pages.opened * 1000 + self.now.mono.since(Default::default()).as_secs());
        let (shown, hash) = draw(&mut rng);
        let right = Right::Enter(Invitation { role, name: name.map(str::to_owned), personal });
        let expires = Some(Utc(self.now.utc.0 + 3_600_000));
        let ticket =
            Ticket { id: TicketId::draw(&mut rng), hash, room: ROOM, right, expires, uses, used: 0, revoked: false };
        assert_eq!(self.ask(Command::PutTicket(Box::new(ticket))), Ok(Reply::Done));
        shown
    }

    /// What a page was told since the last time it was looked at.
    pub fn told(&mut self, page: &Page) -> Vec<ServerMessage> {
        self.pages.told.get_mut(&page.session).map(std::mem::take).unwrap_or_default()
    }

    /// What a page was told last of somebody, since the last time it was looked at.
    pub fn sees(&mut self, page: &Page, who: ParticipantId) -> Option<Person> {
        let told = self.told(page);
        told.into_iter().rev().find_map(|told| match told {
            ServerMessage::Joined { person } | ServerMessage::Changed { person } if person.id == who => Some(*person),
            ServerMessage::Admitted(all) => all.people.into_iter().find(|person| person.id == who),
            _ => None,
        })
    }

    /// The page's connection drops.
    pub fn drops(&mut self, page: &Page) {
        self.pages.closed.insert(page.session);
        self.give(Input::Web(web::Input::Closed { session: page.session }));
    }
}

fn answered(message: &ServerMessage) -> Option<u64> {
    match message {
        ServerMessage::Done { id }
        | ServerMessage::Pong { id }
        | ServerMessage::Answer { id, .. }
        | ServerMessage::Invited { id, .. } => Some(*id),
        ServerMessage::Devices { id, .. } => Some(*id),
        ServerMessage::NotMoved(NotMoved { id, .. }) => Some(*id),
        ServerMessage::Me(me) => me.id,
        ServerMessage::Problem { id, .. } => *id,
        ServerMessage::Welcome(welcome) => welcome.id,
        _ => None,
    }
}

pub fn refused(message: &ServerMessage) -> Option<Code> {
    match message {
        ServerMessage::Problem { code, .. } => Some(*code),
        _ => None,
    }
}
