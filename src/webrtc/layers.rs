//! Which layer of each picture a viewer is sent: every picture's smallest first, screens before cameras, then one step up
//! after the other while there is room, and never more than the place it is shown in can use.

use crate::media::web::Source;

/// What a layer that has not been measured yet is taken to need, in bits per second, by its number: what browsers' encoders
/// settle at for 180, 360 and 720 lines.
const USUAL: [u64; 3] = [150_000, 500_000, 1_700_000];
/// The same for a picture without layers. More: a room of cameras without layers is thinned early. Less: late.
const USUAL_ALONE: u64 = 800_000;
/// How high layers are, where the codec does not say.
const USUAL_HEIGHTS: [u16; 3] = [180, 360, 720];
/// A step up must fit with so much to spare, in percent: estimates waver, and a step down shows. More: later up.
pub(super) const SPARE: u64 = 115;
/// A picture this much smaller than its place, in percent of it, is still sharp enough there.
const SHARP: u32 = 75;

/// A picture that is wanted.
#[derive(Debug, Clone)]
pub struct Want {
    /// Camera or screen.
    pub source: Source,
    /// How high it is shown, in pixels.
    pub height: u16,
    /// Its layers, smallest first.
    pub layers: Vec<Layer>,
    /// What is sent of it now.
    pub now: Option<u8>,
}

/// A layer of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layer {
    /// Packets come.
    pub flows: bool,
    /// Bits per second, where measured.
    pub rate: Option<u64>,
    /// Lines, where known.
    pub height: Option<u16>,
}

/// What a viewer gets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Which layer of each want, in their order; none where there is no room, or nothing comes.
    pub layers: Vec<Option<u8>>,
    /// What the next step up would bring the sum to; none where more room would change nothing.
    pub next: Option<u64>,
    /// What everything that is wanted would need.
    pub desired: u64,
    /// Something is sent smaller than before for want of room.
    pub squeezed: bool,
}

/// Shares out so many bits per second; nothing but a picture's smallest layer begins unless steps up are allowed.
pub fn plan(wants: &[Want], budget: u64, up: bool) -> Plan {
    let mut order: Vec<usize> = (0..wants.len()).collect();
    order.sort_by_key(|index| {
        wants.get(*index).map(|want| (want.source != Source::Screen, std::cmp::Reverse(want.height)))
    });
    let mut plan = Plan { layers: vec![None; wants.len()], ..Plan::default() };
    let mut spent = 0u64;
    let mut refused: Option<u64> = None;
    // The smallest of each, then round after round one step up each.
    for round in 0..=USUAL.len() {
        for index in order.iter().copied() {
            let (Some(want), Some(slot)) = (wants.get(index), plan.layers.get_mut(index)) else { continue };
            let top = want.top();
            let step = match *slot {
                None if round == 0 => want.lowest(),
                None => None,
                Some(layer) if round > 0 && Some(layer) < top => want.above(layer),
                Some(_) => None,
            };
            let Some(step) = step.filter(|step| Some(*step) <= top) else { continue };
            let cost = spent.saturating_sub(slot.map_or(0, |layer| want.cost(layer))).saturating_add(want.cost(step));
            // What flows already may stay as long as it fits; what would be new needs room to spare.
            let keeps = want.now.is_some_and(|now| now >= step);
            // The first of all is sent even where it is too much: somebody to see is worth a stutter.
            let first = round == 0 && spent == 0;
            let may = up || keeps || round == 0;
            if first || may && cost.saturating_mul(if keeps { 100 } else { SPARE }) / 100 <= budget {
                *slot = Some(step);
                spent = cost;
            } else {
                refused = Some(refused.map_or(cost, |least| least.min(cost)));
            }
        }
    }
    plan.squeezed =
        wants.iter().zip(&plan.layers).any(|(want, layer)| want.now.is_some() && *layer < want.now.min(want.top()));
    plan.next = refused;
    plan.desired = wants.iter().map(|want| want.top().map_or(0, |top| want.cost(top))).sum();
    plan
}

impl Want {
    /// The smallest layer that comes.
    fn lowest(&self) -> Option<u8> {
        self.numbered().find(|(_, layer)| layer.flows).map(|(number, _)| number)
    }

    /// The next that comes, above this.
    fn above(&self, than: u8) -> Option<u8> {
        self.numbered().find(|(number, layer)| layer.flows && *number > than).map(|(number, _)| number)
    }

    /// The smallest layer that is sharp enough for the place, or the largest that comes.
    fn top(&self) -> Option<u8> {
        let needed = u32::from(self.height) * SHARP / 100;
        let coming = || self.numbered().filter(|(_, layer)| layer.flows);
        let enough = coming().find(|(number, layer)| u32::from(self.lines(*number, layer)) >= needed);
        enough.or_else(|| coming().last()).map(|(number, _)| number)
    }

