//! The venue as one: the exchange and everyone who listens to it, behind one lock, so that a
//! snapshot and the changes after it are always in step.

use super::exchange::Exchange;
use super::records::Happening;
use super::subscriptions::Subscriptions;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

/// Frames that may wait for a client before it counts as too slow.
const BACKLOG: usize = 16_384;

/// A frame and when it left the exchange.
pub(crate) type Queued = (Instant, String);

/// A session's end of the hub.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) session: u64,
    /// What it is to be sent. Closed when the hub has let go of it.
    pub(crate) frames: Receiver<Queued>,
    /// Whether that was because it is too slow.
    pub(crate) overflowed: Arc<AtomicBool>,
}

/// Mishaps on the way of order book changes to their listeners, by chance.
#[derive(Debug)]
struct Trouble {
    random: ChaCha8Rng,
    /// One change in so many is lost; 0 is none.
    gap_every: u32,
    /// After one in so many the listener is hung up on; 0 is none.
    disconnect_every: u32,
}

impl Trouble {
    fn strikes(&mut self, every: u32) -> bool {
        every > 0 && self.random.random_ratio(1, every)
    }
}

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
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Session {
    subscriptions: Subscriptions,
    /// Dropped when the client is too slow, or is to be cut off: its writer then hangs up.
    frames: Sender<Queued>,
    overflowed: Arc<AtomicBool>,
    /// The next change of an order book is to be lost on its way.
    gap_next: bool,
}

impl Hub {
    /// A venue that nobody listens to yet.
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self {
            state: Mutex::new(State {
                exchange,
                sessions: BTreeMap::new(),
                last_session: 0,
                trouble: None,
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

    /// Loses one order book change in so many, and hangs up after one in so many, by chance; 0 is never.
    pub(crate) fn make_trouble(&self, seed: u64, gap_every: u32, disconnect_every: u32) {
        self.lock().trouble = Some(Trouble {
            random: ChaCha8Rng::seed_from_u64(seed),
            gap_every,
            disconnect_every,
        });
    }

    /// A new session.
    pub(crate) fn join(&self) -> Listener {
        let (frames, receiver) = channel(BACKLOG);
        let mut state = self.lock();
        state.last_session += 1;
        let session = state.last_session;
        let overflowed = Arc::new(AtomicBool::new(false));
        state.sessions.insert(
            session,
            Session {
                subscriptions: Subscriptions::default(),
                frames,
                overflowed: Arc::clone(&overflowed),
                gap_next: false,
            },
        );
        Listener {
            session,
            frames: receiver,
            overflowed,
        }
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

    /// Loses the next change of every order book subscription on its way: the client must notice and recover.
    pub(crate) fn inject_gap(&self) {
        for session in self.lock().sessions.values_mut() {
            session.gap_next = session.subscriptions.has_orderbook();
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
        let (exchange, trouble) = (&self.exchange, &mut self.trouble);
        self.sessions.retain(|_, session| {
            let (mut frames, mut hung_up) = (Vec::new(), false);
            for happening in &happenings {
                let before = frames.len();
                session
                    .subscriptions
                    .frames(happening, exchange, &mut frames);
                if matches!(happening, Happening::Delta { .. }) && frames.len() > before {
                    let (gap, hang_up) = trouble.as_mut().map_or((false, false), |trouble| {
                        let (gap, end) = (trouble.gap_every, trouble.disconnect_every);
                        (trouble.strikes(gap), trouble.strikes(end))
                    });
                    if std::mem::take(&mut session.gap_next) || gap {
                        // Its number is taken: the next frame has the one after.
                        frames.truncate(before);
                    }
                    hung_up |= hang_up;
                }
            }
            session.send(frames) && !hung_up
        });
    }
}

impl Session {
    /// Queues frames; false when the client is too slow or gone.
    fn send(&self, frames: Vec<String>) -> bool {
        let now = Instant::now();
        frames.into_iter().all(|frame| {
            let sent = self.frames.try_send((now, frame));
            if let Err(TrySendError::Full(_)) = sent {
                self.overflowed.store(true, Relaxed);
            }
            sent.is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::exchange::CLIENT;
    use crate::sim::records::{Reason, TimeInForce::GoodTillCanceled};
    use crate::sim::tests::laws::{exchange, order};
    use layouts::Side;

    #[test]
    fn a_listener_that_never_reads_is_let_go_and_the_venue_goes_on() {
        let hub = Hub::new(exchange());
        let Listener {
            session,
            frames,
            overflowed,
        } = hub.join();
        let ticker = hub.read(|exchange| exchange.markets()[0].ticker.clone());
        hub.command(session, &format!(r#"{{"id":1,"cmd":"subscribe","params":{{"channels":["orderbook_delta"],"market_ticker":"{ticker}"}}}}"#));
        assert!(hub.has_listener() && !frames.is_closed());
        for _ in 0..BACKLOG / 2 {
            // Each is two changes: the level appears, the level goes.
            hub.with(|exchange| {
                let placed = exchange.create(order(1, Side::Bid, 100, 100, GoodTillCanceled), 1);
                let number = placed.map(|order| order.number).unwrap_or_default();
                assert!(exchange.cancel(number, Reason::Cancel, 1).is_some());
            });
        }
        assert!(!hub.has_listener());
        assert!(frames.is_closed() && frames.len() == BACKLOG);
        assert!(overflowed.load(Relaxed));
        assert!(
            hub.with(
                |exchange| exchange.create(order(CLIENT, Side::Bid, 100, 100, GoodTillCanceled), 2)
            )
            .is_ok()
        );
    }
}
