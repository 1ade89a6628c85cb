//! From a transport to something that can take a turn: its ends opened in the right order on both
//! sides, and the loops of an experiment around them.
//!
//! This side and the partner process build the same [`Carrier`] from its name. An experiment asks the
//! near one for a [`Contender`], the far one for its [`Work`].

use crate::{
    Failure,
    exchange::{echo, picoseconds, round_trips, window_trips},
    experiment::chain::{self, Hops},
    job::Assignment,
    link::Link,
    meter::{Meter, Plan},
    open_loop::{self, Schedule},
    outcome::Outcome,
    partner::{OPEN, Partner, Work},
    payload::{Numbered, Payload, Size},
    rounds::Contender,
    transport::{End, InProcess, Receiver, Sender, Transport},
    with_payload,
};
use layouts::PriceUpdate;
use std::{marker::PhantomData, time::Instant};

/// The two ways of a round trip.
pub type Ways = [Link; 2];

/// A transport, whatever its types. For one between threads the `far_` ways are never taken: its near
/// side starts a thread.
pub trait Carrier: Sync {
    /// Round trips.
    ///
    /// # Errors
    ///
    /// When an end cannot be had.
    fn round_trips(&self, ways: &Ways, far: Far) -> Result<Box<dyn Contender>, Failure>;
    /// The far side of round trips.
    fn far_round_trips(&self, ways: Ways) -> Work;
    /// A stream of messages of that size.
    ///
    /// # Errors
    ///
    /// When an end cannot be had.
    fn stream(&self, size: Size, way: &Link, far: Far) -> Result<Box<dyn Contender>, Failure>;
    /// The far side of a stream.
    fn far_stream(&self, size: Size, way: Link) -> Work;
    /// Messages at fixed times.
    ///
    /// # Errors
    ///
    /// When an end cannot be had.
    fn open_loop(
        &self,
        schedule: Schedule,
        way: &Link,
        far: Far,
    ) -> Result<Box<dyn Contender>, Failure>;
    /// The far side of messages at fixed times.
    fn far_open_loop(&self, schedule: Schedule, way: Link) -> Work;
    /// The stages of the pipeline.
    ///
    /// # Errors
    ///
    /// When an end cannot be had.
    fn chain(&self, hops: &Hops, far: Far) -> Result<Box<dyn Contender>, Failure>;
    /// The far side of the stages.
    fn far_chain(&self, hops: Hops) -> Work;
}

/// Where the far side comes from.
pub enum Far {
    /// A partner process with that to do.
    Process(Box<Assignment>),
    /// A thread on that core.
    Thread(usize),
}

/// A transport between processes.
pub struct Remote<Tr>(PhantomData<fn() -> Tr>);

impl<Tr> Remote<Tr> {
    /// The only one there is.
    pub const NEW: Self = Self(PhantomData);
}

/// A transport between threads.
pub struct Local<P>(PhantomData<fn() -> P>);

impl<P> Local<P> {
    /// The only one there is.
    pub const NEW: Self = Self(PhantomData);
}

/// Opens the ends of one way: the near one, and the far one by telling the partner to.
///
/// # Errors
///
/// When one cannot be had.
pub fn open<Tr: Transport, X>(
    near_end: End,
    partner: &mut Partner,
    near: impl FnOnce() -> Result<X, Failure>,
) -> Result<X, Failure> {
    if Tr::FIRST == near_end {
        let end = near()?;
        partner.open()?;
        Ok(end)
    } else {
        partner.open()?;
        near()
    }
}

impl<Tr: Transport> Carrier for Remote<Tr> {
    fn round_trips(&self, ways: &Ways, far: Far) -> Result<Box<dyn Contender>, Failure> {
        let mut partner = far.process()?;
        let [there, back] = ways;
        let there = open::<Tr, _>(End::Sender, &mut partner, || {
            Tr::sender::<PriceUpdate>(there)
        })?;
        let back = open::<Tr, _>(End::Receiver, &mut partner, || {
            Tr::receiver::<PriceUpdate>(back)
        })?;
        Ok(Box::new(Trips::new(there, back, partner)))
    }

    fn far_round_trips(&self, ways: Ways) -> Work {
        let (mut there, mut back) = (None, None);
        Box::new(move |count| {
            match (&mut there, &mut back) {
                (None, _) => there = Some(Tr::receiver::<PriceUpdate>(&ways[0])?),
                (_, None) => back = Some(Tr::sender::<PriceUpdate>(&ways[1])?),
                (Some(there), Some(back)) => return echo(there, back, count),
            }
            Ok(Outcome::default())
        })
    }

