//! DeleteRetentionPolicy: events are kept for ever again.

use crate::records::LOG_GROUPS;
use crate::rules::{ask_group, group};
use aws_api::Empty;
use aws_api::logs::DeleteRetentionPolicyRequest;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// Asks for the group.
pub fn authorisation(input: &DeleteRetentionPolicyRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_group(
        ctx,
        "DeleteRetentionPolicy",
        input.log_group_name.as_deref().unwrap_or_default(),
    )
}

/// Takes the number of days away.
pub fn delete_retention_policy(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteRetentionPolicyRequest,
) -> Result<Empty, AwsError> {
    let name = input.log_group_name.as_deref().unwrap_or_default();
    let mut record = group(txn, &ctx.scope, name)?.as_ref().clone();
    record.retention_days = None;
    txn.put(&LOG_GROUPS, record);
    Ok(Empty {})
}
