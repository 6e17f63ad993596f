//! Their packets, believed or refused.

use super::cipher::{Cipher, RTCP, RTP, same};
use super::send::rollover;
use super::{Head, RTCP_CLEAR, RTCP_INDEX, RTCP_TAG};
use crate::media::command::SrtpKey;

/// Synchronisation sources known at once. More: memory per leg. Fewer: a far end that changes its source often could have
/// an old packet replayed.
const SOURCES: usize = 4;

/// Packets before the highest one that may still come (RFC 3711 §3.3.2 asks for 64): 2.5 s of speech in 20 ms packets.
const WINDOW: u64 = 128;

/// Why a packet was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Too short, too long, or no RTP.
    Malformed,
    /// Its tag is wrong: of another key, changed on its way, or not protected at all.
    Forged,
    /// It came before, or is too old to tell.
    Replayed,
}

/// Believes or refuses what one leg receives.
#[derive(Clone)]
pub struct Receiver {
    rtp: Cipher,
    rtcp: Cipher,
    tag: usize,
    mki: usize,
    /// Packets come without the MKI that was announced.
    bare: bool,
    sources: [Option<Source>; SOURCES],
    /// Which source gives way to the next new one.
    oldest: usize,
}

/// One of their sources. Known once a packet of its was believed.
#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    /// Of RTP: rollover counter and sequence number.
    rtp: Option<Seen>,
    rtcp: Option<Seen>,
    /// Under another key: what that knew of the rollover counter.
    counter: u32,
}

/// Which packets came: the highest index, and a bit for each of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    highest: u64,
    before: u128,
}

impl Seen {
    const fn first(index: u64) -> Self {
        Self { highest: index, before: 1 }
    }

    const fn knows(self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => false,
            Some(age) => age >= WINDOW || self.before >> age & 1 == 1,
        }
    }

    fn note(&mut self, index: u64) {
        if index > self.highest {
            let step = u32::try_from(index - self.highest).unwrap_or(u32::MAX);
            self.before = self.before.checked_shl(step).unwrap_or(0) | 1;
            self.highest = index;
        } else if self.highest - index < WINDOW {
            self.before |= 1 << (self.highest - index);
        }
    }
}

impl Receiver {
    /// Begins with a key; none where it does not fit its suite.
    pub fn new(key: &SrtpKey) -> Option<Self> {
        Some(Self {
            rtp: Cipher::derive(key, RTP)?,
            rtcp: Cipher::derive(key, RTCP)?,
            tag: key.suite.tag_length(),
            mki: usize::from(key.mki),
            bare: false,
            sources: [None; SOURCES],
            oldest: 0,
        })
    }

    /// Another key. Rollover counters go on (RFC 3711 §3.3.1) where the far end's do; what came under the old key is
    /// forgotten, for nothing of it can be replayed.
    pub fn rekey(&mut self, key: &SrtpKey) -> bool {
        let Some(mut next) = Self::new(key) else { return false };
        for (source, known) in next.sources.iter_mut().zip(&self.sources) {
            *source = known.map(|known| Source {
                rtp: None,
                rtcp: None,
                counter: known.rtp.map_or(known.counter, |seen| counter_of(seen.highest)),
                ..known
            });
        }
        next.oldest = self.oldest;
        *self = next;
        true
    }

    /// Writes an RTP packet in the clear into `out`; returns its length.
    pub fn rtp(&mut self, packet: &[u8], out: &mut [u8]) -> Result<usize, Refused> {
        let Some(Head { length, sequence, ssrc }) = Head::read(packet) else { return Err(Refused::Malformed) };
        let source = self.find(ssrc);
        for (bare, mki) in self.layouts() {
            let Some((body, tag)) = split(packet, mki, self.tag).filter(|(body, _)| body.len() >= length) else {
                continue;
            };
            let right = |counter: &u32| {
                same(tag, self.rtp.tag(body, &counter.to_be_bytes()).get(..self.tag).unwrap_or_default())
            };
            let Some(counter) = candidates(source, sequence).into_iter().flatten().find(right) else { continue };
            let index = u64::from(counter) << 16 | u64::from(sequence);
            if source.and_then(|source| source.rtp).is_some_and(|seen| seen.knows(index)) {
                return Err(Refused::Replayed);
            }
            let out = out.get_mut(..body.len()).ok_or(Refused::Malformed)?;
            out.copy_from_slice(body);
            self.rtp.apply(ssrc, index, out.get_mut(length..).unwrap_or_default());
            self.bare = bare;
            self.note(ssrc, |source| &mut source.rtp, index);
            return Ok(body.len());
        }
        Err(Refused::Forged)
    }

