//! The administration of this Longshore: `GET /longshore/state[?table=…&key=…]`, for root alone,
//! signed for the service `longshore`.

use super::answer::{self, Answer};
use super::{Gateway, authenticate, with_head};
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
    let world = gateway.state.snapshot();
    if let (Some(table), Some(key)) = (query.get("table"), query.get("key")) {
        return match store::get(&world, table, key) {
            Some(record) => {
                answer::plain(StatusCode::OK, "application/json", format!("{record:#}\n"))
            }
            None => answer::plain(
                StatusCode::NOT_FOUND,
                "text/plain",
                format!("{table} has no record {key}\n"),
            ),
        };
    }
    let mut lines = Vec::new();
    if let Err(error) = store::export(&world, &mut lines) {
        return answer::plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain",
            format!("{error}\n"),
        );
    }
    let text = String::from_utf8_lossy(&lines);
    let wanted = |line: &&str| {
        query.get("table").is_none_or(|table| {
            serde_json::from_str::<serde_json::Value>(line)
                .is_ok_and(|row| row["table"] == *table.as_str())
        })
    };
    let kept: String = text
        .lines()
        .filter(wanted)
        .flat_map(|line| [line, "\n"])
        .collect();
    answer::plain(StatusCode::OK, "application/x-ndjson", kept)
}
