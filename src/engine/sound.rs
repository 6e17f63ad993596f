//! Sound files to what a telephone plays: 8 kHz, mono, signed 16 bit. Ogg Opus (RFC 7845) and WAV.

use std::fmt;
use std::io::{Cursor, Read, Seek};
use std::time::Duration;

/// Samples a second of everything that is played.
const RATE: u32 = 8000;

/// Where the filter before a rate is lowered lets half of the sound through, in hertz. Higher: what a telephone cannot
/// carry folds back as whistling. Lower: dull.
const CUTOFF: f64 = 3600.0;

/// Zero crossings of the filter on each side. More: steeper, slower to load. Fewer: speech above 4 kHz whistles.
const CROSSINGS: f64 = 16.0;

/// Why a file cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoundError {
    /// It is not what its name says, or damaged.
    Broken(String),
    /// It is, and of a kind that is not read here.
    Unsupported(String),
    /// It holds more than this.
    TooLong(Duration),
}

impl fmt::Display for SoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SoundError::Broken(what) => f.write_str(what),
            SoundError::Unsupported(what) => f.write_str(what),
            SoundError::TooLong(limit) => write!(f, "longer than {} s", limit.as_secs()),
        }
    }
}

impl std::error::Error for SoundError {}

/// Decodes an Ogg Opus file; Opus itself gives 8 kHz and one channel whatever was put in.
pub fn opus(bytes: &[u8], longest: Duration) -> Result<Vec<i16>, SoundError> {
    let broken = |error: &dyn fmt::Display| SoundError::Broken(format!("not an Ogg Opus file: {error}"));
    let mut packets = ogg::PacketReader::new(Cursor::new(bytes));
    let head = packets.read_packet().map_err(|e| broken(&e))?.ok_or_else(|| broken(&"it is empty"))?;
    let head = OpusHead::read(&head.data)?;
    // The comments say nothing that is heard.
    packets.read_packet().map_err(|e| broken(&e))?;

    let mut decoder = opus::Decoder::new(RATE, opus::Channels::Mono).map_err(|e| broken(&e))?;
    decoder.set_gain(head.gain.into()).map_err(|e| broken(&e))?;
    let limit = samples_in(longest);
    let mut samples: Vec<i16> = Vec::new();
    let mut end = None;
    // RFC 6716 §2.1.4: a packet holds at most 120 ms.
    let mut frame = [0i16; 960];
    while let Some(packet) = packets.read_packet().map_err(|e| broken(&e))? {
        let length = decoder.decode(&packet.data, &mut frame, false).map_err(|e| broken(&e))?;
        samples.extend(frame.get(..length).unwrap_or_default());
        if samples.len() > limit.saturating_add(head.skip) {
            return Err(SoundError::TooLong(longest));
        }
        if packet.last_in_stream() {
            // RFC 7845 §4.4: the last granule position trims the end.
            end = usize::try_from(packet.absgp_page() / u64::from(48_000 / RATE)).ok();
        }
    }
    if let Some(end) = end {
        samples.truncate(end);
    }
    samples.drain(..head.skip.min(samples.len()));
    Ok(samples)
}

/// Decodes a WAV file: integers of 8 to 32 bits or floats, any number of channels, 8 to 192 kHz.
pub fn wav(bytes: &[u8], longest: Duration) -> Result<Vec<i16>, SoundError> {
    let reader = hound::WavReader::new(Cursor::new(bytes)).map_err(|e| not_wav(&e))?;
    let spec = reader.spec();
    if !(RATE..=192_000).contains(&spec.sample_rate) {
        return Err(SoundError::Unsupported(format!("{} Hz; 8000 to 192000 are read", spec.sample_rate)));
    }
    if Duration::from_secs((reader.duration() / spec.sample_rate).into()) > longest {
        return Err(SoundError::TooLong(longest));
    }
    let mono = mono(reader, spec)?;
    Ok(if spec.sample_rate == RATE { mono.into_iter().map(to_i16).collect() } else { lower(&mono, spec.sample_rate) })
}

/// What of the first packet matters (RFC 7845 §5.1).
struct OpusHead {
    /// Samples at 8 kHz before the sound begins.
    skip: usize,
    /// In 1/256 dB.
    gain: i16,
}

impl OpusHead {
    fn read(data: &[u8]) -> Result<Self, SoundError> {
        let (Some(b"OpusHead"), Some(&[version, channels, skip0, skip1, _, _, _, _, gain0, gain1, family])) =
            (data.first_chunk(), data.get(8..19).and_then(|rest| rest.first_chunk::<11>()))
        else {
            return Err(SoundError::Broken("not an Ogg Opus file: no OpusHead".into()));
        };
        if version >> 4 != 0 || family != 0 || !(1..=2).contains(&channels) {
            return Err(SoundError::Unsupported(
                "an Opus file of more than two channels, or of a later version".into(),
            ));
        }
        let skip = usize::from(u16::from_le_bytes([skip0, skip1])) * RATE as usize / 48_000;
        Ok(Self { skip, gain: i16::from_le_bytes([gain0, gain1]) })
    }
}

