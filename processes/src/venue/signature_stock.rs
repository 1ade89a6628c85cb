//! Signatures made ahead, for the one request that is in a hurry.
//!
//! Neither host, body nor query is signed, only the time, the method and the path, and the venue takes times that are
//! some seconds off. So a thread of its own keeps a few signatures of the last moments ready, and signing costs the order
//! nothing: with an RSA key it takes most of a millisecond. Whether the venue would take a signature twice is not known, so
//! each has a time of its own and is used once.

use super::error::VenueError;
use super::signing::{Signature, Signer};
use std::collections::VecDeque;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// An older one is not used: the venue is known to take five seconds, of which the network may need some.
const OLDEST: Duration = Duration::from_millis(1_000);
/// From this age on one is replaced, so that none gets too old before the next look.
const REPLACED: Duration = Duration::from_millis(500);
/// How far ahead of the clock one may be, because each needs a time of its own, milliseconds.
const FURTHEST_AHEAD_MS: u64 = 1_000;
/// Time between two looks at their age.
const LOOK: Duration = Duration::from_millis(250);

/// Signatures of one request, ready to be taken. Their maker ends when it is dropped.
#[derive(Debug)]
pub(super) struct SignatureStock {
    shelf: Arc<Shelf>,
    maker: Thread,
    /// Signatures kept ready.
    size: usize,
}

#[derive(Debug, Default)]
struct Shelf {
    /// Oldest first. Locked for a push or a pop only.
    ready: Mutex<VecDeque<(Instant, Signature)>>,
    taken: AtomicU64,
    missed: AtomicU64,
}

/// How many orders found their signature ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SignedAhead {
    /// It was ready.
    pub ready: u64,
    /// It had to be made while the order waited.
    pub late: u64,
}

impl SignatureStock {
    /// Keeps `size` signatures of `method` on `path` from now on, in a thread that inherits the caller's cores.
    ///
    /// # Errors
    ///
    /// When the key cannot sign, or no thread can be had.
    pub(super) fn keep(
        signer: Signer,
        method: &'static str,
        path: String,
        size: usize,
    ) -> Result<Self, VenueError> {
        let shelf = Arc::new(Shelf::default());
        let mut maker = Maker {
            signer,
            method,
            path,
            size,
            last_ms: 0,
        };
        maker.fill(&shelf)?;
        let weak = Arc::downgrade(&shelf);
        let thread = thread::Builder::new()
            .name("signatures".into())
            .spawn(move || maker.run(&weak))
            .map_err(|error| VenueError::KeyInvalid {
                reason: format!("no thread can be had that signs with it: {error}"),
            })?;
        Ok(Self {
            shelf,
            maker: thread.thread().clone(),
            size,
        })
    }

    /// A signature of the last moments; `None` when all were taken just before, or their maker got no processor.
    pub(super) fn take(&self) -> Option<Signature> {
        let mut ready = self.shelf.ready();
        let fresh = loop {
            match ready.pop_front() {
                Some((made, _)) if made.elapsed() > OLDEST => {}
                found => break found,
            }
        };
        let left = ready.len();
        drop(ready);
        if left <= self.size / 2 {
            self.maker.unpark();
        }
        let count = match fresh {
            Some(_) => &self.shelf.taken,
            None => &self.shelf.missed,
        };
        count.fetch_add(1, Relaxed);
        fresh.map(|(_, signature)| signature)
    }

    pub(super) fn counts(&self) -> SignedAhead {
        SignedAhead {
            ready: self.shelf.taken.load(Relaxed),
            late: self.shelf.missed.load(Relaxed),
        }
    }
}

impl Drop for SignatureStock {
    fn drop(&mut self) {
        // The maker sees that the shelf is gone when it looks next; this is its look.
        self.shelf = Arc::default();
        self.maker.unpark();
    }
}

impl Shelf {
    fn ready(&self) -> MutexGuard<'_, VecDeque<(Instant, Signature)>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread owns.
struct Maker {
    signer: Signer,
    method: &'static str,
    path: String,
    size: usize,
    /// Of the last signature: the next has another time.
    last_ms: u64,
}

impl Maker {
    fn run(mut self, shelf: &Weak<Shelf>) {
        loop {
            thread::park_timeout(LOOK);
            let Some(shelf) = shelf.upgrade() else { return };
            if let Err(error) = self.fill(&shelf) {
                // Orders are signed when they are sent, and that says in its turn what is wrong.
                return tracing::error!(%error, "no signatures can be made ahead");
            }
        }
    }

