//! The writing end of a tunnel: control and SIP first, then audio, and no audio that waited too long.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::{Packet, STALE};

/// Control and SIP that may wait. More: a far end that does not read is noticed later. Fewer: a burst of calls cuts it.
const WORDS: usize = 512;
/// Packets of audio that may wait: a tenth of a second of 200 calls.
const AUDIO: usize = 1024;
/// Until a write must have gone through.
const WRITE: Duration = Duration::from_secs(6);

/// The way into the writing end. Cheap to clone; nothing waits.
#[derive(Debug, Clone)]
pub struct Writer {
    words: mpsc::Sender<Packet>,
    audio: mpsc::Sender<(Instant, Bytes)>,
    dropped: Arc<AtomicU64>,
}

/// The far end does not read, or the tunnel is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotReading;

impl fmt::Display for NotReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the far end does not read")
    }
}

impl std::error::Error for NotReading {}

impl Writer {
    /// Control or SIP: not lost without the tunnel being lost.
    pub fn say(&self, packet: Packet) -> Result<(), NotReading> {
        self.words.try_send(packet).map_err(|_| NotReading)
    }

    /// Audio, which is dropped where it cannot go soon.
    pub fn play(&self, frame: Bytes) {
        if self.audio.try_send((Instant::now(), frame)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Packets of audio that were dropped, in all.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Both ends: the way in, and the task that writes until a `Close` is written, the way in is gone, or the far end does not read.
pub fn writer<S>(mut sink: S) -> (Writer, impl Future<Output = ()>)
where
    S: Sink<Packet> + Unpin,
{
    let (words, mut said) = mpsc::channel(WORDS);
    let (audio, mut played) = mpsc::channel::<(Instant, Bytes)>(AUDIO);
    let dropped = Arc::new(AtomicU64::new(0));
    let count = dropped.clone();
    let task = async move {
        loop {
            let packet = tokio::select! {
                biased;
                packet = said.recv() => match packet {
                    Some(packet) => packet,
                    None => break,
                },
                Some((since, frame)) = played.recv() => {
                    if since.elapsed() > STALE {
                        count.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    Packet::Binary(frame)
                }
            };
            let last = matches!(packet, Packet::Close(..));
            // What waits already goes with it, in one write; nothing is held back for what may come.
            let more = !last && (!said.is_empty() || !played.is_empty());
            let written =
                timeout(WRITE, async { if more { sink.feed(packet).await } else { sink.send(packet).await } });
            if !matches!(written.await, Ok(Ok(()))) || last {
                break;
            }
        }
        let _ = timeout(Duration::from_secs(1), sink.close()).await;
    };
    (Writer { words, audio, dropped }, task)
}

#[cfg(test)]
mod tests {
    use futures_channel::mpsc as pipe;
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn audio_that_waited_behind_a_stuck_link_is_dropped_and_words_are_not() {
        let (sink, mut wire) = pipe::channel::<Packet>(0);
        let (writer, task) = writer(sink);
        tokio::spawn(task);
        writer.say(Packet::Text("first".into())).unwrap();
        assert_eq!(wire.next().await, Some(Packet::Text("first".into())));
        // What was said while the link was stuck, and what is said once it is not.
        let long_ago = Instant::now().checked_sub(STALE * 2).unwrap();
        for _ in 0..20 {
            writer.audio.try_send((long_ago, Bytes::from_static(b"old"))).unwrap();
        }
        writer.say(Packet::Text("a word".into())).unwrap();
        writer.audio.try_send((Instant::now() + STALE, Bytes::from_static(b"new"))).unwrap();
        assert_eq!(wire.next().await, Some(Packet::Text("a word".into())), "words go first");
        assert_eq!(wire.next().await, Some(Packet::Binary(Bytes::from_static(b"new"))), "old audio does not go at all");
        assert_eq!(writer.dropped(), 20);
    }

    #[tokio::test]
    async fn a_far_end_that_does_not_read_is_given_up() {
        let (sink, _wire) = pipe::channel::<Packet>(0);
        let (writer, task) = writer(sink);
        let task = tokio::spawn(task);
        while writer.say(Packet::Text("word".into())).is_ok() {
            tokio::task::yield_now().await;
        }
        task.await.unwrap();
        assert_eq!(writer.say(Packet::Text("word".into())), Err(NotReading));
    }
}
