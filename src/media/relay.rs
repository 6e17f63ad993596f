//! Packets of one far end passed on to another as they come: how the numbers of their stream become those of ours.
//!
//! ```text
//!            a packet comes                       a third person, a prompt, a mute, silence
//!   Ready ──────────────────► On: every packet at once ──────────────────────────────────► Off or Ready
//!     what waits to be played goes out first;                what went out early is not mixed again:
//!     the next packet follows without a gap                  the mix waits until its turn has come
//! ```
//!
//! Media time is the jitter buffer's: while packets are passed on, the buffer is filled and its play point moves on
//! as if it were played, so that mixing can take over at any tick.

use std::time::Duration;

use super::FRAME;
use super::egress::Egress;
use super::playout::Playout;
use crate::base::Instant;
use crate::wire::rtp::Header;

/// Nothing to pass on for this long, and the mix fills in: three packets of 20 ms. Longer: a far end that suppresses
/// silence leaves its listener without a stream, and a NAT on the way forgets it. Shorter: a late packet is taken for
/// silence.
pub const STARVED: Duration = Duration::from_millis(60);

/// A sequence number this far ahead is no loss but a sender that began anew (RFC 3550 §A.1).
const MOST_AHEAD: i16 = 3000;

/// A packet this far behind the newest is no late packet either.
const MOST_BEHIND: i16 = 128;

/// How one far end's numbers become ours.
#[derive(Debug, Clone, Copy)]
pub struct Relay {
    /// Ours less theirs.
    sequence: u16,
    /// Ours less theirs.
    timestamp: u32,
    /// Their last number before; what comes late from before it was mixed.
    floor: u16,
    /// Of the jitter buffer: another one means other timestamps.
    generation: u32,
    /// Media time up to which audio went out.
    end: i64,
    /// When something was last passed on.
    heard: Instant,
}

/// What a packet's payload is, under the number that the sink has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Audio of so much media time.
    Audio(i64),
    /// A telephone-event, or comfort noise.
    Other(u8),
}

impl Relay {
    /// Begins with a packet of theirs that lies in the buffer already; `newest` is the highest number so far. All that
    /// waits goes out.
    pub fn begin(
        buffer: &Playout,
        newest: u16,
        now: Instant,
        egress: &mut Egress,
        mut send: impl FnMut(&[u8]),
    ) -> Self {
        egress.flush(&mut send);
        let (first, base) = (buffer.time().play(), egress.timestamp());
        let clock = egress.clock();
        let ours = |at: i64| base.wrapping_add(((at - first) as u32).wrapping_mul(clock));
        let mut at = first;
        let mut room = [0; FRAME];
        while let Some((from, until, payload)) = buffer.packet(at, &mut room) {
            egress.payload(ours(from), payload, &mut send);
            at = until;
        }
        egress.set_timestamp(ours(at));
        Self {
            sequence: egress.sequence().wrapping_sub(newest.wrapping_add(1)),
            timestamp: ours(at).wrapping_sub(buffer.time().timestamp_of(at)),
            floor: newest,
            generation: buffer.time().generation(),
            end: at,
            heard: now,
        }
    }

    /// Whether timestamps go on as they were; where they do not, passing on begins anew.
    pub fn fits(&self, buffer: &Playout) -> bool {
        self.generation == buffer.time().generation()
    }

    /// Passes a packet on.
    pub fn pass(
        &mut self,
        header: &Header,
        kind: Payload,
        payload: &[u8],
        (buffer, now): (&Playout, Instant),
        egress: &mut Egress,
        send: impl FnMut(&[u8]),
    ) {
        let ahead = header.sequence.wrapping_add(self.sequence).wrapping_sub(egress.sequence()).cast_signed();
        if !(-MOST_BEHIND..MOST_AHEAD).contains(&ahead) {
            self.sequence = egress.sequence().wrapping_sub(header.sequence);
            self.floor = header.sequence.wrapping_sub(1);
        }
        if header.sequence.wrapping_sub(self.floor).cast_signed() <= 0 {
            return;
        }
        self.heard = now;
        let mut ours = Header {
            sequence: header.sequence.wrapping_add(self.sequence),
            timestamp: header.timestamp.wrapping_add(self.timestamp),
            ..*header
        };
        match kind {
            Payload::Audio(length) => {
                self.end = self.end.max(buffer.time().place(header.timestamp) + length);
                ours.payload_type = egress.payload_type();
            }
            Payload::Other(number) => ours.payload_type = number,
        }
        egress.pass(ours, payload, send);
        egress.set_timestamp(self.ours(buffer, self.end));
    }

    /// Leaves a packet of theirs out: what comes after it follows what went before. Of one that comes late the number stays free, for those
    /// after it have theirs.
    pub fn leave_out(&mut self, header: &Header, egress: &Egress) {
        let ours = header.sequence.wrapping_add(self.sequence);
        let newest = ours.wrapping_sub(egress.sequence()).cast_signed() >= 0;
        if newest && header.sequence.wrapping_sub(self.floor).cast_signed() > 0 {
            self.sequence = self.sequence.wrapping_sub(1);
        }
    }

    /// Whether nothing has come for so long that the mix is to fill in.
    pub fn starves(&self, now: Instant) -> bool {
        now.since(self.heard) >= STARVED
    }

    /// Ends: the mix goes on from here. The buffer steps to where a whole number of ticks lies between what is next in
    /// it and what is next to go out; that many ticks send nothing, since their audio went out already. Returns up to
    /// where in it audio went out, if it is the same still.
    pub fn end(self, buffer: &mut Playout, egress: &mut Egress) -> Option<i64> {
        if self.generation != buffer.time().generation() {
            egress.interrupt();
            return None;
        }
        const FRAME_I: i64 = FRAME as i64;
        let early = self.end - buffer.time().play();
        if early < 0 {
            // Time has passed unsent.
            egress.set_timestamp(self.ours(buffer, buffer.time().play()));
            egress.interrupt();
            return Some(self.end);
        }
        let ticks = (early + FRAME_I / 2) / FRAME_I;
        buffer.step(early - ticks * FRAME_I);
        egress.wait(u8::try_from(ticks).unwrap_or(u8::MAX));
        Some(self.end)
    }

    fn ours(&self, buffer: &Playout, at: i64) -> u32 {
        buffer.time().timestamp_of(at).wrapping_add(self.timestamp)
    }
}
