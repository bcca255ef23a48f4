//! Deliveries to an HTTP endpoint that the operator declared: a POST each, in order, with what the target
//! adds to it.
//!
//! Redirects are not followed: where events go is the operator's word, and nobody else's.
//! Rule: EventBridge user guide, "API destinations": five seconds for an answer; 401, 407, 409, 429 and
//! 5xx are tried again, other refusals are not.

use super::super::Controllers;
use super::super::http_client::HttpClient;
use super::{Failed, Failure, Turn, gone};
use events::http_parameters::{self, Call};
use events::records::{DeliveryRecord, ENDPOINTS, TargetRecord};
use std::sync::Arc;
use std::time::Duration;
use store::Key;

const PATIENCE: Duration = Duration::from_secs(5);

/// Posts up to the first that is not taken.
pub async fn post(
    own: &Controllers,
    http: &HttpClient,
    name: &str,
    target: &TargetRecord,
    due: &[Arc<DeliveryRecord>],
) -> Turn {
    let endpoint = own
        .state
        .snapshot()
        .get(&ENDPOINTS, &Key::of(&[name]))
        .cloned();
    let Some(endpoint) = endpoint else {
        return gone(due, "the endpoint is declared no more");
    };
    let given = target.target.http_parameters.as_ref();
    let Some(call) = http_parameters::call(&endpoint.url, given) else {
        return gone(
            due,
            "the endpoint's path takes other values than the target gives",
        );
    };
    let mut turn = Turn::default();
    for delivery in due {
        match post_one(http, &call, &delivery.input).await {
            Ok(()) => turn.taken.push(delivery.key.clone()),
            Err((failure, why)) => {
                turn.failed = Some(Failed {
                    key: delivery.key.clone(),
                    failure,
                    why,
                });
                break;
            }
        }
    }
    turn
}

async fn post_one(http: &HttpClient, call: &Call, body: &str) -> Result<(), (Failure, String)> {
    let sent = http.post_with(&call.url, &call.headers, body.to_owned(), PATIENCE);
    let answered = sent.await;
    let (status, _) = answered.map_err(|error| (Failure::ForNow, error.to_string()))?;
    verdict(status)
}

fn verdict(status: u16) -> Result<(), (Failure, String)> {
    let why = format!("answered {status}");
    match status {
        200..=299 => Ok(()),
        401 | 407 | 409 | 429 | 500..=599 => Err((Failure::ForNow, why)),
        _ => Err((Failure::ForGood, why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_decides_whether_it_is_tried_again() {
        for (status, expected) in [
            (200, None),
            (204, None),
            (301, Some(Failure::ForGood)),
            (400, Some(Failure::ForGood)),
            (404, Some(Failure::ForGood)),
            (429, Some(Failure::ForNow)),
            (503, Some(Failure::ForNow)),
        ] {
            let failure = verdict(status).err().map(|(failure, _)| failure);
            assert_eq!(failure, expected, "{status}");
        }
    }
}