    fn lines(&self, number: u8, layer: &Layer) -> u16 {
        let usual = USUAL_HEIGHTS.get(usize::from(number)).copied();
        layer.height.or(usual.filter(|_| self.layers.len() > 1)).unwrap_or(u16::MAX)
    }

    fn cost(&self, number: u8) -> u64 {
        let usual = match self.layers.len() {
            1 => USUAL_ALONE,
            _ => USUAL.get(usize::from(number)).copied().unwrap_or(USUAL_ALONE),
        };
        self.layers.get(usize::from(number)).and_then(|layer| layer.rate).unwrap_or(usual).max(1)
    }

    fn numbered(&self) -> impl Iterator<Item = (u8, &Layer)> {
        (0u8..).zip(&self.layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(height: u16, now: Option<u8>) -> Want {
        let layer = |rate, height| Layer { flows: true, rate: Some(rate), height: Some(height) };
        let layers = vec![layer(150_000, 180), layer(500_000, 360), layer(1_500_000, 720)];
        Want { source: Source::Camera, height, layers, now }
    }

    #[test]
    fn everyone_is_seen_small_before_anyone_is_seen_large() {
        let wants = [camera(720, None), camera(720, None), camera(720, None)];
        assert_eq!(plan(&wants, 600_000, true).layers, [Some(0), Some(0), Some(0)]);
        assert_eq!(plan(&wants, 1_000_000, true).layers, [Some(1), Some(0), Some(0)]);
        assert_eq!(plan(&wants, 1_900_000, true).layers, [Some(1), Some(1), Some(1)]);
        assert_eq!(plan(&wants, 20_000_000, true).layers, [Some(2), Some(2), Some(2)]);
    }

    #[test]
    fn no_more_is_sent_than_the_place_can_show() {
        assert_eq!(plan(&[camera(180, None), camera(300, None)], 20_000_000, true).layers, [Some(0), Some(1)]);
        assert_eq!(plan(&[camera(180, Some(2))], 20_000_000, true).layers, [Some(0)]);
    }

    #[test]
    fn a_step_up_needs_room_to_spare_but_what_flows_stays_as_long_as_it_fits() {
        assert_eq!(plan(&[camera(360, Some(0))], 520_000, true).layers, [Some(0)]);
        assert_eq!(plan(&[camera(360, Some(1))], 520_000, true).layers, [Some(1)]);
        assert_eq!(plan(&[camera(360, Some(1))], 480_000, true).layers, [Some(0)]);
        let next = plan(&[camera(360, Some(0))], 520_000, true);
        assert_eq!((next.next, next.desired), (Some(500_000), 500_000));
        assert_eq!(plan(&[camera(360, Some(0))], 900_000, true).next, None, "more room would change nothing");
    }

    #[test]
    fn after_a_squeeze_nothing_is_raised_until_that_is_allowed() {
        let squeezed = plan(&[camera(720, Some(2))], 600_000, true);
        assert_eq!((squeezed.layers, squeezed.squeezed), (vec![Some(1)], true));
        assert_eq!(plan(&[camera(720, Some(1))], 20_000_000, false).layers, [Some(1)]);
        assert_eq!(plan(&[camera(720, Some(1))], 20_000_000, true).layers, [Some(2)]);
        let smaller = plan(&[camera(180, Some(2))], 20_000_000, true);
        assert_eq!((smaller.layers, smaller.squeezed), (vec![Some(0)], false), "a smaller place is no squeeze");
    }

    #[test]
    fn a_screen_comes_before_faces() {
        let alone = Layer { flows: true, rate: Some(1_000_000), height: Some(1080) };
        let screen = Want { source: Source::Screen, height: 1080, layers: vec![alone], now: None };
        assert_eq!(plan(&[camera(720, None), screen.clone()], 1_200_000, true).layers, [None, Some(0)]);
        assert_eq!(plan(&[camera(720, None), screen], 1_400_000, true).layers, [Some(0), Some(0)]);
    }

    #[test]
    fn on_the_thinnest_line_one_face_is_left() {
        assert_eq!(plan(&[camera(720, None), camera(720, None)], 10_000, true).layers, [Some(0), None]);
        assert_eq!(plan(&[], 10_000, true), Plan::default());
    }

    #[test]
    fn a_layer_that_does_not_come_is_passed_over() {
        let mut want = camera(720, None);
        want.layers[1].flows = false;
        assert_eq!(plan(&[want.clone()], 20_000_000, true).layers, [Some(2)]);
        want.layers.iter_mut().for_each(|layer| layer.flows = false);
        assert_eq!(plan(&[want], 20_000_000, true).layers, [None]);
    }
}
