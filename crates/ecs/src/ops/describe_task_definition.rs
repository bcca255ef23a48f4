//! `DescribeTaskDefinition`: one revision, in any status.

use crate::rules::{client, invalid_parameter, tags};
use crate::task_definition::name;
use aws_api::ecs::{DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// `ecs:DescribeTaskDefinition`, which has no resource.
#[must_use]
pub fn authorisation(
    _input: &DescribeTaskDefinitionRequest,
    _world: &World,
    _ctx: &Ctx,
) -> Vec<Ask> {
    vec![Ask::any("ecs:DescribeTaskDefinition")]
}

/// The operation.
///
/// # Errors
/// `ClientException` where there is none; clients match on its text.
pub fn describe_task_definition(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeTaskDefinitionRequest,
) -> Result<DescribeTaskDefinitionResponse, AwsError> {
    let include = input.include.as_deref().unwrap_or_default();
    if include.iter().any(|field| field != "TAGS") {
        return Err(invalid_parameter("include should be one of [TAGS]"));
    }
    let named = input.task_definition.as_deref().unwrap_or_default();
    let record = name::find(world, &ctx.scope, named)
        .ok_or_else(|| client("Unable to describe task definition."))?;
    Ok(DescribeTaskDefinitionResponse {
        task_definition: Some(record.shape()),
        tags: (!include.is_empty()).then(|| tags::shape(&record.tags)),
    })
}
