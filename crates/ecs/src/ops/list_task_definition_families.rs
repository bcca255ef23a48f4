//! `ListTaskDefinitionFamilies`: names of families, in order.
//!
//! ACTIVE families have an ACTIVE revision, INACTIVE ones have revisions but no ACTIVE one.

use crate::page::Request;
use crate::records::{FAMILIES, FamilyKey, FamilyRecord};
use crate::rules::invalid_parameter;
use aws_api::ecs::{ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// `ecs:ListTaskDefinitionFamilies`, which has no resource.
#[must_use]
pub fn authorisation(
    _input: &ListTaskDefinitionFamiliesRequest,
    _world: &World,
    _ctx: &Ctx,
) -> Vec<Ask> {
    vec![Ask::any("ecs:ListTaskDefinitionFamilies")]
}

/// The operation. Without `status`, all families that have revisions.
///
/// # Errors
/// `InvalidParameterException` for `status`, `maxResults` or `nextToken`.
pub fn list_task_definition_families(
    world: &World,
    ctx: &mut Ctx,
    input: &ListTaskDefinitionFamiliesRequest,
) -> Result<ListTaskDefinitionFamiliesResponse, AwsError> {
    let status = input.status.as_deref().unwrap_or("ALL");
    let wanted: fn(&FamilyRecord) -> bool = match status {
        "ALL" => |_| true,
        "ACTIVE" => |family| family.latest_active.is_some(),
        "INACTIVE" => |family| family.latest_active.is_none(),
        _ => {
            return Err(invalid_parameter(
                "status should be one of [ACTIVE,INACTIVE,ALL]",
            ));
        }
    };
    let start = input.family_prefix.as_deref().unwrap_or_default();
    let scope = &ctx.scope;
    let listing = [
        "ListTaskDefinitionFamilies",
        &scope.account,
        &scope.region,
        start,
        status,
    ];
    let token = input.next_token.as_deref();
    let request = Request::read(&listing, token, input.max_results, 100, 100)?;
    let prefix = FamilyKey::scope_prefix(scope);
    let rows = world
        .scan_prefix(&FAMILIES, &prefix, request.after.as_ref())
        .filter(|(_, family)| family.revisions > 0 && wanted(family))
        .filter(|(_, family)| family.name.starts_with(start))
        .map(|(key, family)| (key.clone(), family.name.clone()));
    let page = request.page(rows);
    Ok(ListTaskDefinitionFamiliesResponse {
        families: Some(page.items),
        next_token: page.next_token,
    })
}
