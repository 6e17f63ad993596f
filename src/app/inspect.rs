//! `ringlift check`: everything that a start would need, tried without starting.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use crate::app::{Failure, expiry, reach, texts};
use crate::config::{Config, Transport, profiles};
use crate::engine::sockets::LegSockets;
use crate::engine::{clips, clock};
use crate::route::Table;
use crate::sms::Provider;
use crate::store::{OpenError, Store};

/// Tries it; returns what it found good, or what is to be mended.
pub async fn check(config: &Config, remarks: Vec<String>) -> Result<String, Failure> {
    let mut good = Vec::new();
    let mut wrong = Vec::new();
    good.push(if remarks.is_empty() {
        "configuration: good".into()
    } else {
        format!("configuration: usable\n  {}", remarks.join("\n  "))
    });
    match reach::find(config).await {
        Ok(reach) => good.extend(reach.reasons.iter().map(|reason| format!("phones are told {reason}"))),
        Err(error) => wrong.push(error.to_string()),
    }
    let mut taken = false;
    for listen in &config.sip.listen {
        let tried = match listen.transport {
            Transport::Udp => UdpSocket::bind(listen.address).map(drop),
            Transport::Tcp | Transport::Tls => TcpListener::bind(listen.address).map(drop),
        };
        match tried {
            Ok(()) => good.push(format!("sip.listen: {listen} is free")),
            Err(error) => {
                taken |= error.kind() == std::io::ErrorKind::AddrInUse;
                wrong.push(format!("sip.listen: {listen}: {error}"));
            }
        }
    }
    let plain = config.api.listen.iter().map(|address| ("api.listen", address));
    for (key, address) in plain.chain(config.api.tls_listen.iter().map(|address| ("api.tls_listen", address))) {
        match TcpListener::bind(address) {
            Ok(_) => good.push(format!("{key}: {address} is free")),
            Err(error) => {
                taken |= error.kind() == std::io::ErrorKind::AddrInUse;
                wrong.push(format!("{key}: {address}: {error}"));
            }
        }
    }
    for address in &config.media.listen {
        let ports = || (config.media.first_port..config.media.last_port).step_by(2);
        let (mut free, mut tried) = (0, 0);
        // A sample: a thousand binds are enough to tell a range that is free from one that is not.
        for port in ports().take(1000) {
            tried += 1;
            free += usize::from(LegSockets::bind(*address, port).is_ok());
        }
        if free == 0 {
            wrong.push(format!("media.first_port: none of the first {tried} port pairs of {address} can be bound"));
        } else {
            good.push(format!("media: {free} of the first {tried} port pairs of {address} are free"));
        }
    }
    match clips::load(config.prompts.directory.as_deref()) {
        Ok(clips) => {
            let languages: Vec<&str> = clips.languages.iter().map(|language| language.tag()).collect();
            good.push(format!("prompts: {}", languages.join(", ")));
            good.extend(clips.remarks.iter().map(|remark| format!("  {remark}")));
        }
        Err(error) => wrong.push(error.to_string()),
    }
    let mut trunks = Vec::new();
    match Provider::new(&texts::settings(config).provider) {
        Ok(provider) => good.push(format!("sms.provider: {}", provider.kind().name())),
        Err(why) => wrong.push(why),
    }
    if config.store.path.exists() {
        match Store::open_to_read(&config.store.path).await {
            Ok(store) => {
                match store.table().await {
                    Ok(table) => {
                        good.push(format!(
                            "store.path: {} trunks, {} numbers, {} extensions, {} groups, {} rules",
                            table.trunks.len(),
                            table.dids.len(),
                            table.extensions.len(),
                            table.groups.len(),
                            table.rules.len()
                        ));
                        wrong.extend(references(config, &table));
                        trunks.extend(table.trunks.into_values());
                    }
                    Err(error) => wrong.push(format!("store.path: {error}")),
                }
                store.close().await;
            }
            Err(older @ OpenError::Older(_)) => good.push(format!("store.path: {older}")),
            Err(error) => wrong.push(error.to_string()),
        }
    } else {
        match can_make(&config.store.path) {
            Ok(()) => {
                good.push(format!("store.path: {} is not there; the first start makes it", config.store.path.display()))
            }
            Err(why) => wrong.push(format!("store.path: {} cannot be made: {why}", config.store.path.display())),
        }
    }
    if let Some(path) = &config.api.admin_key_file {
        // The directory of the database is made at the start, that of the key is not.
        let there = path.exists() || directory(path).is_dir();
        let tried = if there { can_make(path) } else { Err(std::io::ErrorKind::NotFound.into()) };
        if let Err(why) = tried {
            wrong.push(format!("api.admin_key_file: {} cannot be written: {why}", path.display()));
        }
    }
    let found = expiry::look(config, &trunks, clock::utc());
    wrong.extend(found.wrong);
    // What ends soon is told beside faults, too.
    let told = if wrong.is_empty() { &mut good } else { &mut wrong };
    told.extend(found.soon.iter().map(|line| format!("warning: {line}")));
    if taken {
        wrong.push("ports in use are no fault when the gateway is running".into());
    }
    if wrong.is_empty() { Ok(good.join("\n")) } else { Err(Failure(wrong)) }
}

/// What points nowhere: rules, numbers, and names of profiles and trunks.
fn references(config: &Config, table: &Table) -> Vec<String> {
    let mut wrong = Vec::new();
    for rule in table.rules.iter().filter(|rule| rule.enabled) {
        let problems = table.check(rule);
        wrong
            .extend(problems.iter().map(|problem| format!("rule {}: {}: {}", rule.name, problem.pointer, problem.why)));
    }
    for did in table.dids.values() {
        let problems = table.check_destination(&did.action, "/action");
        wrong.extend(
            problems.iter().map(|problem| format!("number {}: {}: {}", did.called, problem.pointer, problem.why)),
        );
    }
    for trunk in &config.routing.outward {
        match table.trunks.get(trunk) {
            None => wrong.push(format!("routing.outward: there is no {trunk}: take it out")),
            Some(found) if !found.enabled || found.outbound.is_none() => wrong.push(format!(
                "routing.outward: trunk {} is disabled, or no calls go out by it: enable it, or take it out",
                found.name
            )),
            Some(_) => {}
        }
    }
    for group in table.groups.values() {
        for member in group.members.iter().filter(|member| table.extensions.get(member).is_none()) {
            wrong.push(format!("group {}: there is no {member}: take it out of its members", group.user));
        }
    }
    let Ok(profiles) = profiles::load(config.profiles.directory.as_deref()) else { return wrong };
    let of_trunks = table.trunks.values().map(|trunk| (format!("trunk {}", trunk.name), Some(&trunk.profile)));
    let of_people = table.extensions.values().map(|one| (format!("extension {}", one.user), one.profile.as_ref()));
    for (whose, profile) in of_trunks.chain(of_people) {
        if let Some(profile) = profile.filter(|profile| !profiles.has(profile)) {
            wrong.push(format!(
                "{whose}: there is no profile {profile}: name another, or put {profile}.toml into profiles.directory"
            ));
        }
    }
    wrong
}

/// The directory of a file.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file can be written, or made where its directory, or the nearest one above that exists, is. Leaves nothing.
fn can_make(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return std::fs::OpenOptions::new().append(true).open(path).map(drop);
    }
    let mut place = directory(path);
    while !place.exists() {
        place = directory(place);
    }
    let probe = place.join(format!(".ringlift-check-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(&probe)
}