    /// The same for RTCP.
    pub fn rtcp(&mut self, packet: &[u8], out: &mut [u8]) -> Result<usize, Refused> {
        let ssrc = packet.get(4..RTCP_CLEAR).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let ssrc = ssrc.ok_or(Refused::Malformed)?;
        for (bare, mki) in self.layouts() {
            let Some((body, tag)) = split(packet, mki, RTCP_TAG) else { continue };
            if !same(tag, self.rtcp.tag(body, &[]).get(..RTCP_TAG).unwrap_or_default()) {
                continue;
            }
            let (report, index) = body.split_last_chunk::<RTCP_INDEX>().ok_or(Refused::Malformed)?;
            let index = u32::from_be_bytes(*index);
            // Reports in the clear were not agreed on.
            if index >> 31 == 0 || report.len() < RTCP_CLEAR {
                return Err(Refused::Malformed);
            }
            let index = u64::from(index & 0x7fff_ffff);
            if self.find(ssrc).and_then(|source| source.rtcp).is_some_and(|seen| seen.knows(index)) {
                return Err(Refused::Replayed);
            }
            let out = out.get_mut(..report.len()).ok_or(Refused::Malformed)?;
            out.copy_from_slice(report);
            self.rtcp.apply(ssrc, index, out.get_mut(RTCP_CLEAR..).unwrap_or_default());
            self.bare = bare;
            self.note(ssrc, |source| &mut source.rtcp, index);
            return Ok(report.len());
        }
        Err(Refused::Forged)
    }

    /// With the MKI that was announced, and without, for some announce one and send none: what came last first.
    fn layouts(&self) -> impl Iterator<Item = (bool, usize)> + use<> {
        let both =
            [(self.bare, if self.bare { 0 } else { self.mki }), (!self.bare, if self.bare { self.mki } else { 0 })];
        both.into_iter().take(if self.mki == 0 { 1 } else { 2 })
    }

    fn find(&self, ssrc: u32) -> Option<Source> {
        self.sources.iter().flatten().find(|source| source.ssrc == ssrc).copied()
    }

    fn note(&mut self, ssrc: u32, which: impl Fn(&mut Source) -> &mut Option<Seen>, index: u64) {
        let place = self.sources.iter().position(|source| source.is_some_and(|source| source.ssrc == ssrc));
        let place = place.unwrap_or_else(|| {
            let free = self.sources.iter().position(Option::is_none).unwrap_or(self.oldest);
            self.oldest = (free + 1) % SOURCES;
            if let Some(slot) = self.sources.get_mut(free) {
                *slot = Some(Source { ssrc, rtp: None, rtcp: None, counter: 0 });
            }
            free
        });
        if let Some(Some(source)) = self.sources.get_mut(place) {
            match which(source) {
                Some(seen) => seen.note(index),
                unseen => *unseen = Some(Seen::first(index)),
            }
        }
    }
}

/// Rollover counters that a packet may have, the likeliest first. Of a source that is known: by its highest packet; the
/// next one too, for half of all numbers may have been lost. Of a new one: none yet, or one, where it began shortly before
/// a wrap and its first packets were lost; after a change of keys, what was before, for not everyone begins anew.
fn candidates(source: Option<Source>, sequence: u16) -> [Option<u32>; 3] {
    match source {
        Some(Source { rtp: Some(seen), .. }) => {
            let highest = u16::try_from(seen.highest & 0xffff).unwrap_or(0);
            let guess = rollover((counter_of(seen.highest), highest), sequence);
            [Some(guess), Some(guess.wrapping_add(1)), None]
        }
        Some(Source { counter, .. }) if counter > 0 => [Some(counter), Some(counter.wrapping_add(1)), Some(0)],
        Some(_) | None => [Some(0), Some(1), None],
    }
}

fn counter_of(index: u64) -> u32 {
    u32::try_from(index >> 16).unwrap_or(u32::MAX)
}

/// What is authenticated, and the tag behind it and the MKI.
fn split(packet: &[u8], mki: usize, tag: usize) -> Option<(&[u8], &[u8])> {
    let (rest, tag) = packet.split_at_checked(packet.len().checked_sub(tag)?)?;
    Some((rest.get(..rest.len().checked_sub(mki)?)?, tag))
}
