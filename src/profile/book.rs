//! All profiles of a node, by name and by the telephone that speaks so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Profile;

/// What a far end without a profile of its own is taken for.
pub const GENERIC: &str = "generic";
/// What a registered phone is taken for whose User-Agent no profile names.
pub const UNKNOWN_PHONE: &str = "unknown-phone";

/// Profiles by name. [`GENERIC`] is always among them.
#[derive(Debug, Clone)]
pub struct Book {
    by_name: BTreeMap<String, Arc<Profile>>,
    generic: Arc<Profile>,
}

impl Book {
    /// A book of these; a later one of the same name replaces an earlier one.
    pub fn new(profiles: impl IntoIterator<Item = Profile>) -> Self {
        let mut by_name: BTreeMap<String, Arc<Profile>> =
            profiles.into_iter().map(|profile| (profile.name.clone(), Arc::new(profile))).collect();
        let generic = by_name.entry(GENERIC.to_owned()).or_insert_with(|| Arc::new(Profile::default())).clone();
        Self { by_name, generic }
    }

    /// The profile of this name, or the generic one.
    pub fn get(&self, name: &str) -> Arc<Profile> {
        self.by_name.get(name).unwrap_or(&self.generic).clone()
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The profile of the phone that calls itself so: the one that names the longest beginning of it.
    pub fn of_agent(&self, user_agent: &str) -> Arc<Profile> {
        let fits = |begin: &str| {
            !begin.is_empty() && user_agent.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin))
        };
        let longest = |profile: &Arc<Profile>| profile.user_agents.iter().filter(|b| fits(b)).map(String::len).max();
        self.by_name
            .values()
            .filter_map(|profile| Some((longest(profile)?, profile)))
            .max_by_key(|(length, _)| *length)
            .map_or_else(|| self.get(UNKNOWN_PHONE), |(_, profile)| profile.clone())
    }

    /// Every profile, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.by_name.values().map(AsRef::as_ref)
    }
}

impl Default for Book {
    /// The generic profile alone.
    fn default() -> Self {
        Self::new([])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, agents: &[&str]) -> Profile {
        Profile {
            name: name.into(),
            user_agents: agents.iter().map(ToString::to_string).collect(),
            ..Profile::default()
        }
    }

    #[test]
    fn a_phone_is_known_by_the_longest_beginning_of_its_user_agent() {
        let book = Book::new([of("cisco", &["Cisco"]), of("cisco-old", &["Cisco-CP79"]), of("unknown-phone", &[])]);
        assert_eq!(book.of_agent("cisco-CP8851/12.0").name, "cisco");
        assert_eq!(book.of_agent("Cisco-CP7960/8").name, "cisco-old");
        assert_eq!(book.of_agent("Zoiper v2").name, "unknown-phone");
        assert_eq!(book.of_agent("").name, "unknown-phone");
        assert_eq!(book.get("nobody").name, "generic");
    }
}
