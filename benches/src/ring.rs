//! Our ring, to and fro between two real processes.

use crate::pin;
use ipc::{Consumer, Producer, RingOptions, create_ring};
use layouts::PriceUpdate;
use std::{
    error::Error,
    io::{Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

/// A 48-byte message: the pipeline's own.
type Message = PriceUpdate;

const MESSAGE: Message = Message {
    ingress_mono_ns: 1,
    venue_unix_us: 2,
    market: 3,
    game: 4,
    bid_count_centi: 5,
    ask_count_centi: 6,
    bid_price_e4: 7,
    ask_price_e4: 8,
    fee_rate_e4: 9,
    tick_e4: 10,
    team: 0,
    status: 1,
    padding: [0; 6],
};

/// This side of two rings, with the partner in a process of its own.
pub struct Ring {
    there: Producer<Message>,
    back: Consumer<Message>,
    partner: Child,
    start: ChildStdin,
}

impl Ring {
    /// Creates two rings in `directory` and starts the partner: this very program with the hidden
    /// arguments that lead to [`answer`].
    ///
    /// # Errors
    ///
    /// When a ring or the partner cannot be had.
    pub fn start(directory: &Path, stamp_every: u32, core: usize) -> Result<Self, Box<dyn Error>> {
        let (there, back) = (
            directory.join(format!("there{stamp_every}.ring")),
            directory.join(format!("back{stamp_every}.ring")),
        );
        for path in [&there, &back] {
            create_ring::<Message>(
                path,
                RingOptions {
                    stamp_every,
                    ..RingOptions::default()
                },
            )?;
        }
        let mut partner = Command::new(std::env::current_exe()?)
            .arg("answer")
            .args([&there, &back])
            .arg(core.to_string())
            .stdin(Stdio::piped())
            .spawn()?;
        let start = partner
            .stdin
            .take()
            .ok_or("the partner has no standard input")?;
        Ok(Self {
            there: Producer::attach(&there)?,
            back: Consumer::attach(&back)?,
            partner,
            start,
        })
    }

    /// One window: so many round trips. Every one's time goes to `record`.
    ///
    /// # Errors
    ///
    /// When the partner is gone.
    pub fn window(
        &mut self,
        trips: u64,
        record: &mut impl FnMut(Duration),
    ) -> Result<(), Box<dyn Error>> {
        self.start.write_all(&trips.to_ne_bytes())?;
        for _ in 0..trips {
            let start = Instant::now();
            self.there.push(&MESSAGE)?;
            while self.back.pop().is_none() {
                std::hint::spin_loop();
            }
            record(start.elapsed());
            self.back.commit();
        }
        Ok(())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.partner.kill();
        let _ = self.partner.wait();
    }
}

/// The partner: answers as many messages as it is told on standard input, window by window.
///
/// # Errors
///
/// When a ring cannot be attached, or the core not be used.
pub fn answer(there: &Path, back: &Path, core: usize) -> Result<(), Box<dyn Error>> {
    pin::to(core)?;
    let mut there = Consumer::<Message>::attach(there)?;
    let mut back = Producer::<Message>::attach(back)?;
    let mut trips = [0; 8];
    while std::io::stdin().read_exact(&mut trips).is_ok() {
        for _ in 0..u64::from_ne_bytes(trips) {
            let received = loop {
                match there.pop() {
                    Some(received) => break received,
                    None => std::hint::spin_loop(),
                }
            };
            there.commit();
            back.push(&received.message)?;
        }
    }
    Ok(())
}
