//! Instance metadata at 169.254.169.254: what a process of the host, or a task where the operator allows
//! it, may know of the instance.
//!
//! [`facts`] are told as a tree of texts, [`tree`] reads it, [`tokens`] are those of version 2. There are no
//! credentials in it: a host of ours has no instance profile.
//! Rule: EC2 user guide, "Instance metadata and user data", "Instance identity documents".

pub mod facts;
pub mod kept;
pub mod tokens;
pub mod tree;

use super::answer::Reply;
use crate::engine::Host;
use hyper::{HeaderMap, Method, StatusCode};
use tokens::Granted;

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// Who comes through a proxy gets no token: a proxy that was opened by mistake must not hand it on.
const FORWARDED: &str = "x-forwarded-for";

/// Answers a request of whoever may ask; with a token, how many seconds it is good.
pub async fn reply(
    host: &Host,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> (Reply, Option<u32>) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if path == "/latest/api/token" {
        return match *method {
            Method::PUT if headers.contains_key(FORWARDED) => (refused(403, "Forbidden"), None),
            Method::PUT => match host.endpoints.grant_token(text(TTL)) {
                Some(Granted { token, seconds }) => {
                    (Reply::text(StatusCode::OK, &token), Some(seconds))
                }
                None => (refused(400, "Bad Request"), None),
            },
            _ => (refused(405, "Method Not Allowed"), None),
        };
    }
    if *method != Method::GET && *method != Method::HEAD {
        return (refused(405, "Method Not Allowed"), None);
    }
    // Version 1 sends none.
    if text(TOKEN).is_some_and(|token| !host.endpoints.knows_token(token)) {
        return (refused(401, "Unauthorized"), None);
    }
    let facts = facts::of(host, host.endpoints.way_out().await);
    let found = tree::read(&facts::tree(&facts), path);
    let reply = found.map_or_else(
        || refused(404, "Not Found"),
        |text| Reply::text(StatusCode::OK, &text),
    );
    (reply, None)
}

fn refused(status: u16, words: &str) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Reply::text(status, &format!("{} - {words}\n", status.as_u16()))
}
