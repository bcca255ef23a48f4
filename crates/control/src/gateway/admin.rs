//! The administration of this Longshore: `GET /longshore/state[?table=…&key=…]`, for root alone,
//! signed for the service `longshore`.

use super::answer::{self, Answer};
use super::{Gateway, authenticate, with_head};
use crate::inspect::inspect;
use aws_api::Protocol;
use aws_types::Principal;
use aws_wire::head::pairs;
use hyper::StatusCode;
use hyper::http::request::Parts;
use std::collections::BTreeMap;

/// Paths that begin so are ours.
pub const PREFIX: &str = "/longshore/";

/// Answers an administrative request.
pub fn answer(gateway: &Gateway, parts: &Parts, body: &[u8]) -> Answer {
    let identity = with_head(parts, |head| {
        authenticate::authenticate(gateway, head, body, "longshore")
    });
    let identity = match identity {
        Ok(identity) => identity,
        Err(fault) => {
            let error = fault.error(Protocol::AwsJson11);
            return answer::plain(StatusCode::FORBIDDEN, "text/plain", format!("{error}\n"));
        }
    };
    if identity.caller.principal != Principal::Root {
        return answer::plain(
            StatusCode::FORBIDDEN,
            "text/plain",
            "only the root user may do this\n".into(),
        );
    }
    let query: BTreeMap<String, String> = pairs(parts.uri.query().unwrap_or_default()).collect();
    match parts.uri.path() {
        "/longshore/state" => state(gateway, &query),
        _ => answer::plain(StatusCode::NOT_FOUND, "text/plain", "no such path\n".into()),
    }
}

/// One record as JSON, or the records of a table or of all tables as JSON lines.
fn state(gateway: &Gateway, query: &BTreeMap<String, String>) -> Answer {
    let text = |name: &str| query.get(name).map(String::as_str);
    match inspect(&gateway.state.snapshot(), text("table"), text("key")) {
        Ok(found) => answer::plain(StatusCode::OK, "application/json", found),
        Err(missing) => answer::plain(StatusCode::NOT_FOUND, "text/plain", format!("{missing}\n")),
    }
}
