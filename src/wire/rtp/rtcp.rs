//! RTCP compound packets (RFC 3550 §6): sender and receiver reports, SDES, BYE, extended reports (RFC 3611); APP is
//! tolerated, anything else is stepped over.

use std::fmt;

use super::xr;

/// A sender's clocks and counters (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// NTP timestamp: seconds in the upper half, fraction in the lower.
    pub ntp: u64,
    /// The same moment on the RTP timestamp's clock.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// What a receiver tells about one source (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The source it is about.
    pub ssrc: u32,
    /// Loss since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Loss in all, 24 bits signed.
    pub lost: i32,
    /// Highest sequence number received, with its cycles.
    pub highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// The middle half of the last sender report's NTP timestamp, 0 where none came.
    pub last_report: u32,
    /// Time since that report in 1/65536 s.
    pub delay: u32,
}

impl ReportBlock {
    const LENGTH: usize = 24;

    fn parse(bytes: &[u8; Self::LENGTH]) -> Self {
        let word = |at: usize| bytes.get(at..).map_or(0, be32);
        let loss = word(4);
        Self {
            ssrc: word(0),
            fraction_lost: loss.to_be_bytes()[0],
            lost: ((loss << 8) as i32) >> 8,
            highest: word(8),
            jitter: word(12),
            last_report: word(16),
            delay: word(20),
        }
    }
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report<'a> {
    /// SR, packet type 200.
    Sender {
        /// Who sends.
        ssrc: u32,
        /// Its clocks and counters.
        info: SenderInfo,
        /// What it receives.
        blocks: Blocks<'a>,
    },
    /// RR, packet type 201.
    Receiver {
        /// Who reports.
        ssrc: u32,
        /// What it receives.
        blocks: Blocks<'a>,
    },
    /// SDES, packet type 202: the first chunk's source and canonical name.
    Description {
        /// Whom it describes; none in an empty packet.
        ssrc: Option<u32>,
        /// The CNAME item, where there is one.
        cname: Option<&'a [u8]>,
    },
    /// BYE, packet type 203.
    Bye {
        /// Who leaves; none where nobody is named.
        ssrc: Option<u32>,
    },
    /// XR, packet type 207 (RFC 3611).
    Extended {
        /// Who reports.
        ssrc: u32,
        /// What.
        blocks: xr::Blocks<'a>,
    },
    /// APP, feedback and everything else.
    Other {
        /// Its packet type.
        kind: u8,
    },
}

/// Report blocks, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [u8]);

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;
    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<{ ReportBlock::LENGTH }>()?;
        self.0 = rest;
        Some(ReportBlock::parse(block))
    }
}

/// Why a datagram is not RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRtcp {
    /// A packet is shorter than it says, or there is none.
    Short,
    /// Not version 2.
    Version,
    /// The first packet's type is no RTCP type.
    Kind,
}

impl fmt::Display for NotRtcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotRtcp::Short => "shorter than its RTCP header says",
            NotRtcp::Version => "not RTCP version 2",
            NotRtcp::Kind => "no RTCP packet type",
        })
    }
}

impl std::error::Error for NotRtcp {}

/// A compound whose lengths have been checked (§A.2); iterates over its packets. The first need not be a report:
/// reduced-size RTCP (RFC 5506) and lone BYEs are met in the wild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound<'a>(&'a [u8]);

impl<'a> Compound<'a> {
    /// Checks one datagram.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotRtcp> {
        if !super::is_rtcp(bytes) {
            return Err(if bytes.len() < 4 { NotRtcp::Short } else { NotRtcp::Kind });
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (_, after) = split(rest)?;
            rest = after;
        }
        Ok(Self(bytes))
    }
}

/// One packet of a compound, its body without padding.
struct Part<'a> {
    flags: u8,
    kind: u8,
    body: &'a [u8],
}

/// Splits the first packet off what follows.
fn split(bytes: &[u8]) -> Result<(Part<'_>, &[u8]), NotRtcp> {
    let ([flags, kind, l0, l1], rest) = bytes.split_first_chunk::<4>().ok_or(NotRtcp::Short)?;
    if flags >> 6 != 2 {
        return Err(NotRtcp::Version);
    }
    let length = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
    let (body, rest) = rest.split_at_checked(length).ok_or(NotRtcp::Short)?;
    let padding = if flags & 0x20 != 0 { usize::from(body.last().copied().unwrap_or(0)) } else { 0 };
    let body = body.get(..body.len().saturating_sub(padding)).unwrap_or(&[]);
    Ok((Part { flags: *flags, kind: *kind, body }, rest))
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |word| u32::from_be_bytes(*word))
}

