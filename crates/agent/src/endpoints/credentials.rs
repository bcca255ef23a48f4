//! `/v2/credentials/ID`: what a task's containers sign with.
//!
//! The id and the sender's address must belong to one task; a stranger's id is answered as one that
//! nobody has. Rule: agent-protocol 6, and the public agent's texts.

use super::Origin;
use super::answer::Reply;
use super::caller;
use crate::engine::Host;
use aws_api::agent::IamRoleCredentials;
use hyper::StatusCode;
use serde_json::json;

/// Answers for the task that the id names. `version` is 1 or 2.
pub fn reply(host: &Host, origin: &Origin, version: u8, id: Option<&str>) -> Reply {
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return refusal(
            StatusCode::BAD_REQUEST,
            version,
            ("NoIdInRequest", "No Credential ID in the request"),
        );
    };
    match caller::by_credentials_id(host, origin, id) {
        None => refusal(
            StatusCode::BAD_REQUEST,
            version,
            ("InvalidIdInRequest", "Credentials not found"),
        ),
        Some(task) => of_task(host.credentials.application(&task.definition.arn), version),
    }
}

/// None: the agent has just started, and is told soon.
fn of_task(credentials: Option<IamRoleCredentials>, version: u8) -> Reply {
    match credentials {
        Some(one) => Reply::json(
            StatusCode::OK,
            &json!({
                "RoleArn": one.role_arn,
                "AccessKeyId": one.access_key_id,
                "SecretAccessKey": one.secret_access_key,
                "Token": one.session_token,
                "Expiration": one.expiration,
            }),
        ),
        None => refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            version,
            (
                "CredentialsUninitialized",
                "Credentials uninitialized for ID",
            ),
        ),
    }
}

fn refusal(status: StatusCode, version: u8, (code, text): (&str, &str)) -> Reply {
    Reply::json(
        status,
        &json!({
            "code": code,
            "message": format!("CredentialsV{version}Request: {text}"),
            "HTTPErrorCode": status.as_u16(),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn what_there_is_is_shown_in_the_forms_that_sdks_read() {
        let text = |text: &str| Some(text.to_owned());
        let given = IamRoleCredentials {
            credentials_id: text("c"),
            role_arn: text("arn:role"),
            access_key_id: text("ASIA"),
            secret_access_key: text("s"),
            session_token: text("t"),
            expiration: text("2026-01-01T00:00:00Z"),
            credential_scope: None,
        };
        let reply = of_task(Some(given), 2);
        let body: Value = serde_json::from_slice(&reply.body).expect("it is JSON");
        let expected = json!({"RoleArn": "arn:role", "AccessKeyId": "ASIA", "SecretAccessKey": "s",
            "Token": "t", "Expiration": "2026-01-01T00:00:00Z"});
        assert_eq!((reply.status, body), (StatusCode::OK, expected));
        let reply = of_task(None, 1);
        let body: Value = serde_json::from_slice(&reply.body).expect("it is JSON");
        let expected = json!({"code": "CredentialsUninitialized", "HTTPErrorCode": 503,
            "message": "CredentialsV1Request: Credentials uninitialized for ID"});
        assert_eq!(
            (reply.status, body),
            (StatusCode::SERVICE_UNAVAILABLE, expected)
        );
    }
}
