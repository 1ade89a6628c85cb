//! What the sockets share: the other side's connection, accepted once it is there, and waits that end.

use crate::{Failure, patience::LONGEST};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    io::{Error, ErrorKind, Read},
    os::fd::AsFd,
};

/// What listens for the other side.
pub trait Listen: AsFd {
    /// The connection.
    type Stream: Read;
    /// Accepts it.
    ///
    /// # Errors
    ///
    /// As the system call.
    fn accept(&self) -> Result<Self::Stream, Error>;
}

/// The one connection of a listener: accepted when it is first read, as it comes after the listener's
/// end is open.
pub struct Accepted<L: Listen> {
    listener: L,
    stream: Option<L::Stream>,
}

impl<L: Listen> Accepted<L> {
    /// Of that listener.
    pub fn by(listener: L) -> Self {
        Self {
            listener,
            stream: None,
        }
    }
}

impl<L: Listen> Read for Accepted<L> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                wait_for_connection(&self.listener)?;
                none.insert(self.listener.accept()?)
            }
        };
        stream.read(buffer)
    }
}

/// Sleeps until the other side has connected; [`ErrorKind::WouldBlock`] when it does not for too long.
fn wait_for_connection(listener: &impl AsFd) -> Result<(), Error> {
    let mut ends = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let longest = PollTimeout::try_from(LONGEST).map_err(Error::other)?;
    match poll(&mut ends, longest)? {
        0 => Err(ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// The error of a call that gives up after a time.
pub fn explained(error: Error) -> Failure {
    if error.kind() == ErrorKind::WouldBlock {
        return format!("the other side did nothing for {LONGEST:?}").into();
    }
    error.into()
}
