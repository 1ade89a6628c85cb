//! What the launcher waits for: a signal, a child's end, a file that appears in the run directory, news by Redis.

use crate::runtime::Failure;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use std::{
    io::{ErrorKind, Read},
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Exit code of a shell for a program ended by SIGINT; a second Ctrl-C gives it at once.
const INTERRUPTED: i32 = 130;

/// The launcher's sources of news.
pub(super) struct Events {
    signals: UnixStream,
    sender: UnixStream,
    files: Inotify,
    stop: Arc<AtomicBool>,
    /// SIGUSR1: trade no more.
    halt: Arc<AtomicBool>,
    /// SIGUSR2: trade again.
    resume: Arc<AtomicBool>,
}

impl Events {
    /// Watches signals, children and `directory`.
    pub(super) fn watch(directory: &Path) -> Result<Self, Failure> {
        let [stop, halt, resume] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
        let (signals, sender) =
            UnixStream::pair().map_err(|error| Failure::io("create a socket pair", error))?;
        let prepare = || -> std::io::Result<()> {
            signals.set_nonblocking(true)?;
            // Whoever rings while bytes wait is heard anyway.
            sender.set_nonblocking(true)?;
            for signal in [SIGINT, SIGTERM] {
                // Before the flag is set by the first, so that only a second one ends us at once.
                signal_hook::flag::register_conditional_shutdown(
                    signal,
                    INTERRUPTED,
                    Arc::clone(&stop),
                )?;
                signal_hook::flag::register(signal, Arc::clone(&stop))?;
            }
            signal_hook::flag::register(SIGUSR1, Arc::clone(&halt))?;
            signal_hook::flag::register(SIGUSR2, Arc::clone(&resume))?;
            for signal in [SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGUSR2] {
                signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
            }
            Ok(())
        };
        prepare().map_err(|error| Failure::io("handle signals", error))?;
        let files = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .and_then(|files| {
                files.add_watch(
                    directory,
                    AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CREATE,
                )?;
                Ok(files)
            })
            .map_err(|error| Failure::io(format!("watch `{}`", directory.display()), error))?;
        Ok(Self {
            signals,
            sender,
            files,
            stop,
            halt,
            resume,
        })
    }

    /// A bell for another thread of ours: a byte into it ends the wait.
    ///
    /// # Errors
    ///
    /// When no more files can be opened.
    pub(super) fn bell(&self) -> Result<UnixStream, Failure> {
        let bell = self.sender.try_clone();
        bell.map_err(|error| Failure::io("duplicate a socket", error))
    }

    /// Whether the user asked to stop.
    pub(super) fn stop_requested(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Whether the user has asked, since the last question, to trade no more; and to trade again.
    pub(super) fn switches(&self) -> (bool, bool) {
        (
            self.halt.swap(false, Relaxed),
            self.resume.swap(false, Relaxed),
        )
    }

    /// Waits for news or for the time to pass.
    pub(super) fn wait_until(&mut self, due: Instant) {
        let left = due
            .saturating_duration_since(Instant::now())
            .min(Duration::from_secs(3600));
        // Rounded up: a time-out of zero would spin until the millisecond has passed.
        let timeout =
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        let mut sources = [
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.files.as_fd(), PollFlags::POLLIN),
        ];
        // An interrupted or failed poll is news as well: the caller looks at everything again.
        let _ = poll(&mut sources, timeout);
        self.drain();
    }

    fn drain(&mut self) {
        let mut buffer = [0; 256];
        loop {
            match self.signals.read(&mut buffer) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        while self
            .files
            .read_events()
            .is_ok_and(|events| !events.is_empty())
        {}
    }
}
