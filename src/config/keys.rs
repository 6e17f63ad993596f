//! Key maps: those that come with the program, and the operator's own.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use super::{Config, Problem};
use crate::call::keys::{Assignment, BuiltIn, KeyMap, KeySettings};

/// The maps that come with the program, by name.
const BUILT_IN: [(&str, BuiltIn); 3] =
    [("zoom", BuiltIn::Zoom), ("webex", BuiltIn::Webex), ("microsoft", BuiltIn::Microsoft)];

/// Every map by name; what is wrong with one is told with its key.
pub(super) fn maps(config: &Config) -> (BTreeMap<String, KeyMap>, Vec<Problem>) {
    let mut maps: BTreeMap<String, KeyMap> =
        BUILT_IN.into_iter().map(|(name, map)| (name.to_owned(), KeyMap::built_in(map))).collect();
    let mut problems = Vec::new();
    for (name, keys) in &config.keys {
        match own(keys) {
            Ok(map) => drop(maps.insert(name.clone(), map)),
            Err(text) => problems.push(Problem { key: format!("keys.{name}"), text, fatal: true }),
        }
    }
    (maps, problems)
}

/// A map of the operator's: nothing but what it says.
fn own(keys: &BTreeMap<String, String>) -> Result<KeyMap, String> {
    let mut settings = KeySettings { base: BuiltIn::Empty, ..KeySettings::default() };
    for (digits, name) in keys {
        let function = IntoDeserializer::<Error>::into_deserializer(name.as_str());
        let assignment = Assignment::deserialize(function).map_err(|error| format!("`{digits}`: {error}"))?;
        settings.sequences.insert(digits.clone(), assignment);
    }
    KeyMap::try_from(settings).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::keys::Action;

    #[test]
    fn a_map_of_ones_own_does_what_it_says_and_names_what_it_cannot() {
        let config = |text: &str| Config::parse(text, []).unwrap();
        let (maps, problems) = maps(&config("[keys.office]\n\"*6\" = \"mute-self\""));
        assert_eq!((maps.len(), problems), (4, vec![]));
        assert_eq!((maps["office"].action("*6"), maps["office"].sequences().count()), (Some(Action::MuteSelf), 1));
        let problems = super::maps(&config("[keys.office]\n\"*6\" = \"dance\"")).1;
        assert!(problems[0].to_string().starts_with("keys.office: `*6`: unknown variant `dance`"), "{problems:?}");
    }
}
