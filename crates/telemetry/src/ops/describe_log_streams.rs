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
            let last = if by_time {
                last_event(log_store, stream)?
            } else {
                0
            };
            let name = stream.name.clone();
            rows.push((Place { last, name }, stream));
        }
    }
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    if input.descending == Some(true) {
        rows.reverse();
    }
    page(log_store, rows, input)
}

/// Where a stream stands in its listing: by the time of its last event (equal for all where that is
/// not asked), then by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Milliseconds since 1970; -1 for a stream without events.
    last: i64,
    name: String,
}

impl Place {
    fn token(&self) -> String {
        name_token(&format!("{}/{}", self.last, self.name))
    }

    fn parse(text: &str) -> Option<Self> {
        let (last, name) = text.split_once('/')?;
        let last = last.parse().ok()?;
        let name = name.to_owned();
        Some(Self { last, name })
    }
}

fn last_event(log_store: &dyn LogStore, stream: &LogStreamRecord) -> Result<i64, AwsError> {
    let state = log_store.state(stream.log_stream_id());
    let last = state.map_err(unavailable)?.last;
    Ok(last.map_or(-1, aws_types::Timestamp::millis))
}

/// Goes on after the place that the token names, whether or not its stream is still there. Only the
/// streams shown are looked up in the log store.
fn page(
    log_store: &dyn LogStore,
    rows: Vec<(Place, &Arc<LogStreamRecord>)>,
    input: &DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, AwsError> {
    let after = match parse_name_token(input.next_token.as_deref())? {
        None => None,
        Some(text) => {
            let place = Place::parse(&text);
            Some(place.ok_or_else(|| invalid("The specified nextToken is invalid."))?)
        }
    };
    let unseen = |place: &Place| match (&after, input.descending) {
        (None, _) => true,
        (Some(after), Some(true)) => place < after,
        (Some(after), _) => place > after,
    };
    let limit = input
        .limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(PAGE);
    let mut rows = rows.into_iter().filter(|(place, _)| unseen(place));
    let shown: Vec<_> = rows.by_ref().take(limit).collect();
    let last = shown.last().map(|(place, _)| place.token());
    let next_token = rows.next().and(last);
    let describe = |(_, stream): (Place, &Arc<LogStreamRecord>)| {
        let state = log_store.state(stream.log_stream_id());
        Ok::<_, AwsError>(shape(stream, state.map_err(unavailable)?))
    };
    Ok(DescribeLogStreamsResponse {
        log_streams: Some(shown.into_iter().map(describe).collect::<Result<_, _>>()?),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::create_log_group::create_log_group;
    use crate::ops::create_log_stream::create_log_stream;
    use crate::records::{StreamKey, tables};
    use aws_api::logs::{CreateLogGroupRequest, CreateLogStreamRequest};
    use aws_types::Timestamp;
    use store::backend::MemoryLogStore;
    use store::{LogEntry, Schema, Txn};

    fn three_streams(ctx: &mut Ctx, log_store: &dyn LogStore) -> World {
        let mut txn = Txn::new(World::empty(&Schema::new(&tables())));
        let log_group_name = Some("g".to_owned());
        let group = CreateLogGroupRequest {
            log_group_name: log_group_name.clone(),
            ..Default::default()
        };
        create_log_group(&mut txn, ctx, &group).unwrap();
        for (name, last) in [("a", 30), ("b", 10), ("c", 20)] {
            let stream = CreateLogStreamRequest {
                log_group_name: log_group_name.clone(),
                log_stream_name: Some(name.into()),
            };
            create_log_stream(&mut txn, ctx, &stream).unwrap();
            let scope = &ctx.scope;
            let record = txn.get(&LOG_STREAMS, &key(scope, name)).unwrap();
            let entry = LogEntry {
                timestamp: Timestamp::from_millis(last),
                message: "m".into(),
            };
            let id = record.log_stream_id();
            log_store.append(id, &[entry], ctx.now, None).unwrap();
        }
        txn.finish().0
    }

    fn key(scope: &aws_types::Scope, name: &str) -> store::Key {
        let group = "g";
        StreamKey { scope, group, name }.encode()
    }

    #[test]
    fn a_listing_goes_on_where_it_was_although_the_stream_shown_last_is_gone() {
        for (by_time, descending, expected) in [
            (false, false, ["a", "b", "c"]),
            (false, true, ["c", "b", "a"]),
            (true, false, ["b", "c", "a"]),
            (true, true, ["a", "c", "b"]),
        ] {
            let mut ctx = Ctx::for_tests(1, Timestamp::from_millis(1_700_000_000_000));
            let log_store = MemoryLogStore::default();
            let mut world = three_streams(&mut ctx, &log_store);
            let (mut shown, mut token) = (Vec::new(), None);
            loop {
                let input = DescribeLogStreamsRequest {
                    log_group_name: Some("g".into()),
                    order_by: by_time.then(|| "LastEventTime".into()),
                    descending: Some(descending),
                    limit: Some(1),
                    next_token: token,
                    ..Default::default()
                };
                let answer = describe_log_streams(&world, &mut ctx, &log_store, &input).unwrap();
                let stream = answer.log_streams.unwrap().remove(0);
                let name = stream.log_stream_name.unwrap();
                let mut txn = Txn::new(world);
                txn.delete(&LOG_STREAMS, &key(&ctx.scope, &name));
                world = txn.finish().0;
                shown.push(name);
                token = answer.next_token;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(
                shown, expected,
                "by time {by_time}, descending {descending}"
            );
        }
    }
}
