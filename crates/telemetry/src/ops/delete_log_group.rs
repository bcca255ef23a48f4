//! DeleteLogGroup: the group and its streams; the events follow, in the background.

use crate::records::{GroupKey, LOG_GROUPS, LOG_STREAMS};
use crate::rules::{ask_group, group};
use aws_api::Empty;
use aws_api::logs::DeleteLogGroupRequest;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Key, TableKey, Txn, World};

/// Asks for the group.
pub fn authorisation(input: &DeleteLogGroupRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_group(
        ctx,
        "DeleteLogGroup",
        input.log_group_name.as_deref().unwrap_or_default(),
    )
}

/// Removes the records.
pub fn delete_log_group(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteLogGroupRequest,
) -> Result<Empty, AwsError> {
    let name = input.log_group_name.as_deref().unwrap_or_default();
    group(txn, &ctx.scope, name)?;
    let prefix = GroupKey {
        scope: &ctx.scope,
        name,
    }
    .encode();
    let streams: Vec<Key> = txn
        .scan_prefix(&LOG_STREAMS, &prefix, None)
        .map(|(key, _)| key.clone())
        .collect();
    for stream in streams {
        txn.delete(&LOG_STREAMS, &stream);
    }
    txn.delete(&LOG_GROUPS, &prefix);
    Ok(Empty {})
}
