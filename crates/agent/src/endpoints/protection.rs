//! Scale-in protection that a task asks for itself.
//!
//! Pure but for [`state`], which calls the control plane in the name of the task's role. Rule: agent-protocol 6, and the public agent's texts: a task without a role has no right to ask.

use super::answer::Reply;
use crate::actor::TaskContext;
use crate::task::definition::cluster_of;
use aws_api::ecs::operations::{GetTaskProtection, UpdateTaskProtection};
use aws_api::ecs::{Failure, GetTaskProtectionRequest, ProtectedTask, UpdateTaskProtectionRequest};
use aws_wire::client::CallError;
use aws_wire::sigv4::Credentials;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Rule: the public agent's; the asker waits for five seconds.
const PATIENCE: Duration = Duration::from_secs(4);
const NOBODY: &str = "";

/// What a task asks for. A member that is not known is refused.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Wanted {
    protection_enabled: Option<bool>,
    expires_in_minutes: Option<i32>,
}

/// Answers for a task, or for nobody where the path's id is not the asker's.
pub async fn state(task: Option<&TaskContext>, method: &Method, body: &[u8]) -> Reply {
    let request = match read(method, body) {
        Ok(request) => request,
        Err(reply) => return *reply,
    };
    let Some(task) = task else {
        let text = "Failed to find a task for the request";
        return refusal(
            StatusCode::NOT_FOUND,
            NOBODY,
            "ResourceNotFoundException",
            text,
        );
    };
    let arn = &task.definition.arn;
    // Signed by the task's role: whoever looks at the call sees who it was.
    let credentials = task.host.credentials.signing(arn);
    let credentials = match check(arn, &request, credentials) {
        Ok(credentials) => credentials,
        Err(reply) => return *reply,
    };
    match tokio::time::timeout(PATIENCE, call(task, credentials, request)).await {
        Ok(answered) => answer(arn, answered),
        Err(_) => refusal(
            StatusCode::GATEWAY_TIMEOUT,
            arn,
            "RequestCanceled",
            "Timed out calling ECS Task Protection API",
        ),
    }
}

fn read(method: &Method, body: &[u8]) -> Result<Option<Wanted>, Box<Reply>> {
    match *method {
        Method::GET => Ok(None),
        Method::PUT => serde_json::from_slice(body).map(Some).map_err(|_| {
            let text = "UpdateTaskProtection: failed to decode request";
            let status = StatusCode::BAD_REQUEST;
            Box::new(refusal(status, NOBODY, "InvalidParameterException", text))
        }),
        _ => Err(Box::new(Reply::empty(StatusCode::METHOD_NOT_ALLOWED))),
    }
}

fn check(
    arn: &str,
    request: &Option<Wanted>,
    credentials: Option<Credentials>,
) -> Result<Credentials, Box<Reply>> {
    if let Some(wanted) = request
        && wanted.protection_enabled.is_none()
    {
        let text = "Invalid request: does not contain 'ProtectionEnabled' field";
        let status = StatusCode::BAD_REQUEST;
        return Err(Box::new(refusal(
            status,
            arn,
            "InvalidParameterException",
            text,
        )));
    }
    credentials.ok_or_else(|| {
        let text = "Invalid Request: no task IAM role credentials available for task";
        let status = StatusCode::FORBIDDEN;
        Box::new(refusal(status, arn, "AccessDeniedException", text))
    })
}

/// The call that a request comes to.
#[derive(Debug, PartialEq)]
enum Input {
    Get(GetTaskProtectionRequest),
    Update(UpdateTaskProtectionRequest),
}

/// In the task's own cluster: a host that lends FARGATE capacity has tasks of all clusters.
fn input(arn: &str, request: Option<Wanted>) -> Input {
    let cluster = Some(cluster_of(arn).to_owned());
    let tasks = Some(vec![arn.to_owned()]);
    match request {
        None => Input::Get(GetTaskProtectionRequest { cluster, tasks }),
        Some(wanted) => Input::Update(UpdateTaskProtectionRequest {
            cluster,
            tasks,
            protection_enabled: wanted.protection_enabled,
            expires_in_minutes: wanted.expires_in_minutes,
        }),
    }
}

type Answered = Result<(Vec<ProtectedTask>, Vec<Failure>), CallError>;

async fn call(task: &TaskContext, credentials: Credentials, request: Option<Wanted>) -> Answered {
    let api = task.host.api.signing_with(credentials);
    let (protected, failures) = match input(&task.definition.arn, request) {
        Input::Get(input) => {
            let output = api.call::<GetTaskProtection>(&input).await?;
            (output.protected_tasks, output.failures)
        }
        Input::Update(input) => {
            let output = api.call::<UpdateTaskProtection>(&input).await?;
            (output.protected_tasks, output.failures)
        }
    };
    Ok((protected.unwrap_or_default(), failures.unwrap_or_default()))
}

