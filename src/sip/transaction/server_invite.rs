//! The INVITE server transaction (RFC 3261 §17.2.1 with RFC 6026 §7.1).
//!
//! ```text
//!   begin --> Proceeding --INVITE again: latest 1xx again
//!          2xx |     | 300-699: G (unreliable), H
//!              v     v
//!        Accepted   Completed --INVITE again or G: answer again
//!     INVITE   |     | ACK
//!   absorbed   |     v
//!              |   Confirmed --ACK absorbed
//!            L |     | I
//!              v     v
//!            Terminated      (H: at once)
//! ```

use std::time::Duration;

use super::{Effect, ServerInput, Setting};
use crate::sip::timing::Timer;

/// Where an INVITE that came to us stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No final answer yet; the latest provisional one is repeated on demand.
    Proceeding,
    /// Answered with a 2xx, which the transaction user repeats until the ACK; INVITEs are absorbed (RFC 6026).
    Accepted,
    /// Refused; the refusal is repeated until the ACK.
    Completed {
        /// Timer G's current interval.
        interval: Duration,
    },
    /// Refused and acknowledged; further ACKs are absorbed.
    Confirmed,
    /// Over.
    Terminated,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct ServerInvite {
    state: State,
}

impl Default for ServerInvite {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerInvite {
    /// A new INVITE was accepted for processing (§17.2.1); its 100 is the user's first response.
    pub const fn new() -> Self {
        Self { state: State::Proceeding }
    }

    /// Takes a fact.
    pub fn handle(&mut self, input: ServerInput, setting: Setting<'_>, effects: &mut Vec<Effect>) {
        use ServerInput as In;
        let state = std::mem::replace(&mut self.state, State::Terminated);
        self.state = match (state, input) {
            // §17.2.1: provisional answers pass; the latest is what a retransmission gets.
            (State::Proceeding, In::Respond(0..=199)) => {
                effects.push(Effect::Transmit);
                State::Proceeding
            }
            (State::Proceeding, In::Repeated) => {
                effects.push(Effect::Transmit);
                State::Proceeding
            }
            // RFC 6026 §7.1: a 2xx moves to Accepted for timer L.
            (State::Proceeding, In::Respond(200..=299)) => {
                effects.extend([Effect::Transmit, Effect::Arm(Timer::L, setting.timing.give_up())]);
                State::Accepted
            }
            // RFC 6026 §7.1: the user repeats its 2xx through here; INVITEs that come again are absorbed.
            (State::Accepted, In::Respond(200..=299)) => {
                effects.push(Effect::Transmit);
                State::Accepted
            }
            (State::Accepted, In::Repeated | In::Acked | In::Respond(_) | In::TransportFailed) => State::Accepted,
            (State::Accepted, In::Timer(Timer::L)) => {
                effects.push(Effect::Terminated);
                State::Terminated
            }
            // §17.2.1: a refusal is repeated by G until the ACK or H. G runs on unreliable transports only.
            (State::Proceeding, In::Respond(_)) => {
                let interval = setting.timing.t1;
                effects.push(Effect::Transmit);
                if !setting.reliable {
                    effects.push(Effect::Arm(Timer::G, interval));
                }
                effects.push(Effect::Arm(Timer::H, setting.timing.give_up()));
                State::Completed { interval }
            }
            (State::Completed { interval }, In::Timer(Timer::G)) => {
                let interval = setting.timing.back_off(interval);
                effects.extend([Effect::Transmit, Effect::Arm(Timer::G, interval)]);
                State::Completed { interval }
            }
            (state @ State::Completed { .. }, In::Repeated) => {
                effects.push(Effect::Transmit);
                state
            }
            // §17.2.1: nobody acknowledged; there is nothing more to do for a refused call.
            (State::Completed { .. }, In::Timer(Timer::H)) => {
                effects.extend([Effect::Disarm(Timer::G), Effect::Terminated]);
                State::Terminated
            }
            (State::Completed { .. }, In::Acked) => {
                effects.extend([Effect::Disarm(Timer::G), Effect::Disarm(Timer::H)]);
                if setting.reliable {
                    effects.push(Effect::Terminated);
                    State::Terminated
                } else {
                    effects.push(Effect::Arm(Timer::I, setting.timing.linger(false)));
                    State::Confirmed
                }
            }
            (State::Confirmed, In::Timer(Timer::I)) => {
                effects.push(Effect::Terminated);
                State::Terminated
            }
            (State::Confirmed, In::Repeated | In::Acked | In::Respond(_) | In::TransportFailed) => State::Confirmed,
            // §17.2.4 with RFC 6026 §7.1: told, and the state stands; G, H or L go on or end it.
            (State::Proceeding, In::TransportFailed) => {
                effects.push(Effect::Failed);
                State::Proceeding
            }
            (state @ State::Completed { .. }, In::TransportFailed) => state,
            (State::Proceeding, In::Acked) => State::Proceeding,
            (state @ State::Completed { .. }, In::Respond(_)) => state,
            // Timers of a state that was left.
            (
                state @ (State::Proceeding | State::Accepted | State::Completed { .. } | State::Confirmed),
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
    fn a_retransmitted_invite_gets_the_latest_answer_and_none_after_a_2xx() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: false };
        let mut effects = Vec::new();
        let mut machine = ServerInvite::new();
        machine.handle(ServerInput::Respond(100), setting, &mut effects);
        machine.handle(ServerInput::Repeated, setting, &mut effects);
        assert_eq!(effects, [Effect::Transmit, Effect::Transmit]);
        machine.handle(ServerInput::Respond(200), setting, &mut effects);
        effects.clear();
        machine.handle(ServerInput::Repeated, setting, &mut effects);
        assert!(effects.is_empty(), "RFC 6026: absorbed");
    }

    #[test]
    fn a_refusal_nobody_acknowledges_is_forgotten_after_timer_h() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: false };
        let mut effects = Vec::new();
        let mut machine = ServerInvite::new();
        machine.handle(ServerInput::Respond(486), setting, &mut effects);
        machine.handle(ServerInput::Timer(Timer::G), setting, &mut effects);
        assert_eq!(effects.iter().filter(|e| **e == Effect::Transmit).count(), 2);
        machine.handle(ServerInput::Timer(Timer::H), setting, &mut effects);
        assert_eq!(effects.last(), Some(&Effect::Terminated));
    }

    #[test]
    fn an_ack_silences_the_refusal_and_its_copies_are_absorbed() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: false };
        let mut effects = Vec::new();
        let mut machine = ServerInvite::new();
        machine.handle(ServerInput::Respond(486), setting, &mut effects);
        machine.handle(ServerInput::Acked, setting, &mut effects);
        effects.clear();
        machine.handle(ServerInput::Acked, setting, &mut effects);
        machine.handle(ServerInput::Repeated, setting, &mut effects);
        machine.handle(ServerInput::Timer(Timer::G), setting, &mut effects);
        assert!(effects.is_empty());
        machine.handle(ServerInput::Timer(Timer::I), setting, &mut effects);
        assert_eq!(effects, [Effect::Terminated]);
    }
}
