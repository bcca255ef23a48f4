//! Which service, operation and protocol a request is for.
//!
//! `X-Amz-Target` first, or the path of a `smithy-protocol`; else the credential scope's service with the form's `Action`. A name that
//! AWS has and we do not serve gets the protocol's own unknown-operation error.

use crate::Head;
use crate::head::pairs;
use crate::protocol::SMITHY_CBOR;
use crate::sigv4::Authorization;
use aws_api::{OperationDescription, Protocol, SERVICES, ServiceDescription};
use aws_types::{AwsError, ErrorCode, codes};

/// The destination of a request.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The service.
    pub service: &'static ServiceDescription,
    /// The operation.
    pub operation: &'static OperationDescription,
    /// How input and output look.
    pub protocol: Protocol,
}

/// A request that leads nowhere: the error, and the protocol to say it in.
#[derive(Clone, Debug)]
pub struct Nowhere {
    /// What to answer.
    pub error: AwsError,
    /// In which form.
    pub protocol: Protocol,
    /// The service that was asked, where it is known.
    pub service: Option<&'static ServiceDescription>,
}

const INVALID_ACTION: ErrorCode = ErrorCode::sender("InvalidAction", 400);

/// Finds the operation. `body` is looked at for forms only.
///
/// # Errors
/// There is no such operation here.
pub fn identify(head: &Head<'_>, body: &[u8]) -> Result<Route, Box<Nowhere>> {
    match head.header("x-amz-target") {
        Some(target) => by_target(json_version(head), target),
        None if is_cbor(head) => by_target(Protocol::RpcV2Cbor, &path_target(head.path)),
        None => by_action(head, body),
    }
}

fn is_cbor(head: &Head<'_>) -> bool {
    head.header("smithy-protocol") == Some(SMITHY_CBOR)
}

/// `/service/PREFIX/operation/NAME` as a target, `PREFIX.NAME`.
fn path_target(path: &str) -> String {
    let (prefix, name) = path
        .strip_prefix("/service/")
        .and_then(|rest| rest.split_once("/operation/"))
        .unwrap_or_default();
    format!("{prefix}.{name}")
}

/// The protocol of a request whose body was not read, as far as its head shows it: in its form a
/// refusal can be parsed by whoever sent it.
#[must_use]
pub fn protocol_of_head(head: &Head<'_>) -> Protocol {
    let form = head
        .header("content-type")
        .is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
    match head.header("x-amz-target") {
        None if is_cbor(head) => Protocol::RpcV2Cbor,
        None if form || head.query.contains("Action=") => {
            let service = signed_for(head)
                .and_then(|name| SERVICES.iter().find(|service| service.signing_name == name));
            service
                .and_then(|service| form_protocol(service))
                .unwrap_or(Protocol::AwsQuery)
        }
        _ => json_version(head),
    }
}

fn json_version(head: &Head<'_>) -> Protocol {
    match head.header("content-type") {
        Some(kind) if kind.contains("json-1.0") => Protocol::AwsJson10,
        _ => Protocol::AwsJson11,
    }
}

/// The service in the credential scope.
fn signed_for(head: &Head<'_>) -> Option<String> {
    let authorization = Authorization::of(head).ok()?;
    Some(authorization.service.into_owned())
}

/// The protocol in which a service takes forms.
fn form_protocol(service: &ServiceDescription) -> Option<Protocol> {
    let mut protocols = service.protocols.iter().copied();
    protocols.find(|protocol| matches!(protocol, Protocol::AwsQuery | Protocol::Ec2Query))
}

fn by_target(protocol: Protocol, target: &str) -> Result<Route, Box<Nowhere>> {
    let (prefix, name) = target.split_once('.').unwrap_or((target, ""));
    let service = SERVICES
        .iter()
        .find(|service| service.target_prefix == Some(prefix))
        .filter(|service| protocol != Protocol::RpcV2Cbor || service.protocols.contains(&protocol));
    let Some(service) = service else {
        let what = format!(
            "Longshore does not serve the AWS service behind {prefix}. Give the client another endpoint for it (AWS_ENDPOINT_URL_SERVICE)."
        );
        return Err(nowhere(codes::UNKNOWN_OPERATION, what, protocol, None));
    };
    match service.operation(name) {
        Some(operation) => Ok(Route {
            service,
            operation,
            protocol,
        }),
        None if service.has(name) => {
            let what = format!("Longshore does not serve {name} of {} yet.", service.name);
            Err(nowhere(
                codes::UNKNOWN_OPERATION,
                what,
                protocol,
                Some(service),
            ))
        }
        None => {
            let what = "The requested operation is not recognized by the service.".to_owned();
            Err(nowhere(codes::UNKNOWN_OPERATION, what, protocol, None))
        }
    }
}

