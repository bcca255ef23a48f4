//! HTTP answers.

use aws_wire::protocol::Encoded;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE,
};
use hyper::{Response, StatusCode};

/// The header that names a request, as AWS writes it (in lower case, as HTTP/2 wants it).
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Some SDKs read the code of an error here rather than in the body.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Clients of a service that was a query service once read the code of that time here.
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
const SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");

/// An answer of this server.
pub type Answer = Response<Full<Bytes>>;

/// An answer with a body of one content type.
pub fn plain(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// The answer that turns a connection into a websocket.
pub fn switching_protocols(accept_key: &str) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(value) = HeaderValue::from_str(accept_key) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, value);
    }
    answer
}

/// Gives an answer the id of its request; every answer has one.
pub fn identified(mut answer: Answer, request_id: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    answer
}

/// An answer as a protocol encoded it.
pub fn encoded(encoded: Encoded) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(encoded.body)));
    *answer.status_mut() =
        StatusCode::from_u16(encoded.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(encoded.content_type));
    if let Some(error) = encoded.error_type {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(error));
    }
    if let Some(Ok(error)) = encoded.query_error.map(HeaderValue::try_from) {
        headers.insert(QUERY_ERROR, error);
    }
    if let Some(protocol) = encoded.smithy_protocol {
        headers.insert(SMITHY_PROTOCOL, HeaderValue::from_static(protocol));
    }
    answer
}
