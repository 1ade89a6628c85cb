//! Messages that show when they are torn, displaced, or written by the wrong process.

ipc::message! {
    /// Tells its number and its writer; with both, one cache line.
    pub struct Line v1 {
        /// The number.
        sequence: u64 = "count",
        /// The life of the producer that pushed it.
        life: u64 = "count",
        /// A function of both.
        rest: [u64; 4] = "hash",
    }
}

ipc::message! {
    /// As [`Line`], in two cache lines.
    pub struct Lines v1 {
        /// The number.
        sequence: u64 = "count",
        /// The life of the producer that pushed it.
        life: u64 = "count",
        /// A function of both.
        rest: [u64; 12] = "hash",
    }
}

/// A message that tells who wrote it, as which.
pub(crate) trait Numbered: ipc::Message {
    /// Message number `sequence` of a producer's life.
    fn new(sequence: u64, life: u64) -> Self;

    /// Sequence and life, when every other word agrees.
    fn told(&self) -> Option<(u64, u64)>;
}

/// The words that follow: no two alike, so that a word out of place shows as well.
fn rest<const WORDS: usize>(sequence: u64, life: u64) -> [u64; WORDS] {
    let hash = (sequence ^ life.rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut word = hash;
    std::array::from_fn(|_| {
        word = word.rotate_left(5);
        word
    })
}

macro_rules! numbered {
    ($message:ident) => {
        impl Numbered for $message {
            fn new(sequence: u64, life: u64) -> Self {
                let rest = rest(sequence, life);
                Self {
                    sequence,
                    life,
                    rest,
                }
            }

            fn told(&self) -> Option<(u64, u64)> {
                (self.rest == rest(self.sequence, self.life)).then_some((self.sequence, self.life))
            }
        }
    };
}

numbered!(Line);
numbered!(Lines);
