//! A request on its way to its line in the access log, which is written when the answer has been sent or was given up.

use super::own::Own;
use super::{Body, BoxError};
use crate::connect::proxy::access::{AccessLog, Entry};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::{Request, Response};
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

/// A line to be. It is written when this is dropped.
#[derive(Debug)]
pub struct Line {
    log: Arc<AccessLog>,
    entry: Entry,
    /// Of the request's body.
    received: Arc<AtomicU64>,
}

impl Line {
    /// Of a request that begins now.
    #[must_use]
    pub fn of<B>(
        log: Option<&Arc<AccessLog>>,
        request: &Request<B>,
        received: &Arc<AtomicU64>,
    ) -> Option<Self> {
        let log = log?;
        Some(Self {
            entry: log.request(request),
            log: log.clone(),
            received: received.clone(),
        })
    }

    /// Who answered, or why the proxy did; the rest is known when the answer's body is over.
    #[must_use]
    pub fn over(
        mut self,
        response: Response<Body>,
        by: Result<SocketAddrV4, Own>,
        took: Duration,
    ) -> Response<Body> {
        let entry = &mut self.entry;
        entry.response_code = response.status().as_u16();
        match by {
            Ok(target) => {
                let millis = u64::try_from(took.as_millis());
                entry.upstream_host = Some(target);
                entry.upstream_service_time = Some(millis.unwrap_or(u64::MAX));
            }
            Err(own) => entry.response_flags = own.flag(),
        }
        response.map(|body| Logged { body, line: self }.boxed_unsync())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.entry.bytes_received = self.received.load(Relaxed);
        self.entry.ended();
        self.log.write(&self.entry);
    }
}

struct Logged {
    body: Body,
    line: Line,
}

impl HttpBody for Logged {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.line.entry.bytes_sent += bytes as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
