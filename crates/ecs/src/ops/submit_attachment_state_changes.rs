//! `SubmitAttachmentStateChanges`: a host's agent reports attachments. Tasks have none until task
//! interfaces and volumes are built, so the report is acknowledged and changes nothing.

use crate::cluster;
use crate::records::cluster::cluster_arn;
use crate::rules::invalid_parameter;
use aws_api::ecs::{SubmitAttachmentStateChangesRequest, SubmitAttachmentStateChangesResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:SubmitAttachmentStateChanges` on the cluster.
#[must_use]
pub fn authorisation(
    input: &SubmitAttachmentStateChangesRequest,
    _world: &World,
    ctx: &Ctx,
) -> Vec<Ask> {
    let name = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    vec![Ask::new(
        "ecs:SubmitAttachmentStateChanges",
        cluster_arn(&ctx.scope, &name),
    )]
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` where `attachments` is missing.
pub fn submit_attachment_state_changes(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &SubmitAttachmentStateChangesRequest,
) -> Result<SubmitAttachmentStateChangesResponse, AwsError> {
    cluster::require(txn, &ctx.scope, input.cluster.as_deref())?;
    if input.attachments.is_none() {
        return Err(invalid_parameter("Attachments cannot be empty."));
    }
    Ok(SubmitAttachmentStateChangesResponse {
        acknowledgment: Some(ctx.request_id.clone()),
    })
}
