//! Rank 9: what integrations, operators and the page ask for over HTTP: REST under `/v1`, one event log by server-sent
//! events and WebSocket, metrics, health, and the page at `/`.
//!
//! Configuration is stored first, then told to the gateway, as one step ([`change`]). Everything that is refused says why as `application/
//! problem+json` (RFC 9457).

pub mod acts;
mod agents;
pub mod body;
pub mod callbacks;
pub mod caller;
pub mod calls;
pub mod change;
pub mod codes;
pub mod devices;
pub mod dids;
pub mod door;
pub mod elevations;
pub mod events;
pub mod explain;
pub mod extensions;
pub mod feed;
pub mod first_key;
pub mod groups;
pub mod keys;
mod leads;
pub mod limits;
pub mod meet;
pub mod merge;
pub mod metrics;
pub mod once;
pub mod openapi;
pub mod operations;
pub mod page;
pub mod phones;
mod pictures_of_codes;
pub mod printed;
pub mod problem;
pub mod profiles;
pub mod query;
pub mod records;
pub mod registrations;
pub mod relays;
pub mod rooms;
pub mod rules;
pub mod scope;
pub mod secure;
pub mod serve;
pub mod session;
pub mod sms;
pub mod sound;
pub mod status;
pub mod texts;
pub mod time;
pub mod trials;
pub mod trunks;
pub mod valid;
pub mod webhooks;
pub mod words;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::base::Utc;
use crate::call::speech::Language;
use crate::engine::handle::Handle;
use crate::engine::pusher;
use crate::engine::relay;
use crate::engine::texter::Desk;
use crate::gateway::command::{Command, Reply};
use crate::profile::Book;
use crate::route::{CallLimits, Network};
use crate::store::clock;
pub use problem::Problem;
pub use serve::{router, serve};

/// What the API is given at start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What people call this node.
    pub name: String,
    /// SIP addresses to call for a try, such as `sip:meet@192.0.2.7`; shown on the page.
    pub how_to_call: Vec<String>,
    /// Key maps that a room may name.
    pub key_maps: Vec<String>,
    /// Languages that something is spoken in.
    pub languages: Vec<Language>,
    /// The dialects that a trunk or an extension may name.
    pub profiles: Book,
    /// What calls out of a new extension may cost, as far as nothing is said.
    pub limits: CallLimits,
    /// What desk phones are told of this node; none where it serves no HTTPS.
    pub provisioning: Option<Arc<phones::Provisioning>>,
    /// Where providers of text messages report; none where nobody sends any.
    pub texts: Option<Desk>,
    /// Where browsers that take notifications are kept; none where nobody is notified.
    pub browsers: Option<pusher::Desk>,
    /// Where relays' tunnels are brought; none where none may come.
    pub relays: Option<relay::Door>,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count.
    pub trusted_proxies: Vec<Network>,
    /// Networks besides the public internet that webhooks may lead to.
    pub opened: Vec<Network>,
    /// Where browsers reach this node: `https://meet.example`; empty: as they asked.
    pub public_url: String,
    /// Where HTTPS is; none where this node serves none.
    pub secure: Option<secure::Secure>,
    /// What links in texts begin with: the pages there are this node's, too. Empty: `public_url`.
    pub link_base: String,
    /// Whether people without an account may make meetings.
    pub open_rooms: bool,
    /// Browsers of this machine alone reach it: they may make meetings without an account.
    pub of_this_machine: bool,
    /// Wrong keys from one address before the throttle.
    pub key_burst: u32,
    /// One more is allowed after this long.
    pub key_refill: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "ringlift".into(),
            how_to_call: Vec::new(),
            key_maps: ["zoom", "webex", "microsoft"].map(String::from).to_vec(),
            languages: ["en", "de", "es", "fr", "pt", "zh"].into_iter().filter_map(Language::parse).collect(),
            profiles: Book::default(),
            limits: CallLimits::default(),
            provisioning: None,
            texts: None,
            browsers: None,
            relays: None,
            trusted_proxies: Vec::new(),
            opened: Vec::new(),
            public_url: String::new(),
            link_base: String::new(),
            secure: None,
            open_rooms: false,
            of_this_machine: false,
            key_burst: 10,
            key_refill: Duration::from_secs(30),
        }
    }
}

/// What every request shares.
#[derive(Debug)]
pub struct Shared {
    /// The gateway, its events, the store.
    pub handle: Handle,
    /// What was configured.
    pub settings: Settings,
    /// Who is logged in on the page, and who tried too often.
    pub door: door::Door,
    /// Counts of requests.
    pub counts: metrics::Counts,
    /// When the API began.
    pub started: Utc,
    /// Whose turn it is to change the configuration.
    pub order: Mutex<()>,
    /// Whose turn it is to do to a call what must be done once.
    pub acting: Mutex<()>,
    /// Becomes true when the API ends: streams say goodbye.
    pub closing: watch::Sender<bool>,
}

/// What every handler gets.
pub type App = Arc<Shared>;

impl Shared {
    /// Makes what requests share; starts the task that minds the door.
    pub fn start(handle: Handle, settings: Settings) -> App {
        let door = door::Door::start(settings.key_burst, settings.key_refill);
        let counts = metrics::Counts::default();
        Arc::new(Self {
            handle,
            settings,
            door,
            counts,
            started: clock::utc(),
            order: Mutex::new(()),
            acting: Mutex::new(()),
            closing: watch::Sender::new(false),
        })
    }

    /// Asks the gateway; what it refuses becomes a problem.
    pub async fn ask(&self, command: Command) -> Result<Reply, Problem> {
        match self.handle.ask(command).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(denial)) => Err(denial.into()),
            Err(unavailable) => Err(unavailable.into()),
        }
    }
}
