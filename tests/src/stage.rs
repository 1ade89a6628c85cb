//! The message and the log of the `stage` program, which fills and empties a ring to be killed at it.

use std::{fs, path::Path};

ipc::message! {
    /// A message whose words all tell its own sequence number, so that a torn or displaced one shows.
    pub struct Count v1 {
        /// The number.
        words: [u64; 6] = "count",
    }
}

impl Count {
    /// The message number `number`.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self { words: [number; 6] }
    }

    /// The number, when all words agree on it.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.words
            .iter()
            .all(|word| *word == self.words[0])
            .then_some(self.words[0])
    }
}

/// Stands in the log for a message that is torn, or is not the one that its sequence says.
pub const TORN: u64 = u64::MAX;

/// The numbers that a `stage pop` has written down before it committed them.
///
/// # Panics
///
/// When the log cannot be read.
#[must_use]
pub fn logged(path: &Path) -> Vec<u64> {
    let bytes = fs::read(path).expect("the consumer's log");
    // A killed consumer may leave half a number at its end, never in the middle: it appends by whole writes.
    bytes
        .chunks_exact(8)
        .map(|chunk| u64::from_ne_bytes(std::array::from_fn(|index| chunk[index])))
        .collect()
}

/// Checks a lossless stream: nothing lost, nothing torn, nothing out of order, nothing twice beyond
/// `tail` uncommitted messages at a restart. Returns how many were seen again.
///
/// # Errors
///
/// The first violation, in words.
pub fn audit_lossless(numbers: &[u64], count: u64, tail: u64) -> Result<u64, String> {
    let (mut next, mut again) = (0_u64, 0_u64);
    for number in numbers {
        match *number {
            TORN => return Err(format!("message {next} is torn")),
            number if number == next => next += 1,
            number if number < next && next - number <= tail => {
                again += next - number;
                next = number + 1;
            }
            number => return Err(format!("message {number} came where {next} was due")),
        }
    }
    if next == count {
        Ok(again)
    } else {
        Err(format!("{next} of {count} messages came"))
    }
}
