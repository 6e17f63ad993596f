//! Rank 10: wires the parts together, in the order in which they need each other, and takes them down in the reverse.

mod banner;
mod expiry;
mod explain;
mod first;
mod https;
mod inspect;
mod packets;
mod phones;
mod reach;
mod relay;
mod texts;
mod trial;

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::api;
use crate::app::banner::Banner;
use crate::app::packets::Packets;
use crate::app::reach::Reach;
use crate::base::Secret;
use crate::call::speech::Language;
use crate::config::{Config, LogFormat};
use crate::engine;
use crate::engine::clock::Clock;
use crate::engine::courier::{self, Courier};
use crate::engine::dtls::Identity;
use crate::engine::fetch::Fetcher;
use crate::engine::handle::Handle;
use crate::engine::log::Log;
use crate::engine::media::{self, MediaPlane};
use crate::engine::planner::Planner;
use crate::engine::pusher::{self, Pusher};
use crate::engine::relay::Relays;
use crate::engine::resolve::Resolver;
use crate::engine::run::{Ended, Engine};
use crate::engine::texter::Texter;
use crate::engine::web::WebPlane;
use crate::engine::{chance, clips, meters, os};
use crate::gateway::{self, Directory, Gateway};
use crate::identity::Anchors;
use crate::profile::Book;
use crate::push::Vapid;
use crate::sip::endpoint;
use crate::sip::timing::Timing;
use crate::store::{self, Store, Writer};
use crate::transport::{self, Transports, tls};

pub use explain::{Question, explain};
pub use inspect::check;
pub use relay::relay;
pub use trial::{TrialOptions, TrunkCommand, test};

/// What ends a start: one line for each thing to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub Vec<String>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Failure {
    fn one(error: impl fmt::Display) -> Self {
        Self(vec![error.to_string()])
    }
}

/// Reads the configuration; what is wrong but bearable comes beside it.
pub fn configure(path: Option<&Path>) -> Result<(Config, Vec<String>), Failure> {
    let lines = |problems: Vec<crate::config::Problem>| problems.iter().map(ToString::to_string).collect();
    let mut config = Config::load(path).map_err(|problems| Failure(lines(problems)))?;
    if !reach::has_ipv6() {
        reach::leave_out_ipv6(&mut config);
    }
    let (fatal, bearable): (Vec<_>, Vec<_>) = config.check().into_iter().partition(|problem| problem.fatal);
    if fatal.is_empty() { Ok((config, lines(bearable))) } else { Err(Failure(lines(fatal))) }
}

/// The dialects of carriers and phones.
fn profiles(config: &Config) -> Result<Book, Failure> {
    crate::config::profiles::load(config.profiles.directory.as_deref())
        .map_err(|problems| Failure(problems.iter().map(ToString::to_string).collect()))
}

/// Runs the gateway until it is told to end. The exit code is 0 only when no call was cut off.
pub async fn serve(config: Config, remarks: Vec<String>) -> Result<ExitCode, Failure> {
    let log = Log::start(&config.log.level, config.log.format == LogFormat::Json).map_err(Failure::one)?;
    let outcome = run(&config, remarks).await;
    log.finish();
    outcome
}

