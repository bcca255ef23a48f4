//! Deliveries that run tasks: RunTask, in the transaction that removes the delivery.

use super::super::Controllers;
use super::{Failed, Failure, Turn};
use aws_types::{AwsError, Fault, codes};
use ecs::ops::run_task::run_task;
use ecs::task::by_rule;
use events::outbox;
use events::records::{DELIVERIES, DeliveryRecord, TargetRecord};
use std::sync::Arc;
use tracing::warn;

/// What RunTask says where the cluster has no instance: it may have one later.
const NO_INSTANCES: &str = "No Container Instances were found in your cluster.";

/// Runs the tasks of each delivery. Where no task found room it is tried again; where some did, that
/// is all that is run.
pub async fn run(
    own: &Controllers,
    cluster: &str,
    target: &TargetRecord,
    due: &[Arc<DeliveryRecord>],
) -> Result<Turn, AwsError> {
    for delivery in due {
        let failed = |failure, why: String| Turn {
            taken: Vec::new(),
            failed: Some(Failed {
                key: delivery.key.clone(),
                failure,
                why,
            }),
        };
        let rule = &target.key.rule.name;
        let request = match by_rule::request(rule, cluster, &target.target, &delivery.input) {
            Ok(request) => request,
            Err(why) => return Ok(failed(Failure::ForGood, why)),
        };
        let key = delivery.key.clone();
        let ran = own.step("event-targets", move |txn, ctx| {
            if txn.get(&DELIVERIES, &key).is_none() {
                return Ok(Vec::new());
            }
            outbox::taken(txn, &[key]);
            let answer = run_task(txn, ctx, &request)?;
            let failures = answer.failures.unwrap_or_default();
            let reasons = failures.into_iter().filter_map(|failure| failure.reason);
            let reasons: Vec<String> = reasons.collect();
            match answer.tasks.is_none_or(|tasks| tasks.is_empty()) {
                // Leaves nothing behind.
                true => Err(codes::THROTTLING.with(reasons.join(", "))),
                false => Ok(reasons),
            }
        });
        match ran.await {
            Ok(reasons) if reasons.is_empty() => {}
            Ok(reasons) => warn!(rule, ?reasons, "not all tasks of a rule found room"),
            Err(error) => {
                let is_passing = error.code().fault == Fault::Receiver
                    || error.code() == codes::THROTTLING
                    || error.message() == NO_INSTANCES;
                let failure = match is_passing {
                    true => Failure::ForNow,
                    false => Failure::ForGood,
                };
                return Ok(failed(failure, error.to_string()));
            }
        }
    }
    Ok(Turn::default())
}
