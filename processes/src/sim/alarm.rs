//! Waits that end when they are due. The runtime's own timer counts whole milliseconds and rounds up: two
//! ways of 50 ms would take 102.

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

/// A timer of the kernel.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// Absent where the kernel has none left.
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Timer {
    timer: TimerFd,
    /// The same one, as the runtime waits for it: it is polled and read as a pipe is.
    end: Receiver,
}

impl Alarm {
    /// A timer that is not set. Without a descriptor for it, waits end late, which is said.
    pub(crate) fn new() -> Self {
        let timer = Timer::new().inspect_err(|error| {
            tracing::warn!(%error, "no exact timer: the network's delays are up to 2 ms too long");
        });
        Self { timer: timer.ok() }
    }

    /// Waits for so long, never shorter. May be cancelled.
    pub(crate) async fn wait(&mut self, delay: Duration) {
        if delay.is_zero() {
            return;
        }
        match &self.timer {
            Some(timer) if timer.set(delay).is_ok() => timer.run_out().await,
            _ => tokio::time::sleep(delay).await,
        }
    }

    /// Waits until then; not at all if that is past.
    pub(crate) async fn wait_until(&mut self, due: Instant) {
        self.wait(due.saturating_duration_since(Instant::now()))
            .await;
    }
}

impl Timer {
    fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let end: OwnedFd = timer.as_fd().try_clone_to_owned()?;
        Ok(Self {
            timer,
            end: Receiver::from_owned_fd_unchecked(end)?,
        })
    }

    /// Starts it, whatever was before.
    fn set(&self, delay: Duration) -> nix::Result<()> {
        let once = Expiration::OneShot(TimeSpec::from_duration(delay));
        self.timer.set(once, TimerSetTimeFlags::empty())
    }

    async fn run_out(&self) {
        // Waiting fails only when the runtime ends.
        while self.end.readable().await.is_ok() {
            // Nothing to read: what was noticed was the end of an earlier, cancelled wait.
            if self.end.try_read(&mut [0; 8]).is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits so often, and returns how late each ended.
    async fn overshoots(delay: Duration, times: usize) -> Vec<Duration> {
        let (mut alarm, mut late) = (Alarm::new(), Vec::new());
        for _ in 0..times {
            let start = Instant::now();
            alarm.wait(delay).await;
            let took = start.elapsed();
            assert!(took >= delay, "{took:?} is less than {delay:?}");
            late.push(took - delay);
        }
        late.sort_unstable();
        late
    }

    /// A timer of whole milliseconds makes 2 ms of this wait, every time. A busy machine makes many waits long, but
    /// not each of so many.
    #[tokio::test]
    async fn a_wait_ends_not_before_it_is_due_and_needs_no_whole_millisecond() {
        let late = overshoots(Duration::from_micros(1_010), 400).await;
        assert!(late[0] < Duration::from_micros(990), "{:?}", late[0]);
    }

    #[tokio::test]
    async fn a_cancelled_wait_leaves_nothing_to_the_next() {
        let mut alarm = Alarm::new();
        let short = Duration::from_millis(1);
        for _ in 0..20 {
            let start = Instant::now();
            tokio::select! {
                biased;
                () = alarm.wait(short) => {}
                // The wait has been set, and its timer may or may not have run out.
                () = tokio::task::yield_now() => {}
            }
            std::thread::sleep(short);
            alarm.wait(2 * short).await;
            assert!(start.elapsed() >= 3 * short);
        }
    }

    #[tokio::test]
    async fn what_is_past_is_not_waited_for() {
        let mut alarm = Alarm::new();
        let past = Instant::now();
        alarm.wait_until(past).await;
        alarm.wait(Duration::ZERO).await;
    }
}
