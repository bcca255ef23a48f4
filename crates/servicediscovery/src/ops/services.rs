//! CreateService, GetService, ListServices, UpdateService, DeleteService.

use crate::dns::{self, Dns};
use crate::errors::invalid;
use crate::filter::{self, Given};
use crate::operation;
use crate::page::page;
use crate::records::{
    INSTANCES, ItemKey, NamespaceRecord, OF_SERVICE, SERVICES, ServiceRecord, prefix,
};
use crate::resource::{ask, namespace, service, service_named, service_shape, with_tags};
use aws_api::servicediscovery::{
    CreateServiceRequest, CreateServiceResponse, DeleteServiceRequest, DeleteServiceResponse,
    GetServiceRequest, GetServiceResponse, ListServicesRequest, ListServicesResponse,
    ServiceSummary, UpdateServiceRequest, UpdateServiceResponse, errors,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, Txn, World};

/// Asks for the namespace.
pub fn create_asks(input: &CreateServiceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "CreateService", given_namespace(input))
}

/// `NamespaceId`, or where it stood before.
fn given_namespace(input: &CreateServiceRequest) -> Option<&str> {
    let old = input
        .dns_config
        .as_ref()
        .and_then(|dns| dns.namespace_id.as_deref());
    input.namespace_id.as_deref().or(old)
}

/// Makes a service.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateServiceRequest,
) -> Result<CreateServiceResponse, AwsError> {
    let given = given_namespace(input).ok_or_else(|| invalid("NamespaceId must be specified."))?;
    let of = namespace(txn, &ctx.scope, given)?.clone();
    let name = input.name.as_deref().unwrap_or_default();
    let dns = records(input, &of)?;
    if service_named(txn, &of, name).is_some() {
        return Err(errors::SERVICE_ALREADY_EXISTS.with(format!(
            "A service with the name {name} already exists in the namespace."
        )));
    }
    let record = ServiceRecord {
        key: ItemKey::fresh(ctx, "srv"),
        namespace: of.key.id.clone(),
        name: name.into(),
        description: input.description.clone(),
        dns,
        custom_health: input.health_check_custom_config.is_some(),
        revision: ctx.now.millis(),
        creator_request_id: input.creator_request_id.clone(),
        created: ctx.now,
        tags: with_tags(Default::default(), input.tags.as_deref())?,
    };
    txn.put(&SERVICES, record.clone());
    let service = Some(service_shape(txn, &record));
    Ok(CreateServiceResponse { service })
}

/// The records of a new service, if it is to have some.
fn records(input: &CreateServiceRequest, of: &NamespaceRecord) -> Result<Option<Dns>, AwsError> {
    if input.health_check_config.is_some() {
        return Err(invalid(
            "HealthCheckConfig can be specified only for a service of a public DNS namespace.",
        ));
    }
    let is_http = of.zone.is_none();
    match (&input.dns_config, is_http) {
        (Some(_), true) => Err(invalid(
            "When you specify an HTTP service, you can't include a DnsConfig element.",
        )),
        (None, _) => Ok(None),
        (Some(_), false) if input.r#type.is_some() => Err(invalid(
            "When you specify an HTTP service, you can't include a DnsConfig element.",
        )),
        (Some(given), false) => {
            let policy = given.routing_policy.as_deref();
            dns::read(policy, given.dns_records.as_deref()).map(Some)
        }
    }
}

/// Asks for the service.
pub fn get_asks(input: &GetServiceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "GetService", input.id.as_deref())
}

/// Shows one.
pub fn get(
    world: &World,
    ctx: &mut Ctx,
    input: &GetServiceRequest,
) -> Result<GetServiceResponse, AwsError> {
    let found = service(world, &ctx.scope, input.id.as_deref().unwrap_or_default())?;
    let service = Some(service_shape(world, found));
    Ok(GetServiceResponse { service })
}

/// Asks for all services.
pub fn list_asks(_: &ListServicesRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "ListServices", None)
}

