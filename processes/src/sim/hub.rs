//! The venue as one: the exchange and everyone who listens to it, behind one lock, so that a
//! snapshot and the changes after it are always in step.

use super::exchange::Exchange;
use super::subscriptions::Subscriptions;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

/// Frames that may wait for a client before it counts as too slow.
const BACKLOG: usize = 16_384;

/// A frame and when it left the exchange.
pub(crate) type Queued = (Instant, String);

/// The exchange with its listeners.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    exchange: Exchange,
    sessions: BTreeMap<u64, Session>,
    last_session: u64,
}

#[derive(Debug)]
struct Session {
    subscriptions: Subscriptions,
    /// Dropped when the client is too slow: its writer then says so and hangs up.
    frames: Sender<Queued>,
}

impl Hub {
    /// A venue that nobody listens to yet.
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self {
            state: Mutex::new(State {
                exchange,
                sessions: BTreeMap::new(),
                last_session: 0,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the exchange and tells every listener what came of it.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Exchange) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state.exchange);
        state.tell();
        result
    }

    /// Reads the exchange.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Exchange) -> R) -> R {
        look(&self.lock().exchange)
    }

    /// A new session: its number and the frames it is to be sent.
    pub(crate) fn join(&self) -> (u64, Receiver<Queued>) {
        let (frames, receiver) = channel(BACKLOG);
        let mut state = self.lock();
        state.last_session += 1;
        let number = state.last_session;
        state.sessions.insert(
            number,
            Session {
                subscriptions: Subscriptions::default(),
                frames,
            },
        );
        (number, receiver)
    }

    /// The session is over.
    pub(crate) fn leave(&self, session: u64) {
        self.lock().sessions.remove(&session);
    }

    /// Carries out a command of a session.
    pub(crate) fn command(&self, session: u64, text: &str) {
        let mut state = self.lock();
        let State {
            exchange, sessions, ..
        } = &mut *state;
        let Some(entry) = sessions.get_mut(&session) else {
            return;
        };
        let frames = entry.subscriptions.command(text, exchange);
        if !entry.send(frames) {
            sessions.remove(&session);
        }
    }

    /// Whether anybody listens to an order book.
    pub(crate) fn has_listener(&self) -> bool {
        self.lock()
            .sessions
            .values()
            .any(|session| session.subscriptions.has_orderbook())
    }

    /// Loses a frame of every order book subscription on purpose.
    pub(crate) fn inject_gap(&self) {
        for session in self.lock().sessions.values_mut() {
            session.subscriptions.inject_gap();
        }
    }

    /// Hangs up on every session.
    pub(crate) fn disconnect_all(&self) {
        self.lock().sessions.clear();
    }
}

impl State {
    fn tell(&mut self) {
        let happenings = self.exchange.happenings();
        if happenings.is_empty() {
            return;
        }
        let exchange = &self.exchange;
        self.sessions.retain(|_, session| {
            let mut frames = Vec::new();
            for happening in &happenings {
                session
                    .subscriptions
                    .frames(happening, exchange, &mut frames);
            }
            session.send(frames)
        });
    }
}

impl Session {
    /// Queues frames; false when the client is too slow or gone.
    fn send(&self, frames: Vec<String>) -> bool {
        let now = Instant::now();
        frames
            .into_iter()
            .all(|frame| self.frames.try_send((now, frame)).is_ok())
    }
}
