//! Browsers in rooms: their sessions (one WebSocket each), their places, and what each page is told.

pub mod code;
pub mod protocol;

use std::net::IpAddr;

use crate::base::SessionId;
use crate::gateway::{Gateway, Output as Order};
use protocol::{ClientMessage, Request, ServerMessage, Unreadable};

pub use code::Code;

/// A fact about a page's WebSocket.
#[derive(Debug)]
pub enum Input {
    /// A page connected.
    Opened {
        /// Its name from now on.
        session: SessionId,
        /// Where it comes from.
        from: IpAddr,
    },
    /// It says something.
    Said {
        /// Which.
        session: SessionId,
        /// What.
        request: Box<Request>,
    },
    /// It says something that cannot be read, or more than it may.
    Garbled {
        /// Which.
        session: SessionId,
        /// Why.
        why: Unreadable,
    },
    /// The connection is gone, whoever ended it.
    Closed {
        /// Which.
        session: SessionId,
    },
}

/// An order about pages' WebSockets.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Tell these pages something.
    Tell {
        /// Which, each once.
        sessions: Vec<SessionId>,
        /// What.
        message: Box<ServerMessage>,
    },
    /// Close the connection once everything told before has left.
    Close {
        /// Which.
        session: SessionId,
    },
}

impl Gateway {
    /// Deals with a fact about a page.
    pub(super) fn on_web(&mut self, input: Input) {
        match input {
            Input::Said { session, request } => {
                let id = request.id;
                let message = match request.message {
                    ClientMessage::Ping {} => ServerMessage::Pong { id },
                    _ => ServerMessage::Problem {
                        id: Some(id),
                        code: Code::NotJoined,
                        detail: Code::NotJoined.text().into(),
                        after_ms: None,
                    },
                };
                self.outputs
                    .push_back(Order::Web(Output::Tell { sessions: vec![session], message: Box::new(message) }));
            }
            Input::Opened { .. } | Input::Garbled { .. } | Input::Closed { .. } => {}
        }
    }
}
