//! What a browser sends of one kind: its layers, how much comes of each, and when a keyframe may be asked for again.

use std::time::Duration;

use str0m::media::{Mid, Rid};
use str0m::rtp::Ssrc;

use crate::base::Instant;
use crate::media::web::Source;
use crate::webrtc::layers;
use crate::webrtc::rate::Rate;

/// Between two keyframes asked of one stream, however many viewers want one. Longer: who comes in waits for the picture.
/// Shorter: a viewer on a bad line makes everyone's picture coarse, for a keyframe is ten times a frame.
const KEYFRAME: Duration = Duration::from_millis(500);
/// A layer of which nothing came for so long does not flow. Longer: a frozen picture stays. Shorter: a screen that does not
/// change, of which browsers send a frame a second, flickers.
const SILENT: Duration = Duration::from_millis(2500);
/// The same for a voice: Opus sends something every 400 ms even in silence (RFC 7587 §3.1.3).
const MUTE: Duration = Duration::from_millis(1500);
/// Streams of one browser that are remembered: all layers of two pictures and a voice, a few times over.
const STREAMS: usize = 24;

/// One kind.
#[derive(Debug)]
pub(super) struct Published {
    pub source: Source,
    pub mid: Mid,
    layers: Vec<Layer>,
    /// As last told.
    pub flowing: bool,
}

#[derive(Debug, Default)]
struct Layer {
    rid: Option<Rid>,
    rate: Rate,
    came: Option<Instant>,
    /// Which stream carries it.
    ssrc: Option<Ssrc>,
    highest: u64,
    height: Option<u16>,
    asked: Option<Instant>,
    wanted: bool,
}

impl Published {
    /// One with these layers, smallest first; one without names where there are none.
    pub fn new(source: Source, mid: Mid, rids: &[String]) -> Self {
        let named = |rid: &String| Layer { rid: Some(Rid::from(rid.as_str())), ..Layer::default() };
        let layers = if rids.is_empty() { vec![Layer::default()] } else { rids.iter().map(named).collect() };
        Self { source, mid, layers, flowing: false }
    }

    /// The number of a layer by its name.
    pub fn layer(&self, rid: Option<Rid>) -> Option<u8> {
        let index = self.layers.iter().position(|layer| layer.rid == rid);
        // A simulcast that was offered and is sent as one stream without a name is its largest layer.
        let index = index.or_else(|| rid.is_none().then(|| self.layers.len().saturating_sub(1)));
        index.and_then(|index| u8::try_from(index).ok())
    }

    /// A packet has come; returns the highest number of its stream before it.
    pub fn came(&mut self, layer: u8, (ssrc, sequence): (Ssrc, u64), bytes: usize, now: Instant) -> Option<u64> {
        let layer = self.layers.get_mut(usize::from(layer))?;
        layer.rate.add(bytes, now);
        layer.came = Some(now);
        // Another stream counts from elsewhere.
        if layer.ssrc.replace(ssrc) != Some(ssrc) {
            layer.highest = 0;
        }
        let before = layer.highest;
        layer.highest = before.max(sequence);
        Some(before)
    }

    /// A layer's pictures have so many lines.
    pub fn is_high(&mut self, layer: u8, height: u16) {
        if let Some(layer) = self.layers.get_mut(usize::from(layer)) {
            layer.height = Some(height);
        }
    }

    /// Whether anything of it comes.
    pub fn flows(&self, now: Instant) -> bool {
        self.layers.iter().any(|layer| layer.flows(self.silence(), now))
    }

    /// Its layers as far as a viewer cares.
    pub fn facts(&mut self, now: Instant) -> Vec<layers::Layer> {
        let silence = self.silence();
        let facts = |layer: &mut Layer| layers::Layer {
            flows: layer.flows(silence, now),
            rate: layer.rate.get(now),
            height: layer.height,
        };
        self.layers.iter_mut().map(facts).collect()
    }

    /// A viewer needs a keyframe of a layer.
    pub fn want_keyframe(&mut self, layer: u8) {
        if let Some(layer) = self.layers.get_mut(usize::from(layer)) {
            layer.wanted = true;
        }
    }

    /// When the next keyframe may be asked for, where one is wanted.
    pub fn next_ask(&self) -> Option<Instant> {
        let wanted = self.layers.iter().filter(|layer| layer.wanted);
        wanted.map(|layer| layer.asked.map_or(Instant::START, |asked| asked + KEYFRAME)).min()
    }

    /// The layers of which one is asked for now.
    pub fn keyframes_to_ask_for(&mut self, now: Instant) -> Vec<Option<Rid>> {
        let may = |layer: &Layer| layer.wanted && layer.asked.is_none_or(|asked| now.since(asked) >= KEYFRAME);
        let ask = self.layers.iter_mut().filter(|layer| may(layer)).map(|layer| {
            (layer.wanted, layer.asked) = (false, Some(now));
            layer.rid
        });
        ask.collect()
    }

    fn silence(&self) -> Duration {
        if self.source == Source::Microphone { MUTE } else { SILENT }
    }
}

impl Layer {
    fn flows(&self, silence: Duration, now: Instant) -> bool {
        self.came.is_some_and(|came| now.since(came) < silence)
    }
}

/// Which stream carries what, as far as seen.
#[derive(Debug, Default)]
pub(super) struct Inbound(Vec<(Ssrc, (Source, u8))>);

impl Inbound {
    /// What a stream carries.
    pub fn get(&self, ssrc: Ssrc) -> Option<(Source, u8)> {
        self.0.iter().find(|(known, _)| *known == ssrc).map(|(_, what)| *what)
    }

    /// A new one; the oldest is forgotten where there are too many.
    pub fn learn(&mut self, ssrc: Ssrc, what: (Source, u8)) {
        if self.0.len() >= STREAMS {
            self.0.remove(0);
        }
        self.0.push((ssrc, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_start(Duration::from_millis(ms))
    }

    #[test]
    fn however_many_want_a_keyframe_one_is_asked_for_every_half_second() {
        let mut camera = Published::new(Source::Camera, Mid::from("1"), &["q".into(), "h".into()]);
        assert_eq!(camera.next_ask(), None);
        let mut asked = 0;
        for ms in (0..2000).step_by(10) {
            camera.want_keyframe(1);
            asked += camera.keyframes_to_ask_for(at(1000 + ms)).len();
        }
        assert_eq!(asked, 4);
        camera.want_keyframe(0);
        assert_eq!(camera.keyframes_to_ask_for(at(2990)), [Some(Rid::from("q"))], "each layer for itself");
        camera.want_keyframe(9);
    }

    #[test]
    fn a_layer_that_pauses_does_not_flow() {
        let mut camera = Published::new(Source::Camera, Mid::from("1"), &["q".into(), "h".into()]);
        let stream = Ssrc::from(1);
        camera.came(0, (stream, 7), 100, at(100));
        assert_eq!(camera.came(0, (stream, 5), 100, at(3000)), Some(7));
        assert_eq!(camera.came(5, (stream, 1), 100, at(3000)), None);
        assert_eq!(camera.came(0, (2.into(), 5), 100, at(3000)), Some(0), "another stream counts for itself");
        let flows: Vec<bool> = camera.facts(at(3100)).iter().map(|layer| layer.flows).collect();
        assert_eq!(flows, [true, false]);
        assert!(!camera.flows(at(6000)));
        assert_eq!(camera.layer(None), Some(1), "a stream without a name is the largest");
    }
}
