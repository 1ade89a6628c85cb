//! Where the words of a segment lie: in mappings of its file, or on the heap when a model is checked.

use crate::{
    header::{Info, LINE},
    message::Message,
    pages::{ConsumerPage, ProducerPage},
    sync::AtomicU64,
};
use memmap2::MmapRaw;
use std::{marker::PhantomData, ptr::NonNull};

/// The pages and slots of one segment.
pub(crate) struct Memory {
    producer: NonNull<ProducerPage>,
    consumer: NonNull<ConsumerPage>,
    slots: NonNull<AtomicU64>,
    capacity: u64,
    stamped: bool,
    message_size: usize,
    _keep: Keep,
}

/// What keeps the pointers valid.
#[expect(dead_code, reason = "held, never looked at")]
enum Keep {
    Mapped([MmapRaw; 3]),
    #[cfg(loom)]
    Heap(std::sync::Arc<heap::Heap>),
}

// SAFETY: everything behind the pointers is atomics, kept alive by `_keep`; who may write what is
// decided by the roles.
unsafe impl Send for Memory {}
// SAFETY: as above; `&Memory` gives access to atomics only.
unsafe impl Sync for Memory {}

impl Memory {
    /// The memory of the segment that `info` describes, in mappings of its producer page, its
    /// consumer region and its slots.
    ///
    /// # Panics
    ///
    /// When a mapping is too short: they were made by the same `info`.
    pub(crate) fn mapped(info: &Info, [producer, consumer, slots]: [MmapRaw; 3]) -> Self {
        assert!(
            producer.len() >= size_of::<ProducerPage>()
                && consumer.len() >= size_of::<ConsumerPage>()
        );
        assert!(slots.len() >= info.slot_region().1);
        let pointer = |map: &MmapRaw| {
            NonNull::new(map.as_ptr().cast_mut()).expect("a mapping is never at address 0")
        };
        Self {
            producer: pointer(&producer).cast(),
            consumer: pointer(&consumer).cast(),
            slots: pointer(&slots).cast(),
            capacity: u64::from(info.capacity),
            stamped: info.stamp_every > 0,
            message_size: info.message_size as usize,
            _keep: Keep::Mapped([producer, consumer, slots]),
        }
    }

    /// The producer's page.
    #[inline(always)]
    pub(crate) fn producer(&self) -> &ProducerPage {
        // SAFETY: page-aligned and long enough (checked in `mapped`); every field is an atomic, for
        // which any bytes are valid; alive as long as `_keep`.
        unsafe { self.producer.as_ref() }
    }

    /// The consumer's region.
    #[inline(always)]
    pub(crate) fn consumer(&self) -> &ConsumerPage {
        // SAFETY: as in `producer`.
        unsafe { self.consumer.as_ref() }
    }

    /// Slots, a power of two.
    #[inline(always)]
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Whether slots have room for a time stamp.
    #[inline(always)]
    pub(crate) fn stamped(&self) -> bool {
        self.stamped
    }

    /// Whether messages of this segment have the size of `T`, on which the slots of `T` rest.
    pub(crate) fn carries<T: Message>(&self) -> bool {
        self.message_size == size_of::<T>()
    }

    /// The slot of message `n`, or of row `n` of a board, whatever message it holds. Not for the hot path.
    pub(crate) fn untyped(&self, n: u64) -> UntypedSlot<'_> {
        let payload_at = 1 + usize::from(self.stamped);
        let used = payload_at + self.message_size / 8;
        #[expect(clippy::cast_possible_truncation, reason = "masked below MAX_CAPACITY")]
        let first = (n & (self.capacity - 1)) as usize * used.next_multiple_of(LINE / 8);
        // SAFETY: the slot's index is below the capacity, and the region holds `capacity` slots of that
        // stride: `mapped` has checked its length, which Info::stride makes of the same size and stamp;
        // the lifetime is that of the memory; atomics may be shared.
        let words = unsafe { std::slice::from_raw_parts(self.slots.add(first).as_ptr(), used) };
        UntypedSlot { words, payload_at }
    }

    /// Its slots as those of `T`: a copy of what finding one takes, for loops to keep in registers.
    ///
    /// # Safety
    ///
    /// [`Memory::carries`] holds for `T`.
    #[inline(always)]
    pub(crate) unsafe fn slots<T: Message>(&self) -> Slots<'_, T> {
        Slots {
            first: self.slots,
            mask: self.capacity - 1,
            stamped: self.stamped,
            _memory: PhantomData,
        }
    }
}

/// The slots of a segment that carries `T`.
pub(crate) struct Slots<'memory, T> {
    first: NonNull<AtomicU64>,
    mask: u64,
    stamped: bool,
    _memory: PhantomData<(&'memory Memory, T)>,
}

impl<'memory, T: Message> Slots<'memory, T> {
    /// The slot of message `n`, or of row `n` of a board.
    #[inline(always)]
    pub(crate) fn slot(&self, n: u64) -> Slot<'memory, T> {
        #[expect(clippy::cast_possible_truncation, reason = "masked below MAX_CAPACITY")]
        let index = (n & self.mask) as usize;
        Slot {
            // SAFETY: `index < capacity`, and the region holds `capacity` slots of `stride` words:
            // `Memory::mapped` has checked its length, and the caller of `Memory::slots` has promised
            // that the stride of T is that of the segment.
            first: unsafe { self.first.add(index * self.stride()) },
            payload_at: 1 + usize::from(self.stamped),
            _memory: PhantomData,
        }
    }

    /// Asks for the cache lines of the slot of message `n`, to write them soon: they are on their way
    /// from the reader's core while other messages are written.
    #[inline(always)]
    pub(crate) fn claim(&self, n: u64) {
        let first = self.slot(n).first.as_ptr().cast::<u8>();
        for line in 0..self.stride() * 8 / LINE {
            claim_line(first.wrapping_add(line * LINE));
        }
    }

    /// Words from slot to slot.
    #[inline(always)]
    fn stride(&self) -> usize {
        if self.stamped {
            Geometry::<T>::STAMPED
        } else {
            Geometry::<T>::BARE
        }
    }
}

