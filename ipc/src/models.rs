//! The shipped protocol under loom: every interleaving, and every reordering that the memory model of
//! the language allows, of two threads on a small ring.
//!
//! Run with `scripts/test models`. A model has no kernel: a sleeper waits on the futex word itself
//! (which is what the kernel compares), and the asymmetric barrier is a full fence on both sides (which
//! is what `membarrier` makes of it).

use crate::{
    Message,
    barrier::before_looking_for_work,
    error::PushError,
    memory::heap::Heap,
    pages::{Cursor, CursorLine, LifeLine},
    reader::Reader,
    sync::AtomicU32,
    wait::Doorbell,
    watch::News,
    writer::Writer,
};
use loom::thread;
use std::sync::{
    Arc,
    atomic::Ordering::{Acquire, Relaxed},
};

/// Two words that must always agree.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
struct Pair([u64; 2]);

impl Message for Pair {
    const NAME: &'static str = "Pair";
    const VERSION: u16 = 1;
    const FIELDS: &'static [crate::Field] = &[];
}

impl Pair {
    fn new(n: u64) -> Self {
        Self([n + 100; 2])
    }
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // Two preemptions find what two threads can do to each other; one more, for good measure.
    builder.preemption_bound = Some(3);
    builder.check(check);
}

fn ring(capacity: u64, gated: bool) -> (Writer<Pair>, Reader<Pair>) {
    let heap = Heap::of::<Pair>(capacity);
    let writer = Writer::resume(heap.view(), gated, 0).unwrap();
    let reader = Reader::resume(heap.view(), gated).unwrap();
    (writer, reader)
}

