//! Whether what is configured points somewhere: asked before a rule is kept, and again when it is followed.

use serde::{Deserialize, Serialize};

use crate::route::{Destination, Origin, Party, Rule, Table, Trunk};

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Where in it, as a JSON pointer.
    pub pointer: String,
    /// What, in words.
    pub why: String,
}

/// Longest header name and text that a rule may ask for. Longer ones match nothing that is sent.
const LONGEST_TEXT: usize = 256;

impl Table {
    /// What is wrong with a rule as things stand; nothing when it may be kept.
    pub fn check(&self, rule: &Rule) -> Vec<Problem> {
        let mut problems = self.check_destination(&rule.then, "/then");
        let mut say = |pointer: String, why: &str| problems.push(Problem { pointer, why: why.to_owned() });
        for (index, source) in rule.when.sources.iter().enumerate() {
            let here = match source {
                Origin::One(Party::Trunk(id)) => self.trunks.contains_key(id),
                Origin::One(Party::Extension(id)) => self.extensions.get(id).is_some(),
                Origin::AnyTrunk | Origin::AnyExtension | Origin::Api => true,
            };
            if !here {
                say(format!("/when/sources/{index}"), "there is no such trunk or extension");
            }
        }
        if let Some(header) = &rule.when.header {
            let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
            if header.name.is_empty() || header.name.len() > LONGEST_TEXT || !header.name.chars().all(token) {
                say("/when/header/name".into(), "this is no name of a header field");
            }
        }
        problems
    }

    /// What is wrong with a destination: of a rule, of a number, of a webhook's fallback.
    pub fn check_destination(&self, to: &Destination, pointer: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut say = |below: &str, why: String| problems.push(Problem { pointer: format!("{pointer}{below}"), why });
        match to {
            Destination::Webhook { url, fallback, .. } => {
                if !(url.starts_with("https://") || url.starts_with("http://")) || url.len() > 2048 {
                    say("/url", "write an http or https address of at most 2048 characters".into());
                }
                if matches!(**fallback, Destination::Webhook { .. }) {
                    say("/fallback", "a fallback is not another webhook: nobody could be sure of an answer".into());
                } else {
                    problems.extend(self.check_destination(fallback, &format!("{pointer}/fallback")));
                }
            }
            Destination::Trunk { trunks, prefix, .. } => {
                if trunks.is_empty() {
                    say("/trunks", "name at least one trunk".into());
                }
                if let Some(missing) = self.missing(to) {
                    say("/trunks", missing);
                }
                if prefix.len() > 16 || !prefix.chars().all(|c| c.is_ascii_digit() || "+*#".contains(c)) {
                    say("/prefix", "at most 16 digits, perhaps with + before them".into());
                }
            }
            Destination::Attendant {}
            | Destination::Room { .. }
            | Destination::Extension { .. }
            | Destination::Group { .. }
            | Destination::Refuse { .. } => {
                if let Some(missing) = self.missing(to) {
                    say("", missing);
                }
            }
        }
        problems
    }

    /// What of a destination is not there, in words.
    pub(super) fn missing(&self, to: &Destination) -> Option<String> {
        match to {
            Destination::Attendant {} | Destination::Refuse { .. } | Destination::Webhook { .. } => None,
            Destination::Room { room } => (!self.rooms.contains(room)).then(|| format!("there is no {room}")),
            Destination::Extension { extension } => match self.extensions.get(extension) {
                Some(found) if found.enabled => None,
                Some(found) => Some(format!("extension {} is disabled", found.user)),
                None => Some(format!("there is no {extension}")),
            },
            Destination::Group { group } => match self.groups.get(group) {
                Some(found) if found.members.iter().any(|member| self.extensions.get(member).is_some()) => None,
                Some(found) => Some(format!("group {} has no members", found.user)),
                None => Some(format!("there is no {group}")),
            },
            Destination::Trunk { trunks, .. } => {
                let open = |trunk: &Trunk| trunk.enabled && trunk.outbound.is_some();
                if trunks.iter().filter_map(|id| self.trunks.get(id)).any(open) {
                    return None;
                }
                Some(match trunks.iter().find(|id| !self.trunks.contains_key(id)) {
                    Some(id) => format!("there is no {id}"),
                    None => "none of these trunks is enabled and takes calls".to_owned(),
                })
            }
        }
    }
}
