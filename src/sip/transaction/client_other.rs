//! The non-INVITE client transaction (RFC 3261 §17.1.2).
//!
//! ```text
//!            begin: send, E (unreliable), F
//!                 |
//!              Trying --E: send again, interval doubles to T2
//!        1xx |       | 200-699
//!            v       v
//!      Proceeding -> Completed
//!   E: again each T2     | K
//!                        v
//!                    Terminated      (F, transport failure: told, at once)
//! ```

use std::time::Duration;

use super::{ClientInput, Effect, Setting};
use crate::sip::timing::Timer;

/// Where a request of ours, not an INVITE, stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Sent; nothing has come back.
    Trying {
        /// Timer E's current interval.
        interval: Duration,
    },
    /// A provisional answer came.
    Proceeding,
    /// Answered; copies are absorbed until timer K.
    Completed,
    /// Over.
    Terminated,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct ClientOther {
    state: State,
}

impl ClientOther {
    /// Begins: the request goes out (§17.1.2.2).
    pub fn begin(setting: Setting<'_>, effects: &mut Vec<Effect>) -> Self {
        let interval = setting.timing.t1;
        effects.push(Effect::Transmit);
        if !setting.reliable {
            effects.push(Effect::Arm(Timer::E, interval));
        }
        effects.push(Effect::Arm(Timer::F, setting.timing.give_up()));
        Self { state: State::Trying { interval } }
    }

    /// Takes a fact.
    pub fn handle(&mut self, input: ClientInput, setting: Setting<'_>, effects: &mut Vec<Effect>) {
        use ClientInput as In;
        let state = std::mem::replace(&mut self.state, State::Terminated);
        self.state = match (state, input) {
            // §17.1.2.2: the interval doubles up to T2.
            (State::Trying { interval }, In::Timer(Timer::E)) => {
                let interval = setting.timing.back_off(interval);
                effects.extend([Effect::Transmit, Effect::Arm(Timer::E, interval)]);
                State::Trying { interval }
            }
            // §17.1.2.2: once answered provisionally, every T2.
            (State::Proceeding, In::Timer(Timer::E)) => {
                effects.extend([Effect::Transmit, Effect::Arm(Timer::E, setting.timing.t2)]);
                State::Proceeding
            }
            (State::Trying { .. } | State::Proceeding, In::Timer(Timer::F)) => {
                effects.extend([Effect::Disarm(Timer::E), Effect::TimedOut, Effect::Terminated]);
                State::Terminated
            }
            (State::Trying { .. }, In::Provisional) => {
                effects.push(Effect::Deliver);
                if !setting.reliable {
                    effects.push(Effect::Arm(Timer::E, setting.timing.t2));
                }
                State::Proceeding
            }
            (State::Proceeding, In::Provisional) => {
                effects.push(Effect::Deliver);
                State::Proceeding
            }
            // §17.1.2.2: a final answer, whichever; K absorbs its copies.
            (State::Trying { .. } | State::Proceeding, In::Success | In::Failure) => {
                effects.extend([Effect::Disarm(Timer::E), Effect::Disarm(Timer::F), Effect::Deliver]);
                if setting.reliable {
                    effects.push(Effect::Terminated);
                    State::Terminated
                } else {
                    effects.push(Effect::Arm(Timer::K, setting.timing.linger(false)));
                    State::Completed
                }
            }
            (State::Completed, In::Timer(Timer::K)) => {
                effects.push(Effect::Terminated);
                State::Terminated
            }
            // §17.1.4.
            (State::Trying { .. } | State::Proceeding, In::TransportFailed) => {
                effects.extend([
                    Effect::Disarm(Timer::E),
                    Effect::Disarm(Timer::F),
                    Effect::Failed,
                    Effect::Terminated,
                ]);
                State::Terminated
            }
            (State::Completed, In::Provisional | In::Success | In::Failure | In::TransportFailed) => State::Completed,
            // Timers of a state that was left.
            (state @ (State::Trying { .. } | State::Proceeding | State::Completed), In::Timer(_)) => state,
            (State::Terminated, _) => State::Terminated,
        };
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::timing::Timing;

    #[test]
    fn a_request_nobody_answers_is_sent_eleven_times_in_32_seconds() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: false };
        let mut effects = Vec::new();
        let mut machine = ClientOther::begin(setting, &mut effects);
        let (mut sent, mut at) = (0, Duration::ZERO);
        loop {
            sent += effects.iter().filter(|e| **e == Effect::Transmit).count();
            let next = effects.iter().find_map(|e| match e {
                Effect::Arm(Timer::E, after) => Some(*after),
                _ => None,
            });
            effects.clear();
            match next {
                Some(after) if at + after < timing.give_up() => {
                    at += after;
                    machine.handle(ClientInput::Timer(Timer::E), setting, &mut effects);
                }
                _ => break,
            }
        }
        assert_eq!(sent, 11, "RFC 3261 §17.1.2.2: eleven in all");
    }

    #[test]
    fn an_answer_comes_up_once_however_often_it_is_repeated() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: false };
        let mut effects = Vec::new();
        let mut machine = ClientOther::begin(setting, &mut effects);
        effects.clear();
        for _ in 0..3 {
            machine.handle(ClientInput::Success, setting, &mut effects);
        }
        assert_eq!(effects.iter().filter(|e| **e == Effect::Deliver).count(), 1);
        machine.handle(ClientInput::Timer(Timer::K), setting, &mut effects);
        assert_eq!(*machine.state(), State::Terminated);
    }
}
