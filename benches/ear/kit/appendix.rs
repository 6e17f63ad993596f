//! What ITU-T G.711 Appendix I does about lost packets, written plainly from its description, to measure ours by: the last
//! pitch periods repeated, one for 10 ms, two for the next, then three; full for 10 ms, then a fifth less each 10 ms,
//! nothing after 60 ms; everything 3.75 ms later, so that a quarter of a period can be blended into what was played.

/// Samples of a frame: 10 ms.
const FRAME: usize = 80;
const HISTORY: usize = 390;
const LATER: usize = 30;
const SHORTEST: usize = 40;
const LONGEST: usize = 120;
const COMPARED: usize = 160;

/// The state of one stream.
pub struct Plain {
    /// What was played or will be next, the last 3.75 ms not yet played.
    history: Vec<f64>,
    /// What was heard at the beginning of a gap.
    known: Vec<f64>,
    segment: Vec<f64>,
    period: usize,
    at: usize,
    /// Frames lost in a row.
    lost: usize,
}

impl Default for Plain {
    fn default() -> Self {
        let history = vec![0.0; HISTORY];
        Self { known: history.clone(), history, segment: Vec::new(), period: SHORTEST, at: 0, lost: 0 }
    }
}

impl Plain {
    /// Takes 10 ms, or that they are lost; returns 10 ms that are played, 3.75 ms older.
    pub fn frame(&mut self, frame: Option<&[i16]>) -> Vec<i16> {
        let mut next: Vec<f64> = match frame {
            Some(frame) => frame.iter().map(|sample| f64::from(*sample)).collect(),
            None => self.invent(),
        };
        if let Some(frame) = frame
            && self.lost > 0
        {
            // 4 ms, and 4 more for each 10 that were lost, 10 at most.
            let overlap = (32 + 32 * (self.lost - 1)).min(FRAME);
            let gain = self.gain();
            for (index, (sample, fresh)) in next.iter_mut().zip(frame).take(overlap).enumerate() {
                let weight = index as f64 / overlap as f64;
                *sample = self.repeat() * gain * (1.0 - weight) + f64::from(*fresh) * weight;
            }
            self.lost = 0;
        }
        self.history.drain(..FRAME);
        self.history.extend(next);
        let end = self.history.len() - LATER;
        self.history[end - FRAME..end].iter().map(|sample| *sample as i16).collect()
    }

    fn invent(&mut self) -> Vec<f64> {
        if self.lost == 0 {
            self.known = self.history.clone();
            self.period = self.pitch();
            self.take(1);
            // The end of what was played before runs into the repeated period.
            let quarter = self.period / 4;
            let from = HISTORY - quarter;
            for index in 0..quarter {
                let weight = index as f64 / quarter as f64;
                let repeated = self.known[from + index - self.period];
                self.history[from + index] = self.known[from + index] * (1.0 - weight) + repeated * weight;
            }
        } else if self.lost < 3 {
            self.take(self.lost + 1);
        }
        let from = self.gain();
        self.lost += 1;
        let to = self.gain();
        (0..FRAME).map(|n| self.repeat() * (from + (to - from) * n as f64 / FRAME as f64)).collect()
    }

    /// At the end of what is lost so far.
    fn gain(&self) -> f64 {
        if self.lost >= 6 { 0.0 } else { (1.0 - 0.2 * (self.lost.max(1) - 1) as f64).max(0.0) }
    }

    fn take(&mut self, periods: usize) {
        let length = self.period * periods;
        let quarter = self.period / 4;
        let from = HISTORY - length;
        self.segment = self.known[from..].to_vec();
        for index in 0..quarter {
            let weight = index as f64 / quarter as f64;
            let place = length - quarter + index;
            self.segment[place] =
                self.known[from + place] * (1.0 - weight) + self.known[from - quarter + index] * weight;
        }
        // Going on at the same phase.
        self.at %= self.period;
        if periods == 1 {
            self.at = 0;
        }
    }

    fn repeat(&mut self) -> f64 {
        let sample = self.segment[self.at];
        self.at = (self.at + 1) % self.segment.len();
        sample
    }

    fn pitch(&self) -> usize {
        let recent = &self.known[HISTORY - COMPARED..];
        let value = |lag: &usize| {
            let before = &self.known[HISTORY - COMPARED - lag..HISTORY - lag];
            let product: f64 = recent.iter().zip(before).map(|(a, b)| a * b).sum();
            product / (before.iter().map(|b| b * b).sum::<f64>() + 1.0).sqrt()
        };
        (SHORTEST..=LONGEST).max_by(|a, b| value(a).total_cmp(&value(b))).unwrap_or(SHORTEST)
    }
}
