//! What a phone is asked to do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::sip::transport::Transport;
use crate::wire::codec::Codec;

/// A SIP phone for scripts and demonstrations.
#[derive(Debug, Clone, Subcommand)]
pub enum PhoneCommand {
    /// Calls, keys digits, plays and records.
    Call(CallOptions),
    /// Waits for calls and answers them.
    Wait(WaitOptions),
    /// Registers once and tells what came of it.
    Register(RegisterOptions),
}

/// Options of a call.
#[derive(Debug, Clone, Args)]
pub struct CallOptions {
    /// Whom to call: `sip:1000@127.0.0.1`, `sip:+4930901820@gw.example:5070;transport=tcp`
    pub uri: String,
    /// Digits to key once connected: `1234#`; a comma waits a second
    #[arg(long, default_value = "")]
    pub digits: String,
    /// What every phone has
    #[command(flatten)]
    pub common: Common,
}

/// Options of waiting.
#[derive(Debug, Clone, Args)]
pub struct WaitOptions {
    /// How many calls to answer, one after the other
    #[arg(long, default_value_t = 1)]
    pub calls: u32,
    /// Registers here first: `sip:alice@pbx.example`
    #[arg(long)]
    pub register: Option<String>,
    /// Seconds that the registration is to last; it is made anew before they are over
    #[arg(long, default_value_t = 300)]
    pub expires: u32,
    /// What every phone has
    #[command(flatten)]
    pub common: Common,
}

/// Options of registering.
#[derive(Debug, Clone, Args)]
pub struct RegisterOptions {
    /// The address of record: `sip:alice@pbx.example`
    pub uri: String,
    /// Seconds that the registration is to last; 0 takes it back
    #[arg(long, default_value_t = 300)]
    pub expires: u32,
    /// What every phone has
    #[command(flatten)]
    pub common: Common,
}

/// What every phone has.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// How to send: overrides the URI's `transport` parameter
    #[arg(long, value_parser = transport)]
    pub transport: Option<Transport>,
    /// Where to receive SIP; by default the address that leads to the far end, and any free port
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Who calls: `sip:+4915112345678@example.org`
    #[arg(long)]
    pub from: Option<String>,
    /// User name for a challenge
    #[arg(long)]
    pub user: Option<String>,
    /// File whose first line is the password for a challenge
    #[arg(long)]
    pub password_file: Option<PathBuf>,
    /// Codecs, the preferred first: `pcma,pcmu`
    #[arg(long, value_delimiter = ',', value_parser = codec, default_value = "pcmu,pcma")]
    pub codec: Vec<Codec>,
    /// Milliseconds of audio in a packet: 10, 20, 30, 40 or 60
    #[arg(long, default_value_t = 20, value_parser = ptime)]
    pub ptime: u8,
    /// WAV file to say (8 kHz, 16 bit, one channel); silence after its end
    #[arg(long, conflicts_with = "tone")]
    pub play: Option<PathBuf>,
    /// A tone to say, in hertz
    #[arg(long)]
    pub tone: Option<f64>,
    /// WAV file for what is heard, from the answer on
    #[arg(long)]
    pub record: Option<PathBuf>,
    /// How digits are keyed
    #[arg(long, value_enum, default_value_t = DigitsBy::Rtp)]
    pub digits_by: DigitsBy,
    /// Hangs up after so long: `20s`, `2m`
    #[arg(long = "for", value_parser = length)]
    pub limit: Option<Duration>,
    /// Takes commands on standard input: key DIGITS, hold, resume, mute, unmute, hang up
    #[arg(long)]
    pub commands: bool,
    /// Tells what happened as one JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Accepts any TLS certificate
    #[arg(long)]
    pub insecure: bool,
    /// PEM file with the authorities whose TLS certificates are accepted
    #[arg(long)]
    pub authorities: Option<PathBuf>,
}

/// How digits are keyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DigitsBy {
    /// Telephone-events (RFC 4733)
    Rtp,
    /// INFO with application/dtmf-relay
    Info,
    /// INFO with application/dtmf
    InfoPlain,
}

fn transport(text: &str) -> Result<Transport, String> {
    Transport::from_name(text).ok_or_else(|| "write udp, tcp or tls".to_owned())
}

fn codec(text: &str) -> Result<Codec, String> {
    [Codec::Pcmu, Codec::Pcma]
        .into_iter()
        .find(|codec| text.eq_ignore_ascii_case(codec.name()))
        .ok_or_else(|| "write pcmu, pcma, or both with a comma between them".to_owned())
}

fn ptime(text: &str) -> Result<u8, String> {
    text.parse()
        .ok()
        .filter(|ptime| [10, 20, 30, 40, 60].contains(ptime))
        .ok_or_else(|| "write 10, 20, 30, 40 or 60".to_owned())
}

fn length(text: &str) -> Result<Duration, String> {
    text.parse::<crate::config::Period>().map(|period| period.0).map_err(|error| error.to_string())
}
