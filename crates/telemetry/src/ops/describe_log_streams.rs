//! DescribeLogStreams, by name or by time of the last event.

use crate::page::{name_token, parse_name_token};
use crate::records::{GroupKey, LOG_STREAMS, LogStreamRecord};
use crate::rules::{ask_group, group, group_name, invalid, unavailable};
use aws_api::logs::{DescribeLogStreamsRequest, DescribeLogStreamsResponse, LogStream};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::sync::Arc;
use store::{LogStore, LogStreamState, TableKey, World};

/// API reference, `limit`: default and maximum.
const PAGE: usize = 50;

/// Asks for the group.
pub fn authorisation(input: &DescribeLogStreamsRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    let name = group_name(
        input.log_group_name.as_deref(),
        input.log_group_identifier.as_deref(),
    );
    ask_group(ctx, "DescribeLogStreams", &name.unwrap_or_default())
}

/// Lists.
pub fn describe_log_streams(
    world: &World,
    ctx: &mut Ctx,
    log_store: &dyn LogStore,
    input: &DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, AwsError> {
    let name = group_name(
        input.log_group_name.as_deref(),
        input.log_group_identifier.as_deref(),
    )?;
    group(world, &ctx.scope, &name)?;
    let by_time = input.order_by.as_deref() == Some("LastEventTime");
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    if by_time && !prefix.is_empty() {
        return Err(invalid(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let key = GroupKey {
        scope: &ctx.scope,
        name: &name,
    }
    .encode();
    let mut rows = Vec::new();
    for (_, stream) in world.scan_prefix(&LOG_STREAMS, &key, None) {
        if stream.name.starts_with(prefix) {
            rows.push((
                stream,
                log_store
                    .state(stream.log_stream_id())
                    .map_err(unavailable)?,
            ));
        }
    }
    if by_time {
        rows.sort_by_key(|(stream, state)| (state.last, stream.name.clone()));
    }
    if input.descending == Some(true) {
        rows.reverse();
    }
    page(&rows, input)
}

/// Goes on after the stream that the token names; where it is gone, from the start.
fn page(
    rows: &[(&Arc<LogStreamRecord>, LogStreamState)],
    input: &DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, AwsError> {
    let after = parse_name_token(input.next_token.as_deref())?;
    let start = after
        .and_then(|name| rows.iter().position(|(stream, _)| stream.name == name))
        .map_or(0, |at| at + 1);
    let limit = input
        .limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(PAGE);
    let end = rows.len().min(start + limit);
    let next_token = (end < rows.len() && end > start).then(|| name_token(&rows[end - 1].0.name));
    let log_streams = rows[start..end]
        .iter()
        .map(|(stream, state)| shape(stream, *state))
        .collect();
    Ok(DescribeLogStreamsResponse {
        log_streams: Some(log_streams),
        next_token,
    })
}

fn shape(stream: &LogStreamRecord, state: LogStreamState) -> LogStream {
    LogStream {
        log_stream_name: Some(stream.name.clone()),
        creation_time: Some(stream.created_at.millis()),
        first_event_timestamp: state.first.map(aws_types::Timestamp::millis),
        last_event_timestamp: state.last.map(aws_types::Timestamp::millis),
        last_ingestion_time: state.last_ingested.map(aws_types::Timestamp::millis),
        upload_sequence_token: Some(format!("{:056}", state.sequence)),
        arn: Some(stream.arn()),
        // Always 0 since June 2019 (API reference, `storedBytes`).
        stored_bytes: Some(0),
    }
}