async fn run(config: &Config, remarks: Vec<String>) -> Result<ExitCode, Failure> {
    meters::install();
    let clock = Clock::start();
    let mut rng = chance::rng().map_err(|error| Failure::one(format!("the system has no randomness: {error}")))?;
    let descriptors = os::raise_descriptor_limit();
    let opened = Store::open(&config.store.path, clock.now().utc).await.map_err(Failure::one)?;
    let store = opened.store;
    let stored = |error: store::StoreError| Failure::one(format!("the database does not answer: {error}"));
    let clips = clips::load(config.prompts.directory.as_deref()).map_err(Failure::one)?;
    let reach = reach::find(config).await.map_err(Failure::one)?;

    let transports = Transports::start(transports(config)).map_err(Failure::one)?;
    let identity = Identity::generate()
        .map_err(|error| Failure::one(format!("no certificate for encrypted calls can be made: {error}")))?;
    let mut media = MediaPlane::start(media(config, &identity), Arc::new(clips.library), clock, rng.fork())
        .map_err(|error| Failure::one(format!("the media threads cannot start: {error}")))?;
    let packets = Packets::new(config, media.threads(), media::SWEEP, descriptors);
    let web = match media.web_ends().filter(|_| !config.web.listen.is_empty()) {
        Some(ends) => Some(
            WebPlane::start(web(config), ends, clock, rng.fork())
                .map_err(|error| Failure::one(format!("web.listen: {error}")))?,
        ),
        None => None,
    };
    let provisioning = phones::provisioning(config, &reach)?;
    let listeners = listen(&config.api.listen, "http").await?;
    let tls_listeners = listen(&config.api.tls_listen, "https").await?;
    let shown = https::open(config, clock.now().utc).map_err(|error| Failure::one(format!("api.tls: {error}")))?;
    let (https, facts) = shown.map(|shown| (Arc::new(shown.https), shown.facts)).unzip();
    let certificate = https.as_ref().map(|https| https.server()).or_else(|| transports.certificate());
    // Only now that nothing else can fail: a key is shown once.
    let made = first::make(&store, &config.node.language, &mut rng).await.map_err(stored)?;
    let key = api::first_key::first_key(&store).await.map_err(stored)?;
    let profiles = profiles(config)?;
    let trunks = store.trunks().await.map_err(stored)?;
    let directory = Directory {
        trunks: trunks.clone(),
        dids: store.dids().await.map_err(stored)?,
        extensions: store.extensions().await.map_err(stored)?,
        groups: store.groups().await.map_err(stored)?,
        rules: store.rules().await.map_err(stored)?,
        home: config.routing.home(),
        rooms: store.rooms().await.map_err(stored)?,
        callbacks: store.callbacks().await.map_err(stored)?,
        tickets: {
            let mut tickets = store.tickets(clock.now().utc).await.map_err(stored)?;
            tickets.extend(store.resumes(clock.now().utc).await.map_err(stored)?);
            tickets
        },
        printed: store.printed().await.map_err(stored)?,
        people: gateway::device::Directory {
            devices: store.devices().await.map_err(stored)?,
            links: store.personal_links(clock.now().utc).await.map_err(stored)?,
            habits: store.habits().await.map_err(stored)?,
        },
        profiles: profiles.clone(),
        next_seq: opened.next_seq,
    };
    let anchors = crate::config::anchors::load(config.stir.anchors.as_deref()).map_err(Failure::one)?;
    let links = https::link_base(config, facts.as_ref());
    let link_base = links.clone().unwrap_or_else(|| config.gateway().elevating.link_base);
    let push = push_key(config)?;
    let offers = Offers { languages: &clips.languages, links, push: push.as_ref().map(Vapid::public) };
    let gateway = gateway(config, (&reach, &identity), offers, directory, anchors, rng.fork(), clock);
    let writer = Writer::start(store.clone(), writer(config));
    let (handle, inbox) = Handle::new(store.clone(), writer.clone());
    let fetcher = Fetcher::new(config.routing.private_networks.clone());
    let texter = Texter::start(store.clone(), texts::settings(config)).await.map_err(Failure::one)?;
    let desk = texter.desk();
    let pusher = push.map(|key| {
        let contact = config.elevation.contact(&config.api.public_url);
        let opened = config.routing.private_networks.clone();
        Pusher::start(store.clone(), pusher::Settings { key, contact, opened })
    });
    let browsers = pusher.as_ref().map(Pusher::desk);
    let (relays, door) = Relays::new(rng.next_u64());
    // Before the first event of this start, with what the last one left.
    let courier = Courier::start(store.clone(), courier::Settings::new(config.routing.private_networks.clone()));
    let engine = Engine::new(clock, gateway, transports, media, resolver(config), fetcher, inbox)
        .map_err(Failure::one)?
        .with_web(web)
        .with_texter(texter)
        .with_relays(relays)
        .with_planner(Planner::new(store.clone()))
        .with_pusher(pusher)
        .with_https(https.clone());

    let (stop, stopped) = watch::channel(false);
    let mut doors = JoinSet::new();
    let shared = api::Shared::start(
        handle,
        api::Settings {
            provisioning,
            texts: Some(desk),
            browsers,
            relays: Some(door),
            secure: config.api.tls_listen.first().map(|address| api::secure::Secure {
                port: address.port(),
                challenges: https
                    .as_ref()
                    .map_or_else(|| watch::channel(Default::default()).1, |https| https.challenges()),
            }),
            link_base,
            ..api_settings(config, &reach, clips.languages.clone(), profiles)
        },
    );
    let plain = listeners.into_iter().map(|listener| (listener, None));
    let encrypted = tls_listeners.into_iter().map(|listener| (listener, certificate.clone()));
    for (listener, certificate) in plain.chain(encrypted) {
        let mut stopped = stopped.clone();
        let stop = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        doors.spawn(api::serve(listener, certificate, shared.clone(), stop));
    }
    doors.spawn(api::meet::prune::run(shared.clone(), config.api.open_rooms_kept.0, {
        let mut stopped = stopped.clone();
        async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }
    }));
    // One write, so that the log's first lines do not run into it.
    let _ = std::io::stdout()
        .write_all(Banner { config, reach: &reach, made: made.as_ref(), facts: facts.as_ref() }.to_string().as_bytes());
    if let Some(key) = key
        && let Err(failure) = show_key(config, &key)
    {
        api::first_key::take_back(&store, &key).await.map_err(stored)?;
        return Err(failure);
    }
    let found = expiry::look(config, trunks.iter(), clock.now().utc);
    found.wrong.iter().for_each(|_| meters::certificate_refused());
    for remark in remarks.iter().chain(&clips.remarks).chain(&found.wrong).chain(&found.soon) {
        warn!("{remark}");
    }
    if opened.cut_off > 0 {
        warn!(calls = opened.cut_off, "the last run ended with calls up; they are closed as cut off");
    }
    info!("{packets}");
    if let Some(lack) = packets.lack(config) {
        warn!("{lack}");
    }

    let keeper = https.map(|https| tokio::spawn(https.keep(rng.fork())));
    let ended = engine.run().await;
    keeper.inspect(tokio::task::JoinHandle::abort);
    let _ = stop.send(true);
    while doors.join_next().await.is_some() {}
    writer.finish().await;
    drop(courier);
    store.close().await;
    Ok(match ended {
        Ended::Drained { cut_off: 0 } => {
            info!("ended; no call was cut off");
            ExitCode::SUCCESS
        }
        Ended::Drained { cut_off } => {
            warn!(calls = cut_off, "ended; calls were cut off");
            ExitCode::from(3)
        }
        Ended::Abandoned => {
            warn!("ended at once");
            ExitCode::from(3)
        }
    })
}

