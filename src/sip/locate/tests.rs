use std::net::IpAddr;

use super::*;

struct Net {
    locator: Locator,
    records: BTreeMap<Question, Lookup>,
    /// Nobody answers.
    silent: bool,
    asked: Vec<String>,
    now: Instant,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Net {
    fn new() -> Self {
        Self {
            locator: Locator::new(Rng::from_number(3)),
            records: BTreeMap::new(),
            silent: false,
            asked: Vec::new(),
            now: Instant::START + seconds(1000),
        }
    }

    fn a(&mut self, name: &str, ips: &[&str], ttl: u64) {
        let addresses: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        let kind = if addresses.iter().all(IpAddr::is_ipv4) { Kind::A } else { Kind::Aaaa };
        let found = Lookup::Found { records: Records::Addresses(addresses), ttl: seconds(ttl) };
        self.records.insert(Question::new(name, kind), found);
    }

    fn srv(&mut self, name: &str, servers: &[(u16, u16, u16, &str)]) {
        let services = servers
            .iter()
            .map(|(priority, weight, port, target)| Srv {
                priority: *priority,
                weight: *weight,
                port: *port,
                target: (*target).to_owned(),
            })
            .collect();
        let found = Lookup::Found { records: Records::Services(services), ttl: seconds(60) };
        self.records.insert(Question::new(name, Kind::Srv), found);
    }

    fn naptr(&mut self, name: &str, pointers: &[(u16, &str, &str)]) {
        let pointers = pointers
            .iter()
            .map(|(order, service, replacement)| Naptr {
                order: *order,
                preference: 50,
                flags: "s".into(),
                service: (*service).into(),
                replacement: (*replacement).into(),
            })
            .collect();
        let found = Lookup::Found { records: Records::Pointers(pointers), ttl: seconds(60) };
        self.records.insert(Question::new(name, Kind::Naptr), found);
    }

    /// What a URI leads to: `udp 192.0.2.1:5060`.
    fn locate(&mut self, uri: &str) -> Vec<String> {
        self.locate_with(uri, &Wish { ipv6: false, ..Wish::default() })
    }

    fn locate_with(&mut self, uri: &str, wish: &Wish) -> Vec<String> {
        let wanted = self.locator.locate(&Uri::parse(uri).unwrap(), wish, self.now);
        loop {
            while let Some(output) = self.locator.poll_output() {
                match output {
                    Output::Located { search, located } if search == wanted => {
                        return located.targets.iter().map(|t| format!("{} {}", t.transport, t.remote)).collect();
                    }
                    Output::Located { .. } => {}
                    Output::Resolve { id, question } => {
                        self.asked.push(format!("{:?} {}", question.kind, question.name));
                        if !self.silent {
                            let nothing = Lookup::Nothing { ttl: seconds(30) };
                            let lookup = self.records.get(&question).cloned().unwrap_or(nothing);
                            self.locator.resolved(id, lookup, self.now);
                        }
                    }
                }
            }
            self.now = self.locator.poll_timeout().expect("a search ends");
            self.locator.handle_timeout(self.now);
        }
    }
}

#[test]
fn an_address_needs_no_dns() {
    let mut net = Net::new();
    assert_eq!(net.locate("sip:192.0.2.7"), ["udp 192.0.2.7:5060"]);
    assert_eq!(net.locate("sip:192.0.2.7:5070;transport=tcp"), ["tcp 192.0.2.7:5070"]);
    assert_eq!(net.locate("sips:[2001:db8::7]"), ["tls [2001:db8::7]:5061"]);
    assert_eq!(net.locate("sip:carrier.example;maddr=192.0.2.9"), ["udp 192.0.2.9:5060"]);
    assert!(net.asked.is_empty());
}

#[test]
fn a_port_or_a_transport_that_is_written_is_honoured() {
    let mut net = Net::new();
    net.a("gw.example", &["192.0.2.1"], 60);
    net.srv("_sip._udp.gw.example", &[(1, 1, 6000, "gw.example")]);
    assert_eq!(net.locate("sip:gw.example:5080"), ["udp 192.0.2.1:5080"]);
    assert_eq!(net.asked, ["A gw.example"], "a port says that there is no service to look for");
    assert_eq!(net.locate("sip:gw.example;transport=udp"), ["udp 192.0.2.1:6000"]);
    assert_eq!(net.locate("sip:gw.example;transport=tls"), ["tls 192.0.2.1:5061"], "no service: the usual port");
}

#[test]
fn naptr_says_which_service_is_wanted_and_its_order_counts() {
    let mut net = Net::new();
    net.naptr(
        "carrier.example",
        &[(20, "SIP+D2U", "_sip._udp.carrier.example"), (10, "SIPS+D2T", "_sips._tcp.carrier.example")],
    );
    net.srv("_sips._tcp.carrier.example", &[(1, 0, 5061, "a.carrier.example")]);
    net.srv("_sip._udp.carrier.example", &[(1, 0, 5060, "b.carrier.example")]);
    net.a("a.carrier.example", &["192.0.2.1"], 60);
    net.a("b.carrier.example", &["192.0.2.2", "192.0.2.3"], 60);
    let all = net.locate("sip:carrier.example");
    assert_eq!(all, ["tls 192.0.2.1:5061", "udp 192.0.2.2:5060", "udp 192.0.2.3:5060"]);
    let udp = Wish { transports: vec![Transport::Udp], ipv6: false, ..Wish::default() };
    assert_eq!(net.locate_with("sip:carrier.example", &udp), ["udp 192.0.2.2:5060", "udp 192.0.2.3:5060"]);
    assert_eq!(net.locate("sips:carrier.example"), ["tls 192.0.2.1:5061"], "nothing but TLS");
}

#[test]
fn lower_priorities_come_first_and_weights_share() {
    let mut net = Net::new();
    net.srv(
        "_sip._udp.carrier.example",
        &[(20, 1, 5060, "last.example"), (10, 70, 5060, "much.example"), (10, 30, 5060, "less.example")],
    );
    net.a("much.example", &["192.0.2.70"], 600);
    net.a("less.example", &["192.0.2.30"], 600);
    net.a("last.example", &["192.0.2.99"], 600);
    let udp = Wish { transports: vec![Transport::Udp], ipv6: false, ..Wish::default() };
    let firsts: Vec<Vec<String>> = (0..1000).map(|_| net.locate_with("sip:carrier.example", &udp)).collect();
    assert!(firsts.iter().all(|found| found.len() == 3 && found[2] == "udp 192.0.2.99:5060"));
    let much = firsts.iter().filter(|found| found[0] == "udp 192.0.2.70:5060").count();
    assert!((620..780).contains(&much), "{much} of 1000 by a weight of 70");
}

#[test]
fn a_domain_without_services_is_its_own_server() {
    let mut net = Net::new();
    net.a("pbx.example", &["192.0.2.8"], 60);
    net.a("pbx.example", &["2001:db8::8"], 60);
    assert_eq!(net.locate_with("sip:PBX.example.", &Wish::default()), ["udp 192.0.2.8:5060", "udp [2001:db8::8]:5060"]);
    assert!(net.locate("sip:nowhere.example").is_empty());
    net.srv("_sip._udp.closed.example", &[(0, 0, 0, ".")]);
    assert!(net.locate("sip:closed.example").is_empty(), "it says that there is no such service");
}

#[test]
fn an_answer_is_kept_for_its_time_and_a_change_is_followed_after_it() {
    let mut net = Net::new();
    net.a("gw.example", &["192.0.2.1"], 30);
    net.locate("sip:gw.example:5060");
    net.a("gw.example", &["192.0.2.2"], 30);
    net.now = net.now + seconds(29);
    assert_eq!(net.locate("sip:gw.example:5060"), ["udp 192.0.2.1:5060"]);
    assert_eq!(net.asked.len(), 1);
    net.now = net.now + seconds(2);
    assert_eq!(net.locate("sip:gw.example:5060"), ["udp 192.0.2.2:5060"]);
}

#[test]
fn while_the_dns_is_gone_old_answers_serve_soon() {
    let mut net = Net::new();
    net.a("gw.example", &["192.0.2.1"], 30);
    net.locate("sip:gw.example:5060");
    net.silent = true;
    net.now = net.now + seconds(3600);
    let began = net.now;
    assert_eq!(net.locate("sip:gw.example:5060"), ["udp 192.0.2.1:5060"]);
    assert!(net.now.since(began) <= PATIENCE, "a call does not wait for a nameserver that is gone");
    let began = net.now;
    assert!(net.locate("sip:unknown.example:5060").is_empty());
    assert!(net.now.since(began) <= DEADLINE, "and not for ever for a name that nobody knows");
}

#[test]
fn a_failed_question_is_not_asked_for_each_call() {
    let mut net = Net::new();
    net.a("gw.example", &["192.0.2.1"], 30);
    net.locate("sip:gw.example:5060");
    net.now = net.now + seconds(100);
    net.records.insert(Question::new("gw.example", Kind::A), Lookup::Failed);
    assert_eq!(net.locate("sip:gw.example:5060"), ["udp 192.0.2.1:5060"], "what was known serves");
    let asked = net.asked.len();
    net.now = net.now + seconds(2);
    assert_eq!(net.locate("sip:gw.example:5060"), ["udp 192.0.2.1:5060"]);
    assert_eq!(net.asked.len(), asked);
}

#[test]
fn a_dead_target_is_tried_last_for_a_while() {
    let mut net = Net::new();
    net.a("gw.example", &["192.0.2.1", "192.0.2.2"], 600);
    let dead = Target::new(Transport::Udp, "192.0.2.1:5060".parse().unwrap());
    net.locator.rest(&dead, REST, net.now);
    assert_eq!(net.locate("sip:gw.example:5060"), ["udp 192.0.2.2:5060", "udp 192.0.2.1:5060"]);
    net.now = net.now + REST;
    assert_eq!(net.locate("sip:gw.example:5060")[0], "udp 192.0.2.1:5060");
}

#[test]
fn names_that_strangers_make_up_fill_nothing() {
    let mut net = Net::new();
    for n in 0..3000 {
        net.locate(&format!("sip:made-up-{n}.example:5060"));
    }
    assert_eq!(net.locator.cache.len(), 2048);
    assert!(net.locator.searches.is_empty() && net.locator.waiting.is_empty() && net.locator.asked.is_empty());
}

#[test]
fn one_question_serves_all_who_ask_it() {
    let mut net = Net::new();
    let wish = Wish { ipv6: false, ..Wish::default() };
    let uri = Uri::parse("sip:gw.example:5060").unwrap();
    let searches: Vec<SearchId> = (0..3).map(|_| net.locator.locate(&uri, &wish, net.now)).collect();
    let Some(Output::Resolve { id, .. }) = net.locator.poll_output() else { panic!("a question") };
    assert_eq!(net.locator.poll_output(), None);
    let addresses = Records::Addresses(vec!["192.0.2.1".parse().unwrap()]);
    net.locator.resolved(id, Lookup::Found { records: addresses, ttl: seconds(9) }, net.now);
    let found: Vec<SearchId> = std::iter::from_fn(|| net.locator.poll_output())
        .map(|output| match output {
            Output::Located { search, .. } => search,
            Output::Resolve { .. } => panic!("asked again"),
        })
        .collect();
    assert_eq!(found, searches);
}
