//! baresip without a sound card: it plays a WAV file and keeps what it hears in another (tests/peers/README.md).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::audio::Recording;
use super::ports::Ports;
use super::process::{Folder, Process};
use super::{ms, s, until};

/// How a baresip is to be.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What it says.
    pub voice: Recording,
    /// In its order of preference.
    pub codecs: &'static str,
    /// Packet length in milliseconds.
    pub ptime: u32,
    /// IPv6 instead of IPv4.
    pub ipv6: bool,
    /// How audio is encrypted: `srtp-mand`, `srtp`, `dtls_srtp`; empty for not at all.
    pub encryption: &'static str,
    /// Whom it registers as, and where.
    pub account: Option<Account>,
    /// Rings until it is told to answer, rather than answering by itself.
    pub rings: bool,
}

/// Whom a telephone registers as, and where.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its user name.
    pub user: &'static str,
    /// Its password.
    pub password: &'static str,
    /// The registrar: `host:port`.
    pub registrar: String,
    /// By which transport: `udp`, `tcp`, `tls`.
    pub transport: &'static str,
}

impl Setup {
    /// One that says a tone, loud enough and below clipping when three are mixed.
    pub fn tone(frequency: f64) -> Self {
        Self {
            voice: Recording::tone(frequency, -14.0, s(120)),
            codecs: "pcmu",
            ptime: 20,
            ipv6: false,
            encryption: "",
            account: None,
            rings: false,
        }
    }

    /// Ringing until it is told to answer.
    pub fn ringing(self) -> Self {
        Self { rings: true, ..self }
    }

    /// With these codecs: `pcma`, `pcmu,pcma`.
    pub fn codecs(self, codecs: &'static str) -> Self {
        Self { codecs, ..self }
    }

    /// With this packet length.
    pub fn ptime(self, ptime: u32) -> Self {
        Self { ptime, ..self }
    }

    /// Encrypted this way.
    pub fn encrypted(self, encryption: &'static str) -> Self {
        Self { encryption, ..self }
    }

    /// Over IPv6.
    pub fn ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    /// Registered with this account.
    pub fn account(self, account: Account) -> Self {
        Self { account: Some(account), ..self }
    }

    /// Starts it.
    pub fn start(self) -> Baresip {
        Baresip::start(&self)
    }
}

/// A running baresip.
pub struct Baresip {
    process: Process,
    control: TcpStream,
    events: Vec<u8>,
    folder: Folder,
    ports: Ports,
    address: &'static str,
}

impl Baresip {
    fn start(setup: &Setup) -> Self {
        let (folder, ports) = (Folder::new("baresip"), Ports::block());
        let address = if setup.ipv6 { "[::1]" } else { "127.0.0.1" };
        setup.voice.write(&folder.file("voice.wav"));
        let here = folder.path().display();
        folder.write(
            "config",
            &format!(
                "sip_listen {address}:{sip}\nnet_interface {interface}\nsip_verify_server no\n\
                 audio_source aufile,{here}/voice.wav\naudio_player aubridge,sink\naudio_alert aubridge,alert\n\
                 ausrc_srate 8000\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\naudio_buffer 20-160\n\
                 rtp_ports {rtp}\nstatmode_default off\nmodule_path /usr/lib/baresip/modules\n\
                 module g711.so\nmodule g722.so\nmodule opus.so\nmodule srtp.so\n\
                 module dtls_srtp.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\nsnd_path {here}\n\
                 module_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
                 ctrl_tcp_listen 127.0.0.1:{control}\nringback_disabled yes\n",
                sip = ports.at(0),
                interface = address.trim_matches(['[', ']']),
                rtp = ports.range(10, 99),
                control = ports.at(4),
            ),
        );
        let whom = match &setup.account {
            Some(Account { user, password, registrar, transport }) => format!(
                "<sip:{user}@{registrar};transport={transport}>;auth_user={user};auth_pass={password};regint=60"
            ),
            None => format!("<sip:baresip@{address}:{}>;regint=0", ports.at(0)),
        };
        folder.write(
            "accounts",
            &format!(
                "{whom};answermode={};audio_codecs={};ptime={}{}\n",
                if setup.rings { "manual" } else { "auto" },
                setup.codecs,
                setup.ptime,
                if setup.encryption.is_empty() { String::new() } else { format!(";mediaenc={}", setup.encryption) }
            ),
        );
        folder.write("contacts", "");
        let mut command = Command::new("baresip");
        command.args([if setup.ipv6 { "-6" } else { "-4" }, "-v", "-s", "-f"]).arg(folder.path());
        let mut process = Process::start("baresip", &mut command, folder.file("log"));
        process.printed("baresip is ready.", 1, s(15));
        let control = TcpStream::connect(("127.0.0.1", ports.at(4))).unwrap();
        control.set_read_timeout(Some(ms(10))).unwrap();
        Self { process, control, events: Vec::new(), folder, ports, address }
    }

