//! Sends texts ([`crate::texting`]): the outbox in the store first, then the provider. One task per text; what becomes of
//! them comes through one channel.
//!
//! ```text
//! submit ──► store: handing ──► provider ──► store: handed ──► reports ──► store: sent, delivered, …
//!                 │                 │ certainly not taken: queued, tried again after a pause
//!                 │                 └ nobody can say: the provider is asked; else unknown, and never sent again
//!                 └ a sudden end: at the next start the provider is asked; else unknown
//! ```

mod desk;
mod hand;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::base::{PhoneNumber, Utc};
use crate::sms::{self, Provider};
use crate::store::text::TextChange;
use crate::store::{Store, StoreError, clock};
use crate::texting::{LineType, LookUpId, TextEvent, TextFailure, TextId, TextOrder, TextState, Texting};
pub use desk::{Desk, NotTaken};

/// Texts that are handed over at once. More: providers answer 429. Fewer: one that does not answer holds up the others.
const AT_ONCE: usize = 32;

/// How long a look-up may take: somebody waits for the text. Longer: the caller hears nothing meanwhile.
const LOOK_UP: Duration = Duration::from_millis(1500);

/// What the texter is given at start.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The provider.
    pub provider: sms::Settings,
    /// Where providers reach this node: `https://gw.example.org`; empty: nobody reports.
    pub public_url: String,
    /// Whether numbers are looked up.
    pub look_up: bool,
    /// How long what was looked up counts.
    pub look_up_kept: Duration,
    /// What whoever writes HELP is answered; empty: the provider answers.
    pub help: String,
    /// How long texts are kept; zero is for ever.
    pub kept: Duration,
}

/// Sends texts.
#[derive(Debug)]
pub struct Texter {
    desk: Desk,
    facts: mpsc::UnboundedReceiver<Texting>,
}

/// What every task shares.
#[derive(Debug)]
struct Shared {
    store: Store,
    provider: Provider,
    settings: Settings,
    permits: Arc<Semaphore>,
    facts: mpsc::UnboundedSender<Texting>,
}

/// Why texts cannot be sent.
#[derive(Debug)]
pub enum CannotText {
    /// The configuration; with the key.
    Settings(String),
    /// The outbox.
    Store(StoreError),
}

impl fmt::Display for CannotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CannotText::Settings(why) => f.write_str(why),
            CannotText::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CannotText {}

impl Texter {
    /// Starts, and takes up what a sudden end interrupted. Must be called within a tokio runtime.
    pub async fn start(store: Store, settings: Settings) -> Result<Self, CannotText> {
        let provider = Provider::new(&settings.provider).map_err(CannotText::Settings)?;
        let (sender, facts) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let shared = Arc::new(Shared { store, provider, settings, permits, facts: sender });
        for text in shared.store.open_texts().await.map_err(CannotText::Store)? {
            tokio::spawn(hand::take_up(shared.clone(), text));
        }
        tokio::spawn(hand::prune(Arc::downgrade(&shared)));
        Ok(Self { desk: Desk(shared), facts })
    }

    /// Sends a text; what becomes of it comes from [`Texter::next`], whatever that is. The same order twice is one text.
    pub fn submit(&self, order: TextOrder) {
        tokio::spawn(hand::submit(self.desk.0.clone(), order));
    }

    /// Asks what kind of line a number is; the answer comes from [`Texter::next`] within two seconds.
    pub fn look_up(&self, id: LookUpId, number: PhoneNumber) {
        let shared = self.desk.0.clone();
        tokio::spawn(async move {
            let line = shared.line_type(&number).await;
            shared.tell(Texting::LookedUp { id, line });
        });
    }

    /// The next fact. May be dropped and called again without loss.
    pub async fn next(&mut self) -> Texting {
        match self.facts.recv().await {
            Some(fact) => fact,
            // Cannot happen: a sender is held here. Waiting is the one answer that harms nobody.
            None => std::future::pending().await,
        }
    }

    /// Where providers' reports and people's answers are taken in.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }
}

/// The next fact; never, where no texts are sent.
pub async fn next(texter: &mut Option<Texter>) -> Texting {
    match texter {
        Some(texter) => texter.next().await,
        None => std::future::pending().await,
    }
}

/// What is said of a text where no texts are sent.
pub fn not_sent(id: TextId, at: Utc) -> Texting {
    Texting::Text(TextEvent { id, state: TextState::Failed, reason: Some(TextFailure::ProviderDown), code: None, at })
}

impl Shared {
    fn tell(&self, fact: Texting) {
        // Nobody listens any more: the program ends, and the store knows.
        let _ = self.facts.send(fact);
    }

    fn event(&self, id: TextId, state: TextState, reason: Option<TextFailure>, code: Option<Box<str>>, at: Utc) {
        tracing::info!(text = %id, state = state.name(), reason = reason.map(TextFailure::name), code, "text");
        self.tell(Texting::Text(TextEvent { id, state, reason, code, at }));
    }

    /// Writes what is known anew and tells it, unless something newer is known.
    async fn advance(&self, id: TextId, change: TextChange) -> Result<bool, StoreError> {
        let now = clock::utc();
        let changed = self.store.advance_text(id, &change, now).await?;
        if changed {
            self.event(id, change.state, change.reason, change.code, now);
        }
        Ok(changed)
    }

    /// What kind of line a number is: from what was looked up before, or by asking.
    async fn line_type(&self, number: &PhoneNumber) -> LineType {
        if !self.settings.look_up {
            return LineType::Unknown;
        }
        let now = clock::utc();
        let since = Utc(now.0.saturating_sub(millis(self.settings.look_up_kept)));
        if let Ok(Some(known)) = self.store.line_type(number, since).await {
            return known;
        }
        let line = timeout(LOOK_UP, self.provider.look_up(number)).await.unwrap_or_default();
        if line != LineType::Unknown
            && let Err(error) = self.store.put_line_type(number, line, now).await
        {
            tracing::warn!(%error, "what kind of line a number is will be asked again");
        }
        line
    }

    /// Where the provider is to report a text.
    fn callback(&self, id: TextId) -> Option<String> {
        let base = self.settings.public_url.trim_end_matches('/');
        let query = self.provider.callback_query(id);
        let unproven = query.is_none() && self.provider.kind() == sms::Kind::Https;
        (!base.is_empty() && !unproven).then(|| {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            format!("{base}/sms/{}/status/{id}{query}", self.provider.kind().name())
        })
    }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
