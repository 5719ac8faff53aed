//! Reading a request's body within a bound.

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

/// The most bytes of a body.
pub(super) const MAX_BODY: usize = 1024 * 1024;
/// How much of a body that is too large is still read and thrown away: a client that is cut off while it sends
/// never sees the answer.
const MAX_DRAINED: usize = 32 * 1024 * 1024;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It has more than [`MAX_BODY`] bytes.
    TooLarge,
    /// The connection broke off.
    Broken,
}

/// The whole body.
pub(super) async fn read(body: Body) -> Result<Bytes, BodyError> {
    let mut stream = body.into_data_stream();
    let Some(first) = stream.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(|_| BodyError::Broken)?;
    let Some(second) = stream.next().await else {
        return if first.len() > MAX_BODY { Err(BodyError::TooLarge) } else { Ok(first) };
    };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if whole.len() + chunk.len() > MAX_BODY {
            drain(stream, whole.len() + chunk.len()).await;
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&chunk);
        next = stream.next().await;
    }
    Ok(whole.freeze())
}

async fn drain(mut stream: BodyDataStream, mut read: usize) {
    while let Some(Ok(chunk)) = stream.next().await {
        read += chunk.len();
        if read > MAX_DRAINED {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunked(chunks: usize, size: usize) -> Body {
        let chunk = Bytes::from(vec![b'x'; size]);
        Body::from_stream(futures::stream::iter(
            (0..chunks).map(move |_| Ok::<_, std::io::Error>(chunk.clone())),
        ))
    }

    #[tokio::test]
    async fn a_body_within_the_bound_is_read_whole() {
        assert_eq!(read(Body::empty()).await, Ok(Bytes::new()));
        assert_eq!(read(Body::from("abc")).await, Ok(Bytes::from("abc")));
        assert_eq!(read(chunked(4, 10)).await.map(|bytes| bytes.len()), Ok(40));
    }

    #[tokio::test]
    async fn one_beyond_it_is_refused() {
        assert_eq!(read(chunked(1, MAX_BODY + 1)).await, Err(BodyError::TooLarge));
        assert_eq!(read(chunked(11, MAX_BODY / 10)).await, Err(BodyError::TooLarge));
        assert_eq!(read(chunked(10_000, MAX_BODY / 10)).await, Err(BodyError::TooLarge));
    }
}
