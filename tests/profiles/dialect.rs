//! A carrier's or phone's dialect as SIPp speaks it: what goes into the scenarios.

use ringlift::profile::{
    DtmfMode, HoldStyle, IdentityHeader, NumberStyle, Profile, Quirk, ReferSupport, SrtpPolicy, Support,
};
use ringlift::wire::codec::Codec;

/// One far end of the matrix.
pub struct Far {
    pub profile: Profile,
    /// Its place in the matrix: the third number of its address and part of its telephone numbers.
    pub place: u8,
}

/// What SIPp offers telephone-events as.
const EVENTS: u8 = 101;

impl Far {
    /// Its address of loopback.
    pub fn address(&self) -> [u8; 4] {
        [127, 0, self.place, 1]
    }

    /// The number that it dials to reach the house; in E.164.
    pub fn called(&self) -> String {
        format!("+499800{:02}", self.place)
    }

    /// The number by which it is reached; in E.164.
    pub fn number(&self) -> String {
        format!("+499900{:02}", self.place)
    }

    /// Somebody else whom it reaches, and we through it; in E.164.
    pub fn neighbour(&self) -> String {
        format!("+499910{:02}", self.place)
    }

    fn caller(&self) -> String {
        format!("+4930555{:02}", self.place)
    }

    /// Whether its calls are handed over by REFER, without or with Replaces.
    pub fn is_referred(&self, to_its_own: bool) -> bool {
        match self.profile.refer.sends {
            ReferSupport::None => false,
            ReferSupport::Blind => !to_its_own,
            ReferSupport::Attended => true,
        }
    }

