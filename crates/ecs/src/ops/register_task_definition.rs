//! `RegisterTaskDefinition`: checks, brings into normal form, stores the family's next revision.

use crate::account_settings;
use crate::records::{TaskDefinitionRecord, TaskDefinitionStatus};
use crate::rules::{client, tags, task_definition as rules};
use crate::task_definition::{attributes, compatibility, normal, revisions};
use aws_api::Stored;
use aws_api::ecs::{RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:RegisterTaskDefinition` on any revision of the family, and to tag it.
#[must_use]
pub fn authorisation(input: &RegisterTaskDefinitionRequest, world: &World, ctx: &Ctx) -> Vec<Ask> {
    let family = input.family.as_deref().unwrap_or_default();
    let arn = ctx.scope.arn("ecs", &format!("task-definition/{family}:*"));
    let arn = arn.to_string();
    let tags = account_settings::ask_to_tag(world, ctx, &arn, input.tags.as_deref());
    let register = Ask::new("ecs:RegisterTaskDefinition", arn);
    [register].into_iter().chain(tags).collect()
}

/// The operation.
///
/// # Errors
/// `ClientException` of a rule of task definitions, `InvalidParameterException` for bad tags.
pub fn register_task_definition(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &RegisterTaskDefinitionRequest,
) -> Result<RegisterTaskDefinitionResponse, AwsError> {
    if input.tags.as_ref().is_some_and(Vec::is_empty) {
        return Err(client("Tags can not be empty."));
    }
    let mut definition = normal::form(input)?;
    rules::check(&definition)?;
    let encoded = serde_json::to_vec(&Stored(definition.clone()))
        .expect("shapes are plain data: their Serialize cannot fail");
    rules::check_length(encoded.len())?;
    definition.compatibilities = Some(compatibility::of(&definition));
    definition.requires_attributes = Some(attributes::of(&definition));
    let family = definition.family.take().unwrap_or_default();
    let record = TaskDefinitionRecord {
        revision: revisions::next(txn, &ctx.scope, &family),
        scope: ctx.scope.clone(),
        family,
        status: TaskDefinitionStatus::Active,
        registered_at: ctx.now,
        registered_by: ctx.caller.arn.clone(),
        deregistered_at: None,
        delete_requested_at: None,
        tags: tags::read(input.tags.as_deref())?,
        definition: Stored(definition),
    };
    let shown = record.shape();
    let tags = input.tags.is_some().then(|| tags::shape(&record.tags));
    revisions::insert(txn, record);
    Ok(RegisterTaskDefinitionResponse {
        task_definition: Some(shown),
        tags,
    })
}