fn answer(arn: &str, answered: Answered) -> Reply {
    match answered {
        Ok((protected, failures)) => match (protected.as_slice(), failures.as_slice()) {
            ([one], []) => Reply::json(StatusCode::OK, &json!({"protection": protection(one)})),
            (_, [failure, ..]) => Reply::json(
                StatusCode::OK,
                &json!({"failure": {
                    "Arn": failure.arn, "Reason": failure.reason, "Detail": failure.detail,
                }}),
            ),
            _ => refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                arn,
                "ServerException",
                "An unexpected failure occurred.",
            ),
        },
        Err(error) => {
            let (status, code) = match error.status {
                400..500 => (StatusCode::BAD_REQUEST, error.code.as_str()),
                _ => (StatusCode::INTERNAL_SERVER_ERROR, "ServerException"),
            };
            refusal(status, arn, code, &error.message)
        }
    }
}

fn protection(task: &ProtectedTask) -> Value {
    json!({
        "ExpirationDate": task.expiration_date.map(aws_types::Timestamp::iso8601),
        "ProtectionEnabled": task.protection_enabled,
        "TaskArn": task.task_arn,
    })
}

fn refusal(status: StatusCode, arn: &str, code: &str, message: &str) -> Reply {
    let mut error = json!({"Code": code, "Message": message});
    if !arn.is_empty() {
        error["Arn"] = json!(arn);
    }
    Reply::json(status, &json!({"error": error}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::Timestamp;

    const ARN: &str = "arn:aws:ecs:us-east-1:000000000000:task/default/0";

    fn role() -> Option<Credentials> {
        Some(Credentials {
            access_key_id: "ASIA".into(),
            secret: "s".into(),
            session_token: Some("t".into()),
        })
    }

    fn shown(reply: &Reply) -> (u16, Value) {
        let body = serde_json::from_slice(&reply.body).expect("it is JSON");
        (reply.status.as_u16(), body)
    }

    #[test]
    fn a_bad_request_is_refused_in_the_agents_words() {
        for body in [
            "",
            "{",
            r#"{"ProtectionEnabled": "yes"}"#,
            r#"{"ProtectionEnabled": true, "TaskArn": "other"}"#,
        ] {
            let reply = read(&Method::PUT, body.as_bytes()).expect_err("it is refused");
            let (status, body) = shown(&reply);
            assert_eq!(
                (status, body["error"]["Code"].as_str()),
                (400, Some("InvalidParameterException"))
            );
        }
        let wanted = |body: &str| read(&Method::PUT, body.as_bytes()).expect("it is read");
        let nothing = check(ARN, &wanted("{}"), role()).expect_err("it is refused");
        assert_eq!(
            shown(&nothing).1["error"]["Message"],
            "Invalid request: does not contain 'ProtectionEnabled' field"
        );
        let off = wanted(r#"{"ProtectionEnabled": false, "ExpiresInMinutes": null}"#);
        let (status, body) = shown(&check(ARN, &off, None).expect_err("it is refused"));
        let error = json!({"Arn": ARN, "Code": "AccessDeniedException",
            "Message": "Invalid Request: no task IAM role credentials available for task"});
        assert_eq!((status, body), (403, json!({"error": error})));
        assert!(check(ARN, &off, role()).is_ok() && check(ARN, &None, role()).is_ok());
        let status = read(&Method::POST, b"{}")
            .expect_err("it is refused")
            .status;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn a_task_is_looked_for_in_its_own_cluster() {
        let arn = "arn:aws:ecs:us-east-1:000000000000:task/web/0";
        let get = GetTaskProtectionRequest {
            cluster: Some("web".into()),
            tasks: Some(vec![arn.into()]),
        };
        assert_eq!(input(arn, None), Input::Get(get));
        let wanted = Wanted {
            protection_enabled: Some(true),
            expires_in_minutes: Some(5),
        };
        let update = UpdateTaskProtectionRequest {
            cluster: Some("web".into()),
            tasks: Some(vec![arn.into()]),
            protection_enabled: Some(true),
            expires_in_minutes: Some(5),
        };
        assert_eq!(input(arn, Some(wanted)), Input::Update(update));
    }

    #[test]
    fn what_the_control_plane_says_is_handed_on() {
        let one = ProtectedTask {
            expiration_date: Some(Timestamp::EPOCH),
            protection_enabled: Some(true),
            task_arn: Some(ARN.into()),
        };
        let reply = answer(ARN, Ok((vec![one], Vec::new())));
        let protection = json!({"ExpirationDate": "1970-01-01T00:00:00.000Z",
            "ProtectionEnabled": true, "TaskArn": ARN});
        assert_eq!(shown(&reply), (200, json!({"protection": protection})));
        let failure = Failure {
            arn: Some(ARN.into()),
            reason: Some("TASK_NOT_VALID".into()),
            detail: None,
        };
        let reply = answer(ARN, Ok((Vec::new(), vec![failure])));
        let failure = json!({"Arn": ARN, "Reason": "TASK_NOT_VALID", "Detail": null});
        assert_eq!(shown(&reply), (200, json!({"failure": failure})));
        let refused = |status: u16| {
            let error = CallError {
                status,
                code: "InvalidParameterException".into(),
                message: "no".into(),
            };
            let (status, body) = shown(&answer(ARN, Err(error)));
            (status, body["error"]["Code"].as_str().map(str::to_owned))
        };
        let code = |text: &str| Some(text.to_owned());
        assert_eq!(refused(400), (400, code("InvalidParameterException")));
        assert_eq!(refused(500), (500, code("ServerException")));
        assert_eq!(refused(0), (500, code("ServerException")));
    }
}
