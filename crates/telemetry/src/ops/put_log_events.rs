//! PutLogEvents: answered when the batch is synced.
//!
//! Events too old, too new or expired are left out and reported; the rest is stored. A host's agent
//! carries the batch's cursor in `sequenceToken` (which AWS accepts and ignores): a batch sent again
//! after a lost answer is dropped.

use crate::rules::{ask_stream, group, invalid, stream, unavailable};
use aws_api::agent::LOG_CURSOR_PREFIX;
use aws_api::logs::{
    InputLogEvent, PutLogEventsRequest, PutLogEventsResponse, RejectedLogEventsInfo,
};
use aws_types::{AwsError, Ctx, Timestamp};
use iam::Ask;
use std::time::Duration;
use store::{ENTRY_OVERHEAD, LogEntry, LogStore, World};

/// API reference, PutLogEvents: the limits of a batch.
const BATCH_BYTES_MAX: usize = 1_048_576;
const SPAN_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const TOO_OLD: Duration = Duration::from_secs(14 * 24 * 60 * 60);
const TOO_NEW: Duration = Duration::from_secs(2 * 60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks for the stream.
pub fn authorisation(input: &PutLogEventsRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    let group = input.log_group_name.as_deref().unwrap_or_default();
    ask_stream(
        ctx,
        "PutLogEvents",
        group,
        input.log_stream_name.as_deref().unwrap_or_default(),
    )
}

/// Checks, appends, answers.
pub fn put_log_events(
    world: &World,
    ctx: &mut Ctx,
    log_store: &dyn LogStore,
    input: &PutLogEventsRequest,
) -> Result<PutLogEventsResponse, AwsError> {
    let group_name = input.log_group_name.as_deref().unwrap_or_default();
    let stream_name = input.log_stream_name.as_deref().unwrap_or_default();
    let record = stream(world, &ctx.scope, group_name, stream_name)?;
    let retention = group(world, &ctx.scope, group_name)?
        .retention_days
        .map(|days| DAY * days);
    let events = input.log_events.as_deref().unwrap_or_default();
    check_batch(events)?;
    let (accepted, rejected) = sort_out(events, ctx.now, retention);
    let cursor = ctx
        .caller
        .host()
        .and(input.sequence_token.as_deref())
        .and_then(parse_cursor);
    if !accepted.is_empty() {
        log_store
            .append(record.log_stream_id(), &accepted, ctx.now, cursor)
            .map_err(unavailable)?;
    }
    let sequence = log_store
        .state(record.log_stream_id())
        .map_err(unavailable)?
        .sequence;
    Ok(PutLogEventsResponse {
        next_sequence_token: Some(format!("{sequence:056}")),
        rejected_log_events_info: rejected,
        ..PutLogEventsResponse::default()
    })
}

fn parse_cursor(token: &str) -> Option<u64> {
    token.strip_prefix(LOG_CURSOR_PREFIX)?.parse().ok()
}

fn check_batch(events: &[InputLogEvent]) -> Result<(), AwsError> {
    let times: Vec<i64> = events.iter().filter_map(|event| event.timestamp).collect();
    if times.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    if let (Some(first), Some(last)) = (times.first(), times.last())
        && Timestamp::from_millis(*last).since(Timestamp::from_millis(*first)) > SPAN_MAX
    {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    let message_bytes = |event: &InputLogEvent| event.message.as_ref().map_or(0, String::len);
    let bytes: usize = events
        .iter()
        .map(|event| message_bytes(event) + ENTRY_OVERHEAD)
        .sum();
    if bytes > BATCH_BYTES_MAX {
        return Err(invalid(&format!(
            "Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )));
    }
    Ok(())
}

/// Parts a batch, which is in order of time, into what is stored and what is refused.
fn sort_out(
    events: &[InputLogEvent],
    now: Timestamp,
    retention: Option<Duration>,
) -> (Vec<LogEntry>, Option<RejectedLogEventsInfo>) {
    let index = |at: usize| i32::try_from(at).ok();
    let time = |event: &InputLogEvent| Timestamp::from_millis(event.timestamp.unwrap_or_default());
    let too_old = events
        .iter()
        .take_while(|event| time(event) < now.minus(TOO_OLD))
        .count();
    let expired = retention.map_or(0, |kept| {
        events
            .iter()
            .take_while(|event| time(event) < now.minus(kept))
            .count()
    });
    let first_new = events
        .iter()
        .position(|event| time(event) > now.plus(TOO_NEW));
    let start = too_old.max(expired);
    let end = first_new.unwrap_or(events.len()).max(start);
    let accepted = events[start..end]
        .iter()
        .map(|event| LogEntry {
            timestamp: time(event),
            message: event.message.clone().unwrap_or_default(),
        })
        .collect();
    let rejected = RejectedLogEventsInfo {
        too_new_log_event_start_index: first_new.and_then(index),
        too_old_log_event_end_index: (too_old > 0).then(|| index(too_old)).flatten(),
        expired_log_event_end_index: (expired > 0).then(|| index(expired)).flatten(),
    };
    let any = rejected != RejectedLogEventsInfo::default();
    (accepted, any.then_some(rejected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(millis: i64) -> InputLogEvent {
        InputLogEvent {
            timestamp: Some(millis),
            message: Some("m".into()),
        }
    }

    #[test]
    fn a_batch_out_of_order_too_long_or_too_large_is_refused() {
        let day = 24 * 60 * 60 * 1000;
        for (events, expected) in [
            (vec![event(1), event(1), event(2)], None),
            (vec![event(2), event(1)], Some("chronological")),
            (vec![event(0), event(day)], None),
            (vec![event(0), event(day + 1)], Some("24 hours")),
            (
                vec![InputLogEvent {
                    timestamp: Some(0),
                    message: Some("x".repeat(1_048_576)),
                }],
                Some("Upload too large"),
            ),
        ] {
            let error = check_batch(&events).err();
            match expected {
                None => assert!(error.is_none()),
                Some(words) => assert!(error.unwrap().message().contains(words)),
            }
        }
    }

    #[test]
    fn events_outside_the_window_are_left_out_and_reported() {
        let now = Timestamp::from_millis(100 * 24 * 60 * 60 * 1000);
        let hour = 60 * 60 * 1000;
        let times = [-24 * 15, -24 * 3, -1, 1, 3];
        let events: Vec<_> = times
            .iter()
            .map(|hours| event(now.millis() + hours * hour))
            .collect();
        let (accepted, rejected) = sort_out(&events, now, Some(DAY));
        let rejected = rejected.unwrap();
        assert_eq!(accepted.len(), 2);
        assert_eq!(rejected.too_old_log_event_end_index, Some(1));
        assert_eq!(rejected.expired_log_event_end_index, Some(2));
        assert_eq!(rejected.too_new_log_event_start_index, Some(4));
        assert_eq!(sort_out(&events[2..4], now, None).1, None);
    }
}
