//! The non-INVITE server transaction (RFC 3261 §17.2.2).
//!
//! ```text
//!   begin --> Trying --request again: absorbed
//!          1xx |    | 200-699
//!              v    v
//!      Proceeding->Completed --request again: answer again
//!   again: 1xx       | J
//!                    v
//!                Terminated
//! ```

use super::{Effect, ServerInput, Setting};
use crate::sip::timing::Timer;

/// Where a request that came to us, not an INVITE, stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No answer yet.
    Trying,
    /// Answered provisionally.
    Proceeding,
    /// Answered; copies of the request get the answer again until timer J.
    Completed,
    /// Over.
    Terminated,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct ServerOther {
    state: State,
}

impl ServerOther {
    /// A new request was accepted for processing. Timer F is armed here as well: a user who never answers must not
    /// keep the transaction for ever, and after 64·T1 the client has given up.
    pub fn begin(setting: Setting<'_>, effects: &mut Vec<Effect>) -> Self {
        effects.push(Effect::Arm(Timer::F, setting.timing.give_up()));
        Self { state: State::Trying }
    }

    /// Takes a fact.
    pub fn handle(&mut self, input: ServerInput, setting: Setting<'_>, effects: &mut Vec<Effect>) {
        use ServerInput as In;
        let state = std::mem::replace(&mut self.state, State::Terminated);
        self.state = match (state, input) {
            // §17.2.2: a retransmission before any answer is discarded.
            (State::Trying, In::Repeated) => State::Trying,
            (State::Trying | State::Proceeding, In::Respond(0..=199)) => {
                effects.push(Effect::Transmit);
                State::Proceeding
            }
            (State::Proceeding, In::Repeated) => {
                effects.push(Effect::Transmit);
                State::Proceeding
            }
            // §17.2.2: J is 64·T1 on unreliable transports, nothing on reliable ones.
            (State::Trying | State::Proceeding, In::Respond(_)) => {
                effects.extend([Effect::Disarm(Timer::F), Effect::Transmit]);
                effects.push(Effect::Arm(Timer::J, setting.timing.j(setting.reliable)));
                State::Completed
            }
            (State::Completed, In::Repeated) => {
                effects.push(Effect::Transmit);
                State::Completed
            }
            (State::Completed, In::Timer(Timer::J)) => {
                effects.push(Effect::Terminated);
                State::Terminated
            }
            // RFC 4320: too late for any answer to be of use.
            (State::Trying | State::Proceeding, In::Timer(Timer::F)) => {
                effects.push(Effect::Terminated);
                State::Terminated
            }
            // §17.2.4: told; a lost answer will be asked for again, J ends it.
            (state @ (State::Trying | State::Proceeding), In::TransportFailed) => {
                effects.push(Effect::Failed);
                state
            }
            (State::Completed, In::TransportFailed | In::Respond(_)) => State::Completed,
            // There is no ACK to a non-INVITE.
            (state @ (State::Trying | State::Proceeding | State::Completed), In::Acked) => state,
            // Timers of a state that was left.
            (state @ (State::Trying | State::Proceeding | State::Completed), In::Timer(_)) => state,
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
    fn a_repeated_request_gets_its_answer_again_until_timer_j() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: false };
        let mut effects = Vec::new();
        let mut machine = ServerOther::begin(setting, &mut effects);
        effects.clear();
        machine.handle(ServerInput::Repeated, setting, &mut effects);
        assert!(effects.is_empty());
        machine.handle(ServerInput::Respond(200), setting, &mut effects);
        effects.clear();
        machine.handle(ServerInput::Repeated, setting, &mut effects);
        assert_eq!(effects, [Effect::Transmit]);
        machine.handle(ServerInput::Timer(Timer::J), setting, &mut effects);
        assert_eq!(*machine.state(), State::Terminated);
    }

    #[test]
    fn a_request_its_user_never_answers_is_forgotten() {
        let timing = Timing::default();
        let setting = Setting { timing: &timing, reliable: true };
        let mut effects = Vec::new();
        let mut machine = ServerOther::begin(setting, &mut effects);
        effects.clear();
        machine.handle(ServerInput::Timer(Timer::F), setting, &mut effects);
        assert_eq!(effects, [Effect::Terminated]);
    }
}
