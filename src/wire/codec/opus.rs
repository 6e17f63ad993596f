//! Opus as RTP carries it (RFC 7587): what `a=fmtp` says.

use std::fmt;

/// What a receiver of Opus says of itself (RFC 7587 §6.1), and so how it is to be sent to. We send one channel always
/// and take both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Parameters {
    /// The highest sampling rate it can play, in hertz.
    pub max_playback_rate: u32,
    /// Its most bits a second on average, none where it says nothing.
    pub max_average_bitrate: Option<u32>,
    /// It prefers a constant bit rate.
    pub cbr: bool,
    /// It uses in-band forward error correction.
    pub inband_fec: bool,
    /// It prefers that silence is not sent.
    pub dtx: bool,
}

impl Default for Parameters {
    /// What a missing `a=fmtp` means.
    fn default() -> Self {
        Self { max_playback_rate: 48_000, max_average_bitrate: None, cbr: false, inband_fec: false, dtx: false }
    }
}

impl Parameters {
    /// What we say of ourselves: all bandwidths, error correction in use, silence sent.
    pub fn ours() -> Self {
        Self { inband_fec: true, ..Self::default() }
    }

    /// Reads the value of `a=fmtp` behind the payload type; what is unknown, out of range or no number counts as
    /// not said.
    pub fn parse(text: &str) -> Self {
        let mut parameters = Self::default();
        for (name, value) in text.split(';').filter_map(|part| part.split_once('=')) {
            let (name, value) = (name.trim(), value.trim());
            let number: Option<u32> = value.parse().ok();
            let flag = value == "1";
            if name.eq_ignore_ascii_case("maxplaybackrate") {
                let rate = number.filter(|rate| (8000..=48_000).contains(rate));
                parameters.max_playback_rate = rate.unwrap_or(parameters.max_playback_rate);
            } else if name.eq_ignore_ascii_case("maxaveragebitrate") {
                parameters.max_average_bitrate = number.filter(|rate| (6000..=510_000).contains(rate));
            } else if name.eq_ignore_ascii_case("cbr") {
                parameters.cbr = flag;
            } else if name.eq_ignore_ascii_case("useinbandfec") {
                parameters.inband_fec = flag;
            } else if name.eq_ignore_ascii_case("usedtx") {
                parameters.dtx = flag;
            }
        }
        parameters
    }
}

impl fmt::Display for Parameters {
    /// The value of `a=fmtp` behind the payload type; empty where nothing differs from what is assumed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut say = |said: bool, name: &str, value: u32| {
            if said {
                write!(f, "{separator}{name}={value}")?;
                separator = ";";
            }
            Ok(())
        };
        say(self.max_playback_rate != 48_000, "maxplaybackrate", self.max_playback_rate)?;
        say(self.max_average_bitrate.is_some(), "maxaveragebitrate", self.max_average_bitrate.unwrap_or(0))?;
        say(self.cbr, "cbr", 1)?;
        say(self.inband_fec, "useinbandfec", 1)?;
        say(self.dtx, "usedtx", 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_phone_says_of_its_opus_is_read_and_written() {
        let said = "maxplaybackrate=16000; sprop-maxcapturerate=16000;MaxAverageBitrate=20000;useinbandfec=1;usedtx=0";
        let parameters = Parameters::parse(said);
        assert_eq!(
            parameters,
            Parameters {
                max_playback_rate: 16_000,
                max_average_bitrate: Some(20_000),
                inband_fec: true,
                ..Parameters::default()
            }
        );
        assert_eq!(parameters.to_string(), "maxplaybackrate=16000;maxaveragebitrate=20000;useinbandfec=1");
        assert_eq!(Parameters::parse(&parameters.to_string()), parameters);
        assert_eq!(Parameters::parse("maxplaybackrate=1;maxaveragebitrate=x;;=;minptime=10"), Parameters::default());
        assert_eq!(Parameters::default().to_string(), "");
        assert_eq!(Parameters::ours().to_string(), "useinbandfec=1");
    }
}
