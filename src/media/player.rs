//! Plays clips one after the other.

use std::sync::Arc;

use super::Frame;
use super::clip::{Clip, ClipLibrary};
use super::command::PlayId;

/// A clip with its samples looked up: nothing is searched for in a tick.
#[derive(Debug, Clone)]
enum Piece {
    Samples(Arc<[i16]>),
    Silence(usize),
}

impl Piece {
    fn length(&self) -> usize {
        match self {
            Piece::Samples(samples) => samples.len(),
            Piece::Silence(length) => *length,
        }
    }
}

/// Clips ready to be played.
#[derive(Debug, Clone)]
pub struct Playlist {
    play: PlayId,
    pieces: Vec<Piece>,
    repeat: bool,
    piece: usize,
    at: usize,
}

/// What one frame of a playlist was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// There is more.
    On,
    /// The last sample is in this frame.
    Done(PlayId),
}

impl Playlist {
    /// Looks the clips up; what the library lacks is left out.
    pub fn new(play: PlayId, clips: &[Clip], repeat: bool, library: &ClipLibrary) -> Self {
        let piece = |clip: &Clip| match clip {
            Clip::Pause(milliseconds) => Some(Piece::Silence(usize::from(*milliseconds) * 8)),
            Clip::Prompt(..) | Clip::Tone(_) | Clip::Music => library.samples(clip).cloned().map(Piece::Samples),
        };
        let pieces = clips.iter().filter_map(piece).filter(|piece| piece.length() > 0).collect();
        Self { play, pieces, repeat, piece: 0, at: 0 }
    }

    /// Fills the next frame. A repeated playlist without a sample is silence that does not end.
    pub fn frame(&mut self, out: &mut Frame) -> Played {
        out.fill(0);
        let mut rest = out.as_mut_slice();
        while !rest.is_empty() {
            let Some(piece) = self.pieces.get(self.piece) else {
                if self.repeat && !self.pieces.is_empty() {
                    self.piece = 0;
                    continue;
                }
                return if self.repeat { Played::On } else { Played::Done(self.play) };
            };
            let count = rest.len().min(piece.length() - self.at);
            let (now, later) = rest.split_at_mut(count);
            if let Piece::Samples(samples) = piece {
                now.copy_from_slice(samples.get(self.at..self.at + count).unwrap_or(&[0; super::FRAME][..count]));
            }
            rest = later;
            self.at += count;
            if self.at >= piece.length() {
                self.piece += 1;
                self.at = 0;
            }
        }
        if !self.repeat && self.piece >= self.pieces.len() { Played::Done(self.play) } else { Played::On }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME;

    #[test]
    fn clips_follow_one_another_without_a_gap_and_the_end_is_reported_with_the_last_sample() {
        let mut library = ClipLibrary::new();
        library.insert_prompt("en", "a", vec![1; 100].into());
        library.insert_prompt("en", "b", vec![2; 140].into());
        let prompt = |name: &str| Clip::Prompt("en".into(), name.into());
        let clips = [prompt("a"), prompt("missing"), Clip::Pause(10), prompt("b")];
        let mut list = Playlist::new(PlayId(7), &clips, false, &library);
        let mut out = [9; FRAME];
        assert_eq!(list.frame(&mut out), Played::On);
        assert_eq!((out[99], out[100], out[159]), (1, 0, 0));
        assert_eq!(list.frame(&mut out), Played::Done(PlayId(7)));
        assert_eq!((out[19], out[20], out[159]), (0, 2, 2));
        let mut again = Playlist::new(PlayId(8), &[prompt("a")], true, &library);
        assert!((0..100).all(|_| again.frame(&mut out) == Played::On && out == [1; FRAME]));
        let mut nothing = Playlist::new(PlayId(9), &[prompt("missing")], true, &library);
        assert_eq!(nothing.frame(&mut out), Played::On);
        assert_eq!(Playlist::new(PlayId(9), &[], false, &library).frame(&mut out), Played::Done(PlayId(9)));
    }
}
