//! Joining: `POST /longshore/token` (root alone) makes a token, `POST /longshore/join` exchanges it
//! for a host's key. The second is signed by nobody: the token is the proof.
//!
//! Rule: design, "Joining, and host sync".

use super::answer::{self, Answer};
use super::{Gateway, admin};
use crate::clock;
use aws_types::AwsError;
use hyper::StatusCode;
use hyper::http::request::Parts;
use iam::join::{self, FreshToken};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Without a wish; long enough to walk to the other machine.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(3600);
/// The longest wish.
const LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// What clients must know to trust the server; absent where it speaks plain HTTP.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// The certificate as PEM.
    pub pem: String,
    /// Its SHA-256, 64 hexadecimal digits.
    pub fingerprint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    seconds: Option<u64>,
}

/// What a token is printed from.
#[derive(Serialize)]
struct TokenAnswer {
    token: String,
    ca_fingerprint: Option<String>,
    expires_at: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinRequest {
    token: String,
    nonce: String,
}

#[derive(Serialize)]
struct JoinAnswer {
    host: String,
    access_key_id: String,
    secret_access_key: String,
    account: String,
    region: String,
    ca: Option<String>,
}

/// Makes a one-time token.
pub async fn token(gateway: &Gateway, parts: &Parts, body: &[u8]) -> Answer {
    if let Some(refusal) = admin::refusal(gateway, parts, body) {
        return refusal;
    }
    let Ok(asked) = serde_json::from_slice::<TokenRequest>(body) else {
        return bad("a body {\"seconds\": N} is expected\n");
    };
    let lifetime = asked.seconds.map_or(LIFETIME_DEFAULT, Duration::from_secs);
    if lifetime.is_zero() || lifetime > LIFETIME_MAX {
        return bad("a token may be good for at most 30 days\n");
    }
    let made = gateway
        .state
        .submit(clock::own_ctx(&gateway.scope), move |txn, ctx| {
            Ok(join::create(txn, ctx, lifetime))
        });
    match made.await {
        Ok(token) => json(&TokenAnswer {
            token: written(&token, gateway.anchor.as_ref()),
            ca_fingerprint: gateway.anchor.as_ref().map(|a| a.fingerprint.clone()),
            expires_at: token.expires_at.millis() / 1000,
        }),
        Err(error) => failed(&error),
    }
}

/// Exchanges a token.
pub async fn exchange(gateway: &Gateway, body: &[u8]) -> Answer {
    let Ok(asked) = serde_json::from_slice::<JoinRequest>(body) else {
        return bad("a body {\"token\": …, \"nonce\": …} is expected\n");
    };
    let submitted = gateway
        .state
        .submit(clock::own_ctx(&gateway.scope), move |txn, ctx| {
            let mut parts = asked.token.split('.');
            let id = parts.next().unwrap_or_default();
            let secret = parts.next().unwrap_or_default();
            join::exchange(txn, ctx, (id, secret), &asked.nonce)
        });
    match submitted.await {
        Ok(key) => json(&JoinAnswer {
            host: join::host_of(&key).unwrap_or_default().to_owned(),
            access_key_id: key.access_key_id,
            secret_access_key: key.secret,
            account: key.account,
            region: gateway.scope.region.clone(),
            ca: gateway.anchor.as_ref().map(|anchor| anchor.pem.clone()),
        }),
        Err(error) => failed(&error),
    }
}

/// `ID.SECRET`, and behind another dot whom to trust.
fn written(token: &FreshToken, anchor: Option<&Anchor>) -> String {
    let FreshToken { id, secret, .. } = token;
    match anchor {
        Some(anchor) => format!("{id}.{secret}.{}", anchor.fingerprint),
        None => format!("{id}.{secret}"),
    }
}

fn json(value: &impl Serialize) -> Answer {
    let text = serde_json::to_string(value).unwrap_or_default();
    answer::plain(StatusCode::OK, "application/json", text)
}

fn bad(text: &str) -> Answer {
    answer::plain(StatusCode::BAD_REQUEST, "text/plain", text.into())
}

fn failed(error: &AwsError) -> Answer {
    let status = StatusCode::from_u16(error.code().status);
    answer::plain(
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        "text/plain",
        format!("{}\n", error.message()),
    )
}
