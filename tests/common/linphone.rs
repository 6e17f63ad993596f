//! linphonec without a sound card: it plays a WAV file and keeps what it hears in another (tests/peers/README.md).

use std::fmt::Write;
use std::ops::RangeInclusive;
use std::process::Command;
use std::time::Duration;

use super::audio::Recording;
use super::baresip::Account;
use super::ports::Ports;
use super::process::{Folder, Process};
use super::{ms, s};

/// How a linphonec is to be.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What it says.
    pub voice: Recording,
    /// The only codec: `PCMU` or `PCMA`.
    pub codec: &'static str,
    /// Digits by INFO (`application/dtmf-relay`) instead of telephone-events.
    pub info: bool,
    /// Offers whatever address it finds first, which may be an IPv6 one in a call over IPv4.
    pub dual_stack: bool,
    /// How audio is encrypted: `srtp` or `dtls`; empty for not at all.
    pub encryption: &'static str,
    /// Whom it registers as, and where.
    pub account: Option<Account>,
    /// Answers by itself.
    pub answers: bool,
}

impl Setup {
    /// One that says a tone.
    pub fn tone(frequency: f64) -> Self {
        Self {
            voice: Recording::tone(frequency, -14.0, s(120)),
            codec: "PCMA",
            info: false,
            dual_stack: false,
            encryption: "",
            account: None,
            answers: false,
        }
    }

    /// Answering by itself.
    pub fn answering(self) -> Self {
        Self { answers: true, ..self }
    }

    /// With this codec.
    pub fn codec(self, codec: &'static str) -> Self {
        Self { codec, ..self }
    }

    /// Encrypted this way, or not talking at all.
    pub fn encrypted(self, encryption: &'static str) -> Self {
        Self { encryption, ..self }
    }

    /// With digits by INFO.
    pub fn by_info(self) -> Self {
        Self { info: true, ..self }
    }

    /// With any address of the host in its SDP.
    pub fn dual_stack(self) -> Self {
        Self { dual_stack: true, ..self }
    }

    /// Registered with this account.
    pub fn account(self, account: Account) -> Self {
        Self { account: Some(account), ..self }
    }

    /// Starts it.
    pub fn start(self) -> Linphone {
        Linphone::start(&self)
    }
}

/// A running linphonec.
pub struct Linphone {
    process: Process,
    folder: Folder,
    calls: usize,
    ports: Ports,
}

impl Linphone {
    fn start(setup: &Setup) -> Self {
        let (folder, ports) = (Folder::new("linphone"), Ports::block());
        setup.voice.write(&folder.file("voice.wav"));
        std::fs::create_dir_all(folder.file(".local/share/linphone")).unwrap();
        std::fs::create_dir_all(folder.file(".config/linphone")).unwrap();
        let mut config = format!(
            "[sip]\nsip_port={}\nsip_tcp_port={}\nsip_tls_port=-1\nguess_hostname=0\nverify_server_certs=0\nverify_server_cn=0\n\
             contact=\"linphone\" <sip:linphone@127.0.0.1>\nuse_info={info}\nuse_rfc2833={rfc2833}\n{encryption}\
             [rtp]\naudio_rtp_port={}\naudio_jitt_comp=60\n[sound]\nechocancellation=0\n",
            ports.at(0),
            // Another port than the one by UDP, or none.
            setup.account.as_ref().map_or(-1, |_| i32::from(ports.at(2))),
            ports.at(10),
            info = u8::from(setup.info),
            rfc2833 = u8::from(!setup.info),
            encryption = match setup.encryption {
                "" => String::new(),
                way => format!("media_encryption={way}\nmedia_encryption_mandatory=1\n"),
            },
        );
        if let Some(Account { user, password, registrar, transport }) = &setup.account {
            write!(
                config,
                "[proxy_0]\nreg_proxy=<sip:{registrar};transport={transport}>\nreg_identity=sip:{user}@{registrar}\n\
                 reg_sendregister=1\nreg_expires=120\nquality_reporting_enabled=0\n\
                 [auth_info_0]\nusername={user}\nuserid={user}\npasswd={password}\n"
            )
            .unwrap();
        }
        let codecs = [
            ("opus", 48000, 2),
            ("speex", 16000, 1),
            ("speex", 8000, 1),
            ("G729", 8000, 1),
            ("PCMU", 8000, 1),
            ("PCMA", 8000, 1),
        ];
        for (at, (name, rate, channels)) in codecs.into_iter().enumerate() {
            let enabled = u8::from(name == setup.codec);
            write!(config, "[audio_codec_{at}]\nmime={name}\nrate={rate}\nchannels={channels}\nenabled={enabled}\n")
                .unwrap();
        }
        folder.write("rc", &config);
        let mut command = Command::new("linphonec");
        command.arg("-c").arg(folder.file("rc")).env("HOME", folder.path()).current_dir(folder.path());
        let mut process = Process::start("linphonec", &mut command, folder.file("log"));
        if !setup.dual_stack {
            process.say("ipv6 disable");
        }
        if setup.answers {
            process.say("autoanswer enable");
        }
        process.say("soundcard use files");
        process.say(&format!("play {}", folder.file("voice.wav").display()));
        process.say(&format!("record {}", folder.file("heard.wav").display()));
        process.printed("Using wav files instead of soundcard.", 1, s(15));
        Self { process, folder, calls: 0, ports }
    }

