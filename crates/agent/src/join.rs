//! A host joins: it exchanges a one-time token for its own key, which stays in its data directory.
//!
//! The nonce is on disk before the first try: a host that lost the answer asks again and gets the
//! same key, though the token be spent.
//! Rule: design, "Joining, and host sync".

use crate::secret;
use crate::server::{Server, Trust};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::StatusCode;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use std::io;
use std::path::Path;
use std::time::Duration;

const NONCE_LEN: usize = 16;
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// What the server gives to a host.
#[derive(Clone, Deserialize)]
pub struct Membership {
    /// The host's name.
    pub host: String,
    /// Its key.
    pub access_key_id: String,
    /// The key's secret.
    pub secret_access_key: String,
    /// The account it belongs to.
    pub account: String,
    /// The server's first region.
    pub region: String,
    /// The certificate (PEM) by which the server is known.
    pub ca: Option<String>,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// Exchanges a token. `nonce_file` is made where it is missing.
///
/// # Errors
/// The token is malformed or refused, or the server is not the one that made it.
pub async fn join(url: &str, token: &str, nonce_file: &Path) -> io::Result<Membership> {
    let (trust, proof) = read(token)?;
    let server = Server::new(url, trust)?;
    let nonce = secret::kept(nonce_file, NONCE_LEN)?;
    let body = serde_json::json!({ "token": proof, "nonce": nonce }).to_string();
    let request = hyper::Request::post(format!("{}/longshore/join", server.url()))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(io::Error::other)?;
    let client = Client::builder(TokioExecutor::new()).build(server.connector());
    let answered = tokio::time::timeout(PATIENCE, async {
        let answer = client.request(request).await.map_err(io::Error::other)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
        let body = body.await.map_err(io::Error::other)?;
        Ok::<_, io::Error>((status, body.to_bytes()))
    });
    let (status, body) = answered.await??;
    if status != StatusCode::OK {
        let text = String::from_utf8_lossy(&body).trim().to_owned();
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    serde_json::from_slice(&body).map_err(io::Error::other)
}

/// A token is `ID.SECRET.FINGERPRINT`, without the last for a server that speaks plain HTTP.
fn read(token: &str) -> io::Result<(Trust<'_>, &str)> {
    let parts: Vec<&str> = token.split('.').collect();
    match parts.as_slice() {
        [_, _, fingerprint] => {
            let proof = &token[..token.len() - fingerprint.len() - 1];
            Ok((Trust::Fingerprint(fingerprint), proof))
        }
        [_, _] => Ok((Trust::Nobody, token)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the join token is not complete: copy all that `longshore server token` printed",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whom_to_trust() {
        let (trust, proof) = read("id.secret.ab12").unwrap();
        assert!(matches!(trust, Trust::Fingerprint("ab12")));
        assert_eq!(proof, "id.secret");
        assert!(matches!(
            read("id.secret").unwrap(),
            (Trust::Nobody, "id.secret")
        ));
        for wrong in ["", "id", "a.b.c.d"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