fn mono<R: Read + Seek>(reader: hound::WavReader<R>, spec: hound::WavSpec) -> Result<Vec<f32>, SoundError> {
    let scale = match (spec.sample_format, spec.bits_per_sample) {
        (hound::SampleFormat::Float, 32) => 32_768.0,
        (hound::SampleFormat::Int, bits @ 8..=32) => 32_768.0 / (1u64 << (bits - 1)) as f32,
        (_, bits) => return Err(SoundError::Unsupported(format!("{bits} bits a sample"))),
    };
    let all: Result<Vec<f32>, hound::Error> = match spec.sample_format {
        hound::SampleFormat::Float => reader.into_samples::<f32>().collect(),
        hound::SampleFormat::Int => reader.into_samples::<i32>().map(|s| s.map(|s| s as f32)).collect(),
    };
    let all = all.map_err(|e| not_wav(&e))?;
    let channels = usize::from(spec.channels).max(1);
    Ok(all.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32 * scale).collect())
}

/// Lowers the rate through a windowed-sinc low-pass, one phase of it for each place an output sample can fall on
/// between two input samples.
fn lower(samples: &[f32], rate: u32) -> Vec<i16> {
    let divisor = gcd(rate, RATE);
    let (step, phases) = ((rate / divisor) as usize, (RATE / divisor) as usize);
    // One crossing is half a period of the cutoff.
    let half = CROSSINGS * f64::from(rate) / (2.0 * CUTOFF);
    let reach = half.ceil() as usize;
    let kernels: Vec<Vec<f32>> = (0..phases)
        .map(|phase| {
            let offset = phase as f64 / phases as f64;
            let taps: Vec<f64> = (0..=2 * reach).map(|tap| kernel(tap as f64 - reach as f64 - offset, half)).collect();
            let sum: f64 = taps.iter().sum();
            taps.iter().map(|tap| (tap / sum) as f32).collect()
        })
        .collect();

    let length = samples.len() * phases / step;
    let mut lowered = Vec::with_capacity(length);
    for index in 0..length {
        let (at, phase) = (index * step / phases, index * step % phases);
        let taps = kernels.get(phase).map(Vec::as_slice).unwrap_or_default();
        let first = at.saturating_sub(reach);
        let taps = taps.get(reach.saturating_sub(at)..).unwrap_or_default();
        let around = samples.get(first..).unwrap_or_default();
        lowered.push(to_i16(around.iter().zip(taps).map(|(sample, tap)| sample * tap).sum()));
    }
    lowered
}

/// A sinc of the cutoff under a Blackman window that ends `half` samples away.
fn kernel(distance: f64, half: f64) -> f64 {
    let place = distance / half;
    if place.abs() >= 1.0 {
        return 0.0;
    }
    let angle = std::f64::consts::PI * place;
    let window = 0.42 + 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos();
    let x = angle * CROSSINGS;
    window * if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

fn not_wav(error: &hound::Error) -> SoundError {
    SoundError::Broken(format!("not a WAV file: {error}"))
}

fn samples_in(length: Duration) -> usize {
    usize::try_from(length.as_millis()).unwrap_or(usize::MAX).saturating_mul(RATE as usize / 1000)
}

fn to_i16(sample: f32) -> i16 {
    // A conversion from a float saturates.
    sample.round() as i16
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn file(rate: u32, channels: u16, hertz: f64, seconds: f64) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for index in 0..(f64::from(rate) * seconds) as u32 {
            let sample = 10_000.0 * (std::f64::consts::TAU * hertz * f64::from(index) / f64::from(rate)).sin();
            for _ in 0..channels {
                writer.write_sample(sample as i16).unwrap();
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    /// Root mean square of the middle, in dB of a full sine of 10,000.
    fn level(samples: &[i16]) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let power: f64 = middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / middle.len() as f64;
        10.0 * (power / (10_000.0f64.powi(2) / 2.0)).max(1e-9).log10()
    }

    #[test]
    fn speech_passes_at_every_common_rate_and_what_a_telephone_cannot_carry_does_not_whistle() {
        for rate in [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000] {
            for channels in [1, 2] {
                let heard = wav(&file(rate, channels, 1000.0, 0.5), LONG).unwrap();
                assert!((3990..=4000).contains(&heard.len()), "{rate}: {}", heard.len());
                assert!(level(&heard).abs() < 0.1, "{rate}/{channels}: {}", level(&heard));
            }
            if rate > 11_025 {
                let heard = wav(&file(rate, 1, 5200.0, 0.5), LONG).unwrap();
                assert!(level(&heard) < -60.0, "{rate}: {}", level(&heard));
                assert!(level(&wav(&file(rate, 1, 3200.0, 0.5), LONG).unwrap()) > -1.0, "{rate}");
            }
        }
    }

    #[test]
    fn a_file_of_anything_else_is_an_error_not_a_noise() {
        assert!(matches!(wav(b"RIFF", LONG), Err(SoundError::Broken(_))));
        assert!(matches!(opus(b"", LONG), Err(SoundError::Broken(_))));
        assert!(matches!(opus(&file(8000, 1, 1000.0, 0.1), LONG), Err(SoundError::Broken(_))));
        assert!(matches!(wav(&file(4000, 1, 1000.0, 0.1), LONG), Err(SoundError::Unsupported(_))));
        let short = Duration::from_secs(1);
        assert_eq!(wav(&file(8000, 1, 1000.0, 3.0), short), Err(SoundError::TooLong(short)));
        let cut = file(48_000, 2, 1000.0, 0.2);
        assert!(matches!(wav(&cut[..cut.len() - 1001], LONG), Err(SoundError::Broken(_))));
    }
}
