//! Reads a request's body: bounded in size, in patience, and in what all bodies together hold.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// PutLogEvents carries 1 MiB of messages; JSON may escape each byte of them.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A client that has not sent its body by then is refused.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// Of a body that is too long so much is read and thrown away: a client that does not look for an
/// answer before it has sent everything then finds the refusal, not a broken connection.
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a body may hold without asking for room.
const FREE_BYTES: usize = 64 * 1024;
/// What all larger bodies together may hold.
const ROOM_BYTES: usize = 256 * 1024 * 1024;
/// The unit in which room is given.
const ROOM_UNIT: usize = 1024;

/// The room that larger bodies share.
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM_BYTES / ROOM_UNIT)))
    }
}

/// A whole body; its room is given back when it is dropped.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Bytes,
    room: Option<OwnedSemaphorePermit>,
}

impl Body {
    /// The body's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It is longer than any operation needs.
    TooLong,
    /// It did not arrive in time.
    Late,
    /// It broke off, or its chunks are malformed.
    Broken,
    /// All bodies together hold too much.
    NoRoom,
}

/// Reads a body. `waits` says that the client sends it only once it is asked to
/// (`Expect: 100-continue`).
///
/// # Errors
/// The body is too long, too slow or broken, or there is no room for it.
pub async fn read(mut body: Incoming, waits: bool, room: &Room) -> Result<Body, BodyFault> {
    if body.is_end_stream() {
        return Ok(Body::default());
    }
    let too_long = body.size_hint().lower() > BODY_BYTES_MAX as u64;
    let outcome = if too_long {
        Err(BodyFault::TooLong)
    } else {
        timeout(BODY_PATIENCE, collect(&mut body, room))
            .await
            .unwrap_or(Err(BodyFault::Late))
    };
    if matches!(outcome, Err(BodyFault::TooLong)) && !waits {
        let _ = timeout(BODY_PATIENCE, discard(&mut body)).await;
    }
    outcome
}

async fn collect(body: &mut Incoming, room: &Room) -> Result<Body, BodyFault> {
    let mut whole = Body::default();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else {
            continue;
        };
        if whole.bytes.is_empty() && more.is_empty() {
            // Most bodies come in one piece, and are not copied.
            whole.bytes = data;
            continue;
        }
        if more.is_empty() {
            more.extend_from_slice(&std::mem::take(&mut whole.bytes));
        }
        let length = more.len() + data.len();
        if length > BODY_BYTES_MAX {
            return Err(BodyFault::TooLong);
        }
        if let Some(permit) = room.grow(more.len(), length)? {
            match &mut whole.room {
                Some(held) => held.merge(permit),
                none => *none = Some(permit),
            }
        }
        more.extend_from_slice(&data);
    }
    if !more.is_empty() {
        whole.bytes = more.freeze();
    }
    Ok(whole)
}

impl Room {
    /// Room for a body that grows from one length to another.
    ///
    /// # Errors
    /// There is none.
    pub fn grow(&self, from: usize, to: usize) -> Result<Option<OwnedSemaphorePermit>, BodyFault> {
        let units = |bytes: usize| bytes.saturating_sub(FREE_BYTES).div_ceil(ROOM_UNIT);
        let wanted = units(to) - units(from);
        if wanted == 0 {
            return Ok(None);
        }
        // At most BODY_BYTES_MAX / ROOM_UNIT, which fits.
        let permit = self.0.clone().try_acquire_many_owned(wanted as u32);
        permit.map(Some).map_err(|_| BodyFault::NoRoom)
    }
}

async fn discard(body: &mut Incoming) {
    let mut seen = 0;
    while seen < DISCARD_BYTES_MAX {
        let Some(Ok(frame)) = body.frame().await else {
            return;
        };
        seen += frame.data_ref().map_or(0, Bytes::len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_in_units_beyond_what_is_free_and_ends() {
        let room = Room::default();
        assert!(room.grow(0, FREE_BYTES).unwrap().is_none());
        assert_eq!(
            room.grow(FREE_BYTES, FREE_BYTES + 1)
                .unwrap()
                .unwrap()
                .num_permits(),
            1
        );
        let mut held = Vec::new();
        for _ in 0..ROOM_BYTES / BODY_BYTES_MAX {
            held.extend(room.grow(0, BODY_BYTES_MAX).unwrap());
        }
        // What stays free for each leaves a little room; then it ends.
        while let Ok(permit) = room.grow(FREE_BYTES, FREE_BYTES + ROOM_UNIT) {
            held.extend(permit);
        }
        assert_eq!(room.grow(0, BODY_BYTES_MAX).unwrap_err(), BodyFault::NoRoom);
        assert!(room.grow(0, FREE_BYTES).unwrap().is_none());
        drop(held);
        assert!(room.grow(0, BODY_BYTES_MAX).is_ok());
    }
}
