//! Pages' WebSockets as the loop knows them: what they say comes in by one channel, what each is told goes out by its own.
//!
//! A page that does not take what it is told is cut off once its queue is full; it comes back and is told everything anew.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tokio::sync::mpsc;

use crate::base::SessionId;
use crate::gateway::web::protocol::{Request, Unreadable};
use crate::gateway::web::{self, Output};

/// Messages that wait for one page. More: memory for whoever does not read (a message has 100 bytes to a few KiB). Fewer:
/// a weak link is cut off when many people come at once.
const QUEUE: usize = 512;

/// Messages of all pages that wait for the loop. More: answers get old. Fewer: pages wait for each other.
pub(super) const INBOX: usize = 1024;

/// What a page's connection brings.
#[derive(Debug)]
pub enum FromPage {
    /// It stands; what it is told goes there.
    Opened(SessionId, IpAddr, mpsc::Sender<ToPage>),
    /// It says something.
    Said(SessionId, Box<Request>),
    /// It says something that cannot be read.
    Garbled(SessionId, Unreadable),
    /// It is gone.
    Closed(SessionId),
}

/// What a page's connection carries out; the end of the channel without a [`ToPage::Close`] means that it was too slow.
#[derive(Debug, Clone)]
pub enum ToPage {
    /// Send this.
    Tell(bytes::Bytes),
    /// Everything is said: close.
    Close,
}

/// The queue by which a page is told.
pub fn queue() -> (mpsc::Sender<ToPage>, mpsc::Receiver<ToPage>) {
    mpsc::channel(QUEUE)
}

/// Every page that is connected.
#[derive(Debug, Default)]
pub struct Pages {
    open: BTreeMap<SessionId, mpsc::Sender<ToPage>>,
    /// Pages cut off as too slow, in all.
    pub cut_off: u64,
}

impl Pages {
    /// What came, as the gateway takes it.
    pub fn take(&mut self, from: FromPage) -> web::Input {
        match from {
            FromPage::Opened(session, from, tell) => {
                self.open.insert(session, tell);
                web::Input::Opened { session, from }
            }
            FromPage::Said(session, request) => web::Input::Said { session, request },
            FromPage::Garbled(session, why) => web::Input::Garbled { session, why },
            FromPage::Closed(session) => {
                self.open.remove(&session);
                web::Input::Closed { session }
            }
        }
    }

    /// Carries out an order; the pages that did not take it are gone.
    pub fn perform(&mut self, order: Output) -> Vec<web::Input> {
        match order {
            Output::Tell { sessions, message } => {
                let Ok(text) = serde_json::to_vec(&message) else { return Vec::new() };
                let text = bytes::Bytes::from(text);
                let mut gone = Vec::new();
                for session in sessions {
                    let Some(page) = self.open.get(&session) else { continue };
                    if page.try_send(ToPage::Tell(text.clone())).is_err() {
                        self.open.remove(&session);
                        self.cut_off += 1;
                        gone.push(web::Input::Closed { session });
                    }
                }
                gone
            }
            Output::Close { session } => {
                if let Some(page) = self.open.remove(&session) {
                    // With a full queue the channel's end says the same.
                    let _ = page.try_send(ToPage::Close);
                }
                Vec::new()
            }
        }
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
