//! DescribeAlarmHistory: the newest first, of one alarm or of all.

use super::ask;
use crate::alarms::history::position;
use crate::alarms::records::{AlarmKey, HISTORY, HistoryRecord, prefix};
use crate::errors::token;
use crate::page::{name_token, read_name_token};
use aws_api::cloudwatch::{
    AlarmHistoryItem, DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::sync::Arc;
use store::{TableKey, World};

/// API reference, `MaxRecords`: the greatest, and what is shown where none is given.
const PAGE: usize = 100;

/// Asks for the alarm, or for all.
pub fn asks(input: &DescribeAlarmHistoryInput, _: &World, ctx: &Ctx) -> Vec<Ask> {
    let name = input.alarm_name.as_deref().unwrap_or("*");
    ask(ctx, "DescribeAlarmHistory", [name])
}

/// Lists.
pub fn describe_alarm_history(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeAlarmHistoryInput,
) -> Result<DescribeAlarmHistoryOutput, AwsError> {
    let of = match &input.alarm_name {
        Some(name) => AlarmKey::new(&ctx.scope, name).encode(),
        None => prefix(&ctx.scope),
    };
    let rows = world.scan_prefix(&HISTORY, &of, None);
    let mut found: Vec<(String, &Arc<HistoryRecord>)> = rows
        .filter(|(_, item)| is_wanted(item, input))
        .map(|(_, item)| (position(item), item))
        .collect();
    // Bounded: the history is.
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let is_ascending = input.scan_by.as_deref() == Some("TimestampAscending");
    if !is_ascending {
        found.reverse();
    }
    if let Some(text) = input.next_token.as_deref() {
        let after = read_name_token(text).ok_or_else(token)?;
        found.retain(|(at, _)| match is_ascending {
            true => *at > after,
            false => *at < after,
        });
    }
    let len = input.max_records.and_then(|len| usize::try_from(len).ok());
    let len = len.unwrap_or(PAGE);
    let last = found.get(len.wrapping_sub(1)).filter(|_| found.len() > len);
    let next_token = last.map(|(at, _)| name_token(at));
    let items = found.iter().take(len).map(|(_, item)| shape(item));
    Ok(DescribeAlarmHistoryOutput {
        alarm_history_items: Some(items.collect()),
        next_token,
    })
}

fn is_wanted(item: &HistoryRecord, input: &DescribeAlarmHistoryInput) -> bool {
    let kinds = input
        .alarm_types
        .as_deref()
        .filter(|kinds| !kinds.is_empty());
    let kind = &item.alarm_kind;
    // Rule: API reference: metric alarms alone, unless others are asked for.
    let has_kind = kinds.map_or(kind == "MetricAlarm", |kinds| kinds.contains(kind));
    let of_type = input.history_item_type.as_ref();
    (has_kind || input.alarm_name.is_some())
        && of_type.is_none_or(|wanted| *wanted == item.kind)
        && input.start_date.is_none_or(|from| item.key.at >= from)
        && input.end_date.is_none_or(|until| item.key.at <= until)
}

fn shape(item: &HistoryRecord) -> AlarmHistoryItem {
    AlarmHistoryItem {
        alarm_name: Some(item.key.alarm.name.clone()),
        alarm_type: Some(item.alarm_kind.clone()),
        history_data: Some(item.data.clone()),
        history_item_type: Some(item.kind.clone()),
        history_summary: Some(item.summary.clone()),
        timestamp: Some(item.key.at),
        ..AlarmHistoryItem::default()
    }
}
