//! Deliveries to an HTTP endpoint that the operator declared: a POST each, in order.
//!
//! Redirects are not followed: where events go is the operator's word, and nobody else's.
//! Rule: EventBridge user guide, "API destinations": five seconds for an answer; 401, 407, 409, 429 and
//! 5xx are tried again, other refusals are not.

use super::super::Controllers;
use super::{Failed, Failure, Turn, gone};
use bytes::Bytes;
use events::records::{DeliveryRecord, ENDPOINTS};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use store::Key;

const PATIENCE: Duration = Duration::from_secs(5);
/// An answer's body is read so that the connection can be used again, and thrown away.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

type Inner = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Made when it is first needed; pools connections.
#[derive(Clone, Default)]
pub struct HttpClient(Arc<OnceLock<Inner>>);

impl HttpClient {
    fn inner(&self) -> &Inner {
        self.0.get_or_init(|| {
            let mut roots = rustls::RootCertStore::empty();
            // Without certificates on this machine no endpoint with TLS is trusted, and plain ones work.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let tls = rustls::ClientConfig::builder()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(tls)
                .https_or_http()
                .enable_http1()
                .build();
            Client::builder(TokioExecutor::new()).build(connector)
        })
    }
}

/// Posts up to the first that is not taken.
pub async fn post(
    own: &Controllers,
    http: &HttpClient,
    name: &str,
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
    let mut turn = Turn::default();
    for delivery in due {
        match post_one(http, &endpoint.url, &delivery.input).await {
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

async fn post_one(http: &HttpClient, url: &str, body: &str) -> Result<(), (Failure, String)> {
    let request = hyper::Request::post(url)
        .header("content-type", "application/json; charset=utf-8")
        .header(
            "user-agent",
            concat!("longshore/", env!("CARGO_PKG_VERSION")),
        )
        .body(Full::new(Bytes::from(body.to_owned())))
        .map_err(|error| (Failure::ForGood, error.to_string()))?;
    let answered = tokio::time::timeout(PATIENCE, async {
        let answer = http.inner().request(request).await;
        let answer = answer.map_err(|error| (Failure::ForNow, error.to_string()))?;
        let status = answer.status();
        // What it says beside its status is nothing to us.
        drop(
            Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await,
        );
        Ok(status.as_u16())
    });
    let late = |_| (Failure::ForNow, "no answer in five seconds".to_owned());
    verdict(answered.await.map_err(late)??)
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
