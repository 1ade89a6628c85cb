//! Transports that carry bytes, and the two ways of turning a message into some: its fixed layout,
//! and JSON, as the hot path sent it before the rings.

use super::{End, Receiver, Sender, Transport};
use crate::{Failure, link::Link, payload::Carried};
use std::marker::PhantomData;

/// A transport that carries bytes between two processes and keeps the borders between messages.
pub trait Wire: 'static {
    /// Which end opens first.
    const FIRST: End = End::Receiver;
    /// The sending end.
    type Sender: SendBytes;
    /// The receiving end.
    type Receiver: ReceiveBytes;

    /// Opens the sending end.
    ///
    /// # Errors
    ///
    /// When it cannot be had.
    fn sender(link: &Link) -> Result<Self::Sender, Failure>;

    /// Opens the receiving end.
    ///
    /// # Errors
    ///
    /// When it cannot be had.
    fn receiver(link: &Link) -> Result<Self::Receiver, Failure>;
}

/// The sending end of a [`Wire`].
pub trait SendBytes {
    /// Sends one message; `false` when there is no room.
    ///
    /// # Errors
    ///
    /// When the transport is broken.
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure>;

    /// Everything sent is on its way.
    ///
    /// # Errors
    ///
    /// When the transport is broken.
    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// The receiving end of a [`Wire`].
pub trait ReceiveBytes {
    /// The next message, if there is one: at once, or after sleeping for it, for at most
    /// [`crate::patience::LONGEST`].
    ///
    /// # Errors
    ///
    /// When the transport is broken, or nothing came for so long.
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure>;
}

/// How a message becomes bytes.
pub trait Encoding: 'static {
    /// Appends the message.
    ///
    /// # Errors
    ///
    /// When it has no such form.
    fn encode<T: Carried>(message: &T, bytes: &mut Vec<u8>) -> Result<(), Failure>;

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When these bytes are no such message.
    fn decode<T: Carried>(bytes: &[u8]) -> Result<T, Failure>;
}

/// The bytes of the layout, as they lie in memory.
pub struct Fixed;

impl Encoding for Fixed {
    #[inline]
    fn encode<T: Carried>(message: &T, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        bytes.extend_from_slice(bytemuck::bytes_of(message));
        Ok(())
    }

    #[inline]
    fn decode<T: Carried>(bytes: &[u8]) -> Result<T, Failure> {
        bytemuck::try_pod_read_unaligned(bytes).map_err(|_| {
            let (found, expected) = (bytes.len(), size_of::<T>());
            format!("a message of {found} bytes came, not of {expected}").into()
        })
    }
}

/// Text with the names of the fields.
pub struct Json;

impl Encoding for Json {
    fn encode<T: Carried>(message: &T, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        Ok(serde_json::to_writer(bytes, message)?)
    }

    fn decode<T: Carried>(bytes: &[u8]) -> Result<T, Failure> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// A wire together with an encoding.
pub struct Encoded<W, E>(PhantomData<(W, E)>);

impl<W: Wire, E: Encoding> Transport for Encoded<W, E> {
    const FIRST: End = W::FIRST;
    const DEEP: bool = true;
    type Sender<T: Carried> = Encoder<W::Sender, E>;
    type Receiver<T: Carried> = Decoder<W::Receiver, E>;

    fn sender<T: Carried>(link: &Link) -> Result<Self::Sender<T>, Failure> {
        Ok(Encoder {
            wire: W::sender(link)?,
            buffer: Vec::with_capacity(1024),
            encoding: PhantomData,
        })
    }

    fn receiver<T: Carried>(link: &Link) -> Result<Self::Receiver<T>, Failure> {
        Ok(Decoder {
            wire: W::receiver(link)?,
            failure: None,
            encoding: PhantomData,
        })
    }
}

/// The sending end of an [`Encoded`].
pub struct Encoder<S, E> {
    wire: S,
    buffer: Vec<u8>,
    encoding: PhantomData<E>,
}

impl<T: Carried, S: SendBytes, E: Encoding> Sender<T> for Encoder<S, E> {
    #[inline]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        self.buffer.clear();
        E::encode(message, &mut self.buffer)?;
        self.wire.send(&self.buffer)
    }

    #[inline]
    fn flush(&mut self) -> Result<(), Failure> {
        self.wire.flush()
    }
}

/// The receiving end of an [`Encoded`].
pub struct Decoder<R, E> {
    wire: R,
    failure: Option<Failure>,
    encoding: PhantomData<E>,
}

impl<T: Carried, R: ReceiveBytes, E: Encoding> Receiver<T> for Decoder<R, E> {
    #[inline]
    fn receive(&mut self) -> Option<T> {
        let message = match self.wire.receive() {
            Ok(None) => return None,
            Ok(Some(bytes)) => E::decode(bytes),
            Err(error) => Err(error),
        };
        message.map_err(|error| self.failure = Some(error)).ok()
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.failure.take().map_or(Ok(()), Err)
    }
}
