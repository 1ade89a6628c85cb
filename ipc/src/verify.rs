//! Whether what a segment holds fits together: counters, locks, and every slot's word against its place and the counts.
//!
//! Everything is an allegation, and roles may be at work meanwhile. So each rule compares words in an order of reading in
//! which a sound segment cannot break it, however fast its roles are. Two rules cannot be had so, and say so: while a role
//! is being taken or given back, its lock and what its holder has said of itself differ for some instructions.

use crate::{
    clock,
    header::Kind,
    observer::Observer,
    pages::MOST,
    role::{self, Role},
    segment::is_at,
    slot::whole,
};
use std::sync::atomic::Ordering::Relaxed;

/// Findings in slots that are listed; the rest is counted.
const MOST_LISTED: usize = 16;
/// How far ahead of this clock a time may be: what is read now was written before, but for the tick of a coarse clock.
const TOLERANCE_NS: u64 = 1_000_000_000;

/// What does not fit together in a segment, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The file is shorter or longer than its header says.
    #[error("the file has {found} bytes, its header needs {expected}")]
    Length {
        /// Bytes now.
        found: u64,
        /// Bytes by the geometry.
        expected: u64,
    },
    /// The schema text is none.
    #[error("its schema cannot be read: {reason}")]
    Schema {
        /// Why not.
        reason: String,
    },
    /// More messages are counted than any ring ever carries.
    #[error("{counted} messages are counted, which no ring ever carries")]
    Count {
        /// The producer's count.
        counted: u64,
    },
    /// The consumer is ahead of the producer.
    #[error("the consumer's position is {position}, but only {published} messages were published")]
    Ahead {
        /// The consumer's.
        position: u64,
        /// Messages in the slots.
        published: u64,
    },
    /// More messages wait in a lossless ring than it has slots.
    #[error("{waiting} messages wait in a lossless ring of {capacity} slots: some are overwritten")]
    Overrun {
        /// Published and not consumed.
        waiting: u64,
        /// Slots.
        capacity: u32,
    },
    /// More was lost than the consumer has passed.
    #[error("{lost} messages are counted as lost below position {position}")]
    Loss {
        /// By the consumer.
        lost: u64,
        /// Its position.
        position: u64,
    },
    /// A lossless ring has lost messages.
    #[error("{lost} messages were lost in a lossless ring: somebody but its producer wrote to it")]
    LosslessLoss {
        /// By the consumer.
        lost: u64,
    },
    /// Messages without a producer.
    #[error("{published} messages were published, but no producer ever came")]
    Fatherless {
        /// Messages in the slots.
        published: u64,
    },
    /// A goodbye of a producer that has not come yet.
    #[error("producer number {closed} has said goodbye, but only {incarnation} have come")]
    Goodbye {
        /// Who said it.
        closed: u64,
        /// Producers so far.
        incarnation: u64,
    },
    /// A producer that began beyond the end.
    #[error("the producer began with message {first}, but only {published} were published")]
    Beginning {
        /// Its first message.
        first: u64,
        /// Messages in the slots.
        published: u64,
    },
    /// A beat in the future.
    #[error("the producer's last beat lies {ahead_ns} ns in the future")]
    Beat {
        /// How far.
        ahead_ns: u64,
    },
    /// A role whose lock is held, and whose holder has said nothing or goodbye. So for a moment while a role is taken or
    /// given back: look again.
    #[error(
        "the role of the {role} is locked by a process that has not attached, or has said goodbye"
    )]
    Lock {
        /// Which.
        role: Role,
    },
    /// A slot holds a message that belongs elsewhere.
    #[error("slot {slot} holds the word {word}: no message of that number belongs there")]
    Place {
        /// Which slot.
        slot: u32,
        /// Its sequence word.
        word: u64,
    },
    /// A slot lacks a message that was counted.
    #[error(
        "slot {slot} holds the word {word}, but message {counted} is counted and belongs there"
    )]
    Missing {
        /// Which slot.
        slot: u32,
        /// Its sequence word.
        word: u64,
        /// The message that should be there.
        counted: u64,
    },
    /// A slot was left out.
    #[error("message {sequence} is not in slot {slot}, but later ones are in theirs")]
    Gap {
        /// Which slot.
        slot: u32,
        /// The message that should be there.
        sequence: u64,
    },
    /// A message that was not consumed was overwritten in a lossless ring.
    #[error(
        "slot {slot} holds message {sequence}, but the consumer is at {position} and has not freed it"
    )]
    Overwritten {
        /// Which slot.
        slot: u32,
        /// The message that is there.
        sequence: u64,
        /// The consumer's position.
        position: u64,
    },
    /// A time stamp in the future.
    #[error("the time stamp in slot {slot} lies {ahead_ns} ns in the future")]
    Stamp {
        /// Which slot.
        slot: u32,
        /// How far.
        ahead_ns: u64,
    },
    /// A row whose writer died in the middle of it: it shows nothing until it is written again.
    #[error("row {row} was left half-written by a writer that died")]
    HalfRow {
        /// Which.
        row: u32,
    },
    /// Fewer writes in the rows than are counted.
    #[error("{counted} writes are counted, but the rows show only {shown}")]
    Writes {
        /// The writer's count.
        counted: u64,
        /// The sum over the rows.
        shown: u64,
    },
}

