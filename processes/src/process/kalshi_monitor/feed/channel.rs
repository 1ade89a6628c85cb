//! A channel beside the books: whether the venue has confirmed it, and whether its frames are all there.

use std::time::Duration;
use tokio::time::Instant;

/// How long the venue may take to confirm it.
const CONFIRMATION: Duration = Duration::from_secs(5);

/// One subscription of the session at hand.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// The command that subscribes it, while it is not answered, and when that is late.
    command: Option<(u64, Instant)>,
    sid: Option<u32>,
    /// The last number.
    seq: u64,
}

impl Channel {
    pub(super) fn on_asked(&mut self, command: u64, now: Instant) {
        self.command = Some((command, now + CONFIRMATION));
    }

    pub(super) fn on_subscribed(&mut self, sid: u32) {
        if self.sid != Some(sid) {
            (self.sid, self.seq) = (Some(sid), 0);
        }
        self.command = None;
    }

    /// The venue refuses a command; whether it was the one that subscribes this.
    pub(super) fn on_refused(&mut self, command: Option<u64>) -> bool {
        let own = self.command.map(|(own, _)| own);
        let refused = own.is_some() && own == command;
        if refused {
            self.command = None;
        }
        refused
    }

    pub(super) fn sid(&self) -> Option<u32> {
        self.sid
    }

    /// Whether a frame is one of this subscription.
    pub(super) fn has(&self, sid: Option<u32>) -> bool {
        sid.is_some() && sid == self.sid
    }

    /// Whether it is neither confirmed nor asked for.
    pub(super) fn is_free(&self) -> bool {
        self.sid.is_none() && self.command.is_none()
    }

    /// Whether its confirmation is overdue.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.command.is_some_and(|(_, by)| by <= now)
    }

    /// Takes a frame's number; whether all before it were there. A frame without one may be any.
    pub(super) fn in_sequence(&mut self, seq: Option<u64>) -> bool {
        let expected = self.seq.wrapping_add(1);
        self.seq = seq.unwrap_or(expected);
        seq == Some(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_free_asked_for_late_and_confirmed() {
        let (mut channel, now) = (Channel::default(), Instant::now());
        assert!(channel.is_free() && !channel.has(None));
        channel.on_asked(4, now);
        assert!(!channel.is_free() && !channel.is_late(now));
        assert!(channel.is_late(now + CONFIRMATION));
        assert!(!channel.on_refused(None) && !channel.on_refused(Some(3)));
        assert!(channel.on_refused(Some(4)) && channel.is_free());
        channel.on_asked(5, now);
        channel.on_subscribed(2);
        assert!(channel.has(Some(2)) && !channel.is_late(now + CONFIRMATION));
        assert!(!channel.on_refused(Some(5)), "answered");
    }

    #[test]
    fn numbers_go_up_by_one() {
        let mut channel = Channel::default();
        channel.on_subscribed(2);
        let numbers = [Some(1), Some(2), Some(4), Some(5), None, Some(7)];
        let whole = numbers.map(|seq| channel.in_sequence(seq));
        assert_eq!(whole, [true, true, false, true, false, true]);
        channel.on_subscribed(2);
        assert!(
            channel.in_sequence(Some(8)),
            "a further answer begins nothing"
        );
    }
}
