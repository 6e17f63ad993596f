use bytes::Bytes;

use super::*;
use crate::base::Utc;
use crate::sip::transport::Transport;
use crate::wire::sip::Message;

const ANNA: ExtensionId = ExtensionId::from_bits(101);

struct Desk {
    registrar: Registrar,
    now: Now,
    seq: u32,
    max_contacts: usize,
}

fn source(transport: Transport, remote: &str) -> Source {
    let flow = transport.is_reliable().then_some(FlowId(7));
    Source { transport, local: "198.51.100.1:5060".parse().unwrap(), remote: remote.parse().unwrap(), flow }
}

impl Desk {
    fn new() -> Self {
        let now = Now { mono: Instant::START + Duration::from_secs(100), utc: Utc(1_289_690_940_000) };
        Self { registrar: Registrar::new(Settings::default()), now, seq: 0, max_contacts: 3 }
    }

    /// Registers over UDP from a private network's NAT.
    fn register(&mut self, lines: &str) -> Reply {
        self.register_from(lines, source(Transport::Udp, "203.0.113.5:41000"))
    }

    fn register_from(&mut self, lines: &str, source: Source) -> Reply {
        self.seq += 1;
        let seq = self.seq;
        self.register_as(lines, source, "call-1", seq)
    }

    fn register_as(&mut self, lines: &str, source: Source, call_id: &str, seq: u32) -> Reply {
        let via = source.transport.via_name();
        let text = format!(
            "REGISTER sip:example.org SIP/2.0\nVia: SIP/2.0/{via} 10.0.0.5:5060;branch=z9hG4bK{seq};rport\n\
             From: <sip:101@example.org>;tag=1\nTo: <sip:101@example.org>\nCall-ID: {call_id}\n\
             CSeq: {seq} REGISTER\nUser-Agent: Yealink SIP-T46U 108.86.0.45\n{lines}\n\n"
        );
        let text = text.replace('\n', "\r\n").replace("\r\n\r\n\r\n", "\r\n\r\n");
        let Ok(Message::Request(request)) = Message::parse(&Bytes::from(text)) else { panic!("no request") };
        let account = Account { extension: ANNA, max_contacts: self.max_contacts, profile: Arc::from("yealink") };
        self.registrar.register(&account, &request, &source, self.now)
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self.registrar.handle_timeout(self.now);
    }

    fn uris(&self) -> Vec<String> {
        self.registrar.targets(ANNA).iter().map(|contact| contact.uri.to_string()).collect()
    }

    fn changes(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.registrar.poll_change())
            .map(|change| match change {
                Change::Registered { contact, .. } => format!("+{}", contact.uri),
                Change::Unregistered { contact, why, .. } => format!("-{} {why:?}", contact.uri),
            })
            .collect()
    }
}

fn all<'a>(reply: &'a Reply, name: &Name) -> Vec<&'a str> {
    reply.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

