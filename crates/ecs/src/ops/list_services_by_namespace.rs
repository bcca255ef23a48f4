//! ListServicesByNamespace: services of a Service Connect namespace, in every cluster.
//!
//! Rule: API reference, ListServicesByNamespace.

use super::list_services::{PAGE_LEN, PAGE_LEN_MAX};
use crate::connect::namespace;
use crate::page::Request;
use crate::records::connect::of_namespace;
use crate::records::service::{SERVICES, ServiceStatus};
use crate::records::service_revision::{BY_NAMESPACE, SERVICE_REVISIONS, ServiceRevisionRecord};
use crate::rules::invalid_parameter;
use aws_api::ecs::{ListServicesByNamespaceRequest, ListServicesByNamespaceResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, World};

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
    world: &World,
    ctx: &mut Ctx,
    input: &ListServicesByNamespaceRequest,
) -> Result<ListServicesByNamespaceResponse, AwsError> {
    let namespace = input.namespace.as_deref().unwrap_or_default();
    if namespace.is_empty() {
        return Err(invalid_parameter("Namespace cannot be empty."));
    }
    let found = namespace::require(world, &ctx.scope, namespace)?;
    let scope = &ctx.scope;
    let request = Request::read(
        &[
            "ListServicesByNamespace",
            &scope.account,
            &scope.region,
            &found.key.id,
        ],
        input.next_token.as_deref(),
        input.max_results,
        PAGE_LEN,
        PAGE_LEN_MAX,
    )?;
    let key = of_namespace(scope, &found.key.id);
    let revisions = world.find_after(
        &SERVICE_REVISIONS,
        &BY_NAMESPACE,
        &key,
        request.after.as_ref(),
    );
    let shown = revisions.filter(|revision| is_current(world, revision));
    let page = request.page(shown.map(|of| (of.key.encode(), of.key.service.arn())));
    Ok(ListServicesByNamespaceResponse {
        service_arns: Some(page.items),
        next_token: page.next_token,
    })
}

/// Each service once: by what its ACTIVE service wants now.
fn is_current(world: &World, revision: &ServiceRevisionRecord) -> bool {
    let service = world.get(&SERVICES, &revision.key.service);
    let active = service.filter(|service| service.status == ServiceStatus::Active);
    let primary = active.and_then(|service| service.primary());
    primary.is_some_and(|primary| primary.revision == revision.key.number)
}
