//! A printed code: on a poster, a parcel, a badge, in a letter. It moves no call; it begins one, with what is known of whom
//! it was printed for. It may hang for months, so its digits are more, and only hashes of what it shows are kept.

use crate::base::id::CodeId;
use crate::base::{RoomId, Utc};
use crate::ticket::Hash;

/// One printed code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Names it; opens nothing.
    pub id: CodeId,
    /// What it is called, shown to whoever reads it.
    pub title: String,
    /// Where it leads.
    pub leads: Leads,
    /// What whoever comes by it is called, where they give no name.
    pub name: Option<String>,
    /// What is told beside the call to whoever is called, and to programs; never to who reads the code.
    pub context: Option<String>,
    /// Before this it opens nothing.
    pub valid_from: Option<Utc>,
    /// From then on it opens nothing; none for as long as it is not taken back.
    pub expires: Option<Utc>,
    /// How many calls it may begin; none for any number.
    pub uses: Option<u32>,
    /// How many it began.
    pub used: u32,
    /// How many calls it begins in an hour, at most.
    pub per_hour: u32,
    /// When it was made.
    pub created: Utc,
    /// When it began a call the last time.
    pub last_used: Option<Utc>,
    /// When it was taken back.
    pub revoked: Option<Utc>,
    /// Of the end of its link.
    pub link: Hash,
    /// Of its digits.
    pub digits: Hash,
}

/// Where a printed code leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// Into this room.
    Room(RoomId),
    /// To a call: a number or a user of the house, as dialled there.
    Call(String),
}

/// Why a printed code begins no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// It does not count yet.
    TooEarly,
    /// It counts no more.
    Expired,
    /// It was taken back.
    Revoked,
    /// It began as many calls as it may.
    UsedUp,
}

impl Printed {
    /// Whether it begins a call now.
    pub fn opens(&self, now: Utc) -> Result<(), Spent> {
        if self.revoked.is_some() {
            return Err(Spent::Revoked);
        }
        if self.expires.is_some_and(|at| at <= now) {
            return Err(Spent::Expired);
        }
        if self.uses.is_some_and(|uses| self.used >= uses) {
            return Err(Spent::UsedUp);
        }
        if self.valid_from.is_some_and(|at| now < at) {
            return Err(Spent::TooEarly);
        }
        Ok(())
    }

    /// Whether it can never begin a call again.
    pub fn is_over(&self, now: Utc) -> bool {
        matches!(self.opens(now), Err(Spent::Expired | Spent::Revoked | Spent::UsedUp))
    }

    /// What is kept of digits. Apart from what is kept of links: digits that are shown as a link's end are none.
    pub fn hash_of_digits(digits: &str) -> Hash {
        Hash::of(&format!("digits {digits}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poster() -> Printed {
        Printed {
            id: CodeId::from_bits(1),
            title: "Poster".into(),
            leads: Leads::Call("204".into()),
            name: None,
            context: None,
            valid_from: Some(Utc(1000)),
            expires: Some(Utc(2000)),
            uses: Some(2),
            used: 0,
            per_hour: 60,
            created: Utc(0),
            last_used: None,
            revoked: None,
            link: Hash::of("link"),
            digits: Printed::hash_of_digits("1234567890"),
        }
    }

    #[test]
    fn a_poster_counts_from_its_first_day_to_its_last() {
        let poster = poster();
        assert_eq!(poster.opens(Utc(999)), Err(Spent::TooEarly));
        assert!(!poster.is_over(Utc(999)));
        assert_eq!(poster.opens(Utc(1000)), Ok(()));
        assert_eq!(poster.opens(Utc(2000)), Err(Spent::Expired));
        assert!(poster.is_over(Utc(2000)));
    }

    #[test]
    fn a_letter_begins_as_many_calls_as_it_may_and_none_once_it_is_taken_back() {
        let used = Printed { used: 2, ..poster() };
        assert_eq!(used.opens(Utc(1500)), Err(Spent::UsedUp));
        let revoked = Printed { revoked: Some(Utc(1200)), ..used };
        assert_eq!(revoked.opens(Utc(1500)), Err(Spent::Revoked), "whoever took it back meant it");
    }

    #[test]
    fn digits_are_no_links_end() {
        assert_ne!(Printed::hash_of_digits("1234567890"), Hash::of("1234567890"));
    }
}
