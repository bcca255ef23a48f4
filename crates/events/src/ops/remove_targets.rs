//! RemoveTargets: what is not there is reported, the rest removed with its deliveries.

use crate::records::{DELIVERIES, RuleKey, TARGETS, TargetKey};
use crate::rules::{ask_rule, check_bus, rule};
use aws_api::events::{RemoveTargetsRequest, RemoveTargetsResponse, RemoveTargetsResultEntry};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, Txn, World};

/// Asks for the rule.
pub fn authorisation(input: &RemoveTargetsRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_rule(ctx, "RemoveTargets", input.rule.as_deref())
}

/// Removes.
pub fn remove_targets(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &RemoveTargetsRequest,
) -> Result<RemoveTargetsResponse, AwsError> {
    check_bus(&ctx.scope, input.event_bus_name.as_deref())?;
    let rule_key = RuleKey::new(&ctx.scope, input.rule.as_deref().unwrap_or_default());
    rule(txn, &rule_key)?;
    let mut failed = Vec::new();
    for id in input.ids.iter().flatten() {
        let key = TargetKey {
            rule: rule_key.clone(),
            id: id.clone(),
        };
        if !txn.delete(&TARGETS, &key) {
            failed.push(RemoveTargetsResultEntry {
                target_id: Some(id.clone()),
                error_code: Some("ResourceNotFoundException".into()),
                error_message: Some(format!("Rule {} does not have target {id}.", rule_key.name)),
            });
        }
        let waiting: Vec<_> = txn
            .scan_prefix(&DELIVERIES, &key.encode(), None)
            .map(|(_, delivery)| delivery.key.clone())
            .collect();
        for delivery in waiting {
            txn.delete(&DELIVERIES, &delivery);
        }
    }
    Ok(RemoveTargetsResponse {
        failed_entry_count: Some(i32::try_from(failed.len()).unwrap_or(i32::MAX)),
        failed_entries: Some(failed),
    })
}
