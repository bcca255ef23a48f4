//! The administration of this Longshore: `GET /longshore/state[?table=…&key=…]`,
//! `GET /longshore/why?of=…` and `GET /longshore/events[?of=…&after=…]`, for root alone, signed for the
//! service `longshore`.

use super::answer::{self, Answer};
use super::{Gateway, authenticate, with_head};
use crate::clock;
use crate::inspect::inspect;
use crate::why;
use aws_api::Protocol;
use aws_types::Principal;
use aws_wire::head::pairs;
use hyper::StatusCode;
use hyper::http::request::Parts;
use std::collections::BTreeMap;

/// Paths that begin so are ours.
pub const PREFIX: &str = "/longshore/";

/// Answers an administrative GET.
pub fn answer(gateway: &Gateway, parts: &Parts, body: &[u8]) -> Answer {
    if let Some(refusal) = refusal(gateway, parts, body) {
        return refusal;
    }
    let query: BTreeMap<String, String> = pairs(parts.uri.query().unwrap_or_default()).collect();
    match parts.uri.path() {
        "/longshore/state" => state(gateway, &query),
        "/longshore/why" => why(gateway, &query),
        "/longshore/events" => events(gateway, &query),
        _ => answer::plain(StatusCode::NOT_FOUND, "text/plain", "no such path\n".into()),
    }
}

/// Refuses everyone but root: the answer that says so.
pub fn refusal(gateway: &Gateway, parts: &Parts, body: &[u8]) -> Option<Answer> {
    let identity = with_head(parts, |head| {
        authenticate::authenticate(gateway, head, body, "longshore")
    });
    let why = match identity {
        Ok(identity) if identity.caller.principal == Principal::Root => return None,
        Ok(_) => "only the root user may do this\n".to_owned(),
        Err(fault) => format!("{}\n", fault.error(Protocol::AwsJson11)),
    };
    Some(answer::plain(StatusCode::FORBIDDEN, "text/plain", why))
}

/// One record as JSON, or the records of a table or of all tables as JSON lines.
fn state(gateway: &Gateway, query: &BTreeMap<String, String>) -> Answer {
    let text = |name: &str| query.get(name).map(String::as_str);
    match inspect(&gateway.state.snapshot(), text("table"), text("key")) {
        Ok(found) => answer::plain(StatusCode::OK, "application/json", found),
        Err(missing) => answer::plain(StatusCode::NOT_FOUND, "text/plain", format!("{missing}\n")),
    }
}

/// What is known of a task, a container instance, a service or a request, as JSON.
fn why(gateway: &Gateway, query: &BTreeMap<String, String>) -> Answer {
    let of = query.get("of").map(String::as_str).unwrap_or_default();
    let moment = (clock::now(), gateway.waits);
    match why::why(
        &gateway.state.snapshot(),
        &gateway.decisions.kept(),
        moment,
        of,
    ) {
        Ok(known) => answer::plain(StatusCode::OK, "application/json", format!("{known:#}\n")),
        Err(unknown) => answer::plain(StatusCode::NOT_FOUND, "text/plain", format!("{unknown}\n")),
    }
}

/// The kept events after the number `after` of the history `of`, as JSON.
fn events(gateway: &Gateway, query: &BTreeMap<String, String>) -> Answer {
    let after = query.get("after").and_then(|after| after.parse().ok());
    let of = query.get("of").map(String::as_str);
    let told = gateway.history.told(&gateway.state.snapshot(), of, after);
    answer::plain(StatusCode::OK, "application/json", format!("{told}\n"))
}
