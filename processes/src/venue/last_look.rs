//! A last look before a request is written: when its connection is there, and its first byte is next.
//!
//! Between the decision to send an order and its first byte on the wire a connection may have to be made, which takes
//! seconds when the network is bad: an order that was in time is not any more, or trading was halted meanwhile. So the body of
//! the request asks once more when it is taken to be written. If the answer is no, the body never comes, and what the
//! venue has got by then is no request.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

/// Decides when a request is about to be written, and tells afterwards whether and when it was.
#[derive(Clone)]
pub struct LastLook {
    may_send: Arc<dyn Fn(u64) -> bool + Send + Sync>,
    /// ns, `CLOCK_MONOTONIC`; 0 while nothing was written. Read by whoever awaits the answer, in the same task.
    written: Arc<AtomicU64>,
}

/// Why a body did not come.
#[derive(Debug)]
struct TooLate;

struct LookingBody {
    look: LastLook,
    content: Option<Bytes>,
}

impl LastLook {
    /// `may_send` is asked with the time, ns of `CLOCK_MONOTONIC`.
    pub fn new(may_send: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        Self {
            may_send: Arc::new(may_send),
            written: Arc::default(),
        }
    }

    /// When the request was taken to be written, ns of `CLOCK_MONOTONIC`; `None` if it never was, so nobody can have got it.
    #[must_use]
    pub fn written_mono_ns(&self) -> Option<u64> {
        Some(self.written.load(Relaxed)).filter(|written| *written != 0)
    }

    /// The body of a request that comes only if it may.
    pub(super) fn body(&self, content: Vec<u8>) -> reqwest::Body {
        reqwest::Body::wrap(LookingBody {
            look: self.clone(),
            content: Some(content.into()),
        })
    }
}

impl Body for LookingBody {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        let Some(content) = self.content.take() else {
            return Poll::Ready(None);
        };
        let now = ipc::clock::mono_ns();
        if !(self.look.may_send)(now) {
            return Poll::Ready(Some(Err(TooLate)));
        }
        self.look.written.store(now, Relaxed);
        Poll::Ready(Some(Ok(Frame::data(content))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none()
    }

    /// Known beforehand: the venue is told the length, and gets no chunks.
    fn size_hint(&self) -> SizeHint {
        let length = self.content.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(length as u64)
    }
}

impl fmt::Display for TooLate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("when the connection was there, it was too late or trading was halted")
    }
}

impl std::error::Error for TooLate {}

impl fmt::Debug for LastLook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LastLook")
            .field("written", &self.written_mono_ns())
            .finish_non_exhaustive()
    }
}