    fn stream(&self, size: Size, way: &Link, far: Far) -> Result<Box<dyn Contender>, Failure> {
        if Tr::SIZES {
            with_payload!(size, Sent => stream::<Tr, Sent>(way, far))
        } else {
            only_prices(size)?;
            stream::<Tr, PriceUpdate>(way, far)
        }
    }

    fn far_stream(&self, size: Size, way: Link) -> Work {
        if Tr::SIZES {
            with_payload!(size, Sent => far_stream::<Tr, Sent>(way))
        } else {
            far_stream::<Tr, PriceUpdate>(way)
        }
    }

    fn open_loop(
        &self,
        schedule: Schedule,
        way: &Link,
        far: Far,
    ) -> Result<Box<dyn Contender>, Failure> {
        let mut partner = far.process()?;
        let sender = open::<Tr, _>(End::Sender, &mut partner, || Tr::sender::<PriceUpdate>(way))?;
        Ok(Box::new(open_loop::Pulses::new(sender, partner, schedule)))
    }

    fn far_open_loop(&self, schedule: Schedule, way: Link) -> Work {
        opened_then(
            move || Tr::receiver::<PriceUpdate>(&way),
            move |receiver, count| open_loop::receive(receiver, schedule, count),
        )
    }

    fn chain(&self, hops: &Hops, far: Far) -> Result<Box<dyn Contender>, Failure> {
        chain::near::<Tr>(hops, far)
    }

    fn far_chain(&self, hops: Hops) -> Work {
        chain::far::<Tr>(hops)
    }
}

impl<P: InProcess> Carrier for Local<P> {
    fn round_trips(&self, ways: &Ways, far: Far) -> Result<Box<dyn Contender>, Failure> {
        let (there, mut far_there) = P::pair::<PriceUpdate>(ways[0].slots)?;
        let (mut far_back, back) = P::pair::<PriceUpdate>(ways[1].slots)?;
        let partner = Partner::thread(far.core()?, move |count| {
            echo(&mut far_there, &mut far_back, count)
        })?;
        Ok(Box::new(Trips::new(there, back, partner)))
    }

    fn far_round_trips(&self, _: Ways) -> Work {
        no_process()
    }

    fn stream(&self, size: Size, way: &Link, far: Far) -> Result<Box<dyn Contender>, Failure> {
        if P::SIZES {
            with_payload!(size, Sent => stream_within::<P, Sent>(way.slots, far))
        } else {
            only_prices(size)?;
            stream_within::<P, PriceUpdate>(way.slots, far)
        }
    }

    fn far_stream(&self, _: Size, _: Link) -> Work {
        no_process()
    }

    fn open_loop(
        &self,
        schedule: Schedule,
        way: &Link,
        far: Far,
    ) -> Result<Box<dyn Contender>, Failure> {
        let (sender, mut receiver) = P::pair::<PriceUpdate>(way.slots)?;
        let partner = Partner::thread(far.core()?, move |count| {
            open_loop::receive(&mut receiver, schedule, count)
        })?;
        Ok(Box::new(open_loop::Pulses::new(sender, partner, schedule)))
    }

    fn far_open_loop(&self, _: Schedule, _: Link) -> Work {
        no_process()
    }

    fn chain(&self, _: &Hops, far: Far) -> Result<Box<dyn Contender>, Failure> {
        chain::within::<P>(far)
    }

    fn far_chain(&self, _: Hops) -> Work {
        no_process()
    }
}

impl Far {
    /// Starts the partner process.
    ///
    /// # Errors
    ///
    /// When it does not start, or the far side is to be a thread.
    pub fn process(self) -> Result<Partner, Failure> {
        match self {
            Self::Process(assignment) => Partner::process(&assignment),
            Self::Thread(_) => Err("a transport between processes was given a thread".into()),
        }
    }

    /// The core of the partner thread.
    ///
    /// # Errors
    ///
    /// When the far side is to be a process.
    pub fn core(self) -> Result<usize, Failure> {
        match self {
            Self::Thread(core) => Ok(core),
            Self::Process(_) => Err("a transport between threads was given a process".into()),
        }
    }
}

fn stream<Tr: Transport, T: Payload>(way: &Link, far: Far) -> Result<Box<dyn Contender>, Failure> {
    let mut partner = far.process()?;
    let sender = open::<Tr, _>(End::Sender, &mut partner, || Tr::sender::<T>(way))?;
    Ok(Box::new(Stream::<T, _>::new(
        sender,
        partner,
        way.slots,
        Tr::DEEP,
    )))
}

fn far_stream<Tr: Transport, T: Payload>(way: Link) -> Work {
    let slots = way.slots;
    opened_then(
        move || Tr::receiver::<T>(&way),
        move |receiver, count| drain::<T>(receiver, Plan::of(count, slots)),
    )
}

