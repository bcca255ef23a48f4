//! GetOperation, ListOperations.

use crate::filter::{self, Filter, Given};
use crate::operation;
use crate::page::page;
use crate::records::{OPERATIONS, OperationRecord};
use crate::resource::ask;
use aws_api::servicediscovery::{
    GetOperationRequest, GetOperationResponse, ListOperationsRequest, ListOperationsResponse,
    OperationSummary, errors,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// Asks for every operation.
pub fn get_asks(_: &GetOperationRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "GetOperation", None)
}

/// Shows one.
pub fn get(
    world: &World,
    ctx: &mut Ctx,
    input: &GetOperationRequest,
) -> Result<GetOperationResponse, AwsError> {
    let id = input.operation_id.as_deref().unwrap_or_default();
    let found = world.get(&OPERATIONS, &operation::key(&ctx.scope, id));
    let found = found.ok_or_else(|| {
        errors::OPERATION_NOT_FOUND.with(format!("Failed to find operation: {id}"))
    })?;
    let operation = Some(operation::shape(found));
    Ok(GetOperationResponse { operation })
}

/// Asks for every operation.
pub fn list_asks(_: &ListOperationsRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "ListOperations", None)
}

/// Which conditions a filter takes. Rule: API reference, OperationFilter.
fn conditions(name: &str) -> &'static [&'static str] {
    match name {
        "UPDATE_DATE" => &["BETWEEN"],
        "STATUS" | "TYPE" => &["EQ", "IN"],
        _ => &["EQ"],
    }
}

/// Lists, the oldest first.
pub fn list(
    world: &World,
    ctx: &mut Ctx,
    input: &ListOperationsRequest,
) -> Result<ListOperationsResponse, AwsError> {
    let given = input.filters.iter().flatten().map(|one| Given {
        name: one.name.as_deref(),
        values: one.values.as_ref(),
        condition: one.condition.as_deref(),
    });
    let filters = filter::read(given, conditions)?;
    let asked = operation::all(world, &ctx.scope)
        .filter(|one| filters.iter().all(|filter| fits(filter, one)))
        .map(|one| {
            let summary = OperationSummary {
                id: Some(one.key.id.clone()),
                status: Some(operation::SUCCESS.into()),
            };
            (in_order(&one.key.id), summary)
        });
    let (operations, next_token) = page(asked, input.next_token.as_deref(), input.max_results)?;
    Ok(ListOperationsResponse {
        operations: Some(operations),
        next_token,
    })
}

/// The moment first, as the table has it.
fn in_order(id: &str) -> String {
    let moment = id.rsplit('-').next().unwrap_or_default();
    format!("{moment}-{id}")
}

fn fits(filter: &Filter, one: &OperationRecord) -> bool {
    let target = |kind: &str| one.targets.get(kind).is_some_and(|id| filter.takes(id));
    match filter.name.as_str() {
        "NAMESPACE_ID" => target("NAMESPACE"),
        "SERVICE_ID" => target("SERVICE"),
        "STATUS" => filter.takes(operation::SUCCESS),
        "TYPE" => filter.takes(&one.kind),
        _ => filter.spans(one.at.seconds_f64()),
    }
}
