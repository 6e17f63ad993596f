//! What a telephone hears, laid down by timestamp, and when each packet of it came.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ringlift::engine::os;
use ringlift::wire::codec::Codec;
use ringlift::wire::rtp::Packet;

use crate::common::audio::Recording;
use crate::common::coder::{Coder, amplitude_at, number};
use crate::common::ms;

/// What a tone is looked for in.
const WINDOW: Duration = ms(10);

/// A packet that came.
#[derive(Debug, Clone, Copy)]
struct Came {
    /// When the kernel had it, by the wall clock.
    at: Duration,
    /// Its samples: the first, and the first that is not.
    from: usize,
    to: usize,
    marker: bool,
}

/// What was heard.
pub struct Heard {
    codec: Codec,
    coder: Coder,
    /// Source and first timestamp.
    begun: Option<(u32, u32)>,
    packets: Vec<Came>,
    samples: Vec<i16>,
}

impl Heard {
    pub(super) fn new(codec: Codec) -> Self {
        Self { codec, coder: Coder::new(codec), begun: None, packets: Vec::new(), samples: Vec::new() }
    }

    fn take(&mut self, at: Duration, bytes: &[u8]) {
        let packet = Packet::parse(bytes).unwrap();
        if packet.header.payload_type != number(self.codec) {
            return;
        }
        let (ssrc, first) = *self.begun.get_or_insert((packet.header.ssrc, packet.header.timestamp));
        assert_eq!(packet.header.ssrc, ssrc, "one call, one source");
        let units = packet.header.timestamp.wrapping_sub(first) as usize;
        let from = units * (self.codec.sample_rate() / self.codec.clock_rate()) as usize;
        let samples = self.coder.decode(self.codec, packet.payload);
        let to = from + samples.len();
        // Of an hour at most: what leaps is no telephone's to hear.
        assert!(to < 48_000 * 3600, "a leap of the timestamp to {}", packet.header.timestamp);
        self.samples.resize(self.samples.len().max(to), 0);
        self.samples[from..to].copy_from_slice(&samples);
        self.packets.push(Came { at, from, to, marker: packet.header.marker });
    }

    /// Packets that came until now.
    pub fn count(&self) -> usize {
        self.packets.len()
    }

    /// Those of them since this moment of the wall clock: how long each came after the one before, and whether it is marked as the
    /// first after a pause.
    pub fn pace(&self, since: Duration) -> Vec<(Duration, bool)> {
        let pairs = self.packets.windows(2).filter(|pair| pair[1].at >= since);
        pairs.map(|pair| (pair[1].at.saturating_sub(pair[0].at), pair[1].marker)).collect()
    }

    /// How loud a tone was over what came last.
    pub fn loudness(&self, tone: f32, length: Duration) -> f32 {
        let from = self.samples.len().saturating_sub(self.count_of(length));
        amplitude_at(&self.samples[from..], tone, self.codec.sample_rate())
    }

    /// How long after this moment of the wall clock the packet came with which 10 ms of a tone, at least so loud, were there, of what
    /// came after that moment.
    pub fn came_after(&self, since: Duration, tone: f32, loud: f32) -> Option<Duration> {
        let step = self.count_of(ms(1));
        let mut later = self.packets.iter().filter(|packet| packet.at >= since).peekable();
        let begin = later.peek()?.from;
        let window = self.count_of(WINDOW);
        later.find_map(|packet| {
            let first = (packet.from + step).saturating_sub(window).max(begin);
            let mut starts = (first..=packet.to.saturating_sub(window)).step_by(step);
            let found = starts.any(|start| self.is_there(start, tone, loud));
            found.then(|| packet.at.saturating_sub(since))
        })
    }

    /// The longest that none of these tones was there, so loud, in what came since this moment of the wall clock.
    pub fn longest_without(&self, since: Duration, tones: &[f32], loud: f32) -> Duration {
        let Some(begin) = self.packets.iter().find(|packet| packet.at >= since).map(|packet| packet.from) else {
            return Duration::MAX;
        };
        let end = self.samples.len().saturating_sub(self.count_of(WINDOW));
        let (mut most, mut run) = (0, 0);
        for start in (begin..end).step_by(self.count_of(ms(1))) {
            run = if tones.iter().any(|tone| self.is_there(start, *tone, loud)) { 0 } else { run + 1 };
            most = most.max(run);
        }
        ms(most)
    }

    /// What came since this moment of the wall clock, where that is telephone audio.
    pub fn since(&self, since: Duration) -> Recording {
        assert_eq!(self.codec.sample_rate(), super::super::audio::RATE);
        let begin = self.packets.iter().find(|packet| packet.at >= since).map_or(self.samples.len(), |came| came.from);
        Recording(self.samples[begin..].to_vec())
    }

    fn is_there(&self, start: usize, tone: f32, loud: f32) -> bool {
        let window = &self.samples[start..start + self.count_of(WINDOW)];
        amplitude_at(window, tone, self.codec.sample_rate()) >= loud
    }

    fn count_of(&self, length: Duration) -> usize {
        (length.as_secs_f64() * f64::from(self.codec.sample_rate())).round() as usize
    }
}

/// The thread that hears at one port.
pub(super) struct Ear {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    pub(super) fn new(socket: Arc<UdpSocket>, gateway: SocketAddr, heard: Arc<Mutex<Heard>>) -> Self {
        os::stamp_arrivals(&socket).unwrap();
        socket.set_read_timeout(Some(ms(20))).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        let thread = std::thread::spawn(move || {
            let _ = os::prefer_this_thread();
            let mut inbox = os::Inbox::new();
            while !ended.load(Ordering::Relaxed) {
                // Whoever had the port before may still be sent something.
                if let Ok(came) = inbox.receive(&socket, true)
                    && came.from == Some(gateway)
                {
                    let at = came.stamp.unwrap_or_else(os::wall);
                    heard.lock().unwrap().take(at, inbox.bytes(came.length));
                }
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(ended.is_some_and(|ended| ended.is_ok()), "an ear heard what it should not");
        }
    }
}
