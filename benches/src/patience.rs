//! How long a loop spins before it concludes that the other side is gone.

use crate::Failure;
use std::time::{Duration, Instant};

/// Spins between two looks at the clock.
const LOOK_EVERY: u32 = 1 << 16;
/// Longest wait. A machine that starves the partner for longer measures nothing.
pub const LONGEST: Duration = Duration::from_secs(20);

/// Counts the spins of one wait; costs nothing while the wait is short.
#[derive(Default)]
pub struct Patience {
    spins: u32,
    since: Option<Instant>,
}

impl Patience {
    /// One spin.
    ///
    /// # Errors
    ///
    /// After twenty seconds.
    #[inline]
    pub fn spin(&mut self) -> Result<(), Failure> {
        std::hint::spin_loop();
        self.spins = self.spins.wrapping_add(1);
        if self.spins.is_multiple_of(LOOK_EVERY) {
            return self.look();
        }
        Ok(())
    }

    #[cold]
    fn look(&mut self) -> Result<(), Failure> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > LONGEST {
            return Err(format!("the other side did nothing for {LONGEST:?}").into());
        }
        Ok(())
    }
}