fn by_action(head: &Head<'_>, body: &[u8]) -> Result<Route, Box<Nowhere>> {
    let form = if head.method == "POST" {
        std::str::from_utf8(body).unwrap_or_default()
    } else {
        ""
    };
    let mut action = None;
    let mut version = None;
    for (name, value) in pairs(form).chain(pairs(head.query)) {
        match name.as_str() {
            "Action" => action = action.or(Some(value)),
            "Version" => version = version.or(Some(value)),
            _ => {}
        }
    }
    let signed_for = signed_for(head);
    let service = SERVICES
        .iter()
        .filter_map(|service| Some((*service, form_protocol(service)?)))
        .find(|(service, _)| {
            signed_for.as_deref() == Some(service.signing_name)
                || (signed_for.is_none() && version.as_deref() == Some(service.api_version))
        });
    let Some(action) = action else {
        let what = "The requested operation is not recognized by the service.".to_owned();
        return Err(nowhere(
            codes::UNKNOWN_OPERATION,
            what,
            Protocol::AwsJson11,
            None,
        ));
    };
    let Some((service, protocol)) = service else {
        let name = signed_for.as_deref().unwrap_or("that was asked");
        let what = format!(
            "Longshore does not serve the AWS service {name}. Give the client another endpoint for it (AWS_ENDPOINT_URL_SERVICE)."
        );
        return Err(nowhere(INVALID_ACTION, what, Protocol::AwsQuery, None));
    };
    let version = version.unwrap_or_else(|| service.api_version.to_owned());
    match service.operation(&action) {
        Some(operation) if version == service.api_version => Ok(Route {
            service,
            operation,
            protocol,
        }),
        _ => {
            let what = match protocol {
                Protocol::Ec2Query => {
                    format!("The action {action} is not valid for this web service.")
                }
                _ => format!("Could not find operation {action} for version {version}"),
            };
            Err(nowhere(INVALID_ACTION, what, protocol, Some(service)))
        }
    }
}

fn nowhere(
    code: ErrorCode,
    what: String,
    protocol: Protocol,
    service: Option<&'static ServiceDescription>,
) -> Box<Nowhere> {
    Box::new(Nowhere {
        error: code.with(what),
        protocol,
        service,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<(&'static str, &'static str), &'static str> {
        let head = Head {
            method: "POST",
            path: match headers {
                [("smithy-protocol", _)] => body,
                _ => "/",
            },
            query: "",
            headers,
        };
        identify(&head, body.as_bytes())
            .map(|route| (route.service.name, route.operation.name))
            .map_err(|nowhere| nowhere.error.code().name)
    }

    #[test]
    fn requests_find_their_operation() {
        let target = |value| [("x-amz-target", value)];
        let sts = "AWS4-HMAC-SHA256 Credential=K/20240101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";
        for (headers, body, expected) in [
            (
                &target("AmazonEC2ContainerServiceV20141113.RunTask")[..],
                "{}",
                Ok(("ecs", "RunTask")),
            ),
            (
                &target("AmazonEC2ContainerServiceV20141113.CreateDaemon"),
                "{}",
                Err("UnknownOperationException"),
            ),
            (
                &target("AmazonEC2ContainerServiceV20141113.Nonsense"),
                "{}",
                Err("UnknownOperationException"),
            ),
            (
                &target("DynamoDB_20120810.ListTables"),
                "{}",
                Err("UnknownOperationException"),
            ),
            (
                &target("Logs_20140328.PutLogEvents"),
                "{}",
                Ok(("logs", "PutLogEvents")),
            ),
            (
                &[("authorization", sts)],
                "Action=GetCallerIdentity&Version=2011-06-15",
                Ok(("sts", "GetCallerIdentity")),
            ),
            (
                &[],
                "Action=GetCallerIdentity&Version=2011-06-15",
                Ok(("sts", "GetCallerIdentity")),
            ),
            (
                &[("authorization", sts)],
                "Action=Nothing&Version=2011-06-15",
                Err("InvalidAction"),
            ),
            (
                &[],
                "Action=DescribeVpcs&Version=2016-11-15",
                Ok(("ec2", "DescribeVpcs")),
            ),
            (
                &[],
                "Action=RunInstances&Version=2016-11-15",
                Err("InvalidAction"),
            ),
            (&[], "", Err("UnknownOperationException")),
            (
                &[("smithy-protocol", "rpc-v2-cbor")],
                "/service/GraniteServiceVersion20100801/operation/DescribeAlarms",
                Ok(("cloudwatch", "DescribeAlarms")),
            ),
            (
                &[("smithy-protocol", "rpc-v2-cbor")],
                "/service/AmazonEC2ContainerServiceV20141113/operation/RunTask",
                Err("UnknownOperationException"),
            ),
            (
                &[("smithy-protocol", "rpc-v2-cbor")],
                "/",
                Err("UnknownOperationException"),
            ),
            (
                &target("GraniteServiceVersion20100801.PutMetricAlarm"),
                "{}",
                Ok(("cloudwatch", "PutMetricAlarm")),
            ),
            (
                &[],
                "Action=DescribeAlarms&Version=2010-08-01",
                Ok(("cloudwatch", "DescribeAlarms")),
            ),
        ] {
            assert_eq!(route(headers, body), expected, "{headers:?} {body}");
        }
    }

    proptest! {
        #[test]
        fn no_head_makes_it_panic(target in prop::option::of(".{0,40}"), authorization in ".{0,60}", query in ".{0,40}", body in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut headers = vec![("authorization", authorization.as_str())];
            headers.extend(target.as_deref().map(|target| ("x-amz-target", target)));
            let _ = identify(&Head { method: "POST", path: "/", query: &query, headers: &headers }, &body);
        }
    }
}
