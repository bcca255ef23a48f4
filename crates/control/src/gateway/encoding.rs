//! Bodies that were sent compressed: PutMetricData's, from clients that find theirs large.
//!
//! Rule: Smithy's `requestCompression`: gzip, named in `Content-Encoding`. The signature is over what
//! was sent.

use super::body::BodyFault;
use flate2::read::GzDecoder;
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;
use std::borrow::Cow;
use std::io::Read;

/// API reference, PutMetricData: a request has at most 1 MB; some room for how it is written.
const BODY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The body as it was before it was compressed.
///
/// # Errors
/// It is no gzip, or too long.
pub fn decoded<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, [u8]>, BodyFault> {
    let is_gzip = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if !is_gzip {
        return Ok(Cow::Borrowed(body));
    }
    let mut whole = Vec::new();
    let mut reader = GzDecoder::new(body).take(BODY_BYTES_MAX + 1);
    reader
        .read_to_end(&mut whole)
        .map_err(|_| BodyFault::Broken)?;
    match whole.len() as u64 > BODY_BYTES_MAX {
        true => Err(BodyFault::TooLong),
        false => Ok(Cow::Owned(whole)),
    }
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
        let mut headers = HeaderMap::new();
        assert_eq!(
            decoded(&headers, b"plain").ok().as_deref(),
            Some(&b"plain"[..])
        );
        headers.insert(CONTENT_ENCODING, "GZIP".parse().unwrap());
        let text = gzip(b"text");
        let found = decoded(&headers, &text).ok();
        assert_eq!(found.as_deref(), Some(&b"text"[..]));
        assert!(matches!(decoded(&headers, b"text"), Err(BodyFault::Broken)));
        let bomb = gzip(&vec![0; 5 * 1024 * 1024]);
        assert!(matches!(decoded(&headers, &bomb), Err(BodyFault::TooLong)));
    }
}