/// The result of looking at all of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verification {
    /// What does not fit together; empty when all of it does.
    pub findings: Vec<Finding>,
    /// More findings in slots, of the same sorts.
    pub left_out: u64,
    /// Slots or rows that were looked at.
    pub slots: u32,
}

impl Verification {
    fn slot(&mut self, finding: Finding) {
        if self.findings.len() < MOST_LISTED {
            self.findings.push(finding);
        } else {
            self.left_out += 1;
        }
    }
}

impl Observer {
    /// Whether the segment's name still leads to it: it may have been removed, or replaced by another.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        is_at(&self.segment.file, &self.segment.info.path)
    }

    /// Looks at the counters and locks: what [`Observer::verify`] does but for schema and slots, in some microseconds.
    #[must_use]
    pub fn verify_counters(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let (info, producer) = (&self.segment.info, self.memory.producer());
        if info.kind != Kind::Board {
            self.verify_cursors(&mut found);
        }
        let ahead_ns = producer
            .life
            .beat_ns()
            .saturating_sub(clock::coarse_mono_ns());
        if ahead_ns > TOLERANCE_NS {
            found.push(Finding::Beat { ahead_ns });
        }
        for role in [Role::Producer, Role::Consumer] {
            let held = role::is_held(&self.segment.file, role);
            let there = self.holder(role).is_some_and(|holder| !holder.left);
            if held && !there {
                found.push(Finding::Lock { role });
            }
        }
        found
    }

    fn verify_cursors(&self, found: &mut Vec<Finding>) {
        let (info, producer) = (&self.segment.info, self.memory.producer());
        let counted = producer.count.published.load(Relaxed);
        if counted > MOST {
            found.push(Finding::Count { counted });
            return;
        }
        // Each is read before what bounds it from above, and after what bounds it from below.
        let before = self.published();
        let cursor = self.memory.consumer().cursor.observe();
        let closed = producer.life.goodbye();
        let (incarnation, first) = producer.life.latest();
        let published = self.published();
        let (position, lost) = (cursor.position, cursor.lost);
        let waiting = before.saturating_sub(position);
        if position > published {
            found.push(Finding::Ahead {
                position,
                published,
            });
        }
        if lost > position {
            found.push(Finding::Loss { lost, position });
        }
        if info.kind == Kind::Lossless && lost > 0 {
            found.push(Finding::LosslessLoss { lost });
        }
        if info.kind == Kind::Lossless && waiting > u64::from(info.capacity) {
            let capacity = info.capacity;
            found.push(Finding::Overrun { waiting, capacity });
        }
        if before > 0 && incarnation == 0 {
            let published = before;
            found.push(Finding::Fatherless { published });
        }
        if closed > incarnation {
            found.push(Finding::Goodbye {
                closed,
                incarnation,
            });
        }
        if first > published {
            found.push(Finding::Beginning { first, published });
        }
    }

    /// Looks at all of the segment: length, schema, counters, locks and every slot.
    ///
    /// Without effect on the roles at work, and sound beside them; of [`Finding::Lock`] see there.
    #[must_use]
    pub fn verify(&self) -> Verification {
        let mut result = Verification::default();
        let info = &self.segment.info;
        let expected = info.file_length();
        let found = self.segment.file.metadata().map_or(0, |file| file.len());
        if found != expected {
            // What lies beyond the end would be a signal.
            result.findings.push(Finding::Length { found, expected });
            return result;
        }
        if let Err(error) = self.schema() {
            let reason = error.to_string();
            result.findings.push(Finding::Schema { reason });
        }
        result.findings.extend(self.verify_counters());
        result.slots = info.capacity;
        let impossible = |finding: &Finding| matches!(finding, Finding::Count { .. });
        if info.kind == Kind::Board {
            self.verify_rows(&mut result);
        } else if !result.findings.iter().any(impossible) {
            self.verify_slots(&mut result);
        }
        result
    }

    fn verify_slots(&self, result: &mut Verification) {
        let capacity = self.memory.capacity();
        let counted = self.memory.producer().count.published.load(Relaxed);
        if counted > MOST {
            // Since the counters were looked at.
            return result.slot(Finding::Count { counted });
        }
        // The last message in place, of those beyond the count.
        let mut last_beyond = None;
        for sequence in counted..counted + capacity {
            let slot = self.memory.untyped(sequence);
            let word = slot.state();
            let index = self.index(sequence);
            if sequence >= capacity && word < whole(sequence - capacity) {
                let counted = sequence - capacity;
                result.slot(Finding::Missing {
                    slot: index,
                    word,
                    counted,
                });
                continue;
            }
            if word == 0 {
                continue;
            }
            // The word is `2n + 1` or `2n + 2`.
            let holds = (word - 1) / 2;
            // Read after the word: the producer counts before it goes on, at the latest after half of the ring.
            let limit = self.memory.producer().count.published.load(Relaxed);
            let limit = limit.saturating_add(capacity);
            if self.index(holds) != index || holds >= limit {
                result.slot(Finding::Place { slot: index, word });
                continue;
            }
            self.verify_whole(index, holds, word, result);
            if word >= whole(sequence) {
                last_beyond = Some(sequence);
            }
        }
        for sequence in counted..last_beyond.unwrap_or(counted) {
            // Messages are written in order, and a later one was seen.
            if self.memory.untyped(sequence).state() < whole(sequence) {
                let slot = self.index(sequence);
                result.slot(Finding::Gap { slot, sequence });
            }
        }
    }

    /// Checks what holds of a message that is whole.
    fn verify_whole(&self, index: u32, sequence: u64, word: u64, result: &mut Verification) {
        if word != whole(sequence) {
            return;
        }
        if self.segment.info.kind == Kind::Lossless {
            // Read after the word: the producer had seen this position, or a lower one, before it wrote.
            let position = self.memory.consumer().cursor.position();
            if sequence >= position.saturating_add(self.memory.capacity()) {
                result.slot(Finding::Overwritten {
                    slot: index,
                    sequence,
                    position,
                });
            }
        }
        self.verify_stamp(index, sequence, result);
    }

    fn verify_stamp(&self, index: u32, sequence: u64, result: &mut Verification) {
        let stamp = self.memory.untyped(sequence).stamp();
        let stamp = stamp.map_or(0, |stamp| stamp.load(Relaxed));
        let ahead_ns = stamp.saturating_sub(clock::mono_ns());
        if ahead_ns > TOLERANCE_NS {
            result.slot(Finding::Stamp {
                slot: index,
                ahead_ns,
            });
        }
    }

    fn verify_rows(&self, result: &mut Verification) {
        let counted = self.memory.producer().count.published.load(Relaxed);
        let mut shown = 0_u64;
        for row in 0..self.segment.info.capacity {
            let word = self.memory.untyped(u64::from(row)).state();
            // One that is being written counts as written: so it is when it is counted.
            shown = shown.saturating_add(word.div_ceil(2));
            if word / 2 > MOST {
                result.slot(Finding::Place { slot: row, word });
            } else if word % 2 == 1 {
                let writer = role::is_held(&self.segment.file, Role::Producer);
                // Nobody was there after the word was seen odd; and it is so still.
                if !writer && self.memory.untyped(u64::from(row)).state() == word {
                    result.slot(Finding::HalfRow { row });
                }
            }
            self.verify_stamp(row, u64::from(row), result);
        }
        if shown < counted {
            result.slot(Finding::Writes { counted, shown });
        }
    }

    fn index(&self, sequence: u64) -> u32 {
        let index = sequence & (self.memory.capacity() - 1);
        // Below the capacity, which is a u32.
        u32::try_from(index).unwrap_or(0)
    }
}
