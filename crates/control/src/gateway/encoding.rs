//! Bodies that were sent compressed: PutMetricData's, from clients that find theirs large.
//!
//! Rule: Smithy's `requestCompression`: gzip, named in `Content-Encoding`. The signature is over what
//! was sent.

use super::body::{BodyFault, Room};
use flate2::read::GzDecoder;
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;
use std::borrow::Cow;
use std::io::Read;
use tokio::sync::OwnedSemaphorePermit;

/// API reference, PutMetricData: a request has at most 1 MB; some room for how it is written.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is inflated at once, before room for more is asked for.
const STEP_BYTES: usize = 64 * 1024;

/// A body as it was before it was compressed; its room is given back when it is dropped.
#[derive(Debug)]
pub struct Decoded<'b> {
    bytes: Cow<'b, [u8]>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Decoded<'_> {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body as it was before it was compressed.
///
/// # Errors
/// It is no gzip, or too long, or there is no room for it.
pub fn decoded<'b>(
    headers: &HeaderMap,
    body: &'b [u8],
    shared: &Room,
) -> Result<Decoded<'b>, BodyFault> {
    let is_gzip = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if !is_gzip {
        return Ok(Decoded {
            bytes: Cow::Borrowed(body),
            _room: None,
        });
    }
    let mut whole = Vec::new();
    let mut room: Option<OwnedSemaphorePermit> = None;
    let mut reader = GzDecoder::new(body);
    loop {
        let before = whole.len();
        if let Some(permit) = shared.grow(before, before + STEP_BYTES)? {
            match &mut room {
                Some(held) => held.merge(permit),
                none => *none = Some(permit),
            }
        }
        let mut step = reader.by_ref().take(STEP_BYTES as u64);
        let read = step.read_to_end(&mut whole);
        if read.map_err(|_| BodyFault::Broken)? == 0 {
            break;
        }
        if whole.len() > BODY_BYTES_MAX {
            return Err(BodyFault::TooLong);
        }
    }
    Ok(Decoded {
        bytes: Cow::Owned(whole),
        _room: room,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_compressed_is_read_and_a_bomb_is_not() {
        let room = Room::default();
        let mut headers = HeaderMap::new();
        let plain = decoded(&headers, b"plain", &room).unwrap();
        assert_eq!(plain.bytes(), b"plain");
        headers.insert(CONTENT_ENCODING, "GZIP".parse().unwrap());
        let text = gzip(b"text");
        assert_eq!(decoded(&headers, &text, &room).unwrap().bytes(), b"text");
        let whole = vec![7; BODY_BYTES_MAX];
        let long = gzip(&whole);
        assert!(decoded(&headers, &long, &room).unwrap().bytes() == whole);
        let broken = decoded(&headers, b"text", &room);
        assert_eq!(broken.unwrap_err(), BodyFault::Broken);
        let bomb = gzip(&vec![0; 5 * 1024 * 1024]);
        let bomb = decoded(&headers, &bomb, &room);
        assert_eq!(bomb.unwrap_err(), BodyFault::TooLong);
    }

    #[test]
    fn what_is_inflated_takes_room_and_gives_it_back() {
        let room = Room::default();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        let large = gzip(&vec![0; BODY_BYTES_MAX]);
        let mut held = Vec::new();
        let refused = loop {
            match decoded(&headers, &large, &room) {
                Ok(one) => held.push(one),
                Err(fault) => break fault,
            }
            assert!(held.len() < 1_000, "all together are bounded");
        };
        assert_eq!(refused, BodyFault::NoRoom);
        held.pop();
        assert!(decoded(&headers, &large, &room).is_ok());
    }
}
