//! Digits to be keyed, one after the other at the pace of a quick hand.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::Instant;

/// How long a key is down. Shorter than 40 ms many receivers take it for noise (ITU-T Q.24); longer takes longer.
pub(super) const PRESS: u16 = 120;
/// From one key down to the next.
const STEP: Duration = Duration::from_millis(220);
/// What a comma waits.
const PAUSE: Duration = Duration::from_secs(1);

/// What is still to be keyed.
#[derive(Debug, Default)]
pub(super) struct Keys {
    left: VecDeque<char>,
    next: Instant,
}

impl Keys {
    /// Adds digits: `0`–`9`, `*`, `#`, `A`–`D`, and commas for pauses; others are refused by name.
    pub(super) fn push(&mut self, digits: &str, now: Instant) -> Result<(), char> {
        let digits: Vec<char> = digits.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
        if let Some(wrong) = digits.iter().find(|c| !c.is_ascii_digit() && !"*#ABCD,".contains(**c)) {
            return Err(*wrong);
        }
        if self.left.is_empty() {
            self.next = self.next.max(now);
        }
        self.left.extend(digits);
        Ok(())
    }

    /// The key that is to go down now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<char> {
        while self.next <= now {
            let key = self.left.pop_front()?;
            if key != ',' {
                self.next = now + STEP;
                return Some(key);
            }
            self.next = now + PAUSE;
        }
        None
    }

    /// When to ask again.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        (!self.left.is_empty()).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_down_one_after_the_other_and_commas_wait() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let mut keys = Keys::default();
        assert_eq!(keys.push("1,#", at(0)), Ok(()));
        assert_eq!(keys.push("1x", at(0)), Err('X'));
        let mut pressed = Vec::new();
        let mut now = at(0);
        while let Some(next) = keys.poll_timeout() {
            now = now.max(next);
            pressed.extend(keys.poll(now).map(|key| (key, now.since(at(0)).as_millis())));
        }
        assert_eq!(pressed, [('1', 0), ('#', 1220)]);
    }
}
