//! PutEvents: events of users. Each stands alone: what is wrong with one is told in its place.

use crate::bus;
use crate::event::Event;
use crate::history;
use crate::rules::{ask_bus, check_bus, invalid};
use aws_api::events::{
    PutEventsRequest, PutEventsRequestEntry, PutEventsResponse, PutEventsResultEntry,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use serde_json::Value;
use std::sync::Arc;
use store::{Txn, World};

/// User guide, "PutEvents entry size": the sum of all entries, in bytes.
const BYTES_MAX: usize = 256 * 1024;
/// What an entry's time counts for.
const TIME_BYTES: usize = 14;

/// Asks for the bus.
pub fn authorisation(_: &PutEventsRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_bus(ctx, "PutEvents")
}

/// Publishes every entry that is an event.
pub fn put_events(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &PutEventsRequest,
) -> Result<PutEventsResponse, AwsError> {
    let entries = input.entries.as_deref().unwrap_or_default();
    if entries.iter().map(size).sum::<usize>() > BYTES_MAX {
        return Err(invalid(
            "Total size of the entries in the request is over the limit.",
        ));
    }
    for entry in entries {
        check_bus(&ctx.scope, entry.event_bus_name.as_deref())?;
    }
    let mut failed = 0;
    let mut results = Vec::with_capacity(entries.len());
    for entry in entries {
        results.push(match read(ctx, entry) {
            Ok(event) => {
                let published = bus::publish(txn, ctx.now, &event);
                history::note_dropped(txn, published.dropped);
                let event_id = Some(event.id.clone());
                history::note(txn, Arc::new(event));
                PutEventsResultEntry {
                    event_id,
                    ..PutEventsResultEntry::default()
                }
            }
            Err((code, message)) => {
                failed += 1;
                PutEventsResultEntry {
                    error_code: Some(code.into()),
                    error_message: Some(message),
                    ..PutEventsResultEntry::default()
                }
            }
        });
    }
    Ok(PutEventsResponse {
        failed_entry_count: Some(failed),
        entries: Some(results),
    })
}

fn size(entry: &PutEventsRequestEntry) -> usize {
    let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let resources = entry.resources.iter().flatten().map(String::len);
    entry.time.map_or(0, |_| TIME_BYTES)
        + len(&entry.source)
        + len(&entry.detail_type)
        + len(&entry.detail)
        + resources.sum::<usize>()
}

fn read(ctx: &mut Ctx, entry: &PutEventsRequestEntry) -> Result<Event, (&'static str, String)> {
    let needed = |name: &str, given: &Option<String>| {
        let filled = given.clone().filter(|text| !text.is_empty());
        filled.ok_or_else(|| {
            let reason = format!("{name} is a required argument.");
            let message = format!("Parameter {name} is not valid. Reason: {reason}");
            ("InvalidArgument", message)
        })
    };
    let source = needed("Source", &entry.source)?;
    let detail_type = needed("DetailType", &entry.detail_type)?;
    let detail = needed("Detail", &entry.detail)?;
    if source.starts_with("aws.") {
        let message = "Not authorized for the source.".to_owned();
        return Err(("NotAuthorizedForSourceException", message));
    }
    let detail = serde_json::from_str(&detail)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
    Ok(Event {
        id: ctx.ids.uuid(),
        scope: ctx.scope.clone(),
        source,
        detail_type,
        time: entry.time.unwrap_or(ctx.now),
        resources: entry.resources.clone().unwrap_or_default(),
        detail,
    })
}