fn transports(config: &Config) -> transport::Settings {
    let sip = &config.sip;
    let files = sip.tls_certificate.clone().zip(sip.tls_key.clone());
    transport::Settings {
        listen: sip.listen.iter().map(|listen| (reach::transport(listen.transport), listen.address)).collect(),
        // Without files one is made: trunks are called by TLS even where nobody calls us so.
        tls: Some(tls::Settings { files, ..tls::Settings::default() }),
        limits: transport::Limits {
            connections: usize::try_from(sip.max_connections).unwrap_or(usize::MAX),
            connections_per_source: usize::try_from(sip.max_connections / 4).unwrap_or(usize::MAX).max(8),
            idle: sip.connection_idle.0,
            ..transport::Limits::default()
        },
    }
}

/// The key by which push services know this node, beside the database; none where no browser is notified.
fn push_key(config: &Config) -> Result<Option<Vapid>, Failure> {
    if !config.elevation.push {
        return Ok(None);
    }
    let folder = config.store.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let file = folder.unwrap_or(Path::new(".")).join("push.pem");
    let failed = |error| Failure::one(format!("elevation.push: {}: {error}", file.display()));
    pusher::key(&file).map(Some).map_err(failed)
}

fn resolver(config: &Config) -> Resolver {
    let servers: Vec<_> = config.dns.servers.iter().map(|server| server.0).collect();
    Resolver::new(&servers)
}

fn media(config: &Config, identity: &Identity) -> media::Settings {
    use std::net::IpAddr::{V4, V6};
    let media = &config.media;
    media::Settings {
        threads: usize::from(media.threads),
        v4: media.listen.iter().find_map(|address| if let V4(v4) = address { Some(*v4) } else { None }),
        v6: media.listen.iter().find_map(|address| if let V6(v6) = address { Some(*v6) } else { None }),
        first_port: media.first_port,
        last_port: media.last_port,
        quarantine: media.quarantine.0,
        identity: Some(identity.clone()),
        wing: crate::media::bridge::WING,
        real_time: media.real_time,
    }
}

