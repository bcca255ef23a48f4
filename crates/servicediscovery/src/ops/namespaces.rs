//! GetNamespace, ListNamespaces, UpdateHttpNamespace, UpdatePrivateDnsNamespace, DeleteNamespace.

use crate::errors::invalid;
use crate::filter::{self, Filter, Given};
use crate::operation;
use crate::page::page;
use crate::records::{NAMESPACES, NamespaceRecord, OF_NAMESPACE, SERVICES, prefix};
use crate::resource::{ask, kind, namespace, shape};
use aws_api::servicediscovery::{
    DeleteNamespaceRequest, DeleteNamespaceResponse, GetNamespaceRequest, GetNamespaceResponse,
    ListNamespacesRequest, ListNamespacesResponse, NamespaceSummary, UpdateHttpNamespaceRequest,
    UpdateHttpNamespaceResponse, UpdatePrivateDnsNamespaceRequest,
    UpdatePrivateDnsNamespaceResponse, errors,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, Txn, World};

/// Asks for the namespace.
pub fn get_asks(input: &GetNamespaceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "GetNamespace", input.id.as_deref())
}

/// Shows one.
pub fn get(
    world: &World,
    ctx: &mut Ctx,
    input: &GetNamespaceRequest,
) -> Result<GetNamespaceResponse, AwsError> {
    let found = namespace(world, &ctx.scope, input.id.as_deref().unwrap_or_default())?;
    let namespace = Some(shape(world, found));
    Ok(GetNamespaceResponse { namespace })
}

/// Asks for all namespaces.
pub fn list_asks(_: &ListNamespacesRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "ListNamespaces", None)
}

/// Which conditions a filter takes. Rule: API reference, NamespaceFilter.
fn conditions(name: &str) -> &'static [&'static str] {
    match name {
        "NAME" | "HTTP_NAME" => &["EQ", "BEGINS_WITH"],
        "TYPE" => &["EQ", "IN"],
        _ => &["EQ"],
    }
}

/// Lists, in order of id.
pub fn list(
    world: &World,
    ctx: &mut Ctx,
    input: &ListNamespacesRequest,
) -> Result<ListNamespacesResponse, AwsError> {
    let given = input.filters.iter().flatten().map(|one| Given {
        name: one.name.as_deref(),
        values: one.values.as_ref(),
        condition: one.condition.as_deref(),
    });
    let filters = filter::read(given, conditions)?;
    let own = prefix(&ctx.scope);
    let all = world
        .scan_prefix(&NAMESPACES, &own, None)
        .map(|(_, one)| one);
    let asked = all
        .filter(|one| filters.iter().all(|filter| fits(filter, one)))
        .map(|one| (one.key.id.clone(), summary(world, one)));
    let (namespaces, next_token) = page(asked, input.next_token.as_deref(), input.max_results)?;
    Ok(ListNamespacesResponse {
        namespaces: Some(namespaces),
        next_token,
    })
}

fn fits(filter: &Filter, one: &NamespaceRecord) -> bool {
    match filter.name.as_str() {
        "NAME" => filter.takes(&one.name),
        "HTTP_NAME" => filter.takes(&one.http_name),
        "TYPE" => filter.takes(kind(one)),
        // RESOURCE_OWNER: nothing of another account is shared with this one.
        _ => filter.takes("SELF"),
    }
}

fn summary(world: &World, one: &NamespaceRecord) -> NamespaceSummary {
    let shown = shape(world, one);
    NamespaceSummary {
        id: shown.id,
        arn: shown.arn,
        resource_owner: shown.resource_owner,
        name: shown.name,
        r#type: shown.r#type,
        description: shown.description,
        service_count: shown.service_count,
        properties: shown.properties,
        create_date: shown.create_date,
    }
}

/// Asks for the namespace.
pub fn update_http_asks(input: &UpdateHttpNamespaceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "UpdateHttpNamespace", input.id.as_deref())
}

/// Changes the description.
pub fn update_http(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateHttpNamespaceRequest,
) -> Result<UpdateHttpNamespaceResponse, AwsError> {
    let given = input.id.as_deref().unwrap_or_default();
    let mut record = NamespaceRecord::clone(namespace(txn, &ctx.scope, given)?);
    if record.zone.is_some() {
        return Err(invalid(format!(
            "The namespace {} is not an HTTP namespace.",
            record.key.id
        )));
    }
    record.description = input
        .namespace
        .as_ref()
        .and_then(|change| change.description.clone());
    let operation_id = Some(updated(txn, ctx, record));
    Ok(UpdateHttpNamespaceResponse { operation_id })
}

/// Asks for the namespace.
pub fn update_private_asks(
    input: &UpdatePrivateDnsNamespaceRequest,
    _: &World,
    ctx: &Ctx,
) -> Vec<Ask> {
    ask(ctx, "UpdatePrivateDnsNamespace", input.id.as_deref())
}

/// Changes the description and the zone's seconds to live, where they are given.
pub fn update_private(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdatePrivateDnsNamespaceRequest,
) -> Result<UpdatePrivateDnsNamespaceResponse, AwsError> {
    let given = input.id.as_deref().unwrap_or_default();
    let mut record = NamespaceRecord::clone(namespace(txn, &ctx.scope, given)?);
    let change = input.namespace.as_ref();
    let properties = change.and_then(|change| change.properties.as_ref());
    let soa = properties
        .and_then(|p| p.dns_properties.as_ref())
        .and_then(|dns| dns.soa.as_ref());
    let id = record.key.id.clone();
    let zone = record.zone.as_mut();
    let zone = zone.ok_or_else(|| {
        invalid(format!(
            "The namespace {id} is not a private DNS namespace."
        ))
    })?;
    if let Some(ttl) = soa.and_then(|soa| soa.ttl) {
        zone.soa_ttl = ttl;
    }
    if let Some(description) = change.and_then(|change| change.description.clone()) {
        record.description = Some(description);
    }
    let operation_id = Some(updated(txn, ctx, record));
    Ok(UpdatePrivateDnsNamespaceResponse { operation_id })
}

fn updated(txn: &mut Txn, ctx: &mut Ctx, record: NamespaceRecord) -> String {
    let id = record.key.id.clone();
    txn.put(&NAMESPACES, record);
    operation::done(txn, ctx, "UPDATE_NAMESPACE", &[("NAMESPACE", &id)])
}

/// Asks for the namespace.
pub fn delete_asks(input: &DeleteNamespaceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "DeleteNamespace", input.id.as_deref())
}

/// Deletes a namespace without services.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteNamespaceRequest,
) -> Result<DeleteNamespaceResponse, AwsError> {
    let given = input.id.as_deref().unwrap_or_default();
    let key = namespace(txn, &ctx.scope, given)?.key.clone();
    if txn.sum(&SERVICES, &OF_NAMESPACE, &key.encode()) > 0 {
        return Err(errors::RESOURCE_IN_USE.with(format!(
            "Namespace has associated services; delete the services before deleting the namespace: {}",
            key.id
        )));
    }
    txn.delete(&NAMESPACES, &key);
    let targets = [("NAMESPACE", key.id.as_str())];
    let operation_id = Some(operation::done(txn, ctx, "DELETE_NAMESPACE", &targets));
    Ok(DeleteNamespaceResponse { operation_id })
}
