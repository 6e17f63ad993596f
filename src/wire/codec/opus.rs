//! Opus as RTP carries it (RFC 7587): what `a=fmtp` says, what a packet tells of itself (RFC 6716 §3.1), and libopus,
//! which alone makes samples of it.

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
    /// The telephone-events agreed on beside it last so many 1/8000 s, as those of most phones do, and not 1/48000 s.
    #[serde(default)]
    pub narrow_events: bool,
}

impl Default for Parameters {
    /// What a missing `a=fmtp` means.
    fn default() -> Self {
        Self {
            max_playback_rate: 48_000,
            max_average_bitrate: None,
            cbr: false,
            inband_fec: false,
            dtx: false,
            narrow_events: false,
        }
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

/// Samples at 48 kHz in the packets we send: 20 ms.
pub const FRAME: usize = 960;

/// Longest packet (RFC 6716 §3.4) in samples at 48 kHz: 120 ms.
pub const LONGEST: usize = 5760;

/// Of 10. More: half as much CPU again for what a telephone does not carry. Less: speech at 24 kbit/s is coarser.
const COMPLEXITY: i32 = 5;

/// What we send unless the far end wants less: fullband speech. More: nothing is gained. Less: the band narrows.
const BITRATE: u32 = 32_000;

/// Loss in percent that error correction is to expect. More: bits for it are missing elsewhere. Less: it is left out.
const EXPECTED_LOSS: i32 = 10;

/// Mean square below which a frame may be part of a pause: −43 dBov, well below what a telephone sends of a voice. Higher: soft notes are taken for
/// noise and cut off. Lower: nothing is saved in a room with a fan.
const PAUSE: i64 = 53_800;

/// Soft frames after which it is one. More: less is saved. Less: the end of a word goes unsaid.
const SOFT: u8 = 10;

fn is_soft(samples: &[i16]) -> bool {
    let sum: i64 = samples.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum();
    sum < PAUSE * samples.len() as i64
}

/// How long a packet is, in samples at 48 kHz, by its first bytes; none for one that cannot be (RFC 6716 §3.1, §3.2).
pub fn duration(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let configuration = toc >> 3;
    let frame: u32 = match configuration {
        0..=11 => [480, 960, 1920, 2880][usize::from(configuration & 3)],
        12..=15 => [480, 960][usize::from(configuration & 1)],
        _ => [120, 240, 480, 960][usize::from(configuration & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(*packet.get(1)? & 63),
    };
    Some(frame * frames).filter(|length| (120..=5760).contains(length))
}

/// A packet of no more bytes than this is silence, or next to it: at 6 kbit/s, the least there is, 20 ms of a voice take
/// fifteen. More: a whisper is lost. Less: digital silence is decoded.
const SILENCE: usize = 10;

/// Whether a packet carries anything audible, as far as its length tells.
pub fn audible(packet: &[u8]) -> bool {
    packet.len() > SILENCE
}

/// Whether a packet carries a voice, as far as its first bytes tell without decoding: in the SILK layer the encoder's
/// own judgement comes first (RFC 6716 §4.2.3), which calls a steady tone noise; of CELT the length alone is known.
pub fn voice(packet: &[u8]) -> bool {
    let (Some(toc), Some(first)) = (packet.first(), packet.get(1)) else { return false };
    // Where the first of several frames begins is more than a glance.
    let flags = match (toc & 3, toc >> 3) {
        // One flag for each 20 ms.
        (0, configuration @ 0..=11) => first >> (8 - [1, 1, 2, 3][usize::from(configuration & 3)]),
        (0, 12..=15) => first >> 7,
        _ => 1,
    };
    flags != 0 && audible(packet)
}

/// Whether a packet carries a copy of the one before it (in-band error correction), as far as its first bytes tell: behind the
/// SILK layer's voice flags (RFC 6716 §4.2.3, §4.2.4). CELT has none.
pub fn has_copy(packet: &[u8]) -> bool {
    let (Some(toc), Some(first)) = (packet.first(), packet.get(1)) else { return false };
    let frames = match (toc & 3, toc >> 3) {
        (0, configuration @ 0..=11) => [1, 1, 2, 3][usize::from(configuration & 3)],
        (0, 12..=15) => 1,
        _ => return false,
    };
    audible(packet) && (first >> (7 - frames)) & 1 == 1
}

/// Bytes that say that there is nothing to say: a packet so short is not sent.
pub const NOTHING: usize = 2;

/// Turns samples into packets of 20 ms, one channel at 48 kHz. Its memory is asked for once.
#[derive(Debug)]
pub struct Encoder {
    inner: Option<::opus::Encoder>,
    /// Whether pauses are left out.
    dtx: bool,
    /// Soft frames in a row, as far as they are counted.
    soft: u8,
    /// Of the next packet, where somebody goes on from another encoder: whether it depends on nothing.
    turn: Option<bool>,
}

impl Encoder {
    /// For a far end that says this of itself.
    pub fn new(parameters: &Parameters) -> Self {
        Self { inner: Self::open(parameters).ok(), dtx: parameters.dtx, soft: 0, turn: None }
    }

    fn open(parameters: &Parameters) -> ::opus::Result<::opus::Encoder> {
        let mut encoder = ::opus::Encoder::new(48_000, ::opus::Channels::Mono, ::opus::Application::Voip)?;
        let rate = parameters.max_average_bitrate.map_or(BITRATE, |most| most.min(BITRATE));
        encoder.set_bitrate(::opus::Bitrate::Bits(i32::try_from(rate).unwrap_or(i32::MAX)))?;
        encoder.set_complexity(COMPLEXITY)?;
        encoder.set_signal(::opus::Signal::Voice)?;
        encoder.set_vbr(!parameters.cbr)?;
        encoder.set_inband_fec(parameters.inband_fec)?;
        encoder.set_packet_loss_perc(if parameters.inband_fec { EXPECTED_LOSS } else { 0 })?;
        encoder.set_max_bandwidth(match parameters.max_playback_rate {
            0..12_000 => ::opus::Bandwidth::Narrowband,
            12_000..16_000 => ::opus::Bandwidth::Mediumband,
            16_000..24_000 => ::opus::Bandwidth::Wideband,
            24_000..48_000 => ::opus::Bandwidth::Superwideband,
            _ => ::opus::Bandwidth::Fullband,
        })?;
        Ok(encoder)
    }

    /// Encodes a frame; returns the packet's length, 0 where there is none.
    pub fn encode(&mut self, samples: &[i16], packet: &mut [u8]) -> usize {
        let Some(encoder) = &mut self.inner else { return 0 };
        if self.dtx {
            // libopus takes all that is steady for noise, however loud it is: a tone, or a note that is held.
            self.soft = if is_soft(samples) { self.soft.saturating_add(1) } else { 0 };
            // Refused by none that was opened.
            let _ = encoder.set_dtx(self.soft > SOFT);
        }
        let Some(independent) = self.turn else {
            return encoder.encode(samples, packet).unwrap_or(0);
        };
        // As music is sent, whatever it is.
        let (rate, fec) = (encoder.get_bitrate(), encoder.get_inband_fec());
        let _ = encoder.set_prediction_disabled(independent);
        let _ = encoder.set_signal(::opus::Signal::Music);
        let _ = encoder.set_inband_fec(false);
        let _ = encoder.set_bitrate(::opus::Bitrate::Bits(BITRATE as i32));
        let length = encoder.encode(samples, packet).unwrap_or(0);
        let _ = encoder.set_prediction_disabled(false);
        let _ = encoder.set_signal(::opus::Signal::Voice);
        let _ = encoder.set_inband_fec(fec.unwrap_or_default());
        let _ = rate.map(|rate| encoder.set_bitrate(rate));
        // What is not sent tells nobody anything.
        self.turn = self.turn.filter(|_| independent && length <= NOTHING);
        length
    }

    /// The next packet is the first of one who heard another encoder before.
    pub fn reset(&mut self) {
        let _ = self.inner.as_mut().map(::opus::Encoder::reset_state);
        self.turn(true);
    }

    /// The next packet is one from which somebody can go on who heard another encoder before; the packet before it is to be told of, too, as not independent.
    ///
    /// A decoder of SILK (RFC 6716 §4.2) goes on from what it heard, whatever is said of the packet: of a steady sound, what it heard rings on, 17 dB too loud and for
    /// half a second. But it begins anew after a frame of CELT, and that depends on nothing where it is told not to. An encoder that goes over from the
    /// one to the other does so with the second packet, and nobody hears it.
    pub fn turn(&mut self, independent: bool) {
        // Of two, who goes on sooner.
        self.turn = Some(independent || self.turn == Some(true));
    }
}

/// Turns packets into one channel of samples at 48 kHz, and invents what is missing.
#[derive(Debug)]
pub struct Decoder(Option<::opus::Decoder>);

impl Default for Decoder {
    fn default() -> Self {
        Self(::opus::Decoder::new(48_000, ::opus::Channels::Mono).ok())
    }
}

impl Decoder {
    /// Decodes a packet; returns how many samples it had.
    pub fn decode(&mut self, packet: &[u8], samples: &mut [i16]) -> usize {
        if packet.is_empty() { 0 } else { self.run(packet, samples, false) }
    }

    /// Invents samples for what is lost, in whole 2.5 ms.
    pub fn conceal(&mut self, samples: &mut [i16]) -> usize {
        self.run(&[], samples, false)
    }

    /// Recovers what was lost just before this packet from the copy in it, or invents it where there is none.
    pub fn recover(&mut self, packet: &[u8], samples: &mut [i16]) -> usize {
        self.run(packet, samples, true)
    }

    fn run(&mut self, packet: &[u8], samples: &mut [i16], recover: bool) -> usize {
        self.0.as_mut().and_then(|decoder| decoder.decode(packet, samples, recover).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_goes_through_and_a_lost_packet_is_recovered_or_invented() {
        let parameters = Parameters::ours();
        let (mut encoder, mut decoder) = (Encoder::new(&parameters), Decoder::default());
        let sample = |n: usize| (9000.0 * (std::f64::consts::TAU * 440.0 * n as f64 / 48_000.0).sin()) as i16;
        let mut out = Vec::new();
        let mut voices = 0;
        for frame in 0..50 {
            let samples: Vec<i16> = (0..FRAME).map(|n| sample(frame * FRAME + n)).collect();
            let (mut packet, mut heard) = ([0; 400], [0; FRAME]);
            let length = encoder.encode(&samples, &mut packet);
            assert!((2..400).contains(&length));
            assert_eq!(duration(&packet[..length]), Some(960));
            assert!(audible(&packet[..length]));
            voices += usize::from(voice(&packet[..length]));
            let count = match frame {
                20 => decoder.conceal(&mut heard),
                30 => decoder.recover(&packet[..length], &mut heard),
                _ => decoder.decode(&packet[..length], &mut heard),
            };
            assert_eq!(count, FRAME);
            out.extend(heard);
        }
        assert!(voices > 10, "what begins is a voice until it has lasted: {voices}");
        for window in out[10 * FRAME..].chunks_exact(FRAME) {
            let energy: f64 = window.iter().map(|s| f64::from(*s).powi(2)).sum();
            assert!((energy / FRAME as f64).sqrt() > 3000.0, "no hole");
        }
    }

    /// Steady sounds, in which all rings on that a decoder knows too much.
    struct Chord(Vec<f32>);

    impl Chord {
        /// Of four tones these.
        fn of(which: usize) -> Self {
            let tones = [877.0, 1171.0, 1451.0, 1777.0].into_iter().enumerate();
            Self(tones.filter(|(n, _)| which >> n & 1 == 1).map(|(_, hertz)| hertz).collect())
        }

        /// Encodes its next 20 ms.
        fn say(&self, tick: usize, encoder: &mut Encoder) -> Vec<u8> {
            let tone =
                |hertz: f32, n: usize| (std::f32::consts::TAU * (hertz * n as f32 / 48_000.0).fract()).sin() * 5500.0;
            let sample = |n: usize| self.0.iter().map(|hertz| tone(*hertz, tick * FRAME + n)).sum::<f32>() as i16;
            let mut packet = vec![0; 400];
            let length = encoder.encode(&(0..FRAME).map(sample).collect::<Vec<_>>(), &mut packet);
            packet.truncate(length);
            packet
        }
    }

    /// How loud a packet is.
    fn hear(decoder: &mut Decoder, packet: &[u8]) -> f32 {
        let mut heard = vec![0; FRAME];
        decoder.decode(packet, &mut heard);
        (heard.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / FRAME as f32).sqrt()
    }

    #[test]
    fn who_goes_on_with_another_encoder_hears_it_as_loud_as_who_always_heard_it() {
        let encoder = || Encoder::new(&Parameters::ours());
        for (before, after) in [(0, 2), (15, 2), (15, 4), (7, 8), (14, 4), (3, 12), (2, 15), (8, 1)] {
            let (before, after) = (Chord::of(before), Chord::of(after));
            // To one of his own, which begins: as who has heard nothing.
            let (mut shared, mut own) = (encoder(), encoder());
            let (mut decoder, mut other) = (Decoder::default(), Decoder::default());
            for tick in 0..30 {
                hear(&mut decoder, &before.say(tick, &mut shared));
            }
            own.reset();
            for tick in 30..60 {
                let packet = after.say(tick, &mut own);
                let (loud, right) = (hear(&mut decoder, &packet), hear(&mut other, &packet));
                assert!(tick == 30 || (0.95..1.05).contains(&(loud / right)), "{tick}: {loud} for {right}");
            }
            // And back, to one that others hear all the time, and hear nothing of it.
            let (mut shared, mut unturned, mut own) = (encoder(), encoder(), encoder());
            let mut turned = Vec::new();
            let [mut decoder, mut other, mut control] = [(); 3].map(|()| Decoder::default());
            for tick in 0..60 {
                match tick {
                    29 => shared.turn(false),
                    30 => shared.turn(true),
                    _ => {}
                }
                let (alone, packet) = (before.say(tick, &mut own), after.say(tick, &mut shared));
                let loud = hear(&mut decoder, if tick < 30 { &alone } else { &packet });
                let (right, usual) = (hear(&mut other, &packet), hear(&mut control, &after.say(tick, &mut unturned)));
                assert!(tick <= 30 || (0.95..1.05).contains(&(loud / right)), "{tick}: {loud} for {right}");
                // Of a chord, libopus makes something else from moment to moment: the mean is told.
                if (29..=32).contains(&tick) {
                    turned.push(right / usual);
                }
            }
            let mean = turned.iter().sum::<f32>() / 4.0;
            assert!((0.75..1.3).contains(&mean), "who heard it all the time: {turned:?}");
        }
    }

    #[test]
    fn silence_is_told_from_a_voice_and_nonsense_from_a_packet() {
        let mut encoder = Encoder::new(&Parameters::ours());
        let mut packet = [0; 400];
        let length = (0..20).map(|_| encoder.encode(&[0; FRAME], &mut packet)).last().unwrap();
        assert!(!voice(&packet[..length]), "{length}");
        assert!(!audible(&[0xf8, 0xff, 0xfe]));
        assert_eq!((duration(&[]), duration(&[3]), duration(&[3, 0]), duration(&[0xff, 63])), (None, None, None, None));
        assert_eq!((duration(&[0x83, 48]), duration(&[0x1b, 2]), duration(&[0x1b, 3])), (Some(5760), Some(5760), None));
    }

    #[test]
    fn who_wants_no_silence_is_sent_each_packet_of_a_held_note_and_next_to_none_of_a_pause() {
        let parameters = Parameters { dtx: true, ..Parameters::ours() };
        let note = |n: usize| (6000.0 * (std::f64::consts::TAU * 400.0 * n as f64 / 48_000.0).sin()) as i16;
        let mut chance = 1u32;
        let fan: Vec<i16> = (0..500 * FRAME)
            .map(|_| {
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (chance >> 16) as i16 / 200
            })
            .collect();
        let sent = |encoder: &mut Encoder, sample: &dyn Fn(usize) -> i16| {
            let of = |frame: usize| {
                let samples: Vec<i16> = (0..FRAME).map(|n| sample(frame * FRAME + n)).collect();
                encoder.encode(&samples, &mut [0; 400])
            };
            // Ten seconds.
            (0..500).map(of).filter(|length| *length > 2).count()
        };
        let mut encoder = Encoder::new(&parameters);
        assert_eq!(sent(&mut encoder, &note), 500);
        let pause = sent(&mut encoder, &|_| 0);
        assert!((25..60).contains(&pause), "its beginning, and each 400 ms a description: {pause}");
        assert_eq!(sent(&mut encoder, &note), 500, "and from the first packet on when it is back");
        let room = sent(&mut Encoder::new(&parameters), &|n| fan[n]);
        assert!(room < 250, "{room}");
    }

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
