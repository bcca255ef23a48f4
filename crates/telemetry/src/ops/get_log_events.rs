//! GetLogEvents: one stream, from either end, with a token for each direction.
//!
//! At an end the token of that direction is the one that was given: callers stop when it repeats.

use crate::page::{Direction, event_token, parse_event_token};
use crate::rules::{ask_stream, group_name, stream, unavailable};
use aws_api::logs::{GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};
use aws_types::{AwsError, Ctx, Timestamp};
use iam::Ask;
use store::{LogRange, LogStore, Position, StoredEntry, World};

/// API reference, GetLogEvents: "up to 10,000 log events" and 1 MB a page.
const EVENTS_MAX: usize = 10_000;
const BYTES_MAX: usize = 1_048_576;

/// Asks for the stream.
pub fn authorisation(input: &GetLogEventsRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    let group = group_name(
        input.log_group_name.as_deref(),
        input.log_group_identifier.as_deref(),
    );
    let stream = input.log_stream_name.as_deref().unwrap_or_default();
    ask_stream(ctx, "GetLogEvents", &group.unwrap_or_default(), stream)
}

/// Reads a page.
pub fn get_log_events(
    world: &World,
    ctx: &mut Ctx,
    log_store: &dyn LogStore,
    input: &GetLogEventsRequest,
) -> Result<GetLogEventsResponse, AwsError> {
    let group = group_name(
        input.log_group_name.as_deref(),
        input.log_group_identifier.as_deref(),
    )?;
    let stream_name = input.log_stream_name.as_deref().unwrap_or_default();
    let record = stream(world, &ctx.scope, &group, stream_name)?;
    let moment = |millis: Option<i64>, default| {
        Position::before(Timestamp::from_millis(millis.unwrap_or(default)))
    };
    let mut range = LogRange {
        from: moment(input.start_time, 0),
        until: moment(input.end_time, i64::MAX),
        backward: input.start_from_head != Some(true),
        entries_max: input
            .limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(EVENTS_MAX),
        bytes_max: BYTES_MAX,
    };
    let given = input
        .next_token
        .as_deref()
        .map(parse_event_token)
        .transpose()?;
    match given {
        Some((Direction::Forward, position)) => {
            range.from = range.from.max(position);
            range.backward = false;
        }
        Some((Direction::Backward, position)) => {
            range.until = range.until.min(position);
            range.backward = true;
        }
        None => {}
    }
    let entries = log_store
        .read(record.log_stream_id(), range)
        .map_err(unavailable)?;
    let (backward, forward) = tokens(&entries, &range, given);
    Ok(GetLogEventsResponse {
        events: Some(entries.into_iter().map(shape).collect()),
        next_forward_token: Some(event_token(Direction::Forward, forward)),
        next_backward_token: Some(event_token(Direction::Backward, backward)),
    })
}

/// Where the next pages begin: before the first entry, and after the last.
fn tokens(
    entries: &[StoredEntry],
    range: &LogRange,
    given: Option<(Direction, Position)>,
) -> (Position, Position) {
    if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
        let after = Position {
            sequence: last.position.sequence + 1,
            ..last.position
        };
        return (first.position, after);
    }
    match given {
        // Nothing further this way: the same token again, and the way back from the same place.
        Some((_, position)) => (position, position),
        // An empty range: events that arrive later lie after its start.
        None => (range.from, range.from),
    }
}

fn shape(entry: StoredEntry) -> OutputLogEvent {
    OutputLogEvent {
        timestamp: Some(entry.position.timestamp.millis()),
        message: Some(entry.message),
        ingestion_time: Some(entry.ingested.millis()),
    }
}
