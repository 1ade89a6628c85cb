//! The line protocol: one slot, one writer, any readers.
//!
//! A slot is `| sequence word | time stamp (a choice per ring) | payload words ... |`, whole cache
//! lines. For message number `n` the sequence word is `2n + 1` while it is written and `2n + 2` once
//! it is whole, so the word of a slot only grows, and zero means never written.
//!
//! 1. Writer stores `2n + 1` (W1), then the payload, then `2n + 2` with Release (R1).
//! 2. Reader loads the word, with an Acquire fence behind it (A1); `2n + 2` there means message `n` is whole.
//! 3. A reader that the writer does not wait for loads the word again after the payload (A3); the
//!    same value means that nothing was torn.
//!
//! What the other side may map read-only is loaded Relaxed, and ordered by a fence behind the load: the
//! language defines no other loads of such memory. The payload is copied as relaxed 64-bit atomics, so a reader that loses the race reads garbage,
//! not undefined behaviour, and then learns of it in step 3.

use crate::{
    fail::fail_point,
    memory::{Slot, UntypedSlot},
    message::Message,
    sync::fence,
};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The sequence word of message `n` once it is whole.
#[inline]
pub(crate) const fn whole(n: u64) -> u64 {
    2 * n + 2
}

/// A message as read, with its time stamp (0 where it carries none).
pub(crate) struct Read<T> {
    pub(crate) message: T,
    pub(crate) sent_ns: u64,
}

impl<T: Message> Slot<'_, T> {
    /// The sequence word, and with it the payload that it vouches for.
    #[inline(always)]
    pub(crate) fn state(&self) -> u64 {
        let state = self.word().load(Relaxed);
        // A1 pairs with R1: seeing `2n + 2` means seeing the payload stored before it. A fence, because
        // only relaxed loads are defined on memory that is mapped to be read only.
        fence(Acquire);
        state
    }

    /// Writes and publishes message `n`. Only the segment's one producer may call it.
    #[inline(always)]
    pub(crate) fn write(&self, n: u64, sent_ns: u64, message: &T) {
        // W1: a reader that sees any payload word stored below, and then looks at the word again
        // behind its Acquire fence (A3), sees at least this mark, because of this Release fence.
        self.word().store(whole(n) - 1, Relaxed);
        fence(Release);
        fail_point!("push: marked");
        if let Some(stamp) = self.stamp() {
            stamp.store(sent_ns, Relaxed);
        }
        let bytes = bytemuck::bytes_of(message).chunks_exact(8);
        for (index, (word, bytes)) in self.payload().iter().zip(bytes).enumerate() {
            if index == 1 {
                fail_point!("push: half copied");
            }
            word.store(
                u64::from_ne_bytes(std::array::from_fn(|index| bytes[index])),
                Relaxed,
            );
        }
        fail_point!("push: copied");
        // R1 pairs with A1.
        self.word().store(whole(n), Release);
    }

    /// Copies the payload, which the caller knows to be whole and not to be overwritten (the producer
    /// waits for it).
    #[inline(always)]
    pub(crate) fn read(&self) -> Read<T> {
        let sent_ns = self.stamp().map_or(0, |stamp| stamp.load(Relaxed));
        let mut message = T::zeroed();
        for (word, bytes) in self
            .payload()
            .iter()
            .zip(bytemuck::bytes_of_mut(&mut message).chunks_exact_mut(8))
        {
            bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        Read { message, sent_ns }
    }

    /// As [`Slot::read`], but `None` unless the word is still `state` afterwards: the writer has begun
    /// to overwrite the slot.
    #[inline(always)]
    pub(crate) fn read_untorn(&self, state: u64) -> Option<Read<T>> {
        let read = self.read();
        // A3 pairs with W1: the fence keeps the payload's loads before the second look.
        fence(Acquire);
        (self.word().load(Relaxed) == state).then_some(read)
    }
}

impl UntypedSlot<'_> {
    /// The sequence word, as [`Slot::state`] loads it.
    pub(crate) fn state(&self) -> u64 {
        let state = self.word().load(Relaxed);
        // A1 pairs with R1.
        fence(Acquire);
        state
    }

    /// Copies the payload into as many bytes, and returns the time stamp (0 where there is none); `None`,
    /// and the bytes are garbage, unless the word is still `state` afterwards.
    pub(crate) fn copy_untorn(&self, state: u64, bytes: &mut [u8]) -> Option<u64> {
        let sent_ns = self.stamp().map_or(0, |stamp| stamp.load(Relaxed));
        for (word, bytes) in self.payload().iter().zip(bytes.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        // A3 pairs with W1, as in Slot::read_untorn.
        fence(Acquire);
        (self.word().load(Relaxed) == state).then_some(sent_ns)
    }
}
