//! A profile's manner of speaking SIP.

use crate::base::Support;
use crate::profile::Profile;
use crate::sip::endpoint::{Manner, SessionTimer};

impl Manner {
    /// How a far end of this profile is spoken to.
    pub fn of(profile: &Profile) -> Self {
        let rules = &profile.session_timer;
        let timer = SessionTimer {
            expires: rules.expires,
            min_se: rules.min_se,
            by_update: rules.by_update,
            demand: rules.mode == Support::Require,
        };
        Self { prack: profile.prack, timer: (rules.mode != Support::Off).then_some(timer), update: profile.update }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plainest_profile_has_the_plainest_manner() {
        assert_eq!(Manner::of(&Profile::default()), Manner::default());
    }

    #[test]
    fn a_profile_without_session_timers_asks_for_none_and_keeps_none() {
        let mut profile = Profile::default();
        profile.session_timer.mode = Support::Off;
        assert_eq!(Manner::of(&profile).timer, None);
    }
}
