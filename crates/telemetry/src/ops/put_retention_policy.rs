//! PutRetentionPolicy.

use crate::records::LOG_GROUPS;
use crate::rules::{ask_group, group, invalid};
use aws_api::Empty;
use aws_api::logs::PutRetentionPolicyRequest;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// API reference, PutRetentionPolicy, `retentionInDays`.
const DAYS: &[u32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// Asks for the group.
pub fn authorisation(input: &PutRetentionPolicyRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_group(
        ctx,
        "PutRetentionPolicy",
        input.log_group_name.as_deref().unwrap_or_default(),
    )
}

/// Sets the number of days.
pub fn put_retention_policy(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &PutRetentionPolicyRequest,
) -> Result<Empty, AwsError> {
    let name = input.log_group_name.as_deref().unwrap_or_default();
    let days = input
        .retention_in_days
        .and_then(|days| u32::try_from(days).ok());
    let days = days.filter(|days| DAYS.contains(days)).ok_or_else(|| {
        invalid(&format!(
            "1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: {DAYS:?}",
            input.retention_in_days.unwrap_or_default()
        ))
    })?;
    let mut record = group(txn, &ctx.scope, name)?.as_ref().clone();
    record.retention_days = Some(days);
    txn.put(&LOG_GROUPS, record);
    Ok(Empty {})
}
