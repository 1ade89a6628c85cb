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
    time::Duration,
};

/// Decides when a request is about to be written, and tells afterwards whether and when it was.
#[derive(Clone)]
pub struct LastLook {
    may_send: Arc<dyn Fn(u64) -> bool + Send + Sync>,
    /// When it was written, ns of `CLOCK_MONOTONIC`, or one of the two below. The connection's task sets it once, and so
    /// does [`LastLook::close`]: whoever comes first decides, and the value is all that passes between them.
    written: Arc<AtomicU64>,
}

/// It was neither written nor closed.
const OPEN: u64 = 0;
/// It will never be written.
const CLOSED: u64 = u64::MAX;

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

    /// Whether it would be written if its connection were there `wait` from now.
    pub(super) fn allows_after(&self, wait: Duration) -> bool {
        let wait_ns = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        (self.may_send)(ipc::clock::mono_ns().saturating_add(wait_ns))
    }

    /// When the request was taken to be written, ns of `CLOCK_MONOTONIC`; `None` if it was not, and from now on never will
    /// be, so nobody can have got it.
    #[must_use]
    pub fn close(&self) -> Option<u64> {
        let decided = self
            .written
            .compare_exchange(OPEN, CLOSED, Relaxed, Relaxed);
        decided.err().filter(|written| *written != CLOSED)
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
        let first = || {
            let written = &self.look.written;
            let decided = written.compare_exchange(OPEN, now, Relaxed, Relaxed);
            decided.is_ok()
        };
        if (self.look.may_send)(now) && first() {
            Poll::Ready(Some(Ok(Frame::data(content))))
        } else {
            Poll::Ready(Some(Err(TooLate)))
        }
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
            .field("written", &self.written.load(Relaxed))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn written(look: &LastLook) -> bool {
        let mut body = LookingBody {
            look: look.clone(),
            content: Some(Bytes::from_static(b"{}")),
        };
        let mut context = Context::from_waker(Waker::noop());
        matches!(
            Pin::new(&mut body).poll_frame(&mut context),
            Poll::Ready(Some(Ok(_)))
        )
    }

    #[test]
    fn what_was_closed_unwritten_is_never_written() {
        let look = LastLook::new(|_| true);
        assert_eq!(look.close(), None);
        assert!(!written(&look));
        assert_eq!(look.close(), None);
    }

    #[test]
    fn what_was_written_tells_when_and_is_written_once() {
        let look = LastLook::new(|_| true);
        let before = ipc::clock::mono_ns();
        assert!(written(&look) && !written(&look));
        let at = look.close().unwrap();
        assert!((before..=ipc::clock::mono_ns()).contains(&at));
        assert_eq!(look.close(), Some(at));
    }

    #[test]
    fn what_may_not_be_sent_is_asked_with_the_time_and_not_written() {
        let look = LastLook::new(|now| now == 0);
        assert!(!written(&look));
        assert_eq!(look.close(), None);
    }
}
