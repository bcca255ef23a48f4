//! Requests of our own clients (agent, command line, bench) and their answers.

use crate::Head;
use crate::protocol::json::{JsonReader, JsonWriter};
use crate::sigv4::{Credentials, sign};
use aws_api::{Operation, SERVICES, Shape};
use aws_types::Timestamp;
use std::fmt;

/// A signed request, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// `POST` for operations, `GET` for websockets.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// Names in lower case; `host` is among them.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The call was refused, or its answer could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// HTTP status; 0 where no answer came.
    pub status: u16,
    /// AWS's code; empty where there is none.
    pub code: String,
    /// AWS's words.
    pub message: String,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.code, self.message)
        }
    }
}

impl std::error::Error for CallError {}

/// Signs a call of an awsJson operation to `host` (`127.0.0.1:4566`).
#[must_use]
pub fn request<O: Operation>(
    input: &O::Input,
    host: &str,
    credentials: &Credentials,
    region: &str,
    now: Timestamp,
) -> SignedRequest {
    let service = SERVICES.iter().find(|service| service.name == O::SERVICE);
    let (prefix, signing_name) = service.map_or(("", O::SERVICE), |service| {
        (
            service.target_prefix.unwrap_or_default(),
            service.signing_name,
        )
    });
    let mut writer = JsonWriter::default();
    input.write(&mut writer);
    let body = writer.into_bytes();
    let target = format!("{prefix}.{}", O::NAME);
    let mut headers = vec![
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("host", host.to_owned()),
        ("x-amz-target", target),
    ];
    let borrowed: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let head = Head {
        method: "POST",
        path: "/",
        query: "",
        headers: &borrowed,
    };
    let added = sign(&head, &body, credentials, region, signing_name, now);
    headers.extend(added);
    SignedRequest {
        method: "POST",
        target: "/".into(),
        headers,
        body,
    }
}

/// Signs a request without a body: a websocket's upgrade, an administrative GET. `query` is encoded.
#[must_use]
pub fn get(
    host: &str,
    path: &str,
    query: &str,
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: Timestamp,
) -> SignedRequest {
    let head = Head {
        method: "GET",
        path,
        query,
        headers: &[("host", host)],
    };
    let mut headers = vec![("host", host.to_owned())];
    headers.extend(sign(&head, b"", credentials, region, service, now));
    let target = if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    };
    SignedRequest {
        method: "GET",
        target,
        headers,
        body: Vec::new(),
    }
}

/// Signs an administrative POST.
#[must_use]
pub fn post(
    host: &str,
    path: &str,
    body: Vec<u8>,
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: Timestamp,
) -> SignedRequest {
    let head = Head {
        method: "POST",
        path,
        query: "",
        headers: &[("host", host)],
    };
    let mut headers = vec![("host", host.to_owned())];
    headers.extend(sign(&head, &body, credentials, region, service, now));
    SignedRequest {
        method: "POST",
        target: path.to_owned(),
        headers,
        body,
    }
}

/// Reads an answer.
///
/// # Errors
/// The service's refusal, or an answer that is not of the operation's shape.
pub fn answer<O: Operation>(status: u16, body: &[u8]) -> Result<O::Output, CallError> {
    if status == 200 {
        let body: &[u8] = if body.is_empty() { b"{}" } else { body };
        return O::Output::read(&mut JsonReader::new(body)).map_err(|error| CallError {
            status,
            code: String::new(),
            message: format!("the answer of {} cannot be read: {}", O::NAME, error.0),
        });
    }
    Err(refusal(status, body))
}

/// Reads a refusal: `__type` up to its colon and behind its hash, `message` or `Message`.
#[must_use]
pub fn refusal(status: u16, body: &[u8]) -> CallError {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    let kind = text("__type").unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or(kind);
    let code = kind.split(':').next().unwrap_or(kind).to_owned();
    let message = text("message")
        .or_else(|| text("Message"))
        .map_or_else(|| format!("HTTP status {status}"), str::to_owned);
    CallError {
        status,
        code,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::{Authorization, Expected, SigningKey, verify};
    use aws_api::ecs;

    #[test]
    fn what_we_sign_verifies_and_what_was_tampered_with_does_not() {
        let credentials = Credentials {
            access_key_id: "AKIA".into(),
            secret: "s".into(),
            session_token: None,
        };
        let now = Timestamp::from_millis(1_707_741_897_000);
        let input = ecs::RunTaskRequest {
            cluster: Some("ü".into()),
            ..Default::default()
        };
        let signed = request::<ecs::operations::RunTask>(
            &input,
            "127.0.0.1:1",
            &credentials,
            "us-east-1",
            now,
        );
        let headers: Vec<_> = signed
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let head = Head {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
        };
        let authorization = Authorization::of(&head).unwrap();
        let key = SigningKey::derive("s", &authorization.day, "us-east-1", "ecs");
        let regions = ["us-east-1".to_owned()];
        let check = |body: &[u8], key: &SigningKey, millis: i64, service: &str| {
            let expected = Expected {
                regions: &regions,
                service,
                session_token: None,
                now: Timestamp::from_millis(now.millis() + millis),
            };
            verify(&head, body, &authorization, || key.clone(), expected).is_ok()
        };
        assert!(check(&signed.body, &key, 0, "ecs"));
        assert!(check(&signed.body, &key, 299_000, "ecs"));
        assert!(!check(&signed.body, &key, 301_000, "ecs"));
        assert!(!check(&signed.body, &key, -301_000, "ecs"));
        assert!(!check(b"{}", &key, 0, "ecs"));
        assert!(!check(
            &signed.body,
            &SigningKey::derive("t", &authorization.day, "us-east-1", "ecs"),
            0,
            "ecs"
        ));
        assert!(!check(&signed.body, &key, 0, "logs"));
    }
}