/// Which conditions a filter takes. Rule: API reference, ServiceFilter.
fn conditions(name: &str) -> &'static [&'static str] {
    match name {
        "NAMESPACE_ID" => &["EQ", "IN"],
        _ => &["EQ"],
    }
}

/// Lists, in order of id.
pub fn list(
    world: &World,
    ctx: &mut Ctx,
    input: &ListServicesRequest,
) -> Result<ListServicesResponse, AwsError> {
    let given = input.filters.iter().flatten().map(|one| Given {
        name: one.name.as_deref(),
        values: one.values.as_ref(),
        condition: one.condition.as_deref(),
    });
    let filters = filter::read(given, conditions)?;
    let fits = |one: &ServiceRecord| {
        filters.iter().all(|filter| match filter.name.as_str() {
            "NAMESPACE_ID" => filter.takes(&one.namespace),
            _ => filter.takes("SELF"),
        })
    };
    let own = prefix(&ctx.scope);
    let all = world.scan_prefix(&SERVICES, &own, None).map(|(_, one)| one);
    let asked = all
        .filter(|one| fits(one))
        .map(|one| (one.key.id.clone(), summary(world, one)));
    let (services, next_token) = page(asked, input.next_token.as_deref(), input.max_results)?;
    Ok(ListServicesResponse {
        services: Some(services),
        next_token,
    })
}

fn summary(world: &World, one: &ServiceRecord) -> ServiceSummary {
    let shown = service_shape(world, one);
    ServiceSummary {
        id: shown.id,
        arn: shown.arn,
        resource_owner: shown.resource_owner,
        created_by_account: shown.created_by_account,
        name: shown.name,
        r#type: shown.r#type,
        description: shown.description,
        instance_count: shown.instance_count,
        dns_config: shown.dns_config,
        health_check_config: None,
        health_check_custom_config: shown.health_check_custom_config,
        create_date: shown.create_date,
    }
}

/// Asks for the service.
pub fn update_asks(input: &UpdateServiceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "UpdateService", input.id.as_deref())
}

/// Changes description and records. A type of record that is not given is taken away.
pub fn update(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateServiceRequest,
) -> Result<UpdateServiceResponse, AwsError> {
    let given = input.id.as_deref().unwrap_or_default();
    let mut record = ServiceRecord::clone(service(txn, &ctx.scope, given)?);
    let change = input.service.clone().unwrap_or_default();
    if change.health_check_config.is_some() {
        return Err(invalid(
            "HealthCheckConfig can be specified only for a service of a public DNS namespace.",
        ));
    }
    if let Some(given) = &change.dns_config {
        let present = record.dns.as_ref().ok_or_else(|| {
            invalid("When you specify an HTTP service, you can't include a DnsConfig element.")
        })?;
        let policy = Some(present.routing.name());
        record.dns = Some(dns::read(policy, given.dns_records.as_deref())?);
    }
    record.description = change.description.or(record.description);
    let id = record.key.id.clone();
    txn.put(&SERVICES, record);
    let operation_id = operation::done(txn, ctx, "UPDATE_SERVICE", &[("SERVICE", &id)]);
    Ok(UpdateServiceResponse {
        operation_id: Some(operation_id),
    })
}

/// Asks for the service.
pub fn delete_asks(input: &DeleteServiceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "DeleteService", input.id.as_deref())
}

/// Deletes a service without instances.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteServiceRequest,
) -> Result<DeleteServiceResponse, AwsError> {
    let key = service(txn, &ctx.scope, input.id.as_deref().unwrap_or_default())?
        .key
        .clone();
    if txn.sum(&INSTANCES, &OF_SERVICE, &key.encode()) > 0 {
        return Err(errors::RESOURCE_IN_USE.with(
            "Service contains registered instances; delete the instances before deleting the service",
        ));
    }
    txn.delete(&SERVICES, &key);
    Ok(DeleteServiceResponse {})
}
