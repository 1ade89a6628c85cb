//! Real-time priority of a hot loop, as the pipeline file writes it: `"fifo:50"`.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A priority of the kernel's first-in-first-out class, above everything that has none. From 1 to 98: at 99 are the
/// kernel's own threads, without which a core does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RealTime(u8);

/// Text that names no priority.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no priority; \"fifo:N\" is, with N from 1 to 98")]
pub struct NoPriority(String);

impl RealTime {
    /// The kernel's number, 1 to 98.
    #[must_use]
    pub fn level(self) -> u8 {
        self.0
    }
}

impl FromStr for RealTime {
    type Err = NoPriority;

    fn from_str(text: &str) -> Result<Self, NoPriority> {
        let level = text
            .strip_prefix("fifo:")
            .and_then(|text| text.parse().ok());
        let level = level.filter(|level| (1..=98).contains(level));
        level.map(Self).ok_or_else(|| NoPriority(text.to_owned()))
    }
}

impl TryFrom<String> for RealTime {
    type Error = NoPriority;

    fn try_from(text: String) -> Result<Self, NoPriority> {
        text.parse()
    }
}

impl fmt::Display for RealTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "fifo:{}", self.0)
    }
}

impl From<RealTime> for String {
    fn from(priority: RealTime) -> Self {
        priority.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_read_as_it_is_written_and_nothing_else_is() {
        for level in 1..=98 {
            let text = format!("fifo:{level}");
            let priority: RealTime = text.parse().unwrap();
            assert_eq!((priority.level(), priority.to_string()), (level, text));
        }
        for text in [
            "", "50", "fifo", "fifo:", "fifo:0", "fifo:99", "fifo:-1", "rr:50", "fifo:300",
        ] {
            assert!(text.parse::<RealTime>().is_err(), "{text}");
        }
    }
}
