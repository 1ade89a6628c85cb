//! What does it cost a reader to look at many rings instead of one?
//!
//! Round trips whose way there is one ring of many, another one each time; the reader polls them all
//! in turn and does not know which it will be. The floor is as many bare lines.

use super::Place;
use crate::{
    Failure,
    carrier::{Far, Trips, Ways},
    entry,
    exchange::echo,
    job::Job,
    link::Link,
    outcome::Outcome,
    partner::{Partner, Work},
    payload::Size,
    rounds::{Cell, Contender, OURS},
    row::{Between, Waiting},
    transport::{Receiver, Sender, Transport, bare, ours::Ring},
};
use layouts::PriceUpdate;

/// As in the reports.
pub const NAME: &str = "fanin";
/// Messages that must fit.
const SLOTS: u32 = 64;
/// How many rings.
const RINGS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// What is measured: our ring, spinning.
type Ours = Ring<0>;

/// A cell for each number of rings.
///
/// # Errors
///
/// When the floor cannot be had.
pub fn cells(place: &Place<'_>) -> Result<Vec<Cell>, Failure> {
    RINGS.into_iter().map(|rings| cell(rings, place)).collect()
}

fn cell(rings: u32, place: &Place<'_>) -> Result<Cell, Failure> {
    let mut cell = Cell::new(NAME);
    cell.message_bytes = Some(Size::Price.bytes());
    cell.slots = Some(SLOTS);
    cell.rings = Some(rings);
    let (there, far_there): (Vec<_>, Vec<_>) = (0..rings).map(|_| bare::line()).unzip();
    let (mut far_back, back) = bare::line();
    let mut far_there = Polled::new(far_there);
    let partner = Partner::thread(place.cores.far, move |count| {
        echo::<u64>(&mut far_there, &mut far_back, count)
    })?;
    let floor = cell.enter_own(
        "floor: bare lines",
        Between::Threads,
        Waiting::Spins,
        None,
        Box::new(Trips::<u64, _, _>::new(Spread::new(there), back, partner)),
    )?;
    let Some(ours) = entry::by_id(OURS) else {
        return Ok(cell);
    };
    let ways = [place.link(SLOTS), place.link(SLOTS)];
    let job = Job::Fanin {
        rings,
        ways: ways.clone(),
    };
    let contender = near(rings, &ways, place.far(ours, job));
    place.enter(&mut cell, ours, floor, contender)?;
    Ok(cell)
}

fn near(rings: u32, ways: &Ways, far: Far) -> Result<Box<dyn Contender>, Failure> {
    let mut partner = far.process()?;
    let there = ways_of(&ways[0], rings)
        .map(|way| Ours::sender::<PriceUpdate>(&way))
        .collect::<Result<Vec<_>, _>>()?;
    // Its ends of the rings, then of the way back.
    partner.open()?;
    partner.open()?;
    let back = Ours::receiver::<PriceUpdate>(&ways[1])?;
    Ok(Box::new(Trips::new(Spread::new(there), back, partner)))
}

fn ways_of(way: &Link, rings: u32) -> impl Iterator<Item = Link> {
    (0..rings).map(move |ring| Link {
        name: format!("{}-{ring}", way.name),
        ..way.clone()
    })
}

/// What the partner process does.
pub fn far(rings: u32, ways: Ways) -> Work {
    let (mut there, mut back) = (None, None);
    Box::new(move |count| {
        match (&mut there, &mut back) {
            (None, _) => {
                let rings = ways_of(&ways[0], rings)
                    .map(|way| Ours::receiver::<PriceUpdate>(&way))
                    .collect::<Result<Vec<_>, _>>()?;
                there = Some(Polled::new(rings));
            }
            (_, None) => back = Some(Ours::sender::<PriceUpdate>(&ways[1])?),
            (Some(there), Some(back)) => return echo(there, back, count),
        }
        Ok(Outcome::default())
    })
}

/// Many sending ends; each message takes another one, in no order that a reader could guess.
struct Spread<S> {
    ends: Vec<S>,
    state: u64,
}

impl<S> Spread<S> {
    fn new(ends: Vec<S>) -> Self {
        Self {
            ends,
            state: 0x9E37_79B9_7F4A_7C15,
        }
    }
}

impl<T, S: Sender<T>> Sender<T> for Spread<S> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        // xorshift64 (G. Marsaglia, Xorshift RNGs, 2003).
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let count = self.ends.len() as u64;
        let end = ((self.state >> 32) % count) as usize;
        self.ends[end].send(message)
    }

    fn next_window(&mut self) {
        self.ends.iter_mut().for_each(S::next_window);
    }
}

/// Many receiving ends, looked at in turn.
struct Polled<R> {
    ends: Vec<R>,
    at: usize,
}

impl<R> Polled<R> {
    const fn new(ends: Vec<R>) -> Self {
        Self { ends, at: 0 }
    }
}

impl<T, R: Receiver<T>> Receiver<T> for Polled<R> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.at += 1;
        if self.at >= self.ends.len() {
            self.at = 0;
        }
        self.ends[self.at].receive()
    }

    #[inline(always)]
    fn commit(&mut self) {
        self.ends[self.at].commit();
    }

    fn next_window(&mut self) {
        self.ends.iter_mut().for_each(R::next_window);
    }
}
