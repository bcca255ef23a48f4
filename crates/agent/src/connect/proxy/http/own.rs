//! What the proxy answers itself, and the end of an answer that takes too long.

use super::message::whole;
use super::{Body, BoxError};
use crate::task::connect::AppProtocol;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};

/// Why the proxy answers, and not a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// A request that cannot be passed on.
    BadRequest,
    /// There is no target.
    NoTarget,
    /// No target took it, or the one that did gave no answer.
    Unreachable,
    /// It took longer than it may.
    TimedOut,
}

impl Own {
    /// Status of HTTP and of gRPC, and the text as Envoy, AWS's proxy, has it.
    fn words(self) -> (StatusCode, &'static str, &'static str) {
        let unreachable = "upstream connect error or disconnect/reset before headers";
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "13", "bad request"),
            Self::NoTarget => (StatusCode::SERVICE_UNAVAILABLE, "14", "no healthy upstream"),
            Self::Unreachable => (StatusCode::SERVICE_UNAVAILABLE, "14", unreachable),
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "4", "upstream request timeout"),
        }
    }

    /// Envoy's flag for it in an access log.
    #[must_use]
    pub fn flag(self) -> Option<&'static str> {
        match self {
            Self::BadRequest => None,
            Self::NoTarget => Some("UH"),
            Self::Unreachable => Some("UF"),
            Self::TimedOut => Some("UT"),
        }
    }

    /// The answer; of gRPC a status in headers alone.
    #[must_use]
    pub fn answer(self, protocol: AppProtocol) -> Response<Body> {
        let (status, grpc_status, text) = self.words();
        let mut response = Response::new(whole(Bytes::new()));
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        if protocol == AppProtocol::Grpc {
            set("content-type", "application/grpc");
            set("grpc-status", grpc_status);
            set("grpc-message", text);
            return response;
        }
        set("content-type", "text/plain");
        *response.status_mut() = status;
        response.map(|_| whole(Bytes::from_static(text.as_bytes())))
    }
}

/// The body, cut off at that moment.
pub fn until(body: Body, deadline: Option<Instant>) -> Body {
    match deadline {
        Some(deadline) if !body.is_end_stream() => Limited {
            body,
            timer: Box::pin(sleep_until(deadline)),
        }
        .boxed_unsync(),
        _ => body,
    }
}

struct Limited {
    body: Body,
    timer: Pin<Box<Sleep>>,
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err("upstream request timeout".into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_says_its_status_in_a_header() {
        let plain = Own::NoTarget.answer(AppProtocol::Http);
        assert_eq!(plain.status(), StatusCode::SERVICE_UNAVAILABLE);
        let grpc = Own::TimedOut.answer(AppProtocol::Grpc);
        assert_eq!(grpc.status(), StatusCode::OK);
        assert_eq!(grpc.headers()["grpc-status"], "4");
    }
}
