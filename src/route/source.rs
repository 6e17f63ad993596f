//! Whose call it is: by password, by network, or nobody's that is known here.

use crate::base::Cause;
use crate::route::explain::Note;
use crate::route::{Decision, Facts, Party, Step, Table, Trunk};

impl Table {
    /// Whose call it is; where nobody's, what to do about it.
    pub(super) fn find_party(&self, facts: &Facts, note: Note<'_>) -> Result<Party, Decision> {
        if let Some(party) = self.find_extension(facts, note)? {
            return Ok(party);
        }
        if let Some(trunk) = self.find_trunk(facts, note) {
            return Ok(Party::Trunk(trunk.id));
        }
        let askable = self.trunks.values().any(|trunk| trunk.enabled && trunk.credentials.is_some())
            || self.extensions.values().any(|extension| extension.enabled);
        Err(if askable { Decision::Challenge } else { Decision::Refuse(Cause::NotAuthorised) })
    }

    fn find_extension(&self, facts: &Facts, note: Note<'_>) -> Result<Option<Party>, Decision> {
        if let Some(Party::Extension(id)) = facts.proved {
            let extension = self.extensions.get(&id);
            let rule = extension.map_or_else(|| id.to_string(), |extension| format!("extension {}", extension.user));
            let enabled = extension.is_some_and(|extension| extension.enabled);
            note(&|| Step {
                rule: rule.clone(),
                matched: enabled,
                why: match extension {
                    Some(_) if enabled => "its password was shown".into(),
                    Some(_) => "its password was shown, but it is disabled".into(),
                    None => "its password was shown, but it exists no longer".into(),
                },
            });
            return if enabled { Ok(Some(Party::Extension(id))) } else { Err(Decision::Refuse(Cause::NotAuthorised)) };
        }
        if facts.proved.is_none()
            && let Some(extension) = self.extensions.by_user(&facts.claims).filter(|extension| extension.enabled)
        {
            // Nobody speaks for an extension by its name alone, even from a network that a trunk may call from.
            note(&|| Step {
                rule: format!("extension {}", extension.user),
                matched: false,
                why: "From says it is this extension, and no password was shown".into(),
            });
            return Err(Decision::Challenge);
        }
        Ok(None)
    }

    fn find_trunk(&self, facts: &Facts, note: Note<'_>) -> Option<&Trunk> {
        // Credentials beat networks; of networks the most exact one wins, whatever the order in which they were made.
        let proof = |trunk: &Trunk| facts.proved == Some(Party::Trunk(trunk.id));
        let claim = |trunk: &Trunk| {
            // An address says nothing without the network that it is in; a relay speaks for its call managers alone.
            if trunk.relay != facts.relay {
                return proof(trunk).then_some(u16::MAX);
            }
            if trunk.relay.is_some() && trunk.networks.is_empty() && !proof(trunk) {
                return Some(0);
            }
            let holding = trunk.networks.iter().filter(|network| network.contains(facts.source));
            let exact = holding.map(|network| u16::from(network.prefix()) + 1).max();
            if proof(trunk) { Some(u16::MAX) } else { exact }
        };
        let best = self.trunks.values().filter(|trunk| trunk.enabled).filter_map(claim).max();
        let mut found: Option<&Trunk> = None;
        for trunk in self.trunks.values() {
            let proved = proof(trunk);
            let through = trunk.relay == facts.relay;
            let inside = through
                && (trunk.networks.iter().any(|network| network.contains(facts.source))
                    || (trunk.relay.is_some() && trunk.networks.is_empty()));
            let chosen = trunk.enabled && found.is_none() && best.is_some() && claim(trunk) == best;
            note(&|| Step {
                rule: format!("trunk {}", trunk.name),
                matched: chosen,
                why: if !trunk.enabled {
                    if proved || inside { "would match, but is disabled".into() } else { "is disabled".into() }
                } else if proved {
                    "its credentials were shown".into()
                } else if !through {
                    match trunk.relay {
                        Some(relay) => format!("calls come by it through {relay}"),
                        None => "calls come by it directly, not through a relay".into(),
                    }
                } else if inside && chosen && trunk.networks.is_empty() {
                    "it came through its relay".into()
                } else if inside && chosen {
                    format!("{} is in its networks", facts.source)
                } else if inside {
                    format!("{} is in its networks too, but another trunk's is as exact or more", facts.source)
                } else if trunk.networks.is_empty() && trunk.credentials.is_some() {
                    "known by credentials only, and none were shown".into()
                } else if trunk.networks.is_empty() {
                    "has neither networks nor credentials: nothing can match it".into()
                } else {
                    let networks: Vec<String> = trunk.networks.iter().map(ToString::to_string).collect();
                    format!("{} is not in {}", facts.source, networks.join(", "))
                },
            });
            if chosen {
                found = Some(trunk);
            }
        }
        found
    }
}
