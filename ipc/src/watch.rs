//! Notices that a producer is gone: one thread for all consumers of a process.
//!
//! The kernel tells it. When the last descriptor and mapping of a producer's file go, at its death
//! too, inotify says that a file was closed that had been open for writing, whatever the PID
//! namespace. That is a hint to look: what decides is whether the producer's role is still held. A
//! stopped process holds its role, so it is never taken for dead.
//!
//! The hint may come a moment before the lock is gone, so a look that finds the role held is repeated,
//! with growing pauses up to [`SLOWEST`]; that last pause also covers hints that never came. Where
//! inotify is refused (its limits, a sandbox), the thread looks every [`BLIND`] instead.
//!
//! The thread does not follow a `fork`: a process must not fork after it has attached, unless the
//! child calls `exec`. Else the child would share the locks too.

use crate::{
    error::Error,
    futex::{self, Scope, Seen},
    pages::ProducerPage,
    role::{self, Role},
    segment::Segment,
    sync::{AtomicU32, AtomicU64, fence},
};
use memmap2::MmapRaw;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::{
        eventfd::{EfdFlags, EventFd},
        inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor},
        signal::{SigSet, SigmaskHow},
        time::TimeSpec,
    },
};
use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::Ordering::{Acquire, Relaxed, Release},
    },
    thread,
    time::{Duration, Instant},
};

/// Pause after the first look that found the role held; each further one is twice as long.
const FIRST: Duration = Duration::from_micros(50);
/// Longest pause between two looks.
const SLOWEST: Duration = Duration::from_secs(1);
/// Between two looks where the kernel gives no hints.
const BLIND: Duration = Duration::from_millis(2);

/// What the thread tells a consumer.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Every incarnation of the producer up to this one is gone.
    gone: AtomicU64,
    /// Changed after `gone`; a sleeping consumer waits on it.
    word: AtomicU32,
}

impl News {
    /// Tells that every incarnation up to `incarnation` is gone.
    pub(crate) fn tell(&self, incarnation: u64) {
        // Pairs with the Acquire load in `gone`: all that the producer has published is visible with
        // it, because its lock has passed through the kernel to us.
        self.gone.store(incarnation, Release);
        // Pairs with the Acquire load in `seen`.
        self.word.fetch_add(1, Release);
        futex::wake(&self.word, Scope::Private);
    }

    /// The last incarnation of the producer that is known to be gone.
    #[inline]
    pub(crate) fn gone(&self) -> u64 {
        // Pairs with the Release store in `tell`.
        self.gone.load(Acquire)
    }

    /// What to sleep on until there is more news than `gone` shows afterwards.
    pub(crate) fn seen(&self) -> Seen<'_> {
        Seen {
            word: &self.word,
            // Pairs with the Release in `tell`: who has the new value sees the new `gone`.
            value: self.word.load(Acquire),
            scope: Scope::Private,
        }
    }
}

/// A consumer's subscription to the news of its producer; ends when dropped.
pub(crate) struct Watch {
    news: Arc<News>,
    watcher: Arc<Watcher>,
    process: u32,
}

impl Watch {
    /// Watches the producer of a segment. It is known at once if it is gone already.
    pub(crate) fn start(segment: &Segment) -> Result<Self, Error> {
        let path = &segment.info.path;
        let failed = |error: io::Error| Error::io("watch the producer of", path, error);
        let watcher = Watcher::of_this_process().map_err(failed)?;
        let page = segment.map_producer_page()?;
        let file = segment.file.try_clone().map_err(failed)?;
        let news = Arc::new(News::default());
        watcher.add(Watched::new(Arc::clone(&news), page, file));
        Ok(Self {
            news,
            watcher,
            process: std::process::id(),
        })
    }

    /// What is known of the producer.
    #[inline]
    pub(crate) fn news(&self) -> &News {
        &self.news
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // In a child that was forked the lock may be held by a thread that is not there.
        if self.process == std::process::id() {
            self.watcher.remove(&self.news);
        }
    }
}

/// One consumer's ring, as the thread sees it.
struct Watched {
    news: Arc<News>,
    /// A mapping of the producer's page.
    page: MmapRaw,
    /// The consumer's own open file description.
    file: File,
    /// What the hints of this file come by; none where they are refused.
    hints: Option<WatchDescriptor>,
    due: Instant,
    pause: Duration,
}

impl Watched {
    fn new(news: Arc<News>, page: MmapRaw, file: File) -> Self {
        assert!(page.len() >= size_of::<ProducerPage>());
        Self {
            news,
            page,
            file,
            hints: None,
            due: Instant::now(),
            pause: FIRST,
        }
    }

    fn page(&self) -> &ProducerPage {
        // SAFETY: page-aligned and long enough (checked in `new`); every field is an atomic, for which
        // any bytes are valid; mapped as long as `self`.
        unsafe { &*self.page.as_ptr().cast::<ProducerPage>() }
    }

