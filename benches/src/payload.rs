//! What is sent: messages of three sizes whose words all hold the message's number.

use ipc::Message;
use serde::{Deserialize, Serialize};

ipc::message! {
    /// As long as a message of the pipeline; stamped, it fills one line.
    pub struct Bytes48 v1 {
        /// The number of the message, in each word.
        words: [u64; 6] = "messages",
    }
}

ipc::message! {
    /// The longest that fills one line, without a time stamp.
    pub struct Bytes56 v1 {
        /// The number of the message, in each word.
        words: [u64; 7] = "messages",
    }
}

ipc::message! {
    /// The longest that fills two lines, without a time stamp.
    pub struct Bytes120 v1 {
        /// The number of the message, in each word.
        words: [u64; 15] = "messages",
    }
}

/// Something that carries its own number in every word, so that nothing torn, lost or repeated
/// leaves the sum over a window as it should be.
pub trait Numbered: Copy + Send + 'static {
    /// Words in it.
    const WORDS: u64;
    /// The `n`th.
    fn numbered(n: u64) -> Self;
    /// All words, added up.
    fn sum(&self) -> u64;
}

/// A message that any transport can carry.
pub trait Payload: Numbered + Message {}

macro_rules! numbered {
    ($($payload:ty, $words:literal;)+) => {$(
        impl Numbered for $payload {
            const WORDS: u64 = $words;
            #[inline]
            fn numbered(n: u64) -> Self {
                Self { words: [n; $words] }
            }
            #[inline]
            fn sum(&self) -> u64 {
                self.words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
            }
        }
        impl Payload for $payload {}
    )+};
}

numbered! { Bytes48, 6; Bytes56, 7; Bytes120, 15; }

/// A bare number: what the floor sends.
impl Numbered for u64 {
    const WORDS: u64 = 1;
    #[inline]
    fn numbered(n: u64) -> Self {
        n
    }
    #[inline]
    fn sum(&self) -> u64 {
        *self
    }
}

/// The sum over the first `count` messages of `words` words each.
#[must_use]
pub fn expected_sum(words: u64, count: u64) -> u64 {
    let pairs = if count.is_multiple_of(2) {
        (count / 2).wrapping_mul(count.wrapping_sub(1))
    } else {
        count.wrapping_mul(count / 2)
    };
    pairs.wrapping_mul(words)
}

/// Which of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Size {
    /// [`Bytes48`].
    B48,
    /// [`Bytes56`].
    B56,
    /// [`Bytes120`].
    B120,
}

impl Size {
    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Self::B48 => 48,
            Self::B56 => 56,
            Self::B120 => 120,
        }
    }
}

/// Evaluates an expression with `$payload` naming the message of that size.
#[macro_export]
macro_rules! with_payload {
    ($size:expr, $payload:ident => $body:expr) => {
        match $size {
            $crate::payload::Size::B48 => {
                type $payload = $crate::payload::Bytes48;
                $body
            }
            $crate::payload::Size::B56 => {
                type $payload = $crate::payload::Bytes56;
                $body
            }
            $crate::payload::Size::B120 => {
                type $payload = $crate::payload::Bytes120;
                $body
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_messages() {
        for count in [0, 1, 2, 7, 100] {
            let sum = (0..count).map(|n| Bytes56::numbered(n).sum()).sum::<u64>();
            assert_eq!(expected_sum(Bytes56::WORDS, count), sum, "{count}");
        }
    }

    #[test]
    fn sizes_are_what_they_say() {
        for size in [Size::B48, Size::B56, Size::B120] {
            assert_eq!(
                with_payload!(size, Sent => size_of::<Sent>()),
                size.bytes() as usize
            );
        }
    }
}
