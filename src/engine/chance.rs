//! The one place that asks the system for chance.

use crate::base::Rng;

/// A generator seeded by the system.
pub fn rng() -> Result<Rng, getrandom::Error> {
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed)?;
    Ok(Rng::from_seed(seed))
}