    /// Where it can be called.
    pub fn uri(&self) -> String {
        format!("sip:baresip@{}:{}", self.address, self.ports.at(0))
    }

    /// Calls, and waits until the call is answered.
    #[track_caller]
    pub fn call(&mut self, uri: &str) {
        self.dial(uri);
        self.established(s(15));
    }

    /// Calls.
    pub fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
    }

    /// Waits until it is registered. It registers as soon as it starts, so its event may come before anybody listens.
    #[track_caller]
    pub fn registered(&mut self, limit: Duration) {
        self.process.printed("SIP/2.0 200 OK", 1, limit);
    }

    /// Waits until a call is up.
    #[track_caller]
    pub fn established(&mut self, limit: Duration) {
        self.sees("CALL_ESTABLISHED", limit);
    }

    /// Waits until a call has ended, and says with what reason.
    #[track_caller]
    pub fn closed(&mut self, limit: Duration) -> String {
        self.sees("CALL_CLOSED", limit);
        let events = String::from_utf8_lossy(&self.events).into_owned();
        let event = &events[events.find("CALL_CLOSED").unwrap()..];
        event.split("\"param\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    }

    /// Keys digits as telephone-events, at the pace of a quick hand.
    pub fn key(&mut self, digits: &str) {
        for digit in digits.chars() {
            self.command("sndcode", &digit.to_string());
            super::talk(ms(220));
        }
    }

    /// Puts the call on hold.
    pub fn hold(&mut self) {
        self.command("hold", "");
    }

    /// Takes the call back.
    pub fn resume(&mut self) {
        self.command("resume", "");
    }

    /// Answers a call that rings.
    pub fn accept(&mut self) {
        self.command("accept", "");
    }

    /// Hands the far end over to somebody without asking them first.
    pub fn transfer(&mut self, uri: &str) {
        self.command("transfer", uri);
    }

    /// Waits until a call rings here.
    #[track_caller]
    pub fn incoming(&mut self, limit: Duration) {
        self.sees("CALL_INCOMING", limit);
    }

    /// What it reported until now counts no more: the next call is another one.
    pub fn forgets(&mut self) {
        self.events.clear();
    }

    /// The port of its SIP over UDP.
    pub fn sip_port(&self) -> u16 {
        self.ports.at(0)
    }

    /// The ports of its RTP.
    pub fn rtp_ports(&self) -> RangeInclusive<u16> {
        self.ports.at(10)..=self.ports.at(99)
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// What it has heard so far in its latest call.
    pub fn heard(&self) -> Recording {
        self.recording().map(|path| Recording::read(&path)).unwrap_or_default()
    }

    /// The SIP messages and everything else it printed.
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn recording(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).max()
    }

    fn command(&mut self, command: &str, words: &str) {
        let message = serde_json::json!({ "command": command, "params": words, "token": "t" }).to_string();
        write!(self.control, "{}:{message},", message.len()).unwrap();
    }

    #[track_caller]
    fn sees(&mut self, event: &str, limit: Duration) {
        until(&format!("baresip to report {event}"), limit, || {
            let mut part = [0; 4096];
            if let Ok(count) = self.control.read(&mut part) {
                self.events.extend(&part[..count]);
            }
            String::from_utf8_lossy(&self.events).contains(event).then_some(())
        });
    }
}
