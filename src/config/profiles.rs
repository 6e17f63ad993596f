//! Profiles from files: those that come with the program, and an operator's own beside or instead of them.

use std::path::Path;

use rust_embed::RustEmbed;

use super::Problem;
use crate::profile::{Book, Profile};

/// The files under `sip-profiles/`, inside the program.
#[derive(RustEmbed)]
#[folder = "sip-profiles/"]
struct BuiltIn;

/// Reads one profile; `name` is the file's name without `.toml`.
pub fn read(name: &str, text: &str) -> Result<Profile, String> {
    let mut profile: Profile = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    profile.name = name.to_owned();
    check(&profile)?;
    Ok(profile)
}

/// The profiles that come with the program.
pub fn built_in() -> Result<Vec<Profile>, String> {
    let mut profiles = Vec::new();
    for file in BuiltIn::iter() {
        // The templates for phones lie in a folder beside them.
        let Some(name) = file.strip_suffix(".toml").filter(|name| !name.contains('/')) else { continue };
        let Some(content) = BuiltIn::get(&file) else { continue };
        let text = std::str::from_utf8(&content.data).map_err(|error| format!("sip-profiles/{file}: {error}"))?;
        profiles.push(read(name, text).map_err(|error| format!("sip-profiles/{file}: {error}"))?);
    }
    Ok(profiles)
}

/// The profiles that come with the program and those of a directory, which replace built-in ones of the same name.
#[allow(clippy::disallowed_methods, reason = "profiles are configuration, read once at start")]
pub fn load(directory: Option<&Path>) -> Result<Book, Vec<Problem>> {
    let fault = |text: String| Problem { key: "profiles.directory".into(), text, fatal: true };
    let mut profiles = built_in().map_err(|text| vec![fault(text)])?;
    let mut problems = Vec::new();
    if let Some(directory) = directory {
        let entries = std::fs::read_dir(directory)
            .map_err(|error| vec![fault(format!("{} cannot be read: {error}", directory.display()))])?;
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
            match text.and_then(|text| read(&name, &text)) {
                Ok(profile) => profiles.push(profile),
                Err(error) => problems.push(fault(format!("{}: {error}", path.display()))),
            }
        }
    }
    if problems.is_empty() { Ok(Book::new(profiles)) } else { Err(problems) }
}

/// What the types alone do not say.
fn check(profile: &Profile) -> Result<(), String> {
    let transports = &profile.transport.kinds;
    if transports.is_empty() || transports.iter().any(|kind| !["udp", "tcp", "tls"].contains(&kind.as_str())) {
        return Err("transport.kinds: name at least one of udp, tcp, tls, and nothing else".into());
    }
    if ![10, 20, 30, 40, 60].contains(&profile.media.ptime) {
        return Err("media.ptime: 10, 20, 30, 40 or 60".into());
    }
    if !(96..=127).contains(&profile.media.event_type) {
        return Err("media.event_type: a dynamic payload type, 96 to 127".into());
    }
    if profile.session_timer.min_se < 90 {
        return Err("session_timer.min_se: at least 90 (RFC 4028 section 4)".into());
    }
    if profile.session_timer.expires < profile.session_timer.min_se {
        return Err("session_timer.expires: not less than session_timer.min_se".into());
    }
    if let Some(status) = profile.transport.failover.iter().find(|status| !(300..700).contains(*status)) {
        return Err(format!("transport.failover: {status} is no final answer that refuses"));
    }
    if profile.options.every > 0 && (profile.options.down_after == 0 || profile.options.up_after == 0) {
        return Err("options.down_after, options.up_after: at least 1".into());
    }
    if !profile.refer.uri.is_empty() && !profile.refer.uri.contains("{number}") {
        return Err("refer.uri: must contain {number}".into());
    }
    const SUITES: [&str; 4] =
        ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32"];
    if let Some(suite) = profile.srtp.suites.iter().find(|suite| !SUITES.contains(&suite.as_str())) {
        return Err(format!("srtp.suites: {suite} is none of {}", SUITES.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_that_comes_with_the_program_is_read_and_names_its_proof() {
        let profiles = built_in().unwrap();
        assert!(profiles.len() >= 25, "{} profiles", profiles.len());
        for profile in &profiles {
            assert!(!profile.proof.is_empty(), "{}", profile.name);
            assert!(!profile.about.is_empty(), "{}", profile.name);
        }
    }

    #[test]
    fn the_generic_profile_writes_out_every_default() {
        let generic = built_in().unwrap().into_iter().find(|profile| profile.name == "generic").unwrap();
        let default = Profile { about: generic.about.clone(), proof: generic.proof.clone(), ..Profile::default() };
        assert_eq!(generic, default);
        let written: toml::Table = toml::from_str(include_str!("../../sip-profiles/generic.toml")).unwrap();
        let mut all = toml::Table::try_from(Profile::default()).unwrap();
        all.remove("name");
        assert_eq!(keys("", &written), keys("", &all), "every key stands in sip-profiles/generic.toml");
    }

    fn keys(at: &str, table: &toml::Table) -> Vec<String> {
        let mut found: Vec<String> = table
            .iter()
            .flat_map(|(key, value)| match value {
                toml::Value::Table(inner) => keys(&format!("{at}{key}."), inner),
                _ => vec![format!("{at}{key}")],
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = read("mine", "[media]\ncodec = [\"PCMU\"]\n").unwrap_err();
        assert!(error.contains("unknown field `codec`"), "{error}");
        let error = read("mine", "[session_timer]\nmin_se = 30\n").unwrap_err();
        assert!(error.starts_with("session_timer.min_se:"), "{error}");
    }

    #[test]
    fn an_operators_profile_replaces_the_one_of_the_same_name() {
        let directory = std::env::temp_dir().join(format!("ringlift-profiles-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("twilio.toml"), "about = \"mine\"\n").unwrap();
        let book = load(Some(&directory)).unwrap();
        std::fs::write(directory.join("broken.toml"), "abuot = 1\n").unwrap();
        let problems = load(Some(&directory)).unwrap_err();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(book.get("twilio").about, "mine");
        assert!(problems[0].text.contains("broken.toml") && problems[0].text.contains("abuot"), "{problems:?}");
    }
}
