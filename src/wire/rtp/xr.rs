//! RTCP extended reports (RFC 3611): VoIP metrics (block 7), and round-trip times of those who only receive (4 and 5).

use std::ops::RangeInclusive;

/// Packet type of an extended report.
pub const PACKET_TYPE: u8 = 207;

const RECEIVER_TIME: u8 = 4;
const DELAY_SINCE: u8 = 5;
const VOIP_METRICS: u8 = 7;

/// What a receiver measured of one voice stream (RFC 3611 §4.7); what it does not know, or cannot be, is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VoipMetrics {
    /// The source it is about.
    pub ssrc: u32,
    /// Packets lost, in 1/256.
    pub loss_rate: u8,
    /// Packets that came too late or too early to be played, in 1/256.
    pub discard_rate: u8,
    /// Share lost or discarded within bursts, in 1/256.
    pub burst_density: u8,
    /// The same within gaps.
    pub gap_density: u8,
    /// Mean length of bursts in milliseconds.
    pub burst_duration: u16,
    /// Mean length of gaps in milliseconds.
    pub gap_duration: u16,
    /// Round-trip time between the RTP ends in milliseconds; 0: not known.
    pub round_trip: u16,
    /// What the end itself adds, there and back, in milliseconds; 0: not known, or not to be believed.
    pub end_system_delay: u16,
    /// Loudness of the voice in dBm0.
    pub signal_level: Option<i8>,
    /// Loudness of what is heard in pauses in dBm0.
    pub noise_level: Option<i8>,
    /// Residual echo return loss in dB.
    pub echo_return_loss: Option<u8>,
    /// Shortest gap in packets.
    pub gap_minimum: u8,
    /// Rating, 0 to 100.
    pub rating: Option<u8>,
    /// Rating of the network behind the end, 0 to 100.
    pub external_rating: Option<u8>,
    /// Score for listening, in tenths.
    pub mos_listening: Option<u8>,
    /// Score for conversation, in tenths.
    pub mos_conversation: Option<u8>,
    /// Concealment, whether the jitter buffer adapts, and how quickly (§4.7.6).
    pub configuration: u8,
    /// Delay of the jitter buffer in milliseconds.
    pub buffer_nominal: u16,
    /// Its delay for the latest packet that is not discarded.
    pub buffer_maximum: u16,
    /// The most it can have.
    pub buffer_absolute_maximum: u16,
}

/// What stands for "not known" where zero is a value.
const UNKNOWN: u8 = 127;

/// Ratings, and scores in tenths: other values "MUST be ignored by the receiving system" (RFC 3611 §4.7.5).
const RATINGS: RangeInclusive<u8> = 0..=100;
const SCORES: RangeInclusive<u8> = 10..=50;

/// The loudest that there is in dBm0: a square wave of G.711 has 6.
const LOUDEST: i8 = 6;

/// The weakest echo that anybody measures, in dB.
const WEAKEST_ECHO: u8 = 100;

/// The longest delay of an end, or of its buffer, that is believed, in milliseconds: none that holds a voice longer is a telephone.
const LONGEST_DELAY: u16 = 2000;

impl VoipMetrics {
    /// Bytes of the block after its head.
    pub(super) const LENGTH: usize = 32;