/// Lossless: everything, in order, untorn, also where a slot is used again.
#[test]
fn a_lossless_pair_delivers_everything_in_order() {
    model(|| {
        const COUNT: u64 = 3;
        let (mut writer, mut reader) = ring(2, true);
        let writing = thread::spawn(move || {
            for n in 0..COUNT {
                while writer.push(&Pair::new(n)) == Err(PushError::Full) {
                    thread::yield_now();
                }
            }
        });
        for n in 0..COUNT {
            let received = loop {
                match reader.pop() {
                    Some(received) => break received,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(
                (received.sequence, received.message, received.lost),
                (n, Pair::new(n), 0)
            );
            reader.commit_to(n + 1);
        }
        assert!(!reader.is_damaged());
        writing.join().unwrap();
    });
}

/// The same by batches: what is drained is whole, in order, and nothing is left out.
#[test]
fn batches_are_delivered_in_order() {
    model(|| {
        const COUNT: u64 = 4;
        let (mut writer, mut reader) = ring(4, true);
        let writing = thread::spawn(move || {
            let batch: Vec<Pair> = (0..COUNT).map(Pair::new).collect();
            let mut rest = batch.as_slice();
            while !rest.is_empty() {
                match writer.push_batch(rest) {
                    Ok(pushed) => rest = &rest[pushed..],
                    Err(_) => thread::yield_now(),
                }
            }
        });
        let mut next = 0;
        while next < COUNT {
            let drained = reader.drain(2, |received| {
                assert_eq!(
                    (received.sequence, received.message),
                    (next, Pair::new(next))
                );
                next += 1;
            });
            reader.commit_to(next);
            if drained == 0 {
                thread::yield_now();
            }
        }
        writing.join().unwrap();
    });
}

/// Latest-wins: nothing torn, nothing out of order, read + lost = written.
#[test]
fn a_latest_wins_reader_gets_whole_messages_and_an_exact_loss() {
    model(|| {
        const COUNT: u64 = 4;
        let (mut writer, mut reader) = ring(2, false);
        let writing = thread::spawn(move || {
            for n in 0..COUNT {
                writer.push(&Pair::new(n)).unwrap();
            }
        });
        let (mut read, mut lost) = (0, 0);
        let mut take = |reader: &mut Reader<Pair>| {
            while let Some(received) = reader.pop() {
                lost += received.lost;
                assert_eq!(received.message, Pair::new(received.sequence), "torn");
                assert_eq!(received.sequence, read + lost, "loss told exactly");
                read += 1;
            }
        };
        take(&mut reader);
        writing.join().unwrap();
        take(&mut reader);
        assert_eq!((read + lost, lost), (COUNT, reader.lost()));
    });
}

/// Observers and boards: a value read is a value written, whole.
#[test]
fn a_row_is_never_read_torn() {
    model(|| {
        let heap = Heap::of::<Pair>(2);
        let (writing, reading) = (heap.view(), heap.view());
        let writer = thread::spawn(move || {
            for n in 0..2 {
                // SAFETY: the heap was made for Pair.
                unsafe { writing.slots::<Pair>() }
                    .slot(0)
                    .write(n, 0, &Pair::new(n));
            }
        });
        // SAFETY: the heap was made for Pair.
        let row = unsafe { reading.slots::<Pair>() }.slot(0);
        let state = row.state();
        if state != 0
            && state % 2 == 0
            && let Some(read) = row.read_untorn(state)
        {
            assert_eq!(read.message, Pair::new(state / 2 - 1), "torn");
        }
        writer.join().unwrap();
    });
}

/// The same where no message is compiled in.
#[test]
fn an_untyped_row_is_never_read_torn() {
    model(|| {
        let heap = Heap::of::<Pair>(2);
        let (writing, reading) = (heap.view(), heap.view());
        let writer = thread::spawn(move || {
            for n in 0..2 {
                // SAFETY: the heap was made for Pair.
                unsafe { writing.slots::<Pair>() }
                    .slot(0)
                    .write(n, 0, &Pair::new(n));
            }
        });
        let row = reading.untyped(0);
        let state = row.state();
        let mut bytes = [0; 16];
        if state != 0 && state % 2 == 0 && row.copy_untorn(state, &mut bytes).is_some() {
            let pair: Pair = bytemuck::pod_read_unaligned(&bytes);
            assert_eq!(pair, Pair::new(state / 2 - 1), "torn");
        }
        writer.join().unwrap();
    });
}

/// A consumer that announces its sleep either sees the message, or its bell is rung.
#[test]
fn a_sleeping_consumer_is_woken() {
    model(|| {
        let (mut writer, mut reader) = ring(2, true);
        let writing = thread::spawn(move || {
            writer.push(&Pair::new(0)).unwrap();
        });
        let bell = reader.arm().0;
        let (word, seen) = (std::ptr::from_ref(bell.word), bell.value);
        before_looking_for_work();
        if !reader.has_message() {
            // SAFETY: the word lives in the heap that the reader keeps.
            let word = unsafe { &*word };
            while word.load(Acquire) == seen {
                thread::yield_now();
            }
        }
        reader.disarm();
        writing.join().unwrap();
        assert_eq!(reader.pop().unwrap().message, Pair::new(0));
    });
}

/// A producer that announces its sleep for room either sees it, or its bell is rung.
#[test]
fn a_producer_waiting_for_room_is_woken() {
    model(|| {
        let (mut writer, mut reader) = ring(1, true);
        writer.push(&Pair::new(0)).unwrap();
        let reading = thread::spawn(move || {
            reader.pop().unwrap();
            reader.commit_to(1);
        });
        let bell = writer.arm().0;
        let (word, seen) = (std::ptr::from_ref(bell.word), bell.value);
        before_looking_for_work();
        if !writer.has_room() {
            // SAFETY: the word lives in the heap that the writer keeps.
            let word = unsafe { &*word };
            while word.load(Acquire) == seen {
                thread::yield_now();
            }
        }
        writer.disarm();
        reading.join().unwrap();
        writer.push(&Pair::new(1)).unwrap();
    });
}

/// Within a process: a sleeper that announces itself sees the work, or its doorbell is rung.
#[test]
fn a_doorbell_wakes_its_sleeper() {
    model(|| {
        let (bell, work) = (Doorbell::new(), Arc::new(AtomicU32::new(0)));
        let ringing = thread::spawn({
            let (bell, work) = (Arc::clone(&bell), Arc::clone(&work));
            move || {
                work.store(1, Relaxed);
                bell.ring();
            }
        });
        let seen = bell.arm().0;
        before_looking_for_work();
        if work.load(Relaxed) == 0 {
            while seen.word.load(Acquire) == seen.value {
                thread::yield_now();
            }
        }
        bell.disarm();
        ringing.join().unwrap();
        assert_eq!(work.load(Relaxed), 1);
    });
}

/// Who has heard of the producer's end sees everything that it published. The lock that hands that on
/// from producer to watching thread is the kernel's: here they are one.
#[test]
fn the_news_of_an_end_come_after_the_last_message() {
    model(|| {
        let (news, published) = (Arc::new(News::default()), Arc::new(AtomicU32::new(0)));
        let ending = thread::spawn({
            let (news, published) = (Arc::clone(&news), Arc::clone(&published));
            move || {
                published.store(1, Relaxed);
                news.tell(1);
            }
        });
        if news.gone() == 1 {
            assert_eq!(published.load(Relaxed), 1);
        }
        ending.join().unwrap();
    });
}

/// A sleeping consumer either sees the news of its producer's end, or is woken by them.
#[test]
fn the_news_of_an_end_wake_the_sleeper() {
    model(|| {
        let news = Arc::new(News::default());
        let ending = thread::spawn({
            let news = Arc::clone(&news);
            move || news.tell(1)
        });
        let seen = news.seen();
        if news.gone() == 0 {
            while seen.word.load(Relaxed) == seen.value {
                thread::yield_now();
            }
        }
        // As the sleeper does after its sleep, before the next.
        news.seen();
        assert_eq!(news.gone(), 1);
        ending.join().unwrap();
    });
}

/// A reader sees the number of a producer with the first message of that very one.
#[test]
fn an_incarnation_and_its_first_message_belong_together() {
    model(|| {
        const FIRST: [u64; 4] = [0, 100, 200, 300];
        let line = Arc::new(LifeLine::default());
        let beginning = thread::spawn({
            let line = Arc::clone(&line);
            move || FIRST[1..].iter().for_each(|first| line.show(*first))
        });
        let (number, first) = line.latest();
        assert_eq!(first, FIRST[usize::try_from(number).unwrap()]);
        beginning.join().unwrap();
        assert_eq!(line.latest(), (3, 300));
    });
}

/// An observer sees position and loss of one commit, whichever it is.
#[test]
fn position_and_loss_belong_together() {
    model(|| {
        let commits = [(3, 1), (4, 1), (9, 5)].map(|(position, lost)| Cursor { position, lost });
        let line = Arc::new(CursorLine::default());
        let committing = thread::spawn({
            let line = Arc::clone(&line);
            move || {
                let mut last = Cursor::default();
                for commit in commits {
                    line.commit(last, commit);
                    last = commit;
                }
            }
        });
        let seen = line.observe();
        assert!(
            seen == Cursor::default() || commits.contains(&seen),
            "{seen:?}"
        );
        committing.join().unwrap();
        assert_eq!(line.observe(), commits[2]);
    });
}
