//! Two people alone: whether their packets go on as they come, or are mixed.

use super::{Bridge, KEPT, Member};
use crate::base::Instant;
use crate::media::leg::{Leg, Link};
use crate::media::legs::Legs;

impl Bridge {
    /// Decides between passing packets on and mixing: two people of one codec, of whom neither hears anything but the
    /// other, need no mix. To be called after whatever may change that.
    pub fn settle(&mut self, now: Instant, legs: &mut Legs) {
        let pair = match self.members.as_slice() {
            [a, b] if a.participant != b.participant && self.wings.is_none() => Some((a.leg, b.leg)),
            _ => None,
        };
        if pair.is_none() && !self.linked {
            return;
        }
        self.linked = pair.is_some();
        for index in 0..self.members.len() {
            let Some(member) = self.members.get(index) else { continue };
            let other = pair
                .map(|(a, b)| if member.leg == a { b } else { a })
                .filter(|_| !member.muted && member.audience.is_none());
            let (key, keys) = (member.leg, member.keys);
            let may = match legs.pair_mut(key, other) {
                Some((leg, Some(peer))) => !self.tones_on && leg.may_pass_to(peer),
                _ => false,
            };
            let link = |open| Link { partner: other, open, keys };
            if legs.get(key).is_some_and(|leg| leg.starves(now)) {
                self.link(index, link(false), legs);
            }
            if !may {
                legs.get_mut(key).into_iter().for_each(Leg::unsettle);
            }
            let open = may && legs.get(key).is_some_and(Leg::is_ripe);
            self.link(index, link(open), legs);
        }
        for index in 0..self.members.len() {
            let other = self.members.get(usize::from(index == 0));
            let fed = pair.is_some() && other.is_some_and(|other| passes(other, legs));
            if let Some(member) = self.members.get_mut(index) {
                if member.fed && !fed {
                    member.own = KEPT;
                }
                member.fed = fed;
            }
        }
    }

    /// Says where a member's packets go as they come.
    pub(super) fn link(&mut self, index: usize, link: Link, legs: &mut Legs) {
        let Some(member) = self.members.get_mut(index) else { return };
        let Some(before) = legs.get(member.leg).map(Leg::link) else { return };
        if before == link {
            return;
        }
        if let Some((leg, old)) = legs.pair_mut(member.leg, before.partner) {
            if (before.partner, before.open) != (link.partner, link.open) {
                // The mix goes on in the middle of a word.
                member.speaks |= leg.end_passing(old);
            }
            leg.set_link(link);
            if before.open != link.open {
                legs.turn(member.leg);
            }
        }
    }

    /// So many ticks were left out.
    pub fn lapse(&self, ticks: u32, legs: &mut Legs) {
        for (index, member) in self.members.iter().enumerate() {
            let other = self.members.get(usize::from(index == 0)).filter(|_| self.members.len() == 2);
            let fed = other.is_some_and(|other| passes(other, legs));
            legs.get_mut(member.leg).into_iter().for_each(|leg| leg.lapse(ticks, fed, member.speaks));
        }
    }
}

/// Whether a member's packets go on as they come.
pub(super) fn passes(member: &Member, legs: &Legs) -> bool {
    legs.get(member.leg).is_some_and(Leg::passes)
}
