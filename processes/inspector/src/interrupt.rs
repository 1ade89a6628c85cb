//! Ctrl-C as a flag: work that runs until then ends in order.

use crate::Failure;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Whether we were asked to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP, which end nothing by themselves any more.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let listened = signal_hook::flag::register(signal as i32, Arc::clone(&flag));
            listened.map_err(|error: io::Error| Failure::io(format!("handle {signal}"), error))?;
        }
        Ok(Self(flag))
    }

    /// Whether one came.
    pub(crate) fn came(&self) -> bool {
        self.0.load(Relaxed)
    }
}
