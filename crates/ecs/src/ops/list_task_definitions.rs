//! `ListTaskDefinitions`: ARNs by family name, then revision; `DESC` turns the order round.

use crate::page::Request;
use crate::records::{TASK_DEFINITIONS, TaskDefinitionKey, TaskDefinitionStatus};
use crate::rules::invalid_parameter;
use aws_api::ecs::{ListTaskDefinitionsRequest, ListTaskDefinitionsResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Key, World};

/// `ecs:ListTaskDefinitions`, which has no resource.
#[must_use]
pub fn authorisation(_input: &ListTaskDefinitionsRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    vec![Ask::any("ecs:ListTaskDefinitions")]
}

/// The operation. `familyPrefix` is the full name of a family.
///
/// # Errors
/// `InvalidParameterException` for a filter, `maxResults` or `nextToken`.
pub fn list_task_definitions(
    world: &World,
    ctx: &mut Ctx,
    input: &ListTaskDefinitionsRequest,
) -> Result<ListTaskDefinitionsResponse, AwsError> {
    let status = status(input.status.as_deref())?;
    let descending = descending(input.sort.as_deref())?;
    let family = input.family_prefix.as_deref();
    let listing = [
        "ListTaskDefinitions",
        &ctx.scope.account,
        &ctx.scope.region,
        family.unwrap_or_default(),
        status.as_str(),
        if descending { "DESC" } else { "ASC" },
    ];
    let token = input.next_token.as_deref();
    let request = Request::read(&listing, token, input.max_results, 100, 100)?;
    let prefix = match family {
        Some(family) => TaskDefinitionKey::family_prefix(&ctx.scope, family),
        None => TaskDefinitionKey::prefix(&ctx.scope),
    };
    let start = request.after.as_ref().filter(|_| !descending);
    let rows = world
        .scan_prefix(&TASK_DEFINITIONS, &prefix, start)
        .filter(|(_, record)| record.status == status);
    let page = if descending {
        let before = |key: &Key| request.after.as_ref().is_none_or(|after| key < after);
        let mut rows: Vec<_> = rows.take_while(|(key, _)| before(key)).collect();
        rows.reverse();
        request.page(
            rows.into_iter()
                .map(|(key, record)| (key.clone(), record.arn())),
        )
    } else {
        request.page(rows.map(|(key, record)| (key.clone(), record.arn())))
    };
    Ok(ListTaskDefinitionsResponse {
        task_definition_arns: Some(page.items),
        next_token: page.next_token,
    })
}

fn status(given: Option<&str>) -> Result<TaskDefinitionStatus, AwsError> {
    match given {
        None | Some("ACTIVE") => Ok(TaskDefinitionStatus::Active),
        Some("INACTIVE") => Ok(TaskDefinitionStatus::Inactive),
        Some("DELETE_IN_PROGRESS") => Ok(TaskDefinitionStatus::DeleteInProgress),
        Some(_) => Err(invalid_parameter(
            "status should be one of [ACTIVE,INACTIVE,DELETE_IN_PROGRESS]",
        )),
    }
}

fn descending(given: Option<&str>) -> Result<bool, AwsError> {
    match given {
        None | Some("ASC") => Ok(false),
        Some("DESC") => Ok(true),
        Some(_) => Err(invalid_parameter("sort should be one of [ASC,DESC]")),
    }
}
