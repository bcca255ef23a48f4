//! CreateLogGroup: a name that is taken is an error, whatever else is the same.

use crate::records::{GroupKey, LOG_GROUPS, LogGroupRecord};
use crate::rules::ask_group;
use aws_api::Empty;
use aws_api::logs::{CreateLogGroupRequest, errors};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, Txn, World};

/// Asks for the group.
pub fn authorisation(input: &CreateLogGroupRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask_group(
        ctx,
        "CreateLogGroup",
        input.log_group_name.as_deref().unwrap_or_default(),
    )
}

/// Makes the group.
pub fn create_log_group(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateLogGroupRequest,
) -> Result<Empty, AwsError> {
    let name = input.log_group_name.clone().unwrap_or_default();
    if txn
        .get(
            &LOG_GROUPS,
            &GroupKey {
                scope: &ctx.scope,
                name: &name,
            }
            .encode(),
        )
        .is_some()
    {
        return Err(errors::RESOURCE_ALREADY_EXISTS_EXCEPTION
            .with("The specified log group already exists"));
    }
    txn.put(
        &LOG_GROUPS,
        LogGroupRecord {
            scope: ctx.scope.clone(),
            name,
            created_at: ctx.now,
            retention_days: None,
            class: input
                .log_group_class
                .clone()
                .unwrap_or_else(|| "STANDARD".into()),
            tags: input.tags.clone().unwrap_or_default(),
        },
    );
    Ok(Empty {})
}
