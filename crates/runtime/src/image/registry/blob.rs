//! One blob, piece by piece; where the connection breaks, the rest is asked for by `Range`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::failure::{Failure, Stage};
use super::http_client::Answer;
use super::{Registry, Repository, retry};
use crate::image::error::ImageError;
use crate::image::manifest::Descriptor;

/// Attempts at all: a registry that sends a byte a time is no registry.
const TRIES_IN_ALL_MAX: u32 = 100;

/// A blob on its way. Gives exactly as many bytes as the manifest says, or an error.
#[derive(Debug)]
pub(in crate::image) struct BlobReader {
    blob: Descriptor,
    answer: Option<Answer>,
    received: u64,
    /// Bytes of this answer that came before: the registry began anew.
    skip: u64,
    tries: u32,
    tries_in_all: u32,
    pause: Duration,
}

impl BlobReader {
    pub(super) fn new(blob: Descriptor, pause: Duration) -> BlobReader {
        BlobReader {
            blob,
            answer: None,
            received: 0,
            skip: 0,
            tries: 0,
            tries_in_all: 0,
            pause,
        }
    }

    /// The next piece; `None` when all came.
    pub(in crate::image) async fn next(
        &mut self,
        registry: &Registry,
        from: Repository<'_>,
    ) -> Result<Option<Bytes>, ImageError> {
        while self.received < self.blob.size {
            let failure = match self.attempt(registry, from).await {
                Ok(piece) if !piece.is_empty() => {
                    self.received += piece.len() as u64;
                    self.tries = 0;
                    return Ok(Some(piece));
                }
                Ok(_) => continue,
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Again(error)) => error,
            };
            self.answer = None;
            self.tries += 1;
            self.tries_in_all += 1;
            let pause = retry::pause(self.tries, self.pause, None)
                .filter(|_| self.tries_in_all < TRIES_IN_ALL_MAX);
            let Some(pause) = pause else {
                return Err(failure);
            };
            tokio::time::sleep(pause).await;
        }
        Ok(None)
    }

    /// One step: opens an answer, or reads a piece of it (empty: all of it was known).
    async fn attempt(
        &mut self,
        registry: &Registry,
        from: Repository<'_>,
    ) -> Result<Bytes, Attempt> {
        let url = registry
            .url(from.reference, "blobs", &self.blob.digest.to_string())
            .map_err(Attempt::Final)?;
        let again =
            |failure: Failure| Attempt::Again(failure.into_error(Stage::Blob, &Method::GET, &url));
        let mut answer = match self.answer.take() {
            Some(answer) => answer,
            None => self.open(registry, from, &url).await?,
        };
        let piece = registry.http.piece(&mut answer).await.map_err(again)?;
        let Some(mut piece) = piece else {
            return Err(again(Failure::text("unexpected EOF")));
        };
        let known = self.skip.min(piece.len() as u64);
        let _ = piece.split_to(known as usize);
        self.skip -= known;
        if self.received + piece.len() as u64 > self.blob.size {
            let text = format!("blob {} is longer than its manifest says", self.blob.digest);
            return Err(Attempt::Final(ImageError::malformed("blob", text)));
        }
        self.answer = Some(answer);
        Ok(piece)
    }

    async fn open(
        &mut self,
        registry: &Registry,
        from: Repository<'_>,
        url: &http::Uri,
    ) -> Result<Answer, Attempt> {
        let mut headers = HeaderMap::new();
        if self.received > 0 {
            let range = HeaderValue::from_str(&format!("bytes={}-", self.received));
            headers.insert(header::RANGE, range.expect("digits are a header's text"));
        }
        let asked = registry
            .ask(from, &Method::GET, url, &headers, Stage::Blob)
            .await;
        let answer = asked.map_err(|error| match error {
            ImageError::BlobUnreachable { .. } => Attempt::Again(error),
            error => Attempt::Final(error),
        })?;
        match answer.status {
            StatusCode::OK => self.skip = self.received,
            StatusCode::PARTIAL_CONTENT if begins_at(&answer.headers, self.received) => {
                self.skip = 0;
            }
            StatusCode::PARTIAL_CONTENT => {
                let text = "the registry sent another range than was asked for";
                return Err(Attempt::Final(ImageError::malformed("blob", text)));
            }
            _ => {
                let error = registry.refusal(from, answer, Stage::Blob).await;
                return Err(Attempt::Final(error));
            }
        }
        Ok(answer)
    }
}

/// Why a step failed, and whether another may do better.
enum Attempt {
    Again(ImageError),
    Final(ImageError),
}

/// `Content-Range: bytes <at>-…`
fn begins_at(headers: &HeaderMap, at: u64) -> bool {
    let range = headers
        .get(header::CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next());
    first.and_then(|first| first.parse().ok()) == Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(text: &str, at: u64) -> bool {
        let mut headers = HeaderMap::new();
        if let Ok(value) = text.parse() {
            headers.insert(header::CONTENT_RANGE, value);
        }
        begins_at(&headers, at)
    }

    #[test]
    fn only_the_range_that_was_asked_for_is_taken() {
        for (text, at, expected) in [
            ("bytes 5-9/10", 5, true),
            ("bytes 5-9/*", 5, true),
            ("bytes 0-9/10", 5, false),
            ("bytes 6-9/10", 5, false),
            ("bytes */10", 5, false),
            ("bytes -5", 5, false),
            ("items 5-9/10", 5, false),
            ("5-9/10", 5, false),
            ("", 0, false),
        ] {
            assert_eq!(begins(text, at), expected, "{text:?}");
        }
        assert!(!begins_at(&HeaderMap::new(), 0));
    }

    proptest::proptest! {
        #[test]
        fn no_range_makes_the_reader_panic(text in "(bytes )?\\PC{0,30}", at: u64) {
            let taken = begins(&text, at);
            proptest::prop_assert!(!taken || text.contains(&at.to_string()));
        }
    }
}
