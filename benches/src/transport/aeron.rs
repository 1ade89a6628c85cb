//! Aeron over shared memory (`aeron:ipc`): an exclusive publication and a subscription, in two
//! processes; fixed layout, offered as bytes and copied out of the fragment; the reader polls.
//!
//! The media driver is a process of its own. It carries no message, but it alone moves the limit up to
//! which a publisher may write and cleans what was read, so a publisher who is ahead of it waits, as
//! Aeron's own examples do: nothing is lost, and `send` is never refused. He yields his core meanwhile:
//! the driver may need it. Where there are cores beside the measured ones, the driver has a thread for
//! its conductor, which spins, and for its idle sender and receiver. On two cores one thread is all.
//!
//! Each process has one client, whose conductor sleeps between its rounds and is on no message's way.
//! A stream is read by polls of many fragments, a single message by a poll of one.

use super::{
    Receiver, Sender, Transport,
    aeron_driver::{address, client},
    bytes::{Encoding, Fixed},
};
use crate::{
    Failure,
    carrier::Remote,
    entry::{AERON, Entry, Needs},
    exchange::PAUSES,
    link::Link,
    meter::Meter,
    patience::{LONGEST, Patience},
    payload::{Carried, Numbered},
};
use rusteron_client::{AeronExclusivePublication, AeronOfferError, AeronSubscription, Handlers};
use std::thread;

/// In the tables.
pub const ENTRIES: &[Entry] =
    &[Entry::new(AERON.name, AERON.parts, &Remote::<AeronIpc>::NEW).beside(Needs::Aeron)];

/// Fragments of one poll.
const FRAGMENTS: usize = 64;

/// Message by message.
pub struct AeronIpc;

impl Transport for AeronIpc {
    type Sender<T: Carried> = AeronExclusivePublication;
    type Receiver<T: Carried> = Reader;

    fn sender<T: Carried>(link: &Link) -> Result<Self::Sender<T>, Failure> {
        let (channel, stream) = address(link)?;
        let adding = client(link)?.async_add_exclusive_publication(&channel, stream)?;
        let publication = adding.poll_blocking(LONGEST)?;
        let mut patience = Patience::default();
        while !publication.is_connected() {
            patience.spin()?;
        }
        Ok(publication)
    }

    fn receiver<T: Carried>(link: &Link) -> Result<Reader, Failure> {
        let (channel, stream) = address(link)?;
        let adding = client(link)?.async_add_subscription(
            &channel,
            stream,
            Handlers::NONE,
            Handlers::NONE,
        )?;
        let subscription = adding.poll_blocking(LONGEST)?;
        let failure = None;
        Ok(Reader {
            subscription,
            failure,
        })
    }
}

impl<T: Carried> Sender<T> for AeronExclusivePublication {
    #[inline]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        let mut patience = Patience::default();
        loop {
            match self.offer(bytemuck::bytes_of(message)) {
                Ok(_) => return Ok(true),
                // At the end of a term.
                Err(AeronOfferError::AdminAction) => {}
                // The driver may need this very core to see that there is room.
                Err(AeronOfferError::BackPressured) => {
                    patience.spin()?;
                    thread::yield_now();
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The subscribed end.
pub struct Reader {
    subscription: AeronSubscription,
    failure: Option<Failure>,
}

impl Reader {
    /// Takes what is there, at most so many.
    #[inline]
    fn poll<T: Carried>(&mut self, most: usize, mut take: impl FnMut(T)) {
        let polled = self.subscription.poll_fn(
            |bytes, _| match Fixed::decode(bytes) {
                Ok(message) => take(message),
                Err(error) => self.failure = Some(error),
            },
            most,
        );
        if let Err(error) = polled {
            self.failure = Some(error.into());
        }
    }
}

impl<T: Carried> Receiver<T> for Reader {
    #[inline]
    fn receive(&mut self) -> Option<T> {
        let mut received = None;
        self.poll(1, |message| received = Some(message));
        received
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn consume(&mut self, meter: &mut Meter) -> Result<(), Failure>
    where
        T: Numbered,
    {
        let mut patience = Patience::default();
        while !meter.is_done() {
            let mut taken = 0;
            self.poll(FRAGMENTS, |message: T| {
                meter.take(1, message.sum());
                taken += 1;
            });
            if taken == 0 {
                Receiver::<T>::check(self)?;
                for _ in 0..PAUSES {
                    patience.spin()?;
                }
            } else {
                patience = Patience::default();
            }
        }
        Ok(())
    }
}