    /// Fills a scenario in. `target` is whom it hands calls over to, `house` the number that we call it from.
    pub fn fill(&self, scenario: &str, target: &str, house: &str) -> String {
        let profile = &self.profile;
        let written = |number: &str, style: NumberStyle| match style {
            NumberStyle::E164Plus => number.to_owned(),
            NumberStyle::E164 | NumberStyle::National => number.trim_start_matches('+').to_owned(),
        };
        let rules = &profile.numbers;
        let called = written(&self.called(), rules.called);
        let caller = written(&self.caller(), rules.caller);
        let dialled = format!("{}{}", rules.tech_prefix, written(&self.number(), rules.called));
        let neighbour = format!("{}{}", rules.tech_prefix, written(&self.neighbour(), rules.called));
        let house = pattern(&written(house, rules.caller));
        let timer = profile.session_timer.mode != Support::Off;
        let session = match timer {
            true => "Session-Expires: 1800;refresher=uac\n    ".to_owned(),
            false => String::new(),
        };
        let check_session = match timer {
            true => {
                r#"<ereg regexp="1800;refresher=uac" search_in="hdr" header="Session-Expires:" check_it="true" assign_to="session"/>"#
            }
            false => "",
        };
        let mut options = Vec::new();
        options.extend(timer.then_some("timer"));
        options.extend((profile.prack != Support::Off).then_some("100rel"));
        options.extend((profile.refer.sends == ReferSupport::Attended).then_some("replaces"));
        let supported = match options.is_empty() {
            true => String::new(),
            false => format!("Supported: {}\n    ", options.join(", ")),
        };
        let identity = self.identity(&caller);
        let user_phone = if rules.user_phone { ";user=phone" } else { "" };
        let refresh = if profile.update {
            include_str!("scenarios/refresh_update.part")
        } else {
            include_str!("scenarios/refresh_invite.part")
        };
        let challenge =
            if profile.has(Quirk::ChallengesInvite) { include_str!("scenarios/challenge.part") } else { "" };
        let progress = if profile.refer.notify {
            include_str!("scenarios/progress.part")
        } else {
            include_str!("scenarios/leaves.part")
        };
        let check_header = |header: &str, variable: &str, is: &str| {
            let check = format!(
                r#"<ereg regexp="{is}" search_in="hdr" header="{header}:" check_it="true" assign_to="{variable}"/>"#
            );
            (check, format!(",{variable}"))
        };
        let (check_identity, identity_variable) = match profile.identity.write {
            IdentityHeader::Pai => check_header("P-Asserted-Identity", "identity", &format!("sip:{house}@")),
            IdentityHeader::Rpid => check_header("Remote-Party-ID", "identity", &format!("sip:{house}@")),
            IdentityHeader::From => Default::default(),
        };
        let (check_credentials, credentials_variable) = match profile.has(Quirk::ChallengesInvite) {
            true => check_header("Proxy-Authorization", "credentials", "nc=00000001"),
            false => Default::default(),
        };
        let from = if profile.identity.from_is_account { "account" } else { &house };
        let first = profile.media.codecs.first().copied();
        let encrypted = profile.srtp.policy == SrtpPolicy::Require;
        let (our_hold, held_answer) = match profile.hold {
            HoldStyle::SendOnly => ("a=sendonly", "recvonly"),
            HoldStyle::Inactive => ("a=inactive", "inactive"),
            HoldStyle::ZeroAddress => ("c=IN IP4 0.0.0.0", "recvonly"),
        };
        let host = if profile.refer.uri.is_empty() { "" } else { &format!("127.0.{}.1", self.place) };
        let refer_to = format!("sip:{}@{host}", pattern(&neighbour));
        let agent = profile.user_agents.first().cloned().unwrap_or_else(|| profile.name.clone());
        let mut text = scenario
            .replace("{{answered}}", include_str!("scenarios/answered.part"))
            .replace("{{refresh}}", refresh)
            .replace("{{challenge}}", challenge)
            .replace("{{progress}}", progress);
        for (name, value) in [
            ("name", profile.name.as_str()),
            ("about", &profile.about.replace("--", "-")),
            ("called_pattern", &pattern(&dialled)),
            ("called", &called),
            ("caller", &caller),
            ("account", "account"),
            ("user_phone", user_phone),
            ("allow", &self.allow()),
            ("identity_variable", &identity_variable),
            ("credentials_variable", &credentials_variable),
            ("check_credentials", &check_credentials),
            ("identity", &identity),
            ("supported", &supported),
            ("session_variable", if timer { ",session" } else { "" }),
            ("session", &session),
            ("check_session", check_session),
            ("check_identity", &check_identity),
            ("from_pattern", &format!("sip:{from}@")),
            ("agent", &agent),
            ("protocol", if encrypted { "RTP/SAVP" } else { "RTP/AVP" }),
            ("offer_protocol", if encrypted { "RTP/SAVP" } else { "RTP/AVP" }),
            ("answer_type", "[0-9]+"),
            ("first_type", &first.map_or("[0-9]+".to_owned(), type_pattern)),
            ("our_hold", our_hold),
            ("held_answer", held_answer),
            ("hold_sdp", &self.hold()),
            ("resumed_sdp", &format!("{}\n    a=sendrecv", self.sdp(3, "[local_ip]"))),
            ("sdp", &self.sdp(1, "[local_ip]")),
            ("refer_to", &refer_to),
            ("target", &written(target, rules.called)),
            ("place", &self.place.to_string()),
        ] {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        assert!(!text.contains("{{"), "left open: {}", &text[text.find("{{").unwrap()..]);
        text
    }

    fn identity(&self, caller: &str) -> String {
        let uri = format!("<sip:{caller}@carrier.example>");
        match self.profile.identity.read {
            IdentityHeader::Pai if self.profile.has(Quirk::TwoIdentities) => {
                format!(
                    "P-Asserted-Identity: <sip:line@carrier.example>\n    P-Asserted-Identity: <tel:{caller}>\n    "
                )
            }
            IdentityHeader::Pai => format!("P-Asserted-Identity: {uri}\n    "),
            IdentityHeader::Rpid => format!("Remote-Party-ID: {uri};party=calling\n    "),
            IdentityHeader::From => String::new(),
        }
    }

    fn allow(&self) -> String {
        let profile = &self.profile;
        let mut methods = vec!["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"];
        methods.extend(profile.update.then_some("UPDATE"));
        methods.extend((profile.prack != Support::Off).then_some("PRACK"));
        methods.extend((profile.refer.sends != ReferSupport::None).then_some("REFER"));
        methods.extend(profile.refer.notify.then_some("NOTIFY"));
        methods.extend((profile.media.dtmf == DtmfMode::Info).then_some("INFO"));
        methods.join(", ")
    }

    fn hold(&self) -> String {
        match self.profile.hold {
            HoldStyle::SendOnly => format!("{}\n    a=sendonly", self.sdp(2, "[local_ip]")),
            HoldStyle::Inactive => format!("{}\n    a=inactive", self.sdp(2, "[local_ip]")),
            HoldStyle::ZeroAddress => self.sdp(2, "0.0.0.0"),
        }
    }

    fn sdp(&self, version: u8, address: &str) -> String {
        let codecs = &self.profile.media.codecs;
        let codecs = if codecs.is_empty() { &[Codec::Pcmu, Codec::Pcma][..] } else { codecs };
        let encrypted = self.profile.srtp.policy == SrtpPolicy::Require;
        let types: Vec<String> = codecs.iter().map(|codec| payload_type(*codec).to_string()).collect();
        let mut lines = vec![
            "v=0".to_owned(),
            format!("o=- {} {version} IN IP4 [local_ip]", 1000 + u32::from(self.place)),
            "s=-".to_owned(),
            format!("c=IN IP4 {address}"),
            "t=0 0".to_owned(),
            format!(
                "m=audio [media_port] {} {} {EVENTS}",
                if encrypted { "RTP/SAVP" } else { "RTP/AVP" },
                types.join(" ")
            ),
        ];
        for codec in codecs {
            let channels = if *codec == Codec::Opus { "/2" } else { "" };
            lines.push(format!("a=rtpmap:{} {}/{}{channels}", payload_type(*codec), codec.name(), codec.clock_rate()));
        }
        lines.push(format!("a=rtpmap:{EVENTS} telephone-event/8000"));
        lines.push(format!("a=fmtp:{EVENTS} 0-15"));
        lines.push("a=ptime:20".to_owned());
        if encrypted {
            let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
            lines.push(format!("a=crypto:1 {} inline:{key}", self.profile.srtp.suites[0]));
        }
        lines.join("\n    ")
    }
}

/// A number as a regular expression.
fn pattern(number: &str) -> String {
    number.replace('+', "[+]")
}

fn payload_type(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(96)
}

fn type_pattern(codec: Codec) -> String {
    codec.static_payload_type().map_or("[0-9]+".to_owned(), |number| number.to_string())
}