    /// There was a hint: looks at once, and again soon.
    fn hint(&mut self) {
        (self.due, self.pause) = (Instant::now(), FIRST);
    }

    /// Tells the consumer if its producer is gone.
    fn look(&mut self) {
        // In this order: a producer takes its role before it shows its number. So who has shown this
        // number, and does not hold the role afterwards, is gone, and so are all before it.
        let incarnation = self.page().life.incarnation.load(Relaxed);
        // Pairs with the Release store in LifeLine::begin; keeps the question for the role behind.
        fence(Acquire);
        let held = role::is_held(&self.file, Role::Producer);
        // Relaxed: one thread after the other writes it here, nobody else.
        if !held && incarnation != self.news.gone.load(Relaxed) {
            self.news.tell(incarnation);
        }
        let slowest = if self.hints.is_some() { SLOWEST } else { BLIND };
        self.pause = (2 * self.pause).min(slowest);
        self.due = Instant::now() + self.pause;
    }
}

/// The thread's side.
struct Watcher {
    watched: Mutex<Vec<Watched>>,
    /// Rung when something is added, so that the thread does not sleep past it.
    bell: EventFd,
    hints: Option<Inotify>,
}

impl Watcher {
    /// The one of this process. Its thread starts with the first consumer and stays.
    fn of_this_process() -> io::Result<Arc<Self>> {
        static PROCESS: Mutex<Option<(u32, Arc<Watcher>)>> = Mutex::new(None);
        let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        let us = std::process::id();
        // A child that was forked has its parent's watcher, but not the thread.
        if let Some((owner, watcher)) = &*process
            && *owner == us
        {
            return Ok(Arc::clone(watcher));
        }
        let watcher = Arc::new(Self {
            watched: Mutex::default(),
            bell: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
            hints: Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok(),
        });
        let started = Arc::clone(&watcher);
        start_thread("ipc-watch", move || started.run())?;
        *process = Some((us, Arc::clone(&watcher)));
        Ok(watcher)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, mut watched: Watched) {
        // By descriptor, because another file may have the name by now.
        let path = format!("/proc/self/fd/{}", watched.file.as_raw_fd());
        watched.hints = self.hints.as_ref().and_then(|hints| {
            hints
                .add_watch(path.as_str(), AddWatchFlags::IN_CLOSE_WRITE)
                .ok()
        });
        // After the hints have begun, so that nothing is missed. A hint may have been too early for us
        // and the lock not gone yet: `look` comes again soon.
        watched.look();
        self.lock().push(watched);
        // It cannot fail: the counter has room for more additions than there can be.
        let _ = self.bell.write(1);
    }

    /// Afterwards nothing of the consumer is held here: not its lock, not its file.
    fn remove(&self, news: &Arc<News>) {
        let mut all = self.lock();
        let Some(place) = all.iter().position(|one| Arc::ptr_eq(&one.news, news)) else {
            return;
        };
        let removed = all.swap_remove(place);
        // Two watches on one file would share their hints.
        if let (Some(hints), Some(ended)) = (&self.hints, removed.hints)
            && all.iter().all(|other| other.hints != Some(ended))
        {
            // Refused only when the file itself is gone, and then so is the watch.
            let _ = hints.rm_watch(ended);
        }
    }

    fn run(&self) {
        loop {
            let pause = self.look_where_due();
            let mut sources = vec![PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
            if let Some(hints) = &self.hints {
                sources.push(PollFd::new(hints.as_fd(), PollFlags::POLLIN));
            }
            let slept = ppoll(&mut sources, pause.map(TimeSpec::from_duration), None);
            if slept.is_err_and(|error| error != Errno::EINTR) {
                thread::sleep(BLIND);
            }
            // Empty unless it was rung.
            let _ = self.bell.read();
            self.take_hints();
        }
    }

    /// Looks at whom it is time to look at. How long until the next one; `None` when nobody is watched.
    fn look_where_due(&self) -> Option<Duration> {
        let mut all = self.lock();
        let now = Instant::now();
        for one in all.iter_mut().filter(|one| one.due <= now) {
            one.look();
        }
        let next = all.iter().map(|one| one.due).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn take_hints(&self) {
        let Some(hints) = &self.hints else { return };
        // Once a round: who closes one file over and over must not keep us from looking at the others.
        if let Ok(events) = hints.read_events() {
            let mut all = self.lock();
            for event in events {
                // After an overflow nobody knows whose hints were lost.
                let any = event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                all.iter_mut()
                    .filter(|one| any || one.hints == Some(event.wd))
                    .for_each(Watched::hint);
            }
        }
    }
}

/// Starts a thread of ours. It takes no signals: they are for the threads that the process has made itself.
pub(crate) fn start_thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let started = thread::Builder::new().name(name.into()).spawn(run);
    before.thread_set_mask()?;
    started.map(drop)
}
