//! ListServicesByNamespace: services of a Service Connect namespace, in every cluster.
//!
//! Rule: API reference, ListServicesByNamespace. No namespace exists, as nothing makes one yet.

use super::list_services::{PAGE_LEN, PAGE_LEN_MAX};
use crate::page::Request;
use crate::rules::invalid_parameter;
use aws_api::ecs::{ListServicesByNamespaceRequest, ListServicesByNamespaceResponse, errors};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::World;

/// `ecs:ListServicesByNamespace`, which is on no single resource.
#[must_use]
pub fn authorisation(
    _input: &ListServicesByNamespaceRequest,
    _world: &World,
    _ctx: &Ctx,
) -> Vec<Ask> {
    vec![Ask::any("ecs:ListServicesByNamespace")]
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException`; else `NamespaceNotFoundException`.
pub fn list_services_by_namespace(
    _world: &World,
    ctx: &mut Ctx,
    input: &ListServicesByNamespaceRequest,
) -> Result<ListServicesByNamespaceResponse, AwsError> {
    let namespace = input.namespace.as_deref().unwrap_or_default();
    if namespace.is_empty() {
        return Err(invalid_parameter("Namespace cannot be empty."));
    }
    let scope = &ctx.scope;
    Request::read(
        &[
            "ListServicesByNamespace",
            &scope.account,
            &scope.region,
            namespace,
        ],
        input.next_token.as_deref(),
        input.max_results,
        PAGE_LEN,
        PAGE_LEN_MAX,
    )?;
    Err(errors::NAMESPACE_NOT_FOUND_EXCEPTION.with("Namespace not found."))
}
