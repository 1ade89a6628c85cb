//! The writing role of a ring.
//!
//! | line | written by | how often | read by |
//! |---|---|---|---|
//! | slot | producer | every message | consumer, spinning on it |
//! | producer page | producer | every message | nobody on the hot path |
//! | consumer cursor | consumer | every commit | producer, only when its cached copy says full |
//! | consumer sleep line | consumer | when it falls asleep or wakes | producer, every message (shared until then) |

use crate::{
    clock,
    error::{Error, PushError},
    header::{Info, Kind},
    message::Message,
    role::{self, Peer, Role},
    segment::{Access, Segment, consumer_page, producer_page},
    slot::{Slots, whole},
    stats::{ConsumerPage, ProducerPage, add},
    wait,
};
use memmap2::MmapRaw;
use std::{
    path::Path,
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
};

/// The one producer of a ring.
pub struct Producer<T: Message> {
    segment: Segment,
    own: MmapRaw,
    peer: MmapRaw,
    _slots: MmapRaw,
    slots: Slots<T>,
    /// Sequence of the next message. Always in sync.
    next: u64,
    /// Everything below it is free to overwrite. May be stale, then too low.
    limit: u64,
    gated: bool,
    /// `sequence & stamp_mask == 0` is stamped; `u64::MAX` for never.
    stamp_mask: u64,
    barrier: wait::Barrier,
    /// The consumer's sleep that was last ended by us.
    woken: u32,
}

impl<T: Message> Producer<T> {
    /// Attaches to an existing ring as its producer, and continues where the last one stopped.
    ///
    /// # Errors
    ///
    /// [`Error::RoleTaken`] while another process is its producer, [`Error::Layout`] when it carries
    /// another message, and what else [`Error`] names.
    pub fn attach(path: &Path) -> Result<Self, Error> {
        let segment = Segment::open(path, Access::Write)?;
        segment.expect::<T>(false)?;
        segment.take(Role::Producer)?;
        let own = segment.map(segment.info.producer_region(), Access::Write)?;
        let peer = segment.map(segment.info.consumer_region(), Access::Read)?;
        let slot_map = segment.map(segment.info.slot_region(), Access::Write)?;
        // SAFETY: the mapping covers the slot region of this checked segment, is writable, and is
        // kept in the same struct.
        let slots = unsafe { Slots::<T>::new(slot_map.as_ptr(), &segment.info) };
        let page = producer_page(&own);
        let next = recover(page, &slots, &segment.info)?;
        // A consumer that polls `closed` sees 0 only with the role held already.
        page.closed.store(0, Release);
        Ok(Self {
            gated: segment.info.kind == Kind::Lossless,
            stamp_mask: u64::from(segment.info.stamp_every).wrapping_sub(1),
            barrier: wait::Barrier::for_waker(),
            segment,
            own,
            peer,
            _slots: slot_map,
            slots,
            next,
            limit: 0,
            woken: 0,
        })
    }

    /// Publishes a message and returns its sequence number.
    ///
    /// Never blocks. Enters the kernel only to wake a consumer that is asleep.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] in a lossless ring whose consumer has not committed enough.
    #[inline]
    pub fn push(&mut self, message: &T) -> Result<u64, PushError> {
        let sequence = self.next;
        if self.gated && sequence >= self.limit {
            self.refresh_limit()?;
        }
        let sent_ns = if sequence & self.stamp_mask == 0 {
            clock::mono_ns()
        } else {
            0
        };
        self.slots.write(sequence, sent_ns, message);
        self.next = sequence + 1;
        // Pairs with the Acquire load of a reader that was overrun: it sees every slot below.
        producer_page(&self.own).published.store(self.next, Release);
        self.wake_sleeper();
        Ok(sequence)
    }

    /// Messages published since the ring was created, by this producer and those before it.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.next
    }

    /// What is known of the consumer. A system call: not for the hot path.
    #[must_use]
    pub fn consumer(&self) -> Peer {
        if role::is_held(&self.segment.file, Role::Consumer) {
            Peer::Attached
        } else {
            Peer::Absent
        }
    }

    /// The checked header.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.segment.info
    }

    fn page(&self) -> &ProducerPage {
        producer_page(&self.own)
    }

    fn peer_page(&self) -> &ConsumerPage {
        consumer_page(&self.peer)
    }

    /// Looks at the consumer's position, because the cached limit says full.
    #[cold]
    fn refresh_limit(&mut self) -> Result<(), PushError> {
        // Pairs with the Release store in Consumer::commit_to: the consumer has finished reading
        // every message below its position, so those slots are ours to overwrite.
        let position = self.peer_page().cursor.position.load(Acquire);
        if position > self.next {
            return Err(PushError::PeerDamaged {
                position,
                published: self.next,
            });
        }
        // A position that went back lowers the limit below `next`: full, never an overwrite.
        self.limit = position.saturating_add(u64::from(self.segment.info.capacity));
        if self.next >= self.limit {
            add(&self.page().full, 1);
            return Err(PushError::Full);
        }
        Ok(())
    }

    #[inline]
    fn wake_sleeper(&mut self) {
        self.barrier.before_looking_for_sleepers();
        let epoch = self.peer_page().sleep.epoch.load(Relaxed);
        if epoch != 0 && epoch != self.woken {
            self.wake(epoch);
        }
    }

    #[cold]
    fn wake(&mut self, epoch: u32) {
        self.woken = epoch;
        let page = self.page();
        add(&page.wakes, 1);
        wait::wake_shared(&page.wake_word);
    }
}

impl<T: Message> Drop for Producer<T> {
    fn drop(&mut self) {
        // Pairs with the Acquire load in Consumer::producer: all our messages are visible with it.
        self.page().closed.store(1, Release);
        wait::wake_shared(&self.page().wake_word);
    }
}

/// The sequence at which a successor continues: the count on the page, or one more when the last
/// producer died between publishing a slot and counting it.
fn recover<T: Message>(page: &ProducerPage, slots: &Slots<T>, info: &Info) -> Result<u64, Error> {
    let counted = page.published.load(Acquire);
    if counted > u64::MAX / 4 || (counted > 0 && slots.word(counted - 1) != whole(counted - 1)) {
        // Only the slot of a latest-wins ring may be half overwritten by its next lap.
        let lapped = info.kind == Kind::LatestWins
            && counted > 0
            && slots.word(counted - 1) > whole(counted - 1);
        if !lapped {
            let reason =
                format!("{counted} messages are counted, but the last of them is not in its slot");
            return Err(Error::Damaged {
                path: info.path.clone(),
                reason,
            });
        }
    }
    let next = if slots.word(counted) == whole(counted) {
        counted + 1
    } else {
        counted
    };
    page.published.store(next, Release);
    Ok(next)
}