/// A hint to the processor that a line is about to be written. Where there is none, nothing.
#[inline(always)]
#[cfg_attr(
    any(loom, not(any(target_arch = "x86_64", target_arch = "aarch64"))),
    expect(unused_variables, reason = "no hint there")
)]
fn claim_line(line: *const u8) {
    // SAFETY: a hint faults on no address and changes nothing but caches; processors without it take
    // it for a no-op.
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
    }
    // SAFETY: as above.
    #[cfg(all(target_arch = "aarch64", not(loom)))]
    unsafe {
        std::arch::asm!("prfm pstl1keep, [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
    }
}

/// Words of the slots of `T`.
struct Geometry<T>(PhantomData<T>);

impl<T: Message> Geometry<T> {
    /// Of the payload.
    const PAYLOAD: usize = {
        assert!(
            size_of::<T>() > 0 && size_of::<T>().is_multiple_of(8),
            "a message is a multiple of 8 bytes"
        );
        size_of::<T>() / 8
    };
    /// From slot to slot, with a time stamp: whole cache lines.
    const STAMPED: usize = (2 + Self::PAYLOAD).next_multiple_of(LINE / 8);
    /// From slot to slot, without.
    const BARE: usize = (1 + Self::PAYLOAD).next_multiple_of(LINE / 8);
}

/// One slot.
pub(crate) struct Slot<'memory, T> {
    first: NonNull<AtomicU64>,
    payload_at: usize,
    _memory: PhantomData<(&'memory Memory, T)>,
}

impl<'memory, T: Message> Slot<'memory, T> {
    /// The sequence word.
    #[inline(always)]
    pub(crate) fn word(&self) -> &'memory AtomicU64 {
        // SAFETY: the first word of a slot that Slots::slot has bounded; the lifetime is that of
        // the memory; atomics may be shared.
        unsafe { self.first.as_ref() }
    }

    /// The time stamp, where the ring has them.
    #[inline(always)]
    pub(crate) fn stamp(&self) -> Option<&'memory AtomicU64> {
        // SAFETY: as in `word`; a stamped slot has a second word before its payload.
        (self.payload_at == 2).then(|| unsafe { self.first.add(1).as_ref() })
    }

    /// The words of the payload.
    #[inline(always)]
    pub(crate) fn payload(&self) -> &'memory [AtomicU64] {
        // SAFETY: `payload_at + PAYLOAD` words are within the stride, hence within the slot that
        // Slots::slot has bounded; the lifetime is that of the memory; atomics may be shared.
        unsafe {
            std::slice::from_raw_parts(
                self.first.add(self.payload_at).as_ptr(),
                Geometry::<T>::PAYLOAD,
            )
        }
    }
}

/// One slot, for readers that have no message compiled in.
pub(crate) struct UntypedSlot<'memory> {
    /// Sequence word, time stamp where the ring has them, payload.
    words: &'memory [AtomicU64],
    payload_at: usize,
}

impl<'memory> UntypedSlot<'memory> {
    /// The sequence word.
    pub(crate) fn word(&self) -> &'memory AtomicU64 {
        &self.words[0]
    }

    /// The time stamp, where the ring has them.
    pub(crate) fn stamp(&self) -> Option<&'memory AtomicU64> {
        (self.payload_at == 2).then(|| &self.words[1])
    }

    /// The words of the payload.
    pub(crate) fn payload(&self) -> &'memory [AtomicU64] {
        &self.words[self.payload_at..]
    }
}

#[cfg(loom)]
pub(crate) mod heap {
    //! A segment's memory on the heap, for models.

    use super::{ConsumerPage, Geometry, Keep, Memory, Message, NonNull, ProducerPage};
    use crate::sync::AtomicU64;
    use std::sync::Arc;

    /// Pages and unstamped slots without a file.
    pub(crate) struct Heap {
        producer: ProducerPage,
        consumer: ConsumerPage,
        slots: Vec<AtomicU64>,
        capacity: u64,
        message_size: usize,
    }

    impl Heap {
        /// Memory for `capacity` slots of `T`.
        pub(crate) fn of<T: Message>(capacity: u64) -> Arc<Self> {
            let words = usize::try_from(capacity).expect("a small model") * Geometry::<T>::BARE;
            Arc::new(Self {
                producer: ProducerPage::default(),
                consumer: ConsumerPage::default(),
                slots: (0..words).map(|_| AtomicU64::new(0)).collect(),
                capacity,
                message_size: size_of::<T>(),
            })
        }

        /// One role's view of it.
        pub(crate) fn view(self: &Arc<Self>) -> Memory {
            Memory {
                producer: NonNull::from(&self.producer),
                consumer: NonNull::from(&self.consumer),
                slots: NonNull::new(self.slots.as_ptr().cast_mut())
                    .expect("a vector is never at address 0"),
                capacity: self.capacity,
                stamped: false,
                message_size: self.message_size,
                _keep: Keep::Heap(Arc::clone(self)),
            }
        }
    }
}