impl<'a> Iterator for Compound<'a> {
    type Item = Report<'a>;

    fn next(&mut self) -> Option<Report<'a>> {
        let (Part { flags, kind, body }, rest) = split(self.0).ok()?;
        self.0 = rest;
        Some(read(flags, kind, body))
    }
}

fn read(flags: u8, kind: u8, body: &[u8]) -> Report<'_> {
    let count = usize::from(flags & 0x1f);
    let blocks = |from: usize| {
        let bytes = body.get(from..).unwrap_or(&[]);
        Blocks(bytes.get(..count * ReportBlock::LENGTH).unwrap_or(bytes))
    };
    let first = body.first_chunk::<4>().map(|word| u32::from_be_bytes(*word));
    match (kind, first) {
        (200, Some(ssrc)) if body.len() >= 24 => {
            let word = |at: usize| body.get(at..).map_or(0, be32);
            let info = SenderInfo {
                ntp: (u64::from(word(4)) << 32) | u64::from(word(8)),
                timestamp: word(12),
                packets: word(16),
                octets: word(20),
            };
            Report::Sender { ssrc, info, blocks: blocks(24) }
        }
        (201, Some(ssrc)) => Report::Receiver { ssrc, blocks: blocks(4) },
        (202, ssrc) => Report::Description { ssrc, cname: cname(body.get(4..).unwrap_or(&[])) },
        (203, ssrc) => Report::Bye { ssrc: ssrc.filter(|_| count > 0) },
        (xr::PACKET_TYPE, Some(ssrc)) => Report::Extended { ssrc, blocks: xr::Blocks(body.get(4..).unwrap_or(&[])) },
        (kind, _) => Report::Other { kind },
    }
}

fn cname(mut items: &[u8]) -> Option<&[u8]> {
    while let [kind, length, rest @ ..] = items {
        if *kind == 0 {
            return None;
        }
        let (text, after) = rest.split_at_checked(usize::from(*length))?;
        if *kind == 1 {
            return Some(text);
        }
        items = after;
    }
    None
}

/// Writes a compound into a fixed buffer; what does not fit is left out whole.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Writer<'a> {
    /// Begins at the buffer's start.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Adds a sender report; at most one block, which is all that a leg ever has.
    pub fn sender_report(&mut self, ssrc: u32, info: &SenderInfo, block: Option<&ReportBlock>) {
        self.packet(200, u8::from(block.is_some()), |out| {
            out.word(ssrc);
            out.word((info.ntp >> 32) as u32);
            out.word((info.ntp & 0xffff_ffff) as u32);
            out.word(info.timestamp);
            out.word(info.packets);
            out.word(info.octets);
            block.into_iter().for_each(|block| out.block(block));
        });
    }

    /// Adds a receiver report.
    pub fn receiver_report(&mut self, ssrc: u32, block: Option<&ReportBlock>) {
        self.packet(201, u8::from(block.is_some()), |out| {
            out.word(ssrc);
            block.into_iter().for_each(|block| out.block(block));
        });
    }

    /// Adds SDES with the canonical name, cut at 255 bytes.
    pub fn description(&mut self, ssrc: u32, cname: &[u8]) {
        let length = u8::try_from(cname.len()).unwrap_or(u8::MAX);
        self.packet(202, 1, |out| {
            out.word(ssrc);
            out.bytes(&[1, length]);
            out.bytes(cname.get(..usize::from(length)).unwrap_or(cname));
            // At least one zero ends the items, and the chunk fills whole words (§6.5).
            let used = 2 + usize::from(length);
            out.bytes(&[0; 4][..4 - used % 4]);
        });
    }

    /// Adds an extended report.
    pub fn extended(&mut self, ssrc: u32, blocks: impl IntoIterator<Item = xr::Block>) {
        self.packet(xr::PACKET_TYPE, 0, |out| {
            out.word(ssrc);
            for block in blocks {
                let (bytes, length) = xr::write(&block);
                out.bytes(bytes.get(..length).unwrap_or(&[]));
            }
        });
    }

    /// Adds BYE.
    pub fn bye(&mut self, ssrc: u32) {
        self.packet(203, 1, |out| out.word(ssrc));
    }

    /// The length written.
    pub fn finish(self) -> usize {
        self.length
    }

    fn packet(&mut self, kind: u8, count: u8, body: impl FnOnce(&mut Body<'_>)) {
        let start = self.length;
        let Some((head, rest)) = self.buffer.get_mut(start..).and_then(|free| free.split_first_chunk_mut::<4>()) else {
            return;
        };
        let mut out = Body { free: rest, length: 0, overflow: false };
        body(&mut out);
        let (length, overflow) = (out.length, out.overflow);
        let words = u16::try_from(length / 4).unwrap_or(u16::MAX);
        let [l0, l1] = words.to_be_bytes();
        *head = [0x80 | (count & 0x1f), kind, l0, l1];
        if !overflow {
            self.length = start + 4 + length;
        }
    }
}