#[test]
fn a_phone_behind_nat_is_called_where_its_register_came_from() {
    let mut desk = Desk::new();
    let reply = desk.register("Contact: <sip:101@10.0.0.5:5060>;q=0.5\nExpires: 300");
    assert_eq!(reply.status, Status::OK);
    assert_eq!(all(&reply, &Name::Contact), ["<sip:101@10.0.0.5:5060>;expires=300;q=0.500"]);
    assert_eq!(all(&reply, &Name::Date), ["Sat, 13 Nov 2010 23:29:00 GMT"]);
    let [phone] = &desk.registrar.targets(ANNA)[..] else { panic!("one phone") };
    assert_eq!(phone.target.remote, "203.0.113.5:41000".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!(phone.target.local, Some("198.51.100.1:5060".parse().unwrap()), "by the hole that it made");
    assert!(phone.behind_nat);
    assert_eq!((phone.q, &*phone.profile, phone.user_agent.as_str()), (500, "yealink", "Yealink SIP-T46U 108.86.0.45"));
    assert_eq!(desk.changes(), ["+sip:101@10.0.0.5:5060"]);
}

#[test]
fn a_registration_is_refreshed_and_else_runs_out() {
    let mut desk = Desk::new();
    desk.register("Contact: <sip:101@10.0.0.5:5060>;expires=120");
    desk.changes();
    desk.pass(100);
    desk.register("Contact: <sip:101@10.0.0.5:5060>;expires=120");
    assert_eq!(desk.changes(), Vec::<String>::new(), "a refresh is no news");
    desk.pass(119);
    assert!(desk.registrar.is_registered(ANNA));
    desk.pass(1);
    assert_eq!(desk.changes(), ["-sip:101@10.0.0.5:5060 Expired"]);
    assert!(desk.registrar.is_empty() && desk.registrar.poll_timeout().is_none());
}

#[test]
fn too_short_a_registration_is_told_the_shortest_and_too_long_a_one_is_cut() {
    let mut desk = Desk::new();
    let reply = desk.register("Contact: <sip:101@10.0.0.5>;expires=10");
    assert_eq!((reply.status, all(&reply, &Name::MinExpires)), (Status::INTERVAL_TOO_BRIEF, vec!["60"]));
    assert!(desk.registrar.is_empty());
    let reply = desk.register("Contact: <sip:101@10.0.0.5>\nExpires: 4294967295");
    assert_eq!(all(&reply, &Name::Contact), ["<sip:101@10.0.0.5>;expires=3600"]);
}

#[test]
fn a_phone_unregisters_alone_or_everybody_with_a_star() {
    let mut desk = Desk::new();
    desk.register("Contact: <sip:a@10.0.0.5>, <sip:b@10.0.0.6>;q=0.3");
    assert_eq!(desk.uris(), ["sip:a@10.0.0.5", "sip:b@10.0.0.6"], "the most wanted first");
    desk.register("Contact: <sip:a@10.0.0.5>;expires=0");
    assert_eq!(desk.uris(), ["sip:b@10.0.0.6"]);
    assert_eq!(desk.register("Contact: *\nExpires: 600").status, Status::BAD_REQUEST);
    assert_eq!(desk.register("Contact: *\nContact: <sip:b@10.0.0.6>\nExpires: 0").status, Status::BAD_REQUEST);
    assert_eq!(desk.uris(), ["sip:b@10.0.0.6"], "nothing of a bad request is done");
    let reply = desk.register("Contact: *\nExpires: 0");
    assert_eq!((reply.status, all(&reply, &Name::Contact).len()), (Status::OK, 0));
    assert!(desk.registrar.is_empty());
}

#[test]
fn a_register_without_contact_asks_what_there_is() {
    let mut desk = Desk::new();
    desk.register("Contact: <sip:a@10.0.0.5>;expires=90");
    desk.pass(30);
    let reply = desk.register("Max-Forwards: 70");
    assert_eq!(all(&reply, &Name::Contact), ["<sip:a@10.0.0.5>;expires=60"]);
}

#[test]
fn one_request_with_too_many_contacts_is_refused_and_a_further_phone_takes_the_oldest_place() {
    let mut desk = Desk::new();
    desk.max_contacts = 2;
    let reply = desk.register("Contact: <sip:a@10.0.0.5>, <sip:b@10.0.0.6>, <sip:c@10.0.0.7>");
    assert_eq!(reply.status, Status::FORBIDDEN);
    for (user, seconds) in [("a", 1), ("b", 2), ("c", 3)] {
        desk.pass(seconds);
        let far = source(Transport::Udp, "203.0.113.5:41000");
        desk.register_as(&format!("Contact: <sip:{user}@10.0.0.5>"), far, user, 1);
    }
    assert_eq!(desk.uris(), ["sip:c@10.0.0.5", "sip:b@10.0.0.5"], "those heard of last");
    assert!(desk.changes().contains(&"-sip:a@10.0.0.5 Replaced".to_owned()));
}

#[test]
fn a_request_that_comes_late_changes_nothing() {
    let mut desk = Desk::new();
    let far = source(Transport::Udp, "203.0.113.5:41000");
    desk.register_as("Contact: <sip:a@10.0.0.5>", far, "one", 5);
    let late = desk.register_as("Contact: <sip:a@10.0.0.5>;expires=0", far, "one", 4);
    assert_eq!(late.status, Status::SERVER_INTERNAL_ERROR);
    assert!(desk.registrar.is_registered(ANNA));
    // Started anew it counts from one again, under another Call-ID.
    assert_eq!(desk.register_as("Contact: <sip:a@10.0.0.5>;expires=0", far, "two", 1).status, Status::OK);
    assert!(desk.registrar.is_empty());
}

#[test]
fn a_phone_is_gone_with_the_connection_it_registered_by() {
    let mut desk = Desk::new();
    let by_tcp = source(Transport::Tcp, "203.0.113.5:50123");
    desk.register_from("Contact: <sip:101@10.0.0.5:5060;transport=tcp>", by_tcp);
    assert_eq!(desk.registrar.targets(ANNA)[0].target.flow, Some(FlowId(7)));
    desk.registrar.flow_closed(FlowId(8));
    assert!(desk.registrar.is_registered(ANNA), "another's connection");
    desk.registrar.flow_closed(FlowId(7));
    assert!(desk.registrar.is_empty());
    assert!(desk.changes().contains(&"-sip:101@10.0.0.5:5060;transport=tcp ConnectionClosed".to_owned()));
    // One that is where it says may be called by a new connection.
    desk.register_from("Contact: <sip:101@203.0.113.5:5070;transport=tcp>", by_tcp);
    desk.registrar.flow_closed(FlowId(7));
    let target = desk.registrar.targets(ANNA)[0].target;
    assert_eq!((target.flow, target.remote), (None, "203.0.113.5:5070".parse().unwrap()));
}

#[test]
fn an_outbound_phone_is_one_telephone_by_however_many_ways() {
    let mut desk = Desk::new();
    let device = "+sip.instance=\"<urn:uuid:0001>\"";
    let lines = |port: u16, way: u32| {
        format!("Supported: path, outbound\nContact: <sip:101@10.0.0.5:{port};ob>;{device};reg-id={way}")
    };
    let reply = desk.register(&lines(5060, 1));
    assert_eq!(all(&reply, &Name::Require), ["outbound"]);
    assert_eq!(all(&reply, &Name::Contact), [&format!("<sip:101@10.0.0.5:5060;ob>;expires=3600;{device};reg-id=1")]);
    desk.pass(1);
    desk.register(&lines(5062, 2));
    assert_eq!(desk.registrar.len(), 2);
    assert_eq!(desk.uris(), ["sip:101@10.0.0.5:5062;ob"], "called once, by its latest way");
    desk.pass(1);
    desk.register(&lines(6000, 1));
    assert_eq!(desk.registrar.len(), 2, "the same way under another port");
    // Through somebody who keeps no flow, the way would be a lie (RFC 5626 §6).
    let proxied = format!("Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKp\n{}", lines(5060, 3));
    assert_eq!(desk.register(&proxied).status, Status::FIRST_HOP_LACKS_OUTBOUND);
}

#[test]
fn a_phone_that_came_back_under_another_port_is_not_two_telephones() {
    let mut desk = Desk::new();
    desk.register("Contact: <sip:101@10.0.0.5:1111>;+sip.instance=\"<urn:uuid:7>\"");
    desk.register("Contact: <sip:101@10.0.0.5:2222>;+sip.instance=\"<urn:uuid:7>\"");
    assert_eq!(desk.uris(), ["sip:101@10.0.0.5:2222"]);
}

#[test]
fn calls_go_back_by_the_path_that_the_register_came() {
    let mut desk = Desk::new();
    let reply = desk.register(
        "Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKp\nPath: <sip:edge.example.net;lr>\nSupported: path\nContact: <sip:101@10.0.0.5>",
    );
    assert_eq!(all(&reply, &Name::Path), ["<sip:edge.example.net;lr>"]);
    let [phone] = &desk.registrar.targets(ANNA)[..] else { panic!("one phone") };
    assert_eq!(phone.routes.len(), 1);
    assert_eq!(phone.target.remote, "203.0.113.5:41000".parse::<std::net::SocketAddr>().unwrap(), "to the edge");
    assert!(!phone.behind_nat, "what is behind the edge is the edge's matter");
}

#[test]
fn a_phone_that_asks_for_no_rport_is_taken_at_its_word_where_it_is() {
    let mut desk = Desk::new();
    let text = "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKx\r\n\
                From: <sip:101@x>;tag=1\r\nTo: <sip:101@x>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\
                Contact: <sip:101@203.0.113.5:5099>\r\n\r\n";
    let Ok(Message::Request(request)) = Message::parse(&Bytes::from(text)) else { panic!("no request") };
    let account = Account { extension: ANNA, max_contacts: 1, profile: Arc::from("generic") };
    let source = source(Transport::Udp, "203.0.113.5:41000");
    desk.registrar.register(&account, &request, &source, desk.now);
    assert_eq!(
        desk.registrar.targets(ANNA)[0].target.remote,
        "203.0.113.5:5099".parse::<std::net::SocketAddr>().unwrap()
    );
}

#[test]
fn contacts_that_cannot_be_called_are_refused() {
    let mut desk = Desk::new();
    assert_eq!(desk.register("Contact: <mailto:anna@example.org>").status, Status::BAD_REQUEST);
    assert_eq!(desk.register("Contact: <tel:+4930901820>").status, Status::BAD_REQUEST);
}

#[test]
fn there_is_an_end_to_how_many_are_held() {
    let mut desk = Desk::new();
    desk.registrar = Registrar::new(Settings { most: 1, ..Settings::default() });
    assert_eq!(desk.register("Contact: <sip:a@10.0.0.5>").status, Status::OK);
    assert_eq!(desk.register("Contact: <sip:b@10.0.0.5>").status, Status::SERVICE_UNAVAILABLE);
    assert_eq!(desk.register("Contact: <sip:a@10.0.0.5>").status, Status::OK, "who is there stays");
}
