//! Limits and wording that several operations share.
//!
//! Source: CloudWatch Logs API reference; lengths and patterns of members are checked before, from
//! the model.

use crate::records::{
    GroupKey, LOG_GROUPS, LOG_STREAMS, LogGroupRecord, LogStreamRecord, StreamKey,
};
use aws_api::logs::errors;
use aws_types::{Arn, AwsError, Ctx, Scope};
use iam::Ask;
use std::sync::Arc;
use store::{LogStoreError, TableKey, World};

/// The group of this name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn group<'a>(
    world: &'a World,
    scope: &Scope,
    name: &str,
) -> Result<&'a Arc<LogGroupRecord>, AwsError> {
    world
        .get(&LOG_GROUPS, &GroupKey { scope, name }.encode())
        .ok_or_else(|| {
            errors::RESOURCE_NOT_FOUND_EXCEPTION.with("The specified log group does not exist.")
        })
}

/// The stream of this name, its group being there.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn stream<'a>(
    world: &'a World,
    scope: &Scope,
    group_name: &str,
    name: &str,
) -> Result<&'a Arc<LogStreamRecord>, AwsError> {
    group(world, scope, group_name)?;
    world
        .get(
            &LOG_STREAMS,
            &StreamKey {
                scope,
                group: group_name,
                name,
            }
            .encode(),
        )
        .ok_or_else(|| {
            errors::RESOURCE_NOT_FOUND_EXCEPTION.with("The specified log stream does not exist.")
        })
}

/// A group given by name or by identifier (name or ARN), exactly one of the two.
///
/// # Errors
/// `InvalidParameterException` for none or both.
pub fn group_name(name: Option<&str>, identifier: Option<&str>) -> Result<String, AwsError> {
    match (name, identifier) {
        (Some(name), None) => Ok(name.to_owned()),
        (None, Some(identifier)) => Ok(name_of(identifier)),
        (None, None) => Err(invalid("LogGroupName or LogGroupIdentifier is required.")),
        (Some(_), Some(_)) => Err(invalid(
            "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
        )),
    }
}

/// The name in a group's ARN, or the name itself.
fn name_of(identifier: &str) -> String {
    identifier
        .parse::<Arn>()
        .ok()
        .and_then(|arn| {
            let name = arn.resource.strip_prefix("log-group:")?;
            Some(name.strip_suffix(":*").unwrap_or(name).to_owned())
        })
        .unwrap_or_else(|| identifier.to_owned())
}

/// `InvalidParameterException`.
#[must_use]
pub fn invalid(message: &str) -> AwsError {
    errors::INVALID_PARAMETER_EXCEPTION.with(message)
}

/// The log store failed: SDKs retry `ServiceUnavailableException`.
#[must_use]
pub fn unavailable(error: LogStoreError) -> AwsError {
    errors::SERVICE_UNAVAILABLE_EXCEPTION
        .with("The service cannot complete the request.")
        .detail(error)
}

/// The question whether the caller may do `action` to a group.
#[must_use]
pub fn ask_group(ctx: &Ctx, action: &str, group: &str) -> Vec<Ask> {
    let resource = ctx
        .scope
        .arn("logs", &format!("log-group:{group}:*"))
        .to_string();
    vec![Ask {
        action: format!("logs:{action}"),
        resource,
    }]
}

/// The question whether the caller may do `action` to a stream.
#[must_use]
pub fn ask_stream(ctx: &Ctx, action: &str, group: &str, stream: &str) -> Vec<Ask> {
    let resource = crate::records::stream_arn(&ctx.scope, group, stream);
    vec![Ask {
        action: format!("logs:{action}"),
        resource,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_given_by_name_or_by_arn_but_not_both() {
        for (name, identifier, expected) in [
            (Some("/a"), None, Ok("/a")),
            (None, Some("/a"), Ok("/a")),
            (
                None,
                Some("arn:aws:logs:us-east-1:000000000000:log-group:/a"),
                Ok("/a"),
            ),
            (
                None,
                Some("arn:aws:logs:us-east-1:000000000000:log-group:/a:*"),
                Ok("/a"),
            ),
            (None, None, Err("InvalidParameterException")),
            (Some("/a"), Some("/a"), Err("InvalidParameterException")),
        ] {
            let found = group_name(name, identifier);
            assert_eq!(
                found.as_deref().map_err(|error| error.code().name),
                expected
            );
        }
    }
}