    fn parse(bytes: &[u8; Self::LENGTH]) -> Self {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let half = |at: usize| u16::from_be_bytes([byte(at), byte(at + 1)]);
        let level = |at: usize| Some(byte(at)).filter(|value| *value != UNKNOWN);
        let within = |at: usize, range: RangeInclusive<u8>| level(at).filter(|value| range.contains(value));
        let loudness = |at: usize| level(at).map(u8::cast_signed).filter(|value| *value <= LOUDEST);
        let delay = |at: usize| Some(half(at)).filter(|value| *value <= LONGEST_DELAY).unwrap_or(0);
        Self {
            ssrc: bytes.first_chunk::<4>().map_or(0, |word| u32::from_be_bytes(*word)),
            loss_rate: byte(4),
            discard_rate: byte(5),
            burst_density: byte(6),
            gap_density: byte(7),
            burst_duration: half(8),
            gap_duration: half(10),
            round_trip: half(12),
            end_system_delay: delay(14),
            signal_level: loudness(16),
            noise_level: loudness(17),
            echo_return_loss: within(18, 0..=WEAKEST_ECHO),
            gap_minimum: byte(19),
            rating: within(20, RATINGS),
            external_rating: within(21, RATINGS),
            mos_listening: within(22, SCORES),
            mos_conversation: within(23, SCORES),
            configuration: byte(24),
            buffer_nominal: delay(26),
            buffer_maximum: delay(28),
            buffer_absolute_maximum: delay(30),
        }
    }

    pub(super) fn write(&self) -> [u8; Self::LENGTH] {
        let [s0, s1, s2, s3] = self.ssrc.to_be_bytes();
        let [b0, b1] = self.burst_duration.to_be_bytes();
        let [g0, g1] = self.gap_duration.to_be_bytes();
        let [r0, r1] = self.round_trip.to_be_bytes();
        let [e0, e1] = self.end_system_delay.to_be_bytes();
        let [n0, n1] = self.buffer_nominal.to_be_bytes();
        let [m0, m1] = self.buffer_maximum.to_be_bytes();
        let [a0, a1] = self.buffer_absolute_maximum.to_be_bytes();
        let or = |value: Option<u8>| value.unwrap_or(UNKNOWN);
        let dbm = |value: Option<i8>| value.map_or(UNKNOWN, i8::cast_unsigned);
        [
            s0,
            s1,
            s2,
            s3,
            self.loss_rate,
            self.discard_rate,
            self.burst_density,
            self.gap_density,
            b0,
            b1,
            g0,
            g1,
            r0,
            r1,
            e0,
            e1,
            dbm(self.signal_level),
            dbm(self.noise_level),
            or(self.echo_return_loss),
            self.gap_minimum,
            or(self.rating),
            or(self.external_rating),
            or(self.mos_listening),
            or(self.mos_conversation),
            self.configuration,
            0,
            n0,
            n1,
            m0,
            m1,
            a0,
            a1,
        ]
    }
}

/// One block of an extended report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// A receiver's clock (§4.4): who answers with [`Block::DelaySince`] lets it know the round-trip time.
    ReceiverTime {
        /// NTP timestamp.
        ntp: u64,
    },
    /// Since when a receiver's clock came (§4.5), of one source.
    DelaySince {
        /// Whose clock.
        ssrc: u32,
        /// The middle half of its NTP timestamp.
        last: u32,
        /// Time since it came in 1/65536 s.
        delay: u32,
    },
    /// What was measured of a voice stream.
    Voip(VoipMetrics),
    /// Anything else.
    Other(
        /// Its block type.
        u8,
    ),
}

/// The blocks of an extended report, borrowed; of a block of delays the first is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks<'a>(pub(super) &'a [u8]);

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let ([kind, _, l0, l1], rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
        // A block that is longer than the packet ends it.
        let (body, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        let word =
            |at: usize| body.get(at..).and_then(|rest| rest.first_chunk::<4>()).map(|word| u32::from_be_bytes(*word));
        Some(match (*kind, word(0), word(4), word(8)) {
            (RECEIVER_TIME, Some(high), Some(low), _) => {
                Block::ReceiverTime { ntp: (u64::from(high) << 32) | u64::from(low) }
            }
            (DELAY_SINCE, Some(ssrc), Some(last), Some(delay)) => Block::DelaySince { ssrc, last, delay },
            (VOIP_METRICS, ..) if body.first_chunk::<{ VoipMetrics::LENGTH }>().is_some() => {
                Block::Voip(body.first_chunk().map(VoipMetrics::parse).unwrap_or_default())
            }
            (kind, ..) => Block::Other(kind),
        })
    }
}

