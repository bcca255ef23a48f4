//! `DeleteTaskDefinitions`: INACTIVE revisions become DELETE_IN_PROGRESS.
//!
//! They are still described until nothing uses them and a controller removes them.

use crate::records::{TASK_DEFINITIONS, TaskDefinitionStatus};
use crate::rules::invalid_parameter;
use crate::task_definition::{name, revisions};
use aws_api::ecs::{
    DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse, Failure, TaskDefinition,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// API reference, `taskDefinitions`.
const PER_CALL_MAX: usize = 10;

/// `ecs:DeleteTaskDefinitions` on each revision.
#[must_use]
pub fn authorisation(input: &DeleteTaskDefinitionsRequest, world: &World, ctx: &Ctx) -> Vec<Ask> {
    let named = input.task_definitions.as_deref().unwrap_or_default();
    if named.is_empty() {
        return vec![Ask::any("ecs:DeleteTaskDefinitions")];
    }
    let arn = |text: &String| {
        name::find(world, &ctx.scope, text).map_or_else(|| text.clone(), |record| record.arn())
    };
    named
        .iter()
        .map(|text| Ask::new("ecs:DeleteTaskDefinitions", arn(text)))
        .collect()
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for none or too many; a single one that cannot be deleted is a
/// failure in the answer.
pub fn delete_task_definitions(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteTaskDefinitionsRequest,
) -> Result<DeleteTaskDefinitionsResponse, AwsError> {
    let named = input.task_definitions.as_deref().unwrap_or_default();
    if named.is_empty() {
        return Err(invalid_parameter(
            "size of TaskDefinition references list must be greater than 0",
        ));
    }
    if named.len() > PER_CALL_MAX {
        return Err(invalid_parameter(format!(
            "Size of TaskDefinition references list cannot exceed {PER_CALL_MAX}"
        )));
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for text in named {
        match delete(txn, ctx, text) {
            Ok(shape) => deleted.push(shape),
            Err(reason) => failures.push(Failure {
                arn: Some(text.clone()),
                reason: Some(reason),
                ..Failure::default()
            }),
        }
    }
    Ok(DeleteTaskDefinitionsResponse {
        task_definitions: Some(deleted),
        failures: Some(failures),
    })
}

fn delete(txn: &mut Txn, ctx: &Ctx, text: &str) -> Result<TaskDefinition, String> {
    let record = name::resolve_revision(txn, &ctx.scope, text)
        .map_err(|error| error.message().to_owned())?;
    match record.status {
        TaskDefinitionStatus::Active => Err(
            "The specified task definition is still in ACTIVE status. Please deregister the \
             target and try again."
                .into(),
        ),
        TaskDefinitionStatus::Inactive => {
            revisions::begin_delete(txn, &record, ctx.now);
            let now = txn.get(&TASK_DEFINITIONS, &record.key());
            Ok(now.unwrap_or(&record).shape())
        }
        TaskDefinitionStatus::DeleteInProgress => Ok(record.shape()),
    }
}
