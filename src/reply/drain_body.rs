//! Bodies that are refused half read.
//!
//! Most clients send the whole of a request before they look at the answer. Were the connection closed
//! at a refusal, what they still send would be answered with a reset, which takes the refusal with it
//! (RFC 9112 section 9.6). So what is left of a refused body is read for a while and thrown away.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use futures_util::StreamExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;

/// How long a refused body is read on.
const PATIENCE: Duration = Duration::from_secs(5);

/// A body that outlives whoever was to read it.
struct Lent(Arc<Mutex<Body>>);

/// What is left of a body once the request was answered.
pub(super) struct Rest(Arc<Mutex<Body>>);

/// Lends `body` out: the body to be read, and a handle on what will be left of it.
pub(super) fn lend(body: Body) -> (Body, Rest) {
    let shared = Arc::new(Mutex::new(body));
    (Body::new(Lent(Arc::clone(&shared))), Rest(shared))
}

impl Rest {
    /// Reads what is left, if anything and nobody else reads it, and throws it away.
    pub(super) async fn discard(self) {
        let Some(body) = Arc::into_inner(self.0) else {
            return;
        };
        let body = body.into_inner().unwrap_or_else(PoisonError::into_inner);
        if body.is_end_stream() {
            return;
        }
        let mut left = body.into_data_stream();
        // However it ends: the client has its answer, or is gone.
        let _ = timeout(PATIENCE, async { while let Some(Ok(_)) = left.next().await {} }).await;
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn what_is_left_is_read_to_its_end_and_what_was_read_is_unchanged() {
        let (count, counted) = (Arc::new(Mutex::new(0)), 5);
        let seen = Arc::clone(&count);
        let pieces = stream::iter(0..counted).map(move |piece: u8| {
            *seen.lock().unwrap() += 1;
            Ok::<_, axum::Error>(Bytes::from(vec![piece]))
        });
        let (body, rest) = lend(Body::from_stream(pieces));
        let mut reading = body.into_data_stream();
        assert_eq!(reading.next().await.unwrap().unwrap(), [0_u8][..]);
        drop(reading);
        rest.discard().await;
        assert_eq!(*count.lock().unwrap(), i32::from(counted));
    }
}
