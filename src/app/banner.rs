//! What a start tells the person in front of it: how to call, where to look, how to open up.

use std::fmt;

use crate::app::first::Made;
use crate::app::https;
use crate::app::reach::Reach;
use crate::config::Config;
use crate::config::check::is_outside;
use crate::transport::tls::Facts;

/// A start, told.
#[derive(Debug)]
pub struct Banner<'a> {
    /// As configured.
    pub config: &'a Config,
    /// What far ends are told.
    pub reach: &'a Reach,
    /// What a first start made.
    pub made: Option<&'a Made>,
    /// What the certificate of HTTPS says, where it is not that of SIP.
    pub facts: Option<&'a Facts>,
}

impl Banner<'_> {
    /// SIP addresses to call for a try.
    pub fn how_to_call(config: &Config, reach: &Reach) -> Vec<String> {
        let host = |ipv6: bool| {
            reach
                .advertised
                .iter()
                .find(|told| told.ipv6 == ipv6 && !told.transport.is_reliable())
                .or_else(|| reach.advertised.iter().find(|told| told.ipv6 == ipv6))
        };
        let number = if config.sip.listen.is_empty() { return Vec::new() } else { "1000" };
        [host(false), host(true)].into_iter().flatten().map(|told| format!("sip:{number}@{}", told.address)).collect()
    }
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Banner { config, reach, made, facts } = self;
        writeln!(f, "\nRinglift {}", env!("CARGO_PKG_VERSION"))?;
        let call = Self::how_to_call(config, reach).join("  or  ");
        match made {
            Some(made) => {
                writeln!(f, "  Call it      {call}")?;
                writeln!(
                    f,
                    "  and key      {} for \"{}\", or {} to come as its host",
                    made.pin.expose(),
                    made.room,
                    made.host_pin.expose()
                )?;
            }
            None => writeln!(f, "  Call it      {call}")?,
        }
        if let Some(address) = config.api.listen.first() {
            if made.is_some() && !config.web.listen.is_empty() {
                writeln!(f, "  Meet there   http://{address}/  with the same number, in a browser")?;
            }
            writeln!(f, "  Watch it     http://{address}/console")?;
        }
        let https = https::told(config, *facts);
        if !config.api.tls_listen.is_empty() {
            f.write_str(&https)?;
        }
        let listen: Vec<String> = config.sip.listen.iter().map(ToString::to_string).collect();
        writeln!(f, "  Listens on   {}", listen.join("  "))?;
        for reason in &reach.reasons {
            writeln!(f, "  Tells phones {reason}")?;
        }
        if !config.sip.listen.iter().any(|listen| is_outside(listen.address.ip())) {
            writeln!(
                f,
                "  Only this machine can call. To take calls from others, put this into ringlift.toml and start with --config ringlift.toml:"
            )?;
            writeln!(f, "    [sip]")?;
            writeln!(f, "    listen = [\"udp:0.0.0.0:5060\", \"tcp:0.0.0.0:5060\"]")?;
            writeln!(f, "    [media]")?;
            writeln!(f, "    listen = [\"0.0.0.0\"]")?;
            writeln!(
                f,
                "  and make a trunk for the network they call from, on the page or by the API: strangers are refused."
            )?;
        }
        if config.api.tls_listen.is_empty() {
            f.write_str(&https)?;
        }
        writeln!(f)
    }
}
