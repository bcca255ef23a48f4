//! TestEventPattern: whether an event would match.

use super::put_rule::not_a_pattern;
use crate::pattern::Pattern;
use crate::rules::not_valid;
use aws_api::events::{TestEventPatternRequest, TestEventPatternResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use serde_json::Value;
use store::World;

/// API reference, `Event`: the fields that it must have.
const FIELDS: [&str; 7] = [
    "id",
    "account",
    "source",
    "time",
    "region",
    "resources",
    "detail-type",
];

/// Asks for no single resource.
pub fn authorisation(_: &TestEventPatternRequest, _: &World, _: &Ctx) -> Vec<Ask> {
    vec![Ask::any("events:TestEventPattern")]
}

/// Tests.
pub fn test_event_pattern(
    _: &World,
    _: &mut Ctx,
    input: &TestEventPatternRequest,
) -> Result<TestEventPatternResponse, AwsError> {
    let pattern = Pattern::parse(input.event_pattern.as_deref().unwrap_or_default())
        .map_err(|reason| not_a_pattern(&reason))?;
    let event = serde_json::from_str(input.event.as_deref().unwrap_or_default()).ok();
    let event = event
        .filter(Value::is_object)
        .ok_or_else(|| not_valid("Event", "Event is not a JSON object."))?;
    if let Some(missing) = FIELDS.iter().find(|field| event.get(field).is_none()) {
        let reason = format!("{missing} is a required field.");
        return Err(not_valid("Event", &reason));
    }
    Ok(TestEventPatternResponse {
        result: Some(pattern.matches(&event)),
    })
}
