//! Who is logged in on the page, and which addresses showed too many wrong keys. One task owns both.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::base::id::KeyId;
use crate::base::throttle::{Throttle, network};
use crate::base::{self, Secret};

/// How long a login lasts without use. Longer: a forgotten browser stays open. Shorter: people paste keys all day.
pub const SESSION: Duration = Duration::from_secs(12 * 3600);

/// Logins at once; the one unused for longest makes room.
const SESSIONS: usize = 1000;

/// Addresses remembered for wrong keys.
const ADDRESSES: usize = 10_000;

/// Meetings that one address makes at once without an account, then one more every two minutes.
const MEETINGS: (u32, Duration) = (10, Duration::from_secs(120));

/// The way to the task.
#[derive(Debug, Clone)]
pub struct Door(mpsc::Sender<Asked>);

#[derive(Debug)]
enum Asked {
    Wrong(IpAddr, oneshot::Sender<Result<(), Duration>>),
    Room(IpAddr, oneshot::Sender<Result<(), Duration>>),
    Open(KeyId, oneshot::Sender<Option<Secret>>),
    Find(Secret, oneshot::Sender<Option<KeyId>>),
    Close(Secret, oneshot::Sender<()>),
}

impl Door {
    /// Starts the task.
    pub fn start(burst: u32, refill: Duration) -> Self {
        let (sender, inbox) = mpsc::channel(256);
        let throttle = Throttle::new(burst, refill, ADDRESSES);
        let meetings = Throttle::new(MEETINGS.0, MEETINGS.1, ADDRESSES);
        tokio::spawn(Task { inbox, throttle, meetings, sessions: BTreeMap::new(), began: Instant::now() }.run());
        Self(sender)
    }

    /// Notes a wrong key; an error says for how long this address is to be told to wait.
    pub async fn wrong(&self, from: IpAddr) -> Result<(), Duration> {
        self.ask(|answer| Asked::Wrong(from, answer)).await.unwrap_or(Ok(()))
    }

    /// Notes a meeting made by somebody without an account; an error says for how long this address is to wait.
    pub async fn makes_room(&self, from: IpAddr) -> Result<(), Duration> {
        self.ask(|answer| Asked::Room(from, answer)).await.unwrap_or(Ok(()))
    }

    /// Opens a session; its name goes into the cookie.
    pub async fn open(&self, key: KeyId) -> Option<Secret> {
        self.ask(|answer| Asked::Open(key, answer)).await.flatten()
    }

    /// Whose session this is; it is used, so it lasts anew.
    pub async fn find(&self, session: Secret) -> Option<KeyId> {
        self.ask(|answer| Asked::Find(session, answer)).await.flatten()
    }

    /// Ends a session.
    pub async fn close(&self, session: Secret) {
        let _ = self.ask(|answer| Asked::Close(session, answer)).await;
    }

    async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Asked) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.0.send(make(answer)).await.ok()?;
        answered.await.ok()
    }
}

struct Task {
    inbox: mpsc::Receiver<Asked>,
    throttle: Throttle<IpAddr>,
    meetings: Throttle<IpAddr>,
    sessions: BTreeMap<String, (KeyId, Instant)>,
    began: Instant,
}

impl Task {
    async fn run(mut self) {
        while let Some(asked) = self.inbox.recv().await {
            let now = Instant::now();
            // Whoever asked may have gone.
            match asked {
                Asked::Wrong(from, answer) => {
                    let at = base::Instant::from_start(now.duration_since(self.began));
                    let _ = answer.send(self.throttle.take(&network(from), at));
                }
                Asked::Room(from, answer) => {
                    let at = base::Instant::from_start(now.duration_since(self.began));
                    let _ = answer.send(self.meetings.take(&network(from), at));
                }
                Asked::Open(key, answer) => {
                    let _ = answer.send(self.open(key, now));
                }
                Asked::Find(session, answer) => {
                    let _ = answer.send(self.find(session.expose(), now));
                }
                Asked::Close(session, answer) => {
                    self.sessions.remove(session.expose());
                    let _ = answer.send(());
                }
            }
        }
    }

    fn open(&mut self, key: KeyId, now: Instant) -> Option<Secret> {
        self.sessions.retain(|_, (_, used)| now.duration_since(*used) < SESSION);
        if self.sessions.len() >= SESSIONS {
            let oldest = self.sessions.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| name.clone())?;
            self.sessions.remove(&oldest);
        }
        let mut random = [0u8; 32];
        getrandom::fill(&mut random).ok()?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        self.sessions.insert(name.clone(), (key, now));
        Some(Secret::new(name))
    }

    fn find(&mut self, session: &str, now: Instant) -> Option<KeyId> {
        let (key, used) = self.sessions.get_mut(session)?;
        if now.duration_since(*used) >= SESSION {
            self.sessions.remove(session);
            return None;
        }
        *used = now;
        Some(*key)
    }
}
