//! A request as it is passed on, once or again; headers that concern one connection alone.
//!
//! Rule: RFC 9110, 7.6.1.

use super::{Body, BoxError};
use crate::task::connect::AppProtocol;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Uri, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A body of so many bytes at most is kept, so that it can be sent again.
const KEPT_MAX: u64 = 64 * 1024;

/// Rule: RFC 7540, 3.2.1.
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// A request on its way to a target.
#[derive(Debug)]
pub struct Outgoing {
    head: Parts,
    body: Sendable,
}

#[derive(Debug)]
enum Sendable {
    /// The whole of it, to be sent as often as wanted.
    Kept(Bytes),
    /// What comes, once; `None` while it is under way and after.
    Stream(Option<Body>),
}

impl Outgoing {
    /// `None` for a request that names no host, or whose small body did not come.
    /// `received`: what has come of its body.
    pub async fn read(
        request: Request<Incoming>,
        protocol: AppProtocol,
        received: &Arc<AtomicU64>,
    ) -> Option<Self> {
        let is_switch = asks_to_upgrade(&request);
        let (mut head, body) = request.into_parts();
        clean(&mut head.headers);
        if is_switch {
            return Some(Self {
                head: switch(head)?,
                body: Sendable::Kept(Bytes::new()),
            });
        }
        // A server may ignore what it was asked for, so that the request is one as any other.
        for name in [UPGRADE, HTTP2_SETTINGS] {
            head.headers.remove(name);
        }
        let head = match protocol {
            AppProtocol::Http | AppProtocol::Tcp => of_http1(head)?,
            AppProtocol::Http2 | AppProtocol::Grpc => head,
        };
        let is_small = body
            .size_hint()
            .upper()
            .is_some_and(|upper| upper <= KEPT_MAX);
        let body = match is_small {
            true => {
                let whole = body.collect().await.ok()?.to_bytes();
                received.store(whole.len() as u64, Relaxed);
                Sendable::Kept(whole)
            }
            false => Sendable::Stream(Some(counted(body, received.clone()))),
        };
        Some(Self { head, body })
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// Whether it can be sent again whatever became of it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self.body, Sendable::Kept(_))
    }

    /// What is sent; `None` where its body is gone.
    pub fn take(&mut self) -> Option<Request<Body>> {
        let body = match &mut self.body {
            Sendable::Kept(bytes) => whole(bytes.clone()),
            Sendable::Stream(body) => body.take()?,
        };
        Some(Request::from_parts(self.head.clone(), body))
    }

    /// What was not sent.
    pub fn put_back(&mut self, request: Request<Body>) {
        if let Sendable::Stream(body) = &mut self.body {
            *body = Some(request.into_body());
        }
    }
}

fn counted(body: Incoming, received: Arc<AtomicU64>) -> Body {
    let body = body.map_frame(move |frame| {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        received.fetch_add(bytes as u64, Relaxed);
        frame
    });
    body.map_err(BoxError::from).boxed_unsync()
}

/// A body that is all there.
pub fn whole(bytes: Bytes) -> Body {
    let body = Full::new(bytes);
    body.map_err(|never| match never {}).boxed_unsync()
}

/// In origin form, with its host in a header.
fn of_http1(mut head: Parts) -> Option<Parts> {
    if let Some(authority) = head.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).ok()?;
        head.headers.insert(HOST, host);
    }
    if !head.headers.contains_key(HOST) {
        return None;
    }
    let path = head.uri.path_and_query();
    let path = path.map_or("/", |path| path.as_str());
    // The asterisk form of OPTIONS has no path.
    head.uri = match path {
        "" => Uri::from_static("/"),
        path => path.parse().ok()?,
    };
    head.version = Version::HTTP_11;
    Some(head)
}

/// A request for another protocol on the same connection.
fn switch(head: Parts) -> Option<Parts> {
    let mut head = of_http1(head)?;
    let asked = HeaderValue::from_static("upgrade");
    head.headers.insert(CONNECTION, asked);
    Some(head)
}

