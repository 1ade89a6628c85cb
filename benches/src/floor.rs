//! The floor: one cache line each way between two threads, with nothing else on it.

use crate::pin;
use std::{
    io,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Release},
        },
        mpsc::{Sender, channel},
    },
    time::{Duration, Instant},
};

#[repr(align(128))]
#[derive(Default)]
struct Line(AtomicU64);

#[derive(Default)]
struct Lines {
    ping: Line,
    pong: Line,
}

/// The pinned partner of the ping-pong. It waits in the kernel between windows.
pub struct Floor {
    lines: Arc<Lines>,
    start: Sender<(u64, u64)>,
    next: u64,
}

impl Floor {
    /// Starts the partner on a core.
    ///
    /// # Errors
    ///
    /// When the thread cannot be created.
    pub fn start(core: usize) -> io::Result<Self> {
        let lines = Arc::new(Lines::default());
        let (start, windows) = channel::<(u64, u64)>();
        let shared = Arc::clone(&lines);
        std::thread::Builder::new()
            .name("floor".into())
            .spawn(move || {
                // A partner on the wrong core would falsify every ratio: no partner, no result.
                if pin::to(core).is_err() {
                    return;
                }
                for (first, last) in windows {
                    for number in first..=last {
                        while shared.ping.0.load(Acquire) != number {
                            std::hint::spin_loop();
                        }
                        shared.pong.0.store(number, Release);
                    }
                }
            })?;
        Ok(Self {
            lines,
            start,
            next: 1,
        })
    }

    /// One window: so many round trips. Every one's time goes to `record`.
    ///
    /// # Errors
    ///
    /// When the partner is gone.
    pub fn window(&mut self, trips: u64, record: &mut impl FnMut(Duration)) -> io::Result<()> {
        let (first, last) = (self.next, self.next + trips - 1);
        self.start
            .send((first, last))
            .map_err(|_| io::Error::other("the floor's partner could not be pinned"))?;
        self.next = last + 1;
        for number in first..=last {
            let start = Instant::now();
            self.lines.ping.0.store(number, Release);
            while self.lines.pong.0.load(Acquire) != number {
                std::hint::spin_loop();
            }
            record(start.elapsed());
        }
        Ok(())
    }
}
