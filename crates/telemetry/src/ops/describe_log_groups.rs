//! DescribeLogGroups, in order of name.

use crate::page::{name_token, parse_name_token};
use crate::records::{GroupKey, LOG_GROUPS, LOG_STREAMS, LogGroupRecord};
use crate::rules::{ask_group, invalid, unavailable};
use aws_api::logs::{DescribeLogGroupsRequest, DescribeLogGroupsResponse, LogGroup};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Key, LogStore, TableKey, World};

/// API reference, `limit`: default and maximum.
const PAGE: usize = 50;

/// Asks for all groups.
pub fn authorisation(_: &DescribeLogGroupsRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_group(ctx, "DescribeLogGroups", "*")
}

/// Lists.
pub fn describe_log_groups(
    world: &World,
    ctx: &mut Ctx,
    log_store: &dyn LogStore,
    input: &DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse, AwsError> {
    let (prefix, pattern) = (&input.log_group_name_prefix, &input.log_group_name_pattern);
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let limit = input
        .limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(PAGE);
    let after = parse_name_token(input.next_token.as_deref())?;
    let after = after.map(|name| {
        GroupKey {
            scope: &ctx.scope,
            name: &name,
        }
        .encode()
    });
    let scope = Key::of(&[&ctx.scope.account, &ctx.scope.region]);
    let mut found = world
        .scan_prefix(&LOG_GROUPS, &scope, after.as_ref())
        .map(|(_, group)| group)
        .filter(|group| {
            prefix
                .as_ref()
                .is_none_or(|prefix| group.name.starts_with(prefix.as_str()))
        })
        .filter(|group| {
            pattern
                .as_ref()
                .is_none_or(|pattern| group.name.contains(pattern.as_str()))
        });
    let page: Vec<_> = found.by_ref().take(limit).collect();
    let next_token = match (found.next(), page.last()) {
        (Some(_), Some(last)) => Some(name_token(&last.name)),
        _ => None,
    };
    let log_groups = page
        .into_iter()
        .map(|group| shape(world, log_store, group))
        .collect::<Result<_, _>>()?;
    Ok(DescribeLogGroupsResponse {
        log_groups: Some(log_groups),
        next_token,
    })
}

fn shape(
    world: &World,
    log_store: &dyn LogStore,
    group: &LogGroupRecord,
) -> Result<LogGroup, AwsError> {
    let prefix = GroupKey {
        scope: &group.scope,
        name: &group.name,
    }
    .encode();
    let mut bytes = 0;
    for (_, stream) in world.scan_prefix(&LOG_STREAMS, &prefix, None) {
        bytes += log_store
            .state(stream.log_stream_id())
            .map_err(unavailable)?
            .bytes;
    }
    Ok(LogGroup {
        log_group_name: Some(group.name.clone()),
        creation_time: Some(group.created_at.millis()),
        retention_in_days: group
            .retention_days
            .and_then(|days| i32::try_from(days).ok()),
        metric_filter_count: Some(0),
        arn: Some(format!("{}:*", group.arn())),
        stored_bytes: Some(i64::try_from(bytes).unwrap_or(i64::MAX)),
        log_group_class: Some(group.class.clone()),
        log_group_arn: Some(group.arn()),
        ..LogGroup::default()
    })
}