fn stream_within<P: InProcess, T: Payload>(
    slots: u32,
    far: Far,
) -> Result<Box<dyn Contender>, Failure> {
    let (sender, mut receiver) = P::pair::<T>(slots)?;
    let partner = Partner::thread(far.core()?, move |count| {
        drain::<T>(&mut receiver, Plan::of(count, slots))
    })?;
    Ok(Box::new(Stream::<T, _>::new(sender, partner, slots, false)))
}

fn only_prices(size: Size) -> Result<(), Failure> {
    if size == Size::Price {
        return Ok(());
    }
    Err(format!("it takes no part with messages of {} bytes", size.bytes()).into())
}

fn no_process() -> Work {
    Box::new(|_| Err("a transport between threads has no partner process".into()))
}

/// Opens at the first call, works at the others.
fn opened_then<E: 'static>(
    open: impl Fn() -> Result<E, Failure> + 'static,
    mut work: impl FnMut(&mut E, u64) -> Result<Outcome, Failure> + 'static,
) -> Work {
    let mut end = None;
    Box::new(move |count| match &mut end {
        Some(end) => work(end, count),
        None => {
            end = Some(open()?);
            Ok(Outcome::default())
        }
    })
}

fn drain<T: Numbered>(receiver: &mut impl Receiver<T>, plan: Plan) -> Result<Outcome, Failure> {
    let mut meter = Meter::new(plan);
    receiver.next_window();
    receiver.consume(&mut meter)?;
    meter.finish(T::WORDS)
}

/// How long a window of a closed loop should take, ps; a slow transport gets fewer messages.
const WINDOW_PS: u64 = 4_000_000_000;
/// Messages of the first window, which tells how fast a transport is.
const TRIAL: u64 = 64;
/// Most round trips of a window.
const TRIPS: u64 = 2000;

/// The near side of round trips.
pub struct Trips<T, S, R> {
    there: S,
    back: R,
    partner: Partner,
    trips: u64,
    number: u64,
    message: PhantomData<fn() -> T>,
}

impl<T: Numbered, S: Sender<T>, R: Receiver<T>> Trips<T, S, R> {
    /// With a partner whose ends are open.
    pub fn new(there: S, back: R, partner: Partner) -> Self {
        Self {
            there,
            back,
            partner,
            trips: TRIAL,
            number: 0,
            message: PhantomData,
        }
    }
}

impl<T: Numbered, S: Sender<T>, R: Receiver<T>> Contender for Trips<T, S, R> {
    fn window(&mut self) -> Result<Outcome, Failure> {
        let trips = self.trips;
        self.partner.start(window_trips(trips))?;
        let outcome = round_trips(&mut self.there, &mut self.back, trips, &mut self.number)?;
        let partner = self.partner.outcome()?;
        let fitting = WINDOW_PS / outcome.level_ps.max(1);
        // Raised when a window was starved, the first one above all.
        self.trips = self.trips.max(fitting.clamp(TRIAL, TRIPS));
        Ok(Outcome {
            involuntary: partner.involuntary,
            ..outcome
        })
    }
}

/// The near side of a stream.
pub struct Stream<T, S> {
    sender: S,
    partner: Partner,
    slots: u32,
    deep: bool,
    count: u64,
    message: PhantomData<fn() -> T>,
}

impl<T: Numbered, S: Sender<T>> Stream<T, S> {
    /// With a partner whose end is open; see [`Transport::DEEP`].
    pub fn new(sender: S, partner: Partner, slots: u32, deep: bool) -> Self {
        Self {
            sender,
            partner,
            slots,
            deep,
            count: 8 * TRIAL,
            message: PhantomData,
        }
    }
}

impl<T: Numbered, S: Sender<T>> Contender for Stream<T, S> {
    fn window(&mut self) -> Result<Outcome, Failure> {
        let total = Plan::of(self.count, self.slots).total();
        self.partner.start(total)?;
        self.sender.next_window();
        let start = Instant::now();
        self.sender.produce(total)?;
        let sending = picoseconds(start) / total.max(1);
        let mut outcome = self.partner.outcome()?;
        // A reader who comes late to a deep transport finds everything there and reads faster than
        // anybody sent.
        if self.deep {
            outcome.level_ps = outcome.level_ps.max(sending);
        }
        let whole = Plan::for_slots(self.slots).total();
        let fitting = 4 * WINDOW_PS / outcome.level_ps.max(1);
        self.count = self.count.max(fitting.clamp(8 * TRIAL, whole));
        Ok(outcome)
    }
}

/// Asserted here because both meanings travel in one word.
const _: () = assert!(OPEN > window_trips(TRIPS));