    /// Calls, and waits until media flow.
    #[track_caller]
    pub fn call(&mut self, uri: &str) {
        self.calls += 1;
        self.process.say(&format!("call {uri}"));
        self.process.printed("Media streams established", self.calls, s(15));
    }

    /// Keys digits, at the pace of a quick hand.
    #[track_caller]
    pub fn key(&mut self, digits: &str) {
        for digit in digits.chars() {
            self.process.say(&digit.to_string());
            super::talk(ms(260));
        }
    }

    /// Puts the call on hold.
    pub fn hold(&mut self) {
        self.process.say("pause");
    }

    /// Takes the call back.
    pub fn resume(&mut self) {
        self.process.say("resume");
    }

    /// Waits until media flow in a call that came in.
    #[track_caller]
    pub fn called(&mut self) {
        self.calls += 1;
        self.process.printed("Media streams established", self.calls, s(15));
    }

    /// Hands the far end over to somebody without asking them first.
    pub fn transfer(&mut self, uri: &str) {
        self.process.say(&format!("transfer {uri}"));
    }

    /// Joins the far ends of two of its calls, counted from 1, and leaves them.
    pub fn join(&mut self, one: usize, other: usize) {
        self.process.say(&format!("transfer {one} --to-call {other}"));
    }

    /// Types a line.
    #[track_caller]
    pub fn say(&mut self, line: &str) {
        self.process.say(line);
    }

    /// Waits until it printed this, so many times.
    #[track_caller]
    pub fn printed(&mut self, text: &str, times: usize) {
        self.process.printed(text, times, s(10));
    }

    /// The port of its SIP over UDP.
    pub fn sip_port(&self) -> u16 {
        self.ports.at(0)
    }

    /// The ports of its RTP.
    pub fn rtp_ports(&self) -> RangeInclusive<u16> {
        self.ports.at(10)..=self.ports.at(99)
    }

    /// Hangs up and waits until the far end has agreed; the recording is whole then.
    #[track_caller]
    pub fn hang_up(&mut self) {
        self.process.say("terminate");
        self.ended(s(10));
    }

    /// Waits until the call has ended.
    #[track_caller]
    pub fn ended(&mut self, limit: Duration) {
        self.process.printed(" ended (", self.calls, limit);
    }

    /// What it has heard; linphone writes as it goes.
    pub fn heard(&self) -> Recording {
        Recording::read(&self.folder.file("heard.wav"))
    }

    /// Everything it printed.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
