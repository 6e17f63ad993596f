//! What comes to us: providers' reports, and what people answer.

use std::sync::Arc;

use axum::http::HeaderMap;

use super::{Shared, hand, millis};
use crate::base::{Secret, Utc};
use crate::sms::{Callback, Kind, NotTheirs};
use crate::store::text::TextChange;
use crate::store::{StoreError, clock};
use crate::texting::{Keyword, TextId, TextOrder, Texting};

/// How long an answer to HELP is worth sending.
const HELP: std::time::Duration = std::time::Duration::from_secs(300);

/// Takes in what providers say. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk(pub(super) Arc<Shared>);

/// Why nothing was taken in.
#[derive(Debug)]
pub enum NotTaken {
    /// No such provider is configured, or there is no such text.
    NotFound,
    /// It is not the provider's.
    NotTheirs(NotTheirs),
    /// It cannot be written now; the provider sends it again.
    Store(StoreError),
}

impl Desk {
    /// Whose service is configured.
    pub fn kind(&self) -> Kind {
        self.0.provider.kind()
    }

    /// Takes in a report of a text. What comes twice, late or in another order changes nothing.
    pub async fn report(
        &self,
        provider: &str,
        id: TextId,
        path_and_query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), NotTaken> {
        self.is_here(provider)?;
        let url = format!("{}{path_and_query}", self.0.settings.public_url.trim_end_matches('/'));
        let callback = Callback { url: &url, headers, body, now: clock::utc() };
        let Some(report) = self.0.provider.report(id, &callback).map_err(NotTaken::NotTheirs)? else { return Ok(()) };
        let change = TextChange {
            state: report.state,
            provider_id: report.provider_id,
            reason: report.reason,
            code: report.code,
        };
        match self.0.advance(id, change).await {
            Ok(_) => Ok(()),
            Err(StoreError::NotFound) => Err(NotTaken::NotFound),
            Err(error) => Err(NotTaken::Store(error)),
        }
    }

    /// Takes in a text that somebody sent to us.
    pub async fn receive(
        &self,
        provider: &str,
        path_and_query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), NotTaken> {
        self.is_here(provider)?;
        let url = format!("{}{path_and_query}", self.0.settings.public_url.trim_end_matches('/'));
        let now = clock::utc();
        let callback = Callback { url: &url, headers, body, now };
        let Some(received) = self.0.provider.received(&callback).map_err(NotTaken::NotTheirs)? else { return Ok(()) };
        let keyword = Keyword::read(received.body.expose());
        let between = (&received.from, &*received.to);
        let taken = self.0.store.take_received(provider, &received.provider_id, between, keyword, now).await;
        if !taken.map_err(NotTaken::Store)? {
            return Ok(());
        }
        tracing::info!(from = %received.from, ?keyword, "a text came in");
        match keyword {
            Some(Keyword::Stop) => self.0.tell(Texting::Opted { number: received.from, out: true }),
            Some(Keyword::Start) => self.0.tell(Texting::Opted { number: received.from, out: false }),
            Some(Keyword::Help) if !self.0.settings.help.is_empty() => {
                let mut bits = [0u8; 8];
                // Without chance no id; the provider's own answer has to do.
                if getrandom::fill(&mut bits).is_ok() {
                    let order = TextOrder {
                        id: TextId::from_bits(u64::from_be_bytes(bits)),
                        to: received.from,
                        from: None,
                        body: Secret::new(self.0.settings.help.clone()),
                        call: None,
                        consent: "HELP".into(),
                        until: Utc(now.0.saturating_add(millis(HELP))),
                    };
                    tokio::spawn(hand::submit(self.0.clone(), order));
                }
            }
            Some(Keyword::Help) | None => {}
        }
        Ok(())
    }

    fn is_here(&self, provider: &str) -> Result<(), NotTaken> {
        let kind = self.kind();
        if kind != Kind::Outbox && kind.name() == provider { Ok(()) } else { Err(NotTaken::NotFound) }
    }
}
