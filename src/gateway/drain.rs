//! Going out of service: refuse what is new, let calls finish up to a limit, then end them and say why.

use std::time::Duration;

use crate::base::{Cause, LegId, Now};
use crate::call::speech::{Language, Prompt};
use crate::gateway::event::Happening;
use crate::gateway::leg::Stage;
use crate::gateway::{Gateway, Output, Timer};

/// How long before the limit callers are warned, where the limit is longer than twice this.
const WARNING: Duration = Duration::from_secs(60);

/// The state of going out of service.
#[derive(Debug, Default)]
pub(super) struct Drain {
    cut_off: u64,
    done: bool,
}

impl Gateway {
    /// Refuses what is new from now on.
    pub(super) fn begin_drain(&mut self, now: Now) {
        if self.drain.is_some() {
            return;
        }
        self.drain = Some(Drain::default());
        let limit = self.settings.drain_limit;
        self.timers.arm(Timer::DrainLimit, now.mono + limit);
        if limit > WARNING * 2 {
            self.timers.arm(Timer::DrainWarning, now.mono + (limit - WARNING));
        }
        self.publish(Happening::NodeDraining {}, now);
        self.warn_pages();
    }

    /// Tells everyone that the end is near.
    pub(super) fn warn_of_drain(&mut self) {
        let legs: Vec<(LegId, Language)> = self
            .legs
            .values()
            .filter(|leg| matches!(leg.stage, Stage::InRoom { .. }))
            .map(|leg| (leg.id, leg.language.clone()))
            .collect();
        for (leg, language) in legs {
            self.say(leg, [language.say(Prompt::CallEndsSoon)]);
        }
    }

    /// Ends what is still up.
    pub(super) fn end_drain(&mut self, now: Now) {
        self.cut_off(now);
    }

    /// Ends every call at once.
    pub(super) fn stop(&mut self, now: Now) {
        self.begin_drain(now);
        self.cut_off(now);
    }

    /// Reports once when nothing is left.
    pub(super) fn finish_drain(&mut self, now: Now) {
        let counts = self.endpoint.counts();
        let nothing_left = self.legs.is_empty() && self.closing.is_empty() && counts.legs == 0 && counts.closing == 0;
        if let Some(drain) = self.drain.as_mut().filter(|drain| nothing_left && !drain.done) {
            drain.done = true;
            let cut_off = drain.cut_off;
            self.dismiss_pages(now);
            self.outputs.push_back(Output::Drained { cut_off });
        }
    }

    fn cut_off(&mut self, now: Now) {
        let legs: Vec<LegId> = self.legs.keys().copied().collect();
        if let Some(drain) = &mut self.drain {
            drain.cut_off += legs.len() as u64;
        }
        for leg in legs {
            self.hang_up(leg, Cause::DrainedOut, now);
        }
        // Also what looks for a carrier yet.
        let rings: Vec<_> = self.rings.keys().copied().collect();
        for ring in rings {
            self.abandon_ring(ring, Cause::DrainedOut, now);
        }
    }
}
