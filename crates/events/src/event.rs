//! EventBridge's envelope.
//!
//! Rule: EventBridge user guide, "AWS service event metadata".

use aws_types::{Scope, Timestamp};
use serde_json::{Value, json};

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// A uuid.
    pub id: String,
    /// Where it happened.
    pub scope: Scope,
    /// For example `aws.ecs`.
    pub source: String,
    /// For example `ECS Task State Change`.
    pub detail_type: String,
    /// When.
    pub time: Timestamp,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// What the source says of it: a JSON object.
    pub detail: Value,
}

impl Event {
    /// As rules see it, and targets.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.scope.account,
            "time": to_the_second(self.time),
            "region": self.scope.region,
            "resources": self.resources,
            "detail": self.detail,
        })
    }
}

/// `2016-12-06T16:41:06Z`: the envelope's time has no fraction.
fn to_the_second(time: Timestamp) -> String {
    let text = time.iso8601();
    format!("{}Z", &text[..text.len() - ".000Z".len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_the_guides() {
        let event = Event {
            id: "i".into(),
            scope: Scope::new("000000000000", "us-east-1"),
            source: "aws.ecs".into(),
            detail_type: "ECS Task State Change".into(),
            time: Timestamp::from_millis(1_707_741_897_431),
            resources: vec!["arn".into()],
            detail: json!({"a": 1}),
        };
        assert_eq!(
            event.json(),
            json!({
                "version": "0", "id": "i", "detail-type": "ECS Task State Change",
                "source": "aws.ecs", "account": "000000000000", "time": "2024-02-12T12:44:57Z",
                "region": "us-east-1", "resources": ["arn"], "detail": {"a": 1}
            })
        );
    }
}
