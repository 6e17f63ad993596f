//! Seeded mutations of a corpus.

/// Longest input it makes, in bytes. More: slower runs. Less: limits are never met.
const MAX_INPUT: usize = 70 * 1024;

/// Most inputs kept besides the corpus.
const MAX_KEPT: usize = 512;

/// Makes one input after the other.
pub struct Mutator {
    state: u64,
    corpus: Vec<Vec<u8>>,
    given: usize,
    words: &'static [&'static [u8]],
}

impl Mutator {
    /// Seeded by `name`, so that each target walks its own way, and the same way in each run.
    pub fn new(name: &str, corpus: Vec<Vec<u8>>, words: &'static [&'static [u8]]) -> Self {
        let state = name
            .bytes()
            .fold(0x9e37_79b9_7f4a_7c15, |state: u64, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let given = corpus.len();
        Self { state, corpus, given, words }
    }

    /// Keeps an input to mutate further; when there are many, in the place of another.
    pub fn keep(&mut self, input: Vec<u8>) {
        if self.corpus.len() < self.given + MAX_KEPT {
            self.corpus.push(input);
        } else {
            let at = self.given + self.below(MAX_KEPT);
            self.corpus[at] = input;
        }
    }

    /// The next input.
    pub fn next(&mut self) -> Vec<u8> {
        let at = self.below(self.corpus.len());
        let mut input = self.corpus[at].clone();
        for _ in 0..=self.below(6) {
            self.mutate(&mut input);
        }
        input.truncate(MAX_INPUT);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(12) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = self.byte();
                }
            }
            2 => input.insert(at, self.byte()),
            3 => {
                let end = (at + 1 + self.below(16)).min(input.len());
                input.drain(at.min(end)..end);
            }
            4 | 5 => {
                let word = self.words[self.below(self.words.len())];
                input.splice(at..at, word.iter().copied());
            }
            6 => {
                let word = self.words[self.below(self.words.len())];
                let end = (at + word.len()).min(input.len());
                input.splice(at..end, word.iter().copied());
            }
            7 => {
                // Twice, or very often: limits are to be met.
                let end = (at + 1 + self.below(64)).min(input.len());
                let piece = input[at.min(end)..end].to_vec();
                let times = if self.below(50) == 0 { 1 + self.below(2000) } else { 1 };
                let room = MAX_INPUT.saturating_sub(input.len()) / piece.len().max(1);
                input.splice(at..at, piece.repeat(times.min(room)));
            }
            8 => {
                let other = self.below(self.corpus.len());
                let other = &self.corpus[other];
                let from = (self.state >> 20) as usize % (other.len() + 1);
                let tail = other[from..].to_vec();
                input.truncate(at);
                input.extend(tail);
            }
            9 => input.truncate(at),
            10 => {
                // Two lines change places.
                let lines: Vec<Vec<u8>> = input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                if lines.len() > 1 {
                    let mut lines = lines;
                    let (a, b) = (self.below(lines.len()), self.below(lines.len()));
                    lines.swap(a, b);
                    *input = lines.concat();
                }
            }
            _ => {
                // A number becomes another.
                if let Some(start) = input.iter().skip(at).position(u8::is_ascii_digit).map(|offset| at + offset) {
                    let digits = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    let number = NUMBERS[self.below(NUMBERS.len())];
                    input.splice(start..start + digits, number.bytes());
                }
            }
        }
    }

    fn byte(&mut self) -> u8 {
        (self.random() >> 32) as u8
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.random() >> 16) as usize % bound.max(1)
    }

    /// xorshift64* (Vigna).
    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "00",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
];
