//! Counts the frames of a session: each once, under what it is.

use crate::venue::kalshi_frames::{Body, Frame, MalformedFrame};
use serde_json::{Value, json};

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Subscribed,
    Ok,
    Unsubscribed,
    Error,
    Fill,
    UserOrder,
    /// Of a type that nobody has asked for, or that we do not know.
    Other,
    Unreadable,
}

/// Names, in the order of [`Kind`].
const NAMES: [&str; 8] = [
    "subscribed",
    "ok",
    "unsubscribed",
    "error",
    "fill",
    "user_order",
    "other",
    "unreadable",
];

impl Kind {
    pub(super) fn of(frame: &Result<Frame<'_>, MalformedFrame>) -> Self {
        match frame.as_ref().map(|frame| &frame.body) {
            Ok(Body::Subscribed(_)) => Self::Subscribed,
            Ok(Body::Ok) => Self::Ok,
            Ok(Body::Unsubscribed) => Self::Unsubscribed,
            Ok(Body::Error(_)) => Self::Error,
            Ok(Body::Fill(_)) => Self::Fill,
            Ok(Body::UserOrder(_)) => Self::UserOrder,
            Ok(_) => Self::Other,
            Err(_) => Self::Unreadable,
        }
    }
}

/// The counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FrameCounts {
    frames: u64,
    by_kind: [u64; NAMES.len()],
}

impl FrameCounts {
    pub(super) fn take(&mut self, kind: Kind) {
        self.frames += 1;
        let count = self.by_kind.get_mut(kind as usize);
        count.into_iter().for_each(|count| *count += 1);
    }

    /// All of them.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn to_json(self) -> Value {
        let kinds = NAMES.iter().zip(self.by_kind);
        let by_kind: serde_json::Map<String, Value> = kinds
            .map(|(name, count)| ((*name).to_owned(), count.into()))
            .collect();
        json!({ "frames": self.frames(), "by_kind": by_kind })
    }
}
