//! What is sent: price updates as the pipeline has them, and messages of three sizes whose words all
//! hold the message's number.

use bytemuck::Zeroable as _;
use ipc::Message;
use layouts::{MarketStatus, PriceUpdate, Sport};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What every transport can carry: a fixed layout that also has a form in JSON.
pub trait Carried: Message + Serialize + DeserializeOwned + Send + 'static {}

impl<T: Message + Serialize + DeserializeOwned + Send + 'static> Carried for T {}

ipc::message! {
    /// As long as a message of the pipeline; stamped, it fills one line.
    #[derive(Serialize, Deserialize)]
    pub struct Bytes48 v1 {
        /// The number of the message, in each word.
        words: [u64; 6] = "messages",
    }
}

ipc::message! {
    /// The longest that fills one line, without a time stamp.
    #[derive(Serialize, Deserialize)]
    pub struct Bytes56 v1 {
        /// The number of the message, in each word.
        words: [u64; 7] = "messages",
    }
}

ipc::message! {
    /// The longest that fills two lines, without a time stamp.
    #[derive(Serialize, Deserialize)]
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

/// A message that any transport can carry, with its number in it.
pub trait Payload: Numbered + Carried {}

/// What is added to the number of a price update, so that its times have the digits that real ones
/// have.
const UNIX_US: u64 = 1_760_000_000_000_000;
const MONO_NS: u64 = 40_000_000_000_000;

/// A price update with a number and a time in it.
#[inline]
#[must_use]
pub fn price(number: u64, ingress_mono_ns: u64) -> PriceUpdate {
    PriceUpdate {
        ingress_mono_ns,
        venue_unix_us: UNIX_US + number,
        market: 17,
        game: 401_772_510,
        bid_count_centi: 120_000,
        ask_count_centi: 45_000,
        bid_price_e4: 5_300,
        ask_price_e4: 5_400,
        fee_rate_e4: 700,
        tick_e4: 100,
        sport: Sport::Nba as u8,
        status: MarketStatus::Active as u8,
        ..PriceUpdate::zeroed()
    }
}

/// The number in a price update.
#[inline]
#[must_use]
pub const fn number_of(price: &PriceUpdate) -> u64 {
    price.venue_unix_us.wrapping_sub(UNIX_US)
}

impl Numbered for PriceUpdate {
    const WORDS: u64 = 2;
    #[inline]
    fn numbered(n: u64) -> Self {
        price(n, MONO_NS + n)
    }
    #[inline]
    fn sum(&self) -> u64 {
        number_of(self).wrapping_add(self.ingress_mono_ns.wrapping_sub(MONO_NS))
    }
}
impl Payload for PriceUpdate {}

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
    /// A [`PriceUpdate`]: 48 bytes.
    Price,
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
            Self::B48 | Self::Price => 48,
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
            $crate::payload::Size::Price => {
                type $payload = ::layouts::PriceUpdate;
                $body
            }
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
        for size in [Size::Price, Size::B48, Size::B56, Size::B120] {
            assert_eq!(
                with_payload!(size, Sent => size_of::<Sent>()),
                size.bytes() as usize
            );
        }
    }
}
