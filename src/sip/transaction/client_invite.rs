//! The INVITE client transaction (RFC 3261 §17.1.1 with RFC 6026 §7.2).
//!
//! ```text
//!            begin: send, A (unreliable), B
//!                 |
//!             Calling --A: send again--+
//!     1xx |      | 2xx         | 3xx-6xx: ACK
//!         v      v             v
//!   Proceeding->Accepted   Completed --3xx-6xx: ACK again
//!                | M           | D
//!                v             v
//!                  Terminated        (B, transport failure: told, at once)
//! ```

use std::time::Duration;

use super::{ClientInput, Effect, Setting};
use crate::sip::timing::Timer;

/// Where an INVITE of ours stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Sent; nothing has come back.
    Calling {
        /// Timer A's current interval.
        interval: Duration,
    },
    /// A provisional answer came.
    Proceeding,
    /// A 2xx came; copies and forked ones are handed up until timer M (RFC 6026).
    Accepted,
    /// Refused; copies of the refusal are acknowledged until timer D.
    Completed,
    /// Over.
    Terminated,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct ClientInvite {
    state: State,
}

impl ClientInvite {
    /// Begins: the INVITE goes out (§17.1.1.2).
    pub fn begin(setting: Setting<'_>, effects: &mut Vec<Effect>) -> Self {
        let interval = setting.timing.t1;
        effects.push(Effect::Transmit);
        if !setting.reliable {
            effects.push(Effect::Arm(Timer::A, interval));
        }
        effects.push(Effect::Arm(Timer::B, setting.timing.give_up()));
        Self { state: State::Calling { interval } }
    }

    /// Takes a fact.
    pub fn handle(&mut self, input: ClientInput, setting: Setting<'_>, effects: &mut Vec<Effect>) {
        use ClientInput as In;
        let state = std::mem::replace(&mut self.state, State::Terminated);
        self.state = match (state, input) {
            // §17.1.1.2: timer A doubles without a ceiling; B ends it.
            (State::Calling { interval }, In::Timer(Timer::A)) => {
                let interval = interval.saturating_mul(2);
                effects.extend([Effect::Transmit, Effect::Arm(Timer::A, interval)]);
                State::Calling { interval }
            }
            // §17.1.1.2: nobody answered at all.
            (State::Calling { .. }, In::Timer(Timer::B)) => {
                effects.extend([Effect::Disarm(Timer::A), Effect::TimedOut, Effect::Terminated]);
                State::Terminated
            }
            // §17.1.1.2: a provisional answer ends the retransmission.
            (State::Calling { .. }, In::Provisional) => {
                effects.extend([Effect::Disarm(Timer::A), Effect::Disarm(Timer::B), Effect::Deliver]);
                State::Proceeding
            }
            (State::Proceeding, In::Provisional) => {
                effects.push(Effect::Deliver);
                State::Proceeding
            }
            // RFC 6026 §7.2: a 2xx moves to Accepted, where timer M waits for more of them.
            (State::Calling { .. } | State::Proceeding, In::Success) => {
                effects.extend([
                    Effect::Disarm(Timer::A),
                    Effect::Disarm(Timer::B),
                    Effect::Arm(Timer::M, setting.timing.give_up()),
                    Effect::Deliver,
                ]);
                State::Accepted
            }
            // RFC 6026 §7.2: every further 2xx goes up, where it is acknowledged.
            (State::Accepted, In::Success) => {
                effects.push(Effect::Deliver);
                State::Accepted
            }
            (State::Accepted, In::Timer(Timer::M)) => {
                effects.push(Effect::Terminated);
                State::Terminated
            }
            // §17.1.1.2: a refusal is acknowledged here; D absorbs its copies.
            (State::Calling { .. } | State::Proceeding, In::Failure) => {
                effects.extend([
                    Effect::Disarm(Timer::A),
                    Effect::Disarm(Timer::B),
                    Effect::Acknowledge,
                    Effect::Deliver,
                ]);
                if setting.reliable {
                    effects.push(Effect::Terminated);
                    State::Terminated
                } else {
                    effects.push(Effect::Arm(Timer::D, setting.timing.d(false)));
                    State::Completed
                }
            }
            (State::Completed, In::Failure) => {
                effects.push(Effect::Acknowledge);
                State::Completed
            }
            (State::Completed, In::Timer(Timer::D)) => {
                effects.push(Effect::Terminated);
                State::Terminated
            }
            // §17.1.4: the transport failed while an answer was awaited, or while acknowledging a refusal.
            (State::Calling { .. } | State::Proceeding, In::TransportFailed) => {
                effects.extend([
                    Effect::Disarm(Timer::A),
                    Effect::Disarm(Timer::B),
                    Effect::Failed,
                    Effect::Terminated,
                ]);
                State::Terminated
            }
            // RFC 6026 §7.2: the answer is known already; D or M ends it.
            (state @ (State::Accepted | State::Completed), In::TransportFailed) => state,
            // RFC 6026 §7.2: in Accepted only 2xx count; in Completed only copies of the refusal do.
            (State::Accepted, In::Provisional | In::Failure) => State::Accepted,
            (State::Completed, In::Provisional | In::Success) => State::Completed,
            // Timers of a state that was left.
            (
                state @ (State::Calling { .. } | State::Proceeding | State::Accepted | State::Completed),
                In::Timer(_),
            ) => state,
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
    fn an_invite_nobody_answers_is_sent_seven_times_in_32_seconds() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: false };
        let mut effects = Vec::new();
        let mut machine = ClientInvite::begin(setting, &mut effects);
        let (mut sent, mut at) = (0, Duration::ZERO);
        loop {
            sent += effects.iter().filter(|e| **e == Effect::Transmit).count();
            let next = effects.iter().find_map(|e| match e {
                Effect::Arm(Timer::A, after) => Some(*after),
                _ => None,
            });
            effects.clear();
            match next {
                Some(after) if at + after < timing.give_up() => {
                    at += after;
                    machine.handle(ClientInput::Timer(Timer::A), setting, &mut effects);
                }
                _ => break,
            }
        }
        machine.handle(ClientInput::Timer(Timer::B), setting, &mut effects);
        assert_eq!(sent, 7);
        assert!(effects.contains(&Effect::TimedOut));
        assert_eq!(*machine.state(), State::Terminated);
    }

    #[test]
    fn a_refusal_is_acknowledged_as_often_as_it_comes() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: false };
        let mut effects = Vec::new();
        let mut machine = ClientInvite::begin(setting, &mut effects);
        machine.handle(ClientInput::Provisional, setting, &mut effects);
        effects.clear();
        machine.handle(ClientInput::Failure, setting, &mut effects);
        machine.handle(ClientInput::Failure, setting, &mut effects);
        assert_eq!(effects.iter().filter(|e| **e == Effect::Acknowledge).count(), 2);
        assert_eq!(effects.iter().filter(|e| **e == Effect::Deliver).count(), 1);
    }

    #[test]
    fn over_tcp_nothing_is_repeated_and_a_refusal_ends_it_at_once() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: true };
        let mut effects = Vec::new();
        let mut machine = ClientInvite::begin(setting, &mut effects);
        assert!(!effects.iter().any(|e| matches!(e, Effect::Arm(Timer::A, _))));
        machine.handle(ClientInput::Failure, setting, &mut effects);
        assert_eq!(effects.last(), Some(&Effect::Terminated));
    }
}