/// Whether a client asks for another protocol on its connection, and may have it: not with a body, which would
/// come between, and not HTTP/2, whose first answer is to this very request.
#[must_use]
pub fn asks_to_upgrade<B: hyper::body::Body>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.version() == Version::HTTP_11
        && request.body().is_end_stream()
        && headers.contains_key(UPGRADE)
        && !names(headers, &UPGRADE, "h2c")
        && names(headers, &CONNECTION, "upgrade")
}

/// Whether a list in a header has this word.
fn names(headers: &HeaderMap, header: &HeaderName, word: &str) -> bool {
    let lists = headers.get_all(header).iter();
    let mut lists = lists.filter_map(|value| value.to_str().ok());
    lists.any(|list| {
        let mut words = list.split(',');
        words.any(|one| one.trim().eq_ignore_ascii_case(word))
    })
}

/// Takes away what concerns one connection alone. `Upgrade` stays: it means nothing without `Connection`.
pub fn clean(headers: &mut HeaderMap) {
    let options = headers.get_all(CONNECTION).iter();
    let options = options.filter_map(|value| value.to_str().ok());
    let names = options.flat_map(|value| value.split(','));
    let names = names.filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let nominated: Vec<HeaderName> = names.filter(|name| *name != UPGRADE).collect();
    let trailers = headers.get(TE).filter(|te| *te == "trailers").cloned();
    let own = ["keep-alive", "proxy-connection"].map(HeaderName::from_static);
    let own = own
        .into_iter()
        .chain([CONNECTION, TE, TRANSFER_ENCODING, EXPECT]);
    for name in nominated.into_iter().chain(own) {
        headers.remove(name);
    }
    // gRPC asks for it, end to end.
    if let Some(trailers) = trailers {
        headers.insert(TE, trailers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_concerns_one_connection_is_not_passed_on() {
        let mut given = headers(&[
            ("connection", "close, X-Secret"),
            ("x-secret", "a"),
            ("keep-alive", "5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("x-kept", "b"),
        ]);
        clean(&mut given);
        assert_eq!(given, headers(&[("x-kept", "b"), ("te", "trailers")]));
        let mut other = headers(&[("te", "gzip")]);
        clean(&mut other);
        assert!(other.is_empty());
    }

    #[test]
    fn a_request_is_sent_in_origin_form_and_needs_a_host() {
        for (uri, host, expected) in [
            ("/a?b=c", Some("api:8080"), Some(("/a?b=c", "api:8080"))),
            ("http://other/a", Some("api"), Some(("/a", "other"))),
            ("http://other", None, Some(("/", "other"))),
            ("*", Some("api"), Some(("*", "api"))),
            ("/a", None, None),
        ] {
            let mut request = Request::builder().uri(uri);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let head = of_http1(head);
            let sent = head.as_ref().map(|head| {
                let host = head.headers[HOST].to_str().unwrap();
                (head.uri.to_string(), host)
            });
            let sent = sent.as_ref().map(|(uri, host)| (uri.as_str(), *host));
            assert_eq!(sent, expected, "{uri}");
        }
    }

    #[test]
    fn an_upgrade_is_asked_for_by_both_headers() {
        for (given, expected) in [
            (
                &[
                    ("connection", "keep-alive, Upgrade"),
                    ("upgrade", "websocket"),
                ][..],
                true,
            ),
            (&[("upgrade", "websocket")], false),
            (&[("connection", "upgrade")], false),
            (&[("connection", "upgrade"), ("upgrade", "H2C")], false),
        ] {
            let mut request = Request::new(whole(Bytes::new()));
            *request.headers_mut() = headers(given);
            assert_eq!(asks_to_upgrade(&request), expected, "{given:?}");
            *request.body_mut() = whole(Bytes::from_static(b"a"));
            assert!(!asks_to_upgrade(&request), "{given:?} with a body");
        }
    }
}
