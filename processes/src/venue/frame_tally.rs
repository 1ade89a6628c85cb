//! What became of each frame of a session: every one is counted once, in one kind.

use super::kalshi_frames::Body;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// What a frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of frames, but for the last five")]
pub enum Kind {
    Snapshot,
    Delta,
    Trade,
    Fill,
    UserOrder,
    Lifecycle,
    Ok,
    Subscribed,
    Unsubscribed,
    Error,
    /// Of a type that we do not know.
    Unknown,
    /// About a market that was not asked for.
    Stranger,
    /// It cannot be read, or lacks the number that its channel gives every frame.
    Malformed,
    /// No text in it.
    Blank,
    /// Bytes; the venue sends text.
    Binary,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Snapshot,
        Self::Delta,
        Self::Trade,
        Self::Fill,
        Self::UserOrder,
        Self::Lifecycle,
        Self::Ok,
        Self::Subscribed,
        Self::Unsubscribed,
        Self::Error,
        Self::Unknown,
        Self::Stranger,
        Self::Malformed,
        Self::Blank,
        Self::Binary,
    ];

    /// Its name in a report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Delta => "delta",
            Self::Trade => "trade",
            Self::Fill => "fill",
            Self::UserOrder => "user_order",
            Self::Lifecycle => "lifecycle",
            Self::Ok => "ok",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Error => "error",
            Self::Unknown => "unknown",
            Self::Stranger => "stranger",
            Self::Malformed => "malformed",
            Self::Blank => "blank",
            Self::Binary => "binary",
        }
    }

    /// What a frame is by its body alone.
    #[must_use]
    pub const fn of(body: &Body<'_>) -> Self {
        match body {
            Body::Snapshot(_) => Self::Snapshot,
            Body::Delta(_) => Self::Delta,
            Body::Trade(_) => Self::Trade,
            Body::Fill(_) => Self::Fill,
            Body::UserOrder(_) => Self::UserOrder,
            Body::Lifecycle(_) => Self::Lifecycle,
            Body::Ok => Self::Ok,
            Body::Subscribed(_) => Self::Subscribed,
            Body::Unsubscribed => Self::Unsubscribed,
            Body::Error(_) => Self::Error,
            Body::Unknown(_) => Self::Unknown,
            Body::Blank => Self::Blank,
            Body::Binary => Self::Binary,
        }
    }
}

/// Frames by kind, beside how many there were: the two are counted apart, so that a frame that is dropped on
/// the way shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameTally {
    frames: u64,
    kinds: [u64; Kind::ALL.len()],
}

impl FrameTally {
    /// A frame has come. It is to be counted once.
    pub fn arrived(&mut self) {
        self.frames += 1;
    }

    /// Counts a frame that has come.
    pub fn count(&mut self, kind: Kind) {
        if let Some(count) = self.kinds.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// How many have come.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// How many of a kind have come.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        self.kinds.get(kind as usize).copied().unwrap_or_default()
    }

    /// How many have been counted: all that have come, or some were dropped.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.kinds.iter().sum()
    }
}

/// By kind; those that never came are left out.
impl Serialize for FrameTally {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for kind in Kind::ALL.into_iter().filter(|kind| self.of(*kind) > 0) {
            map.serialize_entry(kind.as_str(), &self.of(kind))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_count_and_a_name_of_its_own() {
        let mut tally = FrameTally::default();
        for (kind, times) in Kind::ALL.into_iter().zip(1..) {
            for _ in 0..times {
                tally.arrived();
                tally.count(kind);
            }
        }
        let counts: Vec<u64> = Kind::ALL.map(|kind| tally.of(kind)).to_vec();
        assert_eq!(counts, (1..=15).collect::<Vec<u64>>());
        assert_eq!((tally.frames(), tally.counted()), (120, 120));
        let shown = serde_json::to_value(tally).expect("JSON");
        assert_eq!(shown.as_object().map(serde_json::Map::len), Some(15));
        assert_eq!(shown["binary"], 15);
    }
}
