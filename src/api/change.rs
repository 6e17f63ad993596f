//! A change of configuration as one step: stored, then told to the gateway.
//!
//! Changes are made one at a time, so the gateway hears of them in the order in which they were stored. Each runs on a
//! task of its own: a client that hangs up half-way does not leave the store and the gateway apart.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::{App, Problem, Shared};
use crate::engine::handle::Unavailable;
use crate::gateway::command::{Command, Denial};
use crate::store::Answered;

/// How long a change waits for the one before it. Longer: clients hang while the gateway does not answer. Shorter: a
/// slow disk refuses changes.
const TURN: Duration = Duration::from_secs(10);

/// Pause before the gateway is told again of what it did not take. Longer: it routes by what was for longer. Shorter: it
/// is pestered while it is overloaded.
const AGAIN: Duration = Duration::from_secs(1);

/// What a change came to.
#[derive(Debug)]
pub struct Changed<T> {
    answer: Result<T, Problem>,
    tell: Vec<Command>,
}

impl Changed<Answered> {
    /// A creation; the gateway is to be told unless it happened before.
    pub fn made(answer: Answered, tell: Command) -> Self {
        match answer {
            Answered::Now => Changed::stored(answer, tell),
            Answered::Before(_) => Changed::silent(answer),
        }
    }
}

impl<T> Changed<T> {
    /// It is stored; the gateway is to be told.
    pub fn stored(answer: T, tell: Command) -> Self {
        Self { answer: Ok(answer), tell: vec![tell] }
    }

    /// It is stored; the gateway is to be told all this, in order.
    pub fn told(answer: T, tell: Vec<Command>) -> Self {
        Self { answer: Ok(answer), tell }
    }

    /// Nothing is to be told.
    pub fn silent(answer: T) -> Self {
        Self { answer: Ok(answer), tell: Vec::new() }
    }

    /// The same with another answer.
    pub fn then<U>(self, make: impl FnOnce(T) -> Result<U, Problem>) -> Result<Changed<U>, Problem> {
        Ok(Changed { answer: self.answer.and_then(make), tell: self.tell })
    }

    /// It failed, and the gateway is to be told how things are.
    pub fn undone(problem: Problem, tell: Command) -> Self {
        Self { answer: Err(problem), tell: vec![tell] }
    }
}

impl Shared {
    /// Does `work` when no other change is under way, then tells the gateway what came of it. What the gateway does not
    /// take is told again until it does; no other change is made before.
    pub async fn change<T, F>(self: &App, work: impl FnOnce(App) -> F + Send + 'static) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Future<Output = Result<Changed<T>, Problem>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let app = self.clone();
        tokio::spawn(async move {
            let Ok(_turn) = timeout(TURN, app.order.lock()).await else {
                let busy = Problem::unavailable("another change waits for the gateway; nothing was changed: try again");
                // Whoever asked may have gone; so below.
                let _ = answer.send(Err(busy));
                return;
            };
            match work(app.clone()).await {
                Err(problem) => drop(answer.send(Err(problem))),
                Ok(changed) => tell(&app, changed, answer).await,
            }
        });
        match answered.await {
            Ok(answer) => answer,
            Err(_) => {
                self.counts.panicked();
                Err(Problem::internal())
            }
        }
    }
}

async fn tell<T>(app: &App, changed: Changed<T>, answer: oneshot::Sender<Result<T, Problem>>) {
    let mut outcome = Some((answer, changed.answer));
    let mut failed = |problem: Problem| {
        if let Some((answer, _)) = outcome.take() {
            let _ = answer.send(Err(problem));
        }
    };
    for command in changed.tell {
        loop {
            match app.handle.ask(command.clone()).await {
                // What is gone there is gone here.
                Ok(Ok(_) | Err(Denial::NotFound(_))) => break,
                Ok(Err(denial)) => {
                    failed(denial.into());
                    break;
                }
                Err(Unavailable) => {
                    failed(Problem::unavailable("the change is stored; the gateway takes it as soon as it answers"));
                    if app.handle.is_closed() || *app.closing.borrow() {
                        return;
                    }
                    sleep(AGAIN).await;
                }
            }
        }
    }
    if let Some((answer, done)) = outcome {
        let _ = answer.send(done);
    }
}
