//! The legs of one plane, by key.

use super::leg::Leg;
use super::outlet::LegKey;

/// A slab: a freed key is given again.
#[derive(Default)]
pub struct Legs {
    slots: Vec<Option<Box<Leg>>>,
    free: Vec<u32>,
    /// Whose packets began or ceased to go on as they come; each once.
    turned: Vec<LegKey>,
}

impl Legs {
    /// Takes a leg in and names it.
    pub fn insert(&mut self, mut leg: Box<Leg>) -> LegKey {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let key = LegKey(index);
        // Room for all of them, so that a tick asks for none.
        self.turned.reserve(self.slots.len());
        leg.set_key(key);
        // Whatever it was to tell another thread's engine went with its seat there.
        leg.turned();
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = Some(leg);
        }
        key
    }

    /// Gives a leg out and its key free.
    pub fn remove(&mut self, key: LegKey) -> Option<Box<Leg>> {
        let leg = self.slots.get_mut(key.0 as usize)?.take()?;
        self.free.push(key.0);
        self.turned.retain(|turned| *turned != key);
        Some(leg)
    }

    /// Notes that a leg's packets are to go on as they come from now on, or no longer.
    pub fn turn(&mut self, key: LegKey) {
        if self.get_mut(key).is_some_and(Leg::turn) {
            self.turned.push(key);
        }
    }

    /// The next leg that turned, and whether its packets go on as they come.
    pub fn poll_turned(&mut self) -> Option<(LegKey, bool)> {
        let key = self.turned.pop()?;
        let leg = self.get_mut(key)?;
        leg.turned();
        Some((key, leg.link().open))
    }

    /// A leg.
    pub fn get(&self, key: LegKey) -> Option<&Leg> {
        self.slots.get(key.0 as usize)?.as_deref()
    }

    /// Two legs, to be changed together; the second is none when it is not here, or is the first.
    pub fn pair_mut(&mut self, key: LegKey, other: Option<LegKey>) -> Option<(&mut Leg, Option<&mut Leg>)> {
        let index = key.0 as usize;
        match other.map(|other| other.0 as usize).filter(|other| *other != index && *other < self.slots.len()) {
            Some(other) => {
                let [leg, other] = self.slots.get_disjoint_mut([index, other]).ok()?;
                Some((leg.as_deref_mut()?, other.as_deref_mut()))
            }
            None => Some((self.slots.get_mut(index)?.as_deref_mut()?, None)),
        }
    }

    /// A leg, to be changed.
    pub fn get_mut(&mut self, key: LegKey) -> Option<&mut Leg> {
        self.slots.get_mut(key.0 as usize)?.as_deref_mut()
    }
}
