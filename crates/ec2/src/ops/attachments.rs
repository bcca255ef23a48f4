//! Interfaces attached to instances and detached: users' own, of which there are none, since no instance of
//! theirs is served yet; and those of services, which are not theirs to move.

use super::interfaces::check_is_users;
use crate::errors::{code, missing, refuse, required};
use crate::records::ResourceKey;
use crate::records::interface::{INTERFACES, InterfaceRecord};
use crate::resource::lookup;
use aws_api::Empty;
use aws_api::ec2::{
    AttachNetworkInterfaceRequest, AttachNetworkInterfaceResult, DetachNetworkInterfaceRequest,
};
use aws_types::{AwsError, Ctx};
use store::Txn;

/// AttachNetworkInterface.
pub fn attach(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AttachNetworkInterfaceRequest,
) -> Result<AttachNetworkInterfaceResult, AwsError> {
    let id = required(input.network_interface_id.as_ref(), "networkInterfaceId")?;
    let instance = required(input.instance_id.as_ref(), "instanceId")?;
    input.device_index.ok_or_else(|| missing("deviceIndex"))?;
    refuse(&[
        ("EnaSrdSpecification", input.ena_srd_specification.is_some()),
        ("EnaQueueCount", input.ena_queue_count.is_some()),
    ])?;
    check_is_users(lookup::<InterfaceRecord>(txn, &ctx.scope, id)?)?;
    Err(no_instance(instance))
}

/// No instance is a user's yet.
pub(super) fn no_instance(instance: &str) -> AwsError {
    let is_id = |hex: &str| !hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit());
    match instance.strip_prefix("i-").is_some_and(is_id) {
        true => code("InvalidInstanceID.NotFound")
            .with(format!("The instance ID '{instance}' does not exist")),
        false => code("InvalidInstanceID.Malformed").with(format!("Invalid id: \"{instance}\"")),
    }
}

/// DetachNetworkInterface.
pub fn detach(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DetachNetworkInterfaceRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.attachment_id.as_ref(), "attachmentId")?;
    let own = ResourceKey::prefix(&ctx.scope);
    let mut all = txn.scan_prefix(&INTERFACES, &own, None);
    let has_it = |one: &InterfaceRecord| one.attachment.as_ref().is_some_and(|a| a.id == id);
    match all.find(|(_, one)| has_it(one)) {
        // Only services attach interfaces here.
        Some((_, one)) => check_is_users(one).map(|()| Empty {}),
        None => Err(code("InvalidAttachmentID.NotFound")
            .with(format!("The interface attachment '{id}' does not exist."))),
    }
}