    /// Replaces what gets old, and what was taken.
    fn fill(&mut self, shelf: &Shelf) -> Result<(), VenueError> {
        let fresh = |(made, _): &(Instant, Signature)| made.elapsed() < REPLACED;
        loop {
            let missing = {
                let ready = shelf.ready();
                self.size - ready.iter().filter(|one| fresh(one)).count().min(self.size)
            };
            if missing == 0 {
                return Ok(());
            }
            let now_ms = jiff::Timestamp::now().as_millisecond();
            self.next(shelf, u64::try_from(now_ms).unwrap_or(0));
            let signature = self.signer.sign(self.method, &self.path, self.last_ms)?;
            let mut ready = shelf.ready();
            ready.push_back((Instant::now(), signature));
            // The oldest goes only when its successor is there.
            if ready.len() > self.size {
                ready.pop_front();
            }
        }
    }

    /// The time of the next signature, all of which differ. After the clock was set back the venue would take none of
    /// those that were made before, and times come round again that it has long forgotten.
    fn next(&mut self, shelf: &Shelf, now_ms: u64) {
        if self.last_ms > now_ms + FURTHEST_AHEAD_MS {
            shelf.ready().clear();
            self.last_ms = now_ms;
        } else {
            self.last_ms = now_ms.max(self.last_ms + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::signing::test_signer;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use ring::signature::{ED25519, UnparsedPublicKey};
    use std::collections::HashSet;

    const SIZE: usize = 16;

    fn await_some<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
        let due = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < due, "waited for {what}");
            thread::yield_now();
        }
    }

    #[test]
    fn each_is_good_and_used_once_and_new_ones_come() {
        let signer = test_signer();
        let public = signer.public_key().to_vec();
        let stock = SignatureStock::keep(signer, "POST", "/orders".into(), SIZE).unwrap();
        let mut seen = HashSet::new();
        for _ in 0..5 * SIZE {
            let signature = await_some("a signature", || stock.take());
            let message = format!("{}POST/orders", signature.timestamp_ms);
            let bytes = STANDARD.decode(&signature.signature).unwrap();
            UnparsedPublicKey::new(&ED25519, &public)
                .verify(message.as_bytes(), &bytes)
                .unwrap();
            assert!(seen.insert(signature.timestamp_ms), "used twice");
        }
        assert_eq!(stock.counts().ready, 5 * SIZE as u64);
    }

    /// As many orders as may be open at once find their signatures.
    #[test]
    fn a_full_shelf_serves_all_at_once() {
        for size in [1, SIZE, 64] {
            let stock =
                SignatureStock::keep(test_signer(), "POST", "/orders".into(), size).unwrap();
            let ready = stock.shelf.ready();
            let all: HashSet<&str> = ready.iter().map(|(_, one)| &*one.timestamp_ms).collect();
            assert_eq!((ready.len(), all.len()), (size, size));
        }
    }

    /// Whoever sets a clock right that was minutes ahead must not wait for minutes.
    #[test]
    fn a_clock_that_is_set_back_leaves_nothing_that_was_signed_before() {
        let shelf = Shelf::default();
        let mut maker = Maker {
            signer: test_signer(),
            method: "POST",
            path: "/orders".into(),
            size: SIZE,
            last_ms: 0,
        };
        let mut times = |now_ms: u64| {
            maker.next(&shelf, now_ms);
            let signature = maker.signer.sign("POST", "/orders", maker.last_ms).unwrap();
            let mut ready = shelf.ready();
            ready.push_back((Instant::now(), signature));
            let times = ready
                .iter()
                .map(|(_, one)| one.timestamp_ms.parse().unwrap());
            times.collect::<Vec<u64>>()
        };
        assert_eq!(times(500_000), [500_000]);
        assert_eq!(times(500_000), [500_000, 500_001], "each has its own");
        assert_eq!(times(499_500), [500_000, 500_001, 500_002], "little enough");
        assert_eq!(times(200_000), [200_000]);
        assert_eq!(times(200_000), [200_000, 200_001]);
    }

    #[test]
    fn what_is_too_old_is_not_handed_out() {
        let stock = SignatureStock::keep(test_signer(), "POST", "/orders".into(), SIZE).unwrap();
        let Some(long_ago) = Instant::now().checked_sub(2 * OLDEST) else {
            return eprintln!("skipped: this host was started just now");
        };
        for one in stock.shelf.ready().iter_mut() {
            (one.0, one.1.timestamp_ms) = (long_ago, "too old".into());
        }
        // The maker may have replaced some of them.
        let taken = stock.take().map(|signature| signature.timestamp_ms);
        assert_ne!(taken.as_deref(), Some("too old"));
    }

    #[test]
    fn their_maker_ends_with_them() {
        let stock = SignatureStock::keep(test_signer(), "POST", "/orders".into(), SIZE).unwrap();
        let shelf = Arc::downgrade(&stock.shelf);
        drop(stock);
        await_some("the end of the shelf", || {
            (shelf.strong_count() == 0).then_some(())
        });
    }
}
