//! Deliveries to a log group: one stream a target, one event a delivery.

use super::super::Controllers;
use super::{Failure, Turn, fails, gone};
use aws_types::{AwsError, Timestamp};
use events::records::DeliveryRecord;
use serde_json::Value;
use std::sync::Arc;
use store::LogEntry;
use telemetry::own_stream;

/// Appends all of them with one write. A group that is gone takes nothing more.
pub async fn write(
    own: &Controllers,
    group: &str,
    stream: &str,
    due: &[Arc<DeliveryRecord>],
) -> Result<Turn, AwsError> {
    let mut ctx = own.ctx();
    ctx.now = crate::clock::now();
    let id = match own_stream::find(&own.state.snapshot(), &ctx, group, stream) {
        Some(id) => id,
        None => {
            let (group, stream) = (group.to_owned(), stream.to_owned());
            let made = own.step("event-targets", move |txn, ctx| {
                own_stream::ensure(txn, ctx, &group, &stream)
            });
            match made.await {
                Ok(id) => id,
                Err(error) if error.code().name == "ResourceNotFoundException" => {
                    return Ok(gone(due, error.message()));
                }
                Err(error) => return Err(error),
            }
        }
    };
    let entries: Vec<LogEntry> = due.iter().map(|delivery| entry(delivery)).collect();
    let (logs, now) = (own.logs.clone(), ctx.now);
    let appended = tokio::task::spawn_blocking(move || logs.append(id, &entries, now, None));
    let failed = match appended.await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    Ok(match failed {
        None => Turn {
            taken: due.iter().map(|delivery| delivery.key.clone()).collect(),
            failed: None,
        },
        Some(why) => fails(due.first(), Failure::ForNow, &why),
    })
}

/// The input is the message, unless a template gives `{"timestamp": …, "message": …}`.
/// Rule: EventBridge user guide, "Amazon CloudWatch Logs targets".
fn entry(delivery: &DeliveryRecord) -> LogEntry {
    let plain = || LogEntry {
        timestamp: delivery.key.at,
        message: delivery.input.clone(),
    };
    let Ok(Value::Object(members)) = serde_json::from_str(&delivery.input) else {
        return plain();
    };
    let message = members.get("message").and_then(Value::as_str);
    let millis = members.get("timestamp").and_then(Value::as_i64);
    match (members.len(), message, millis) {
        (2, Some(message), Some(millis)) => LogEntry {
            timestamp: Timestamp::from_millis(millis),
            message: message.into(),
        },
        _ => plain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::Scope;
    use events::records::{DeliveryKey, RuleKey, TargetKey};

    #[test]
    fn a_template_may_give_message_and_time() {
        let of = |input: &str| {
            let delivery = DeliveryRecord {
                key: DeliveryKey {
                    target: TargetKey {
                        rule: RuleKey::new(&Scope::new("000000000000", "us-east-1"), "r"),
                        id: "t".into(),
                    },
                    at: Timestamp::from_millis(7),
                    event: "e".into(),
                },
                input: input.into(),
                failures: 0,
                due: Timestamp::EPOCH,
            };
            let entry = entry(&delivery);
            (entry.timestamp.millis(), entry.message)
        };
        assert_eq!(of(r#"{"timestamp":5,"message":"m"}"#), (5, "m".into()));
        for input in [
            r#"{"message":"m"}"#,
            "\"text\"",
            r#"{"timestamp":5,"message":"m","a":1}"#,
        ] {
            assert_eq!(of(input), (7, input.into()));
        }
    }
}