/// Writes one block; its bytes and how many there are.
pub(super) fn write(block: &Block) -> ([u8; 4 + VoipMetrics::LENGTH], usize) {
    let mut bytes = [0; 4 + VoipMetrics::LENGTH];
    let mut put = |kind: u8, parts: &[&[u8]]| {
        let body: usize = parts.iter().map(|part| part.len()).sum();
        let words = u8::try_from(body / 4).unwrap_or(0);
        let head = [kind, 0, 0, words];
        let all = head.iter().chain(parts.iter().copied().flatten());
        bytes.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
        4 + body
    };
    let length = match block {
        Block::ReceiverTime { ntp } => put(RECEIVER_TIME, &[&ntp.to_be_bytes()]),
        Block::DelaySince { ssrc, last, delay } => {
            put(DELAY_SINCE, &[&ssrc.to_be_bytes(), &last.to_be_bytes(), &delay.to_be_bytes()])
        }
        Block::Voip(metrics) => put(VOIP_METRICS, &[&metrics.write()]),
        Block::Other(_) => 0,
    };
    (bytes, length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn blocks_that_are_written_parse_back_whatever_they_hold(
            bytes in any::<[u8; VoipMetrics::LENGTH]>(), ntp in any::<u64>(), words in any::<[u32; 3]>(),
        ) {
            let metrics = VoipMetrics::parse(&bytes);
            let delay = Block::DelaySince { ssrc: words[0], last: words[1], delay: words[2] };
            let blocks = [Block::ReceiverTime { ntp }, delay, Block::Voip(metrics)];
            let mut wire = Vec::new();
            for block in &blocks {
                let (bytes, length) = write(block);
                wire.extend_from_slice(&bytes[..length]);
            }
            prop_assert_eq!(Blocks(&wire).collect::<Vec<_>>(), blocks);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(Blocks(&bytes).count() <= 20);
        }
    }

    #[test]
    fn a_telephones_report_is_read_field_by_field() {
        // As in RFC 3611 §4.7: 5 of 256 lost, 2 discarded, 80 ms there and back, −20 dBm0, rating 85, score 4.1.
        let mut wire = vec![7, 0, 0, 8, 0, 0, 0, 9, 5, 2, 64, 1, 0, 60, 4, 176, 0, 80, 0, 40];
        wire.extend([0xec, 0xbf, 55, 16, 85, 127, 41, 40, 0xb0, 0, 0, 40, 0, 80, 0, 200]);
        let Some(Block::Voip(read)) = Blocks(&wire).next() else { panic!("no metrics") };
        assert_eq!((read.ssrc, read.loss_rate, read.discard_rate), (9, 5, 2));
        assert_eq!(
            (read.burst_duration, read.gap_duration, read.round_trip, read.end_system_delay),
            (60, 1200, 80, 40)
        );
        assert_eq!((read.signal_level, read.noise_level, read.echo_return_loss), (Some(-20), Some(-65), Some(55)));
        assert_eq!((read.rating, read.external_rating, read.mos_listening), (Some(85), None, Some(41)));
        assert_eq!((read.buffer_nominal, read.buffer_maximum, read.buffer_absolute_maximum), (40, 80, 200));
    }

    #[test]
    fn what_cannot_be_is_not_known() {
        let wire: Vec<u8> = [7, 0, 0, 8, 0, 0, 0, 9].into_iter().chain([255; VoipMetrics::LENGTH - 4]).collect();
        let Some(Block::Voip(read)) = Blocks(&wire).next() else { panic!("no metrics") };
        assert_eq!(
            (read.rating, read.external_rating, read.mos_listening, read.mos_conversation),
            (None, None, None, None)
        );
        assert_eq!((read.echo_return_loss, read.signal_level), (None, Some(-1)), "which is loud, but can be");
        assert_eq!((read.end_system_delay, read.buffer_nominal, read.buffer_maximum), (0, 0, 0));
    }
}
