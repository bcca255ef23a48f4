//! `DeregisterTaskDefinition`: a revision becomes INACTIVE; what runs of it keeps running.

use crate::records::TASK_DEFINITIONS;
use crate::task_definition::{name, revisions};
use aws_api::ecs::{DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:DeregisterTaskDefinition`, which has no resource.
#[must_use]
pub fn authorisation(
    _input: &DeregisterTaskDefinitionRequest,
    _world: &World,
    _ctx: &Ctx,
) -> Vec<Ask> {
    vec![Ask::any("ecs:DeregisterTaskDefinition")]
}

/// The operation; an INACTIVE revision is answered as it is.
///
/// # Errors
/// As `name::resolve_revision`.
pub fn deregister_task_definition(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeregisterTaskDefinitionRequest,
) -> Result<DeregisterTaskDefinitionResponse, AwsError> {
    let named = input.task_definition.as_deref().unwrap_or_default();
    let record = name::resolve_revision(txn, &ctx.scope, named)?;
    revisions::deactivate(txn, &record, ctx.now);
    let now = txn.get(&TASK_DEFINITIONS, &record.key());
    Ok(DeregisterTaskDefinitionResponse {
        task_definition: now.map(|record| record.shape()),
    })
}
