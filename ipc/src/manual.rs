//! How it works, what it guarantees, where it ends.
//!
//! # Segments
//!
//! A segment is one file, in a directory that all its processes see, best on a tmpfs such as
//! `/dev/shm`: a ring or a board. Somebody lays it out ([`create_ring`](crate::create_ring),
//! [`create_board`](crate::create_board)); attaching never creates, so two processes that look at
//! different directories find out at once instead of talking to nobody. The file is built without a
//! name, allocated for real, and linked when it is whole: a crash during creation leaves nothing
//! behind.
//!
//! | region | written by | producer maps | consumer maps | observer maps |
//! |---|---|---|---|---|
//! | header: geometry, schema text, fingerprint, identity | creator, once | read | read | read |
//! | producer page: count, sleep, wake, life, holder | producer | write | read | read |
//! | consumer region: position, sleep, wake, holder, histograms of latency and age | consumer | read | write | read |
//! | slots | producer | write | read | read |
//!
//! A wild pointer in one role cannot damage what the other writes: the memory management unit answers
//! with SIGSEGV. What is read from the other side's region is an allegation: geometry is checked once, at
//! attach, and kept in local memory; positions are compared with what is possible; no index comes from
//! shared memory unmasked.
//!
//! # The slot
//!
//! A slot is whole cache lines. Sequence word, time stamp (a choice per ring) and payload share them, so
//! a message of up to 56 bytes (48 with a stamp) costs the transfer of one line.
//!
//! ```text
//! | sequence word | sent_ns (where stamped) | payload, as 64-bit words ... |
//! ```
//!
//! Message `n` lies in slot `n mod capacity`. The word is `2n + 1` while message `n` is written and
//! `2n + 2` once it is whole; it only grows, and 0 means never written. One comparison tells a reader
//! that waits for `n`: less is not there yet, equal is there, more is overwritten.
//!
//! | step | who | what | ordering | pairs with |
//! |---|---|---|---|---|
//! | W1 | writer | word := `2n + 1` | Relaxed, then fence Release | A3 |
//! | W2 | writer | stamp and payload, word by word | Relaxed | |
//! | R1 | writer | word := `2n + 2` | Release | A1 |
//! | A1 | reader | word = `2n + 2`? | Relaxed, then fence Acquire | R1 |
//! | A2 | writer, when its cached limit says full | consumer's position | Relaxed, then fence Acquire | R2 |
//! | R2 | reader, at commit | own position | Release | A2 |
//! | A3 | reader whom the writer does not wait for | word unchanged? | fence Acquire, then Relaxed | W1 |
//!
//! The other side's memory is mapped read-only, and of such memory the language defines Relaxed loads only:
//! hence the fences. The payload is copied by relaxed atomics, so a reader that loses a race reads garbage, not undefined
//! behaviour, and then learns of it in A3.
//!
//! # Who writes which line, and how often
//!
//! | line | written by | how often | read by |
//! |---|---|---|---|
//! | slot | producer | every message | consumer, spinning on it |
//! | count | producer | every message, every batch | observers, a successor, a reader that was overrun |
//! | life: incarnation, goodbye, beat | producer | at start and end; once a tick while it beats | consumer, when the ring is empty and something seems to have happened |
//! | producer's sleep | producer | when it waits for room | consumer, every commit |
//! | producer's wake | producer | when it wakes a sleeper, at start and end | kernel |
//! | position and loss | consumer | every commit | producer, only when its cached limit says full |
//! | consumer's sleep | consumer | when it falls asleep or wakes | producer, every message: shared until then |
//! | consumer's wake | consumer | when it wakes a producer, and at start | kernel |
//! | histograms | consumer | every stamped message | observers |
//! | holder: name, PID and goodbye, for people | both, of their own | at start and end | observers |
//!
//! So while both sides run, the slot is the only line that moves.
//!
//! # Sending
//!
//! [`Producer::push`](crate::Producer::push) never blocks. In a **lossless** ring it returns `Full` while
//! every slot holds a message that the consumer has not committed, also while there is no consumer. In a
//! **latest-wins** ring it overwrites the oldest. [`Producer::push_batch`](crate::Producer::push_batch) pays for
//! the count and the look for sleepers once; each message is visible as soon as it is written.
//!
//! # Receiving
//!
//! [`Consumer::pop`](crate::Consumer::pop) and [`Consumer::drain`](crate::Consumer::drain) advance in this process
//! only; [`Consumer::commit`](crate::Consumer::commit) says to the ring that the work is done. A successor
//! continues behind the last commit, so consuming is **at-least-once**: work whose effects carry the
//! message's sequence number, and are dropped when they come again, is done exactly once. A latest-wins
//! reader that falls behind moves on to the middle of what is there, and is told how many it has missed:
//! **read + lost = written**, also across restarts.
//!
//! # Death, goodbye, silence
//!
//! A role is an open-file-description lock on one byte of the file. The kernel drops it when its holder
//! dies, whatever the PID namespace; a stopped process (SIGSTOP, a debugger, a freezer) keeps it, so it
//! cannot be replaced and cannot overwrite a successor's messages when it wakes. No PID decides who holds a
//! role; a process looks at its own only to know whether it is a fork of the one that attached.
//!
//! When a pop finds nothing, its error tells why: see [`PopError`](crate::PopError). Death and goodbye are
//! noticed by one thread a process, which sleeps until the kernel reports (inotify) that somebody has closed
//! the file, and then asks whether the lock is held: nobody is declared dead for being slow. It also asks
//! once a second, and every 2 ms where inotify is refused. A process whose memory the kernel dumps is not
//! gone until that is written: limit its core dumps, or ask for staleness. Staleness is the only judgement
//! by time, with a bound that the reader chooses. A board tells nothing by itself: ask
//! [`BoardReader::writer`](crate::BoardReader::writer), or see how old a row is.
//!
//! A role that died is taken up by whoever attaches next, at the exact sequence: a message that was only
//! half written is invisible and is written again; one that was published but not counted is found by
//! looking at the slots behind the count. [`Consumer::incarnation`](crate::Consumer::incarnation) tells which
//! producer it is, and which message is its first: what was before is of one that is gone.
//!
//! # Waiting
//!
//! A loop that has a core spins ([`Ladder::Spin`](crate::Ladder)). Loops that share cores with each other and with nobody else may
//! spin in turns (`Ladder::Yield`): each look costs a turn of every other, some microseconds, and nobody is ever woken. Any other that shares cores goes down the ladder: spin
//! with pauses, yield, sleep on futexes, until one of up to 64 sources rings
//! ([`Waiter`](crate::Waiter), [`WakeSource`](crate::WakeSource)). The sleeper pays for the race between going to sleep and being
//! woken: it shows its sleep, runs `membarrier` on every core, and looks once more. The waker only keeps
//! its compiler from swapping two lines. That `membarrier` interrupts, for a moment, every core that runs a
//! process of a ring: spinning cores of other rings too, as often as somebody falls asleep. Where the kernel refuses `membarrier`, wakers run a full fence and
//! sleepers look again after 1 ms. With the feature `async`, tasks of any executor await rings and room; one
//! thread a process sleeps in their place.
//!
//! # Guarantees, and what shows them
//!
//! | guarantee | shown by |
//! |---|---|
//! | the protocol, under every interleaving of two threads with up to three preemptions, and the reorderings that loom can show (not load buffering) | models of the shipped source under loom: `scripts/test models` |
//! | each ordering is needed | each is weakened in turn, and a model fails, or the reason why none can is listed: `scripts/test orderings` |
//! | a death at any instruction loses, tears and doubles nothing | SIGKILL at every named step, both roles, both kinds: `scripts/test crash`; at random under load: `scripts/test storm` |
//! | a live owner is never replaced, a dead one is noticed | `tests/liveness.rs`, `tests/known_faults.rs` |
//! | any bytes in header, counters and slots give an error or a value, never a crash | `tests/hostile.rs` |
//! | each role writes its own pages only | `tests/memory.rs` |
//! | no allocation and no system call to send or receive | the workspace's `tests/hot_path.rs` |
//!
//! # Limits
//!
//! | what | limit |
//! |---|---|
//! | roles | one producer, one consumer, any number of observers |
//! | message | 8 to 4096 bytes, a multiple of 8 |
//! | slots, rows | 4 to 16,777,216, a power of two |
//! | schema text | some 3,900 bytes |
//! | messages between two commits of a lossless ring | fewer than its slots, or both sides wait for ever |
//! | sources of one wait | 64 |
//! | resolution of staleness | one tick of the kernel, 1 to 10 ms |
//! | time stamps | `CLOCK_MONOTONIC` of one host; reading it may cost more than the message |
//!
//! # Not promised
//!
//! * Other hosts, other systems than Linux (5.16 for waiting on several sources; older kernels poll).
//! * A file that is truncated under live mappings: whoever touches a missing page dies of SIGBUS. That is a
//!   death like any other, and attach refuses the file. An unlinked file goes on to work for those who have it.
//! * Secrecy or protection against a process of the same user that means harm: it can stop or confuse its
//!   peer by what it writes into its own region, but not crash it, and not write outside of it.
//! * Fairness between several rings that one loop reads; the loop decides.
//! * A fork without exec after attach: parent and child share the lock until both are gone. Mappings are
//!   kept from children, which die of SIGSEGV if they use one; descriptors close at exec; what a child
//!   drops gives nothing back.
//! * The last value of a row whose writer died in the middle of writing it.
//!
//! # Platforms
//!
//! x86-64 and aarch64. No ordering relies on x86: the models decide, and they know the language's memory
//! model only. What is written for one processor (the hint that a line will be written) has its twin, or is
//! left out. On aarch64 the tests run under emulation only (`scripts/test aarch64`), which keeps more order than
//! the hardware may.
