//! What a configuration says, and what is said of a wrong one.

use super::*;

const EXAMPLE: &str = include_str!("../../ringlift.example.toml");

fn problems(text: &str) -> Vec<String> {
    match Config::parse(text, []) {
        Ok(config) => config.check().iter().map(ToString::to_string).collect(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_example_is_the_defaults_and_has_every_key_with_its_reason() {
    assert_eq!(Config::parse(EXAMPLE, []).unwrap(), Config::default());
    let known = toml::Table::try_from(Config::default()).unwrap();
    let example: toml::Table = EXAMPLE.parse().unwrap();
    for (section, keys) in &known {
        for key in keys.as_table().unwrap().keys() {
            assert!(
                example.get(section).and_then(|keys| keys.get(key)).is_some(),
                "{section}.{key} is not in the example"
            );
        }
    }
    // A group of keys has a comment above it.
    let mut explained = false;
    for line in EXAMPLE.lines() {
        match line.chars().next() {
            Some('#') => explained = true,
            Some('[') | None => explained = false,
            Some(_) => assert!(explained, "nothing explains: {line}"),
        }
    }
}

#[test]
fn nothing_configured_works_and_listens_on_this_machine_alone() {
    let config = Config::parse("", []).unwrap();
    assert_eq!(config.check(), []);
    assert!(config.sip.listen.iter().all(|listen| listen.address.ip().is_loopback()));
    assert!(config.media.listen.iter().all(IpAddr::is_loopback));
    assert!(config.api.listen.iter().all(|address| address.ip().is_loopback()));
}

#[test]
fn a_mistake_is_named_with_what_to_write_instead() {
    for (text, says) in [
        ("[sip]\nlisen = []", "sip.lisen: is no key of the configuration; did you mean sip.listen?"),
        ("[meida]\npacket = 20", "meida: is no key of the configuration; did you mean media?"),
        (
            "[node]\nmax_calls = 5",
            "node.max_calls: is no key of the configuration; did you mean limits.max_calls or operator_limits.max_calls or sip.max_calls?",
        ),
        ("[node]\ncolour = 1", "node.colour: is no key of the configuration; ringlift.example.toml has them all"),
        (
            "advertised = \"x\"",
            "advertised: is no key of the configuration; did you mean sip.advertised or web.advertised?",
        ),
        ("sip = 5", "sip: is a section: write [sip] on a line of its own, not 5"),
        (
            "[sip]\nlisten = \"udp:0.0.0.0:5060\"",
            "sip.listen: invalid type: string \"udp:0.0.0.0:5060\", expected a sequence",
        ),
        ("[sip]\nlisten = [\"0.0.0.0:5060\"]", "sip.listen: `0.0.0.0:5060` is no place to listen"),
        ("[sip]\nt1 = 500", "sip.t1: invalid type: integer `500`, expected a string"),
        ("[sip]\nt1 = \"half\"", "sip.t1: `half` is no length of time"),
        (
            "[media]\ncodecs = [\"G729\"]",
            "media.codecs: unknown variant `G729`, expected one of `PCMU`, `PCMA`, `G722`",
        ),
        ("[media]\nfirst_port = 99999", "media.first_port: invalid value: integer `99999`, expected u16"),
        ("[sip\n", "line 1 of the configuration is not TOML"),
        ("[sip]\nt1 = \n", "line 2 of the configuration is not TOML"),
        ("[api]\ntrusted_proxies = [\"proxy\"]", "api.trusted_proxies: `proxy` is not a network"),
        // What can be read, but cannot work.
        ("[sip]\nlisten = []", "sip.listen: nobody can call"),
        (
            "[sip]\nlisten = [\"udp:127.0.0.1:5060\", \"udp:127.0.0.1:5060\"]",
            "sip.listen: udp:127.0.0.1:5060 is taken twice",
        ),
        ("[sip]\nlisten = [\"tcp:127.0.0.1:8080\"]", "sip.listen: 127.0.0.1:8080 is api.listen too"),
        ("[sip]\nlisten = [\"tls:127.0.0.1:5061\"]", "sip.tls_certificate: sip.listen has a tls entry"),
        ("[sip]\ntls_certificate = \"a.pem\"", "sip.tls_key: sip.tls_certificate is set"),
        ("[sip]\nadvertised = \"0.0.0.0\"", "sip.advertised: nobody can send to 0.0.0.0"),
        ("[sip]\nadvertised = \"gw.example:5060\"", "sip.advertised: `gw.example:5060` is no host"),
        ("[sip]\nadvertised = \"not a host\"", "sip.advertised: `not a host` is no host name"),
        (
            "[sip]\nadvertised = \"203.0.113.5\"",
            "sip.advertised: 203.0.113.5 is advertised, but sip.listen takes calls from this machine only",
        ),
        (
            "[sip]\nlisten = [\"udp:0.0.0.0:5060\"]\nadvertised = \"127.0.0.1\"",
            "sip.advertised: 127.0.0.1 is this machine only",
        ),
        (
            "[sip]\nlisten = [\"udp:203.0.113.5:5060\"]\nadvertised = \"192.168.1.5\"\n[media]\nlisten = [\"0.0.0.0\"]",
            "sip.advertised: 192.168.1.5 is private",
        ),
        (
            "[sip]\nlisten = [\"udp:0.0.0.0:5060\"]",
            "media.listen: sip.listen is open to others in IPv4, but audio is bound to this machine: add \"0.0.0.0\"",
        ),
        (
            "[media]\nlisten = [\"127.0.0.1\"]",
            "media.listen: sip.listen takes IPv6 calls, but no IPv6 address is listed",
        ),
        ("[media]\nfirst_port = 20001", "media.first_port: must be even"),
        ("[media]\nlast_port = 19999", "media.last_port: must be above media.first_port"),
        ("[media]\nlast_port = 20999", "media.last_port: the range holds 500 calls, but sip.max_calls is 2000"),
        ("[sip]\nlisten = [\"udp:127.0.0.1:25060\"]", "media.first_port: the range holds port 25060"),
        ("[media]\npacket = 25", "media.packet: 25 ms is not sent"),
        ("[media]\ncodecs = []", "media.codecs: list at least one"),
        ("[web]\nlisten = [\"udp:127.0.0.1:20001\"]", "web.listen: udp:127.0.0.1:20001 is within media.first_port"),
        ("[web]\nlisten = [\"tcp:127.0.0.1:8080\"]", "web.listen: tcp:127.0.0.1:8080 is taken by another section"),
        ("[web]\nlisten = [\"tls:127.0.0.1:8189\"]", "web.listen: tls:127.0.0.1:8189 is encrypted already"),
        ("[web]\nadvertised = [\"example.org\"]", "web.advertised: `example.org` is no address"),
        ("[web]\nadvertised = [\"203.0.113.5\"]", "web.advertised: 203.0.113.5 is advertised, but web.listen"),
        ("[web]\nadvertised = [\"2001:db8::1\"]", "web.advertised: 2001:db8::1 is of a family"),
        ("[web]\nmax_peers = 0", "web.max_peers: 0 lets no browser in"),
        ("[web]\nturn_urls = [\"turn.example.org\"]", "web.turn_urls: `turn.example.org` is no server"),
        ("[web]\nturn_urls = [\"turn:turn.example.org\"]", "web.turn_secret: web.turn_urls is set"),
        ("[web]\nturn_lifetime = \"1s\"", "web.turn_lifetime: must be at least 1m"),
        ("[codes]\nlasts = \"1h\"", "codes.lasts: must be 10s to 10m"),
        ("[codes]\nprinted_lasts = \"1s\"", "codes.printed_lasts: must be 1m to 1825d"),
        ("[codes]\nprinted_per_hour = 0", "codes.printed_per_hour: must be 1 to 10000"),
        ("[codes]\nbegin_burst = 0", "codes.begin_burst: must be 1 to 1000"),
        ("[codes]\nconfirm = \"everybody\"", "codes.confirm:"),
        ("[callback]\nkey_burst = 0", "callback.key_burst: must be 1 to 1000"),
        ("[callback]\nkey_refill = \"0s\"", "callback.key_refill: must be 1s to 1d"),
        ("[attendant]\ntries = 0", "attendant.tries: must be from 1 to 10"),
        ("[attendant]\nlanguages = [\"English\"]", "attendant.languages: `English` is no language"),
        ("[throttle]\npin_burst = 0", "throttle.pin_burst: 0 would let nobody in"),
        ("[keys.zoom]\n\"*6\" = \"mute\"", "keys.zoom: is built in"),
        ("[keys.mine]\n\"star\" = \"mute\"", "keys.mine: `star` cannot be keyed"),
        ("[prompts]\ndirectory = \"/no/such/directory\"", "prompts.directory: /no/such/directory is no directory"),
        ("[api]\nlisten = [\"0.0.0.0:8080\"]", "api.listen: 0.0.0.0:8080 carries API keys in plain HTTP"),
        ("[dns]\nservers = [\"ns.example\"]", "dns.servers: `ns.example` is no nameserver"),
        ("[dns]\nservers = [\"0.0.0.0\"]", "dns.servers: nobody answers at 0.0.0.0:53"),
        ("[profiles]\ndirectory = \"/no/such/directory\"", "profiles.directory: /no/such/directory cannot be read"),
        ("[routing]\ncountry = \"+49\"", "routing.country: `+49` is none: write digits only"),
        ("[routing]\noutward = [\"Carrier\"]", "routing.outward: not an id of the form trunk_"),
        ("[limits]\ncountries = [\"Germany\"]", "limits.countries/0: `Germany` is no country"),
        ("[limits]\ncalls_per_second = 0", "limits.calls_per_second: 0 would let nobody call"),
        ("[limits]\nmax_cals = 5", "limits.max_cals: is no key of the configuration; did you mean limits.max_calls?"),
        ("[stir]\nanchors = \"/no/such/directory\"", "stir.anchors: /no/such/directory is no directory"),
        ("[sms]\nprovider = \"nexmo\"", "sms.provider: unknown variant `nexmo`, expected one of `outbox`, `twilio`"),
        ("[sms]\nprovider = \"twilio\"", "sms.account: is empty: write the Account SID"),
        ("[sms]\nprovider = \"twilio\"\naccount = \"AC1\"", "sms.secret: is empty"),
        ("[sms]\nprovider = \"telnyx\"\nsecret = \"KEY\"", "sms.from: is empty: write the number"),
        ("[sms]\nprovider = \"telnyx\"\nfrom = \"call me maybe\"", "sms.from: `call me maybe` is no sender"),
        ("[sms]\nprovider = \"https\"\nurl = \"http://sms.example\"", "sms.url: is plain HTTP to another machine"),
        ("[sms]\nprovider = \"vonage\"", "api.public_url: is empty: the provider cannot tell"),
        ("[sms]\nsecret = \"x\"", "sms.provider: is \"outbox\": no text leaves this node"),
        ("[sms]\nprovider = \"telnyx\"\n[api]\npublic_url = \"https://gw.example\"", "sms.signing_key: is empty"),
        ("[api]\npublic_url = \"gw.example\"", "api.public_url: `gw.example` is no address"),
        ("[api]\ntls_listen = [\"0.0.0.0:443\"]", "api.tls_listen: needs a certificate: say in [api.tls] which"),
        ("[api.tls]\nself_signed = true", "api.tls_listen: api.tls is set: say where HTTPS is served"),
        ("[api.tls]\nself_signed = true\nacme = { domains = [\"a.example\"] }", "api.tls: has more than one of"),
        ("[api]\ntls = { self_sign = true }", "api.tls: unknown field `self_sign`, expected one of `certificate`"),
        ("[api.tls]\ncertificate = \"a.pem\"", "api.tls.key: api.tls.certificate is set"),
        ("[api.tls]\nkey = \"a.pem\"", "api.tls.certificate: api.tls.key is set"),
        ("[api.tls]\nkey = \"/no.pem\"\ncertificate = \"/no.pem\"", "api.tls.certificate: /no.pem cannot be read"),
        ("[api.tls.acme]\ncontact = \"a@example.org\"", "api.tls.acme.domains: is empty"),
        (
            "[api.tls.acme]\ndomains = [\"*.example.org\"]",
            "api.tls.acme.domains: `*.example.org` can be proved by DNS only",
        ),
        ("[api.tls.acme]\ndomains = [\"localhost\"]", "api.tls.acme.domains: `localhost` is no name"),
        (
            "[api.tls.acme]\ndomains = [\"a.example\"]\ncontact = \"me\"",
            "api.tls.acme.contact: `me` is no mail address",
        ),
        (
            "[api.tls.acme]\ndomains = [\"a.example\"]\ndirectory = \"http://ca.example/\"",
            "api.tls.acme.directory: `http://ca.example/` is no",
        ),
        (
            "[api.tls.acme]\ndomains = [\"a.example\"]\nchallenge = \"dns-01\"",
            "api.tls: unknown variant `dns-01`, expected `http-01`",
        ),
        ("[api.tls.acme]\ndomains = [\"a.example\"]", "api.listen: the authority asks at port 80, which is not listed"),
        ("[log]\nlevel = \"info,ringlift=loud\"", "log.level: `info,ringlift=loud` cannot be read"),
    ] {
        let found = problems(text);
        assert!(found.iter().any(|problem| problem.starts_with(says)), "{text:?} says {found:?}");
    }
}

#[test]
fn every_mistake_is_reported_at_once() {
    assert_eq!(problems("[sip]\nt1 = 5\nt3 = 5\n[log]\nformat = \"xml\"").len(), 3);
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = [
        ("RINGLIFT_SIP__ADVERTISED", "203.0.113.5"),
        ("RINGLIFT_MEDIA__CODECS", "PCMU, PCMA"),
        ("RINGLIFT_SIP__LISTEN", "[\"udp:0.0.0.0:5062\"]"),
        ("RINGLIFT_SIP__MAX_CALLS", "7"),
        ("HOME", "/"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::parse("[sip]\nmax_calls = 5\nadvertised = \"192.0.2.1\"", environment).unwrap();
    assert_eq!(config.sip.advertised, "203.0.113.5");
    assert_eq!(config.sip.max_calls, 7);
    assert_eq!(config.sip.listen.len(), 1);
    assert_eq!(config.media.codecs, [Codec::Pcmu, Codec::Pcma]);
    let wrong = [("RINGLIFT_SIP__MAXCALLS".to_owned(), "7".to_owned())];
    let problems = Config::parse("", wrong).unwrap_err();
    assert_eq!(problems[0].key, "sip.maxcalls");
    assert!(
        problems[0].text.contains("did you mean sip.max_calls?") && problems[0].text.contains("RINGLIFT_SIP__MAXCALLS")
    );
}

#[test]
fn a_certificate_and_a_key_must_belong_together() {
    let directory = std::env::temp_dir().join(format!("ringlift-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let make = |name: &str| {
        let pair = rcgen::generate_simple_self_signed(["gw.example".to_owned()]).unwrap();
        let paths = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
        std::fs::write(&paths.0, pair.cert.pem()).unwrap();
        std::fs::write(&paths.1, pair.signing_key.serialize_pem()).unwrap();
        paths
    };
    let (one, other) = (make("one"), make("other"));
    let with = |certificate: &Path, key: &Path| {
        problems(&format!(
            "[sip]\nlisten = [\"tls:127.0.0.1:5061\"]\ntls_certificate = {:?}\ntls_key = {:?}\n[media]\nlisten = [\"127.0.0.1\"]",
            certificate, key
        ))
    };
    assert_eq!(with(&one.0, &one.1), [""; 0]);
    assert!(with(&one.0, &other.1)[0].contains("is not the key of the certificate"));
    assert!(with(&one.1, &one.1)[0].contains("holds no"), "{:?}", with(&one.1, &one.1));
    assert!(with(&directory.join("none"), &one.1)[0].contains("cannot be read"));
    std::fs::remove_dir_all(&directory).unwrap();
}