fn web(config: &Config) -> engine::web::Settings {
    let addresses = |transport| {
        let of = config.web.listen.iter().filter(move |listen| listen.transport == transport);
        of.map(|listen| listen.address).collect()
    };
    engine::web::Settings {
        udp: addresses(crate::config::Transport::Udp),
        tcp: addresses(crate::config::Transport::Tcp),
        candidates: reach::candidates(&config.web),
        max_peers: usize::try_from(config.web.max_peers).unwrap_or(usize::MAX),
    }
}

/// What this node can offer people because of what was found at the start.
struct Offers<'a> {
    /// Languages of which the clips are there.
    languages: &'a [Language],
    /// Where links lead, if not to what the configuration says.
    links: Option<String>,
    /// The public key that browsers subscribe to notifications with (RFC 8292 §3.2).
    push: Option<String>,
}

fn gateway(
    config: &Config,
    (reach, identity): (&Reach, &Identity),
    offers: Offers<'_>,
    directory: Directory,
    anchors: Anchors,
    mut rng: crate::base::Rng,
    clock: Clock,
) -> Gateway {
    let mut settings = config.gateway();
    settings.media_v4 = reach.v4;
    settings.media_v6 = reach.v6;
    settings.audio.fingerprint = Some(identity.fingerprint().clone());
    settings.anchors = anchors;
    if let Some(links) = offers.links {
        settings.elevating.link_base = links;
    }
    settings.elevating.push = offers.push;
    // What nobody can be attended in is not offered.
    settings.attendant.languages.retain(|language| offers.languages.contains(language));
    let sip = endpoint::Settings {
        advertised: reach.advertised.clone(),
        user_agent: concat!("Ringlift/", env!("CARGO_PKG_VERSION")).into(),
        timing: Timing { t1: config.sip.t1.0, t2: config.sip.t2.0, t4: config.sip.t4.0 },
        limits: endpoint::Limits {
            // A leg outlives its call by what the protocol still owes; the gateway's own limit is the one that is felt.
            legs: usize::try_from(config.sip.max_calls).unwrap_or(usize::MAX).saturating_mul(2),
            // Each call leaves three or four behind for 32 s: as many calls as may be up begin in some ten seconds.
            transactions: usize::try_from(config.sip.max_calls).unwrap_or(usize::MAX).saturating_mul(10),
            message: usize::try_from(config.sip.max_message).unwrap_or(usize::MAX),
            ..endpoint::Limits::default()
        },
        ..endpoint::Settings::default()
    };
    Gateway::new(settings, sip, config.key_maps(), directory, rng.fork(), clock.now())
}

fn api_settings(config: &Config, reach: &Reach, languages: Vec<Language>, profiles: Book) -> api::Settings {
    let built_in = ["zoom", "webex", "microsoft"].map(String::from);
    api::Settings {
        name: config.node.name.clone(),
        how_to_call: Banner::how_to_call(config, reach),
        key_maps: built_in.into_iter().chain(config.keys.keys().cloned()).collect(),
        languages,
        profiles,
        opened: config.routing.private_networks.clone(),
        limits: config.limits.clone(),
        provisioning: None,
        texts: None,
        browsers: None,
        relays: None,
        trusted_proxies: config.api.trusted_proxies.clone(),
        public_url: config.api.public_url.clone(),
        link_base: String::new(),
        secure: None,
        open_rooms: config.api.open_rooms,
        of_this_machine: config.api.is_of_this_machine(),
        key_burst: config.throttle.key_burst,
        key_refill: config.throttle.key_refill.0,
    }
}

fn writer(config: &Config) -> store::Settings {
    let store = &config.store;
    store::Settings { path: store.path.clone(), event_days: store.event_days, record_days: store.record_days }
}

async fn listen(addresses: &[SocketAddr], scheme: &str) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await;
        listeners
            .push(listener.map_err(|error| Failure::one(format!("cannot listen on {scheme} {address}: {error}")))?);
    }
    Ok(listeners)
}

/// Shows the first admin key once: in its file, or on standard output.
fn show_key(config: &Config, key: &Secret) -> Result<(), Failure> {
    match &config.api.admin_key_file {
        Some(path) => os::write_secret(path, key.expose())
            .map_err(|error| Failure::one(format!("api.admin_key_file: cannot write {}: {error}", path.display()))),
        None => {
            let text = format!(
                "  Admin key    {}\n               shown this once; the page and the API ask for it\n\n",
                key.expose()
            );
            let mut out = std::io::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
                Failure::one(format!("the admin key cannot be printed ({error}): name a file in api.admin_key_file"))
            })
        }
    }
}
