//! Listens to the bells of sleeping tasks: one thread for all tasks of a process.
//!
//! A loop that sleeps waits for its bells itself, by `futex_waitv`; a task must not block its executor,
//! so this thread waits in its place, for the words of all of them at once, and calls the waker of
//! whoever's word has changed.
//!
//! One wait has room for the words of [`MOST_AWAITED`] sources. While more of them sleep than that, the
//! thread looks at all words every millisecond.

use crate::{
    futex::{self, MOST_WORDS, Scope, Seen, Waits},
    sync::{AtomicU32, fence},
    wait::{Bell, UNSURE_SLEEP},
    watch,
};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::NonNull,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::Ordering::{Acquire, Relaxed},
    },
    task::Waker,
    time::{Duration, Instant},
};

/// Most sources that one wait has room for: each has two words at most, and one is the thread's own.
const MOST_AWAITED: usize = (MOST_WORDS - 1) / 2;

/// A word that a sleeping source waits on, without a hold on it: a mapping of our own would keep the file
/// open, and with it the role of a consumer that is gone.
///
/// Instead the source strikes its words off the list, under the list's lock, before they go. So words may
/// be looked at while the list is locked.
struct Word {
    word: NonNull<AtomicU32>,
    value: u32,
    scope: Scope,
}

// SAFETY: it points to an atomic, which any thread may look at.
unsafe impl Send for Word {}

impl Word {
    fn of(seen: Seen<'_>) -> Self {
        Self {
            word: NonNull::from(seen.word),
            value: seen.value,
            scope: seen.scope,
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            // SAFETY: only words on the locked list are looked at. Those are there still: who made them
            // by Words::of has promised it.
            word: unsafe { self.word.as_ref() },
            value: self.value,
            scope: self.scope,
        }
    }

    fn has_changed(&self) -> bool {
        let value = self.seen().word.load(Relaxed);
        // Pairs with the Release in `wake_shared` and in News::tell: the task that is woken sees what was
        // published before.
        fence(Acquire);
        value != self.value
    }
}

/// The words of an armed source.
pub(crate) struct Words([Option<Word>; 2]);

impl Words {
    /// # Safety
    ///
    /// The words must stay until [`Listener::forget`] has returned.
    pub(crate) unsafe fn of(Bell(first, second): Bell<'_>) -> Self {
        Self([Some(Word::of(first)), second.map(Word::of)])
    }
}

/// A sleeping source.
struct Awaited {
    ticket: u64,
    words: Words,
    /// When it is woken though nothing rings.
    due: Instant,
    waker: Waker,
}

impl Awaited {
    fn is_over(&self, now: Instant) -> bool {
        let rings = self.words.0.iter().flatten().any(Word::has_changed);
        rings || self.due <= now
    }
}

#[derive(Default)]
struct List {
    /// Given out so far.
    tickets: u64,
    awaited: Vec<Awaited>,
}

/// The thread's side. Wakers are foreign code, which may come back to us: none is cloned, called or
/// dropped while the list is locked.
pub(crate) struct Listener {
    list: Mutex<List>,
    /// Whose thread it is.
    process: u32,
    /// Changed when something is added to the list, so that the thread does not sleep past it. Changed
    /// and read under the list's lock, which orders it.
    word: AtomicU32,
}

impl Listener {
    /// The one of this process. Its thread starts with the first task's adapter and stays.
    pub(crate) fn of_this_process() -> io::Result<&'static Self> {
        static PROCESS: Mutex<Option<&'static Listener>> = Mutex::new(None);
        let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        // A child that was forked has its parent's listener, but not the thread.
        if let Some(listener) = process.filter(|listener| listener.is_of_this_process()) {
            return Ok(listener);
        }
        let listener: &'static Self = Box::leak(Box::new(Self {
            list: Mutex::default(),
            process: std::process::id(),
            word: AtomicU32::new(0),
        }));
        watch::start_thread("ipc-async", || {
            loop {
                listener.round();
            }
        })?;
        Ok(process.insert(listener))
    }

    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `waker` once, when a word is not as it was seen, or at `due`. Returns the ticket to forget
    /// it by.
    pub(crate) fn listen(&self, words: Words, due: Instant, waker: Waker) -> u64 {
        let mut list = self.lock();
        list.tickets += 1;
        let ticket = list.tickets;
        list.awaited.push(Awaited {
            ticket,
            words,
            due,
            waker,
        });
        self.word.fetch_add(1, Relaxed);
        drop(list);
        futex::wake(&self.word, Scope::Private);
        ticket
    }

    /// Calls `waker` instead of the one before. False when that has been called already.
    pub(crate) fn replace_waker(&self, ticket: u64, waker: &Waker) -> bool {
        let waker = waker.clone();
        let mut list = self.lock();
        let Some(one) = list.awaited.iter_mut().find(|one| one.ticket == ticket) else {
            drop(list);
            return false;
        };
        let replaced = std::mem::replace(&mut one.waker, waker);
        drop(list);
        drop(replaced);
        true
    }

    /// Afterwards nothing of the source is held here, and nothing of it is looked at. The kernel may
    /// still wait on its words' addresses, which is harmless wherever they lead by then.
    pub(crate) fn forget(&self, ticket: u64) {
        let mut list = self.lock();
        let place = list.awaited.iter().position(|one| one.ticket == ticket);
        let forgotten = place.map(|place| list.awaited.swap_remove(place));
        drop(list);
        drop(forgotten);
    }

    /// Wakes whom it is time to wake, and sleeps until there may be another.
    fn round(&self) {
        let mut waits = Waits::none();
        let (over, limit) = self.take_over(&mut waits);
        for one in over {
            // What a waker panics at must not end the wake-ups of all others.
            if let Err(thrown) = catch_unwind(AssertUnwindSafe(|| one.waker.wake())) {
                // To drop it is foreign code too.
                std::mem::forget(thrown);
            }
        }
        waits.sleep(limit, UNSURE_SLEEP);
    }

    /// Strikes off who is to be woken, and adds the words of the others to `waits`. How long to wait
    /// for them.
    fn take_over(&self, waits: &mut Waits) -> (Vec<Awaited>, Duration) {
        let mut list = self.lock();
        waits.add(Seen {
            word: &self.word,
            value: self.word.load(Relaxed),
            scope: Scope::Private,
        });
        let now = Instant::now();
        let over = list.awaited.extract_if(.., |one| one.is_over(now));
        let over: Vec<Awaited> = over.collect();
        let words = list.awaited.iter().flat_map(|one| &one.words.0);
        words.flatten().for_each(|word| waits.add(word.seen()));
        let due = list.awaited.iter().map(|one| one.due).min();
        // A word that rings is never missed: who slept through it did not need a limit.
        let mut limit = due.map_or(Duration::MAX, |due| due.saturating_duration_since(now));
        if list.awaited.len() > MOST_AWAITED {
            limit = limit.min(UNSURE_SLEEP);
        }
        (over, limit)
    }
}