struct Body<'a> {
    free: &'a mut [u8],
    length: usize,
    overflow: bool,
}

impl Body<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        match self.free.get_mut(self.length..self.length + bytes.len()) {
            Some(slot) => {
                slot.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.overflow = true,
        }
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_be_bytes());
    }

    fn block(&mut self, block: &ReportBlock) {
        self.word(block.ssrc);
        let lost = block.lost.clamp(-0x80_0000, 0x7f_ffff) as u32;
        self.word((u32::from(block.fraction_lost) << 24) | (lost & 0xff_ffff));
        self.word(block.highest);
        self.word(block.jitter);
        self.word(block.last_report);
        self.word(block.delay);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn block()(w in any::<[u32; 5]>(), fraction_lost in any::<u8>(), lost in -0x80_0000..0x80_0000i32) -> ReportBlock {
            ReportBlock { ssrc: w[0], fraction_lost, lost, highest: w[1], jitter: w[2], last_report: w[3], delay: w[4] }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_parses_back(
            (ssrc, ntp, timestamp, packets, octets) in any::<(u32, u64, u32, u32, u32)>(),
            block in proptest::option::of(block()),
            cname in proptest::collection::vec(any::<u8>(), 0..256),
            (sender, bye) in any::<(bool, bool)>(),
        ) {
            let info = SenderInfo { ntp, timestamp, packets, octets };
            let mut buffer = [0; 512];
            let mut writer = Writer::new(&mut buffer);
            if sender { writer.sender_report(ssrc, &info, block.as_ref()) } else { writer.receiver_report(ssrc, block.as_ref()) }
            writer.description(ssrc, &cname);
            if bye { writer.bye(ssrc) }
            let length = writer.finish();
            let mut compound = Compound::parse(&buffer[..length]).unwrap();
            match compound.next() {
                Some(Report::Sender { ssrc: s, info: i, blocks }) => {
                    prop_assert!(sender);
                    prop_assert_eq!((s, i, blocks.collect::<Vec<_>>()), (ssrc, info, block.into_iter().collect()));
                }
                Some(Report::Receiver { ssrc: s, blocks }) => {
                    prop_assert!(!sender);
                    prop_assert_eq!((s, blocks.collect::<Vec<_>>()), (ssrc, block.into_iter().collect()));
                }
                other => prop_assert!(false, "{:?}", other),
            }
            prop_assert_eq!(compound.next(), Some(Report::Description { ssrc: Some(ssrc), cname: Some(&cname) }));
            prop_assert_eq!(compound.next(), bye.then_some(Report::Bye { ssrc: Some(ssrc) }));
            prop_assert_eq!(compound.next(), None);
        }

        #[test]
        fn any_bytes_are_read_without_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), kind in 198..208u8) {
            if let [flags, second, ..] = bytes.as_mut_slice() { *flags = 0x80 | (*flags & 0x3f); *second = kind; }
            if let Ok(compound) = Compound::parse(&bytes) {
                for report in compound {
                    match report {
                        Report::Sender { blocks, .. } | Report::Receiver { blocks, .. } => { let _ = blocks.count(); }
                        Report::Extended { blocks, .. } => { let _ = blocks.count(); }
                        _ => {}
                    }
                }
            }
        }
    }

    #[test]
    fn app_and_unknown_packets_are_stepped_over() {
        let mut bytes = vec![0x80, 204, 0, 2, 0, 0, 0, 9, b'n', b'a', b'm', b'e', 0x80, 207, 0, 0];
        bytes.extend_from_slice(&[0x81, 203, 0, 1, 0, 0, 0, 7]);
        let kinds: Vec<_> = Compound::parse(&bytes).unwrap().collect();
        assert_eq!(kinds, [Report::Other { kind: 204 }, Report::Other { kind: 207 }, Report::Bye { ssrc: Some(7) }]);
        assert_eq!(Compound::parse(&bytes[..20]), Err(NotRtcp::Short));
        assert_eq!(Compound::parse(&[0x80, 0, 0, 1]), Err(NotRtcp::Kind));
    }
}
