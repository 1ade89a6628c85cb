//! The line protocol: one slot, one writer, any readers.
//!
//! A slot is `| sequence word | time stamp (a choice per ring) | payload words ... |`, whole cache lines. For
//! message number `n` the sequence word is `2n + 1` while it is written and `2n + 2` once it is
//! whole, so the word of a slot only grows, and zero means never written.
//!
//! 1. Writer stores `2n + 1` (W1), then the payload, then `2n + 2` with Release (W2).
//! 2. Reader loads the word with Acquire (A1); `2n + 2` there means message `n` is whole.
//! 3. A reader that the writer does not wait for loads the word again after the payload (A2); the
//!    same value means that nothing was torn.
//!
//! The payload is copied as relaxed 64-bit atomics, so a reader that loses the race reads garbage,
//! not undefined behaviour, and then learns of it in step 3.

use crate::{header::Info, message::Message};
use std::{
    marker::PhantomData,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
        fence,
    },
};

/// The sequence word of message `n` once it is whole.
pub(crate) const fn whole(n: u64) -> u64 {
    2 * n + 2
}

/// The slots of a segment, in a mapping that outlives this value.
pub(crate) struct Slots<T> {
    base: *const AtomicU64,
    mask: u64,
    stride_words: usize,
    payload_at: usize,
    message: PhantomData<T>,
}

// SAFETY: the slots are atomics; who may write is decided by the role that owns this value.
unsafe impl<T: Message> Send for Slots<T> {}
// SAFETY: as above; `&Slots` gives access to atomics only.
unsafe impl<T: Message> Sync for Slots<T> {}

/// A message as read, with its time stamp (0 where it carries none).
pub(crate) struct Read<T> {
    pub(crate) message: T,
    pub(crate) sent_ns: u64,
}

impl<T: Message> Slots<T> {
    /// # Safety
    ///
    /// `base` must point to the slot region of a mapping of the segment that `info` describes
    /// (validated), valid for as long as this value is used. For [`Slots::write`] it must be
    /// writable.
    pub(crate) unsafe fn new(base: *const u8, info: &Info) -> Self {
        const {
            assert!(
                size_of::<T>() > 0 && size_of::<T>().is_multiple_of(8),
                "a message is a multiple of 8 bytes"
            )
        };
        assert_eq!(
            info.message_size as usize,
            size_of::<T>(),
            "checked at attach"
        );
        Self {
            base: base.cast(),
            mask: u64::from(info.capacity - 1),
            stride_words: info.stride() / 8,
            payload_at: 1 + info.stamp_words(),
            message: PhantomData,
        }
    }

    /// The words of the slot of message `n`, or of row `n` of a board.
    #[inline]
    fn words(&self, n: u64) -> &[AtomicU64] {
        #[expect(clippy::cast_possible_truncation, reason = "masked below MAX_CAPACITY")]
        let index = (n & self.mask) as usize;
        // SAFETY: `index <= mask < capacity` and the region holds `capacity` slots of `stride_words`
        // words (Info::parse compared the file's length); mappings are page-aligned; atomics may be
        // shared with other writers.
        unsafe {
            std::slice::from_raw_parts(self.base.add(index * self.stride_words), self.stride_words)
        }
    }

    /// The sequence word of the slot of message `n`.
    #[inline]
    pub(crate) fn word(&self, n: u64) -> u64 {
        // A1 pairs with W2: seeing `2n + 2` means seeing the payload stored before it.
        self.words(n)[0].load(Acquire)
    }

    /// Writes and publishes message `n` into its slot. Only the segment's one producer may call it.
    #[inline]
    pub(crate) fn write(&self, n: u64, sent_ns: u64, message: &T) {
        self.write_at(n, n, sent_ns, message);
    }

    /// As [`Slots::write`], with the slot and the number given separately: a board's row is written
    /// again and again in place.
    #[inline]
    pub(crate) fn write_at(&self, slot: u64, n: u64, sent_ns: u64, message: &T) {
        let words = self.words(slot);
        // W1: a reader that sees any payload word stored below, and then re-reads the word after its
        // Acquire fence (A2), sees at least this mark, because of this Release fence.
        words[0].store(whole(n) - 1, Relaxed);
        fence(Release);
        if self.payload_at == 2 {
            words[1].store(sent_ns, Relaxed);
        }
        let payload = &words[self.payload_at..self.payload_at + size_of::<T>() / 8];
        for (word, bytes) in payload
            .iter()
            .zip(bytemuck::bytes_of(message).chunks_exact(8))
        {
            word.store(
                u64::from_ne_bytes(std::array::from_fn(|index| bytes[index])),
                Relaxed,
            );
        }
        // W2 pairs with A1.
        words[0].store(whole(n), Release);
    }

    /// Copies the payload of slot `n`, which the caller knows to be whole and not to
    /// be overwritten (the producer waits for it).
    #[inline]
    pub(crate) fn read(&self, n: u64) -> Read<T> {
        let words = self.words(n);
        let sent_ns = if self.payload_at == 2 {
            words[1].load(Relaxed)
        } else {
            0
        };
        let mut message = T::zeroed();
        let payload = &words[self.payload_at..self.payload_at + size_of::<T>() / 8];
        for (word, bytes) in payload
            .iter()
            .zip(bytemuck::bytes_of_mut(&mut message).chunks_exact_mut(8))
        {
            bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        Read { message, sent_ns }
    }

    /// As [`Slots::read`], but `None` unless the slot's word is still `word` afterwards: the writer has
    /// begun to overwrite it.
    #[inline]
    pub(crate) fn read_untorn(&self, slot: u64, word: u64) -> Option<Read<T>> {
        let read = self.read(slot);
        // A2 pairs with W1: the fence keeps the payload loads before the second look.
        fence(Acquire);
        (self.words(slot)[0].load(Relaxed) == word).then_some(read)
    }
}
