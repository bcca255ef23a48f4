//! What an id or an ARN names, and how namespaces and services are shown.

use crate::errors::{invalid, no_namespace, no_service};
use crate::records::{
    BY_HTTP_NAME, BY_NAME, INSTANCES, ItemKey, NAMESPACES, NamespaceRecord, OF_NAMESPACE,
    OF_SERVICE, SERVICES, ServiceRecord, name_parts, within,
};
use aws_api::servicediscovery::{self as api, errors};
use aws_types::{Arn, AwsError, Ctx, Scope};
use iam::Ask;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{TableKey, World};

/// API reference, TooManyTagsException: tags of a resource.
const TAGS_MAX: usize = 50;

/// The id that an id or an ARN of this kind says.
fn id<'a>(given: &'a str, kind: &str) -> &'a str {
    match given.starts_with("arn:") {
        true => given
            .rsplit_once(&format!("{kind}/"))
            .map_or("", |(_, id)| id),
        false => given,
    }
}

/// The namespace of this id or ARN.
///
/// # Errors
/// `NamespaceNotFound`.
pub fn namespace<'w>(
    world: &'w World,
    scope: &Scope,
    given: &str,
) -> Result<&'w Arc<NamespaceRecord>, AwsError> {
    let key = ItemKey::new(scope, id(given, ":namespace"));
    world
        .get(&NAMESPACES, &key)
        .ok_or_else(|| no_namespace(given))
}

/// The service of this id or ARN.
///
/// # Errors
/// `ServiceNotFound`.
pub fn service<'w>(
    world: &'w World,
    scope: &Scope,
    given: &str,
) -> Result<&'w Arc<ServiceRecord>, AwsError> {
    let key = ItemKey::new(scope, id(given, ":service"));
    world.get(&SERVICES, &key).ok_or_else(|| no_service(given))
}

/// The namespace that calls of DiscoverInstances name so.
#[must_use]
pub fn namespace_named<'w>(
    world: &'w World,
    scope: &Scope,
    name: &str,
) -> Option<&'w Arc<NamespaceRecord>> {
    let key = within(scope, name);
    world
        .find_after(&NAMESPACES, &BY_HTTP_NAME, &key, None)
        .next()
}

/// The service of this name in a namespace.
#[must_use]
pub fn service_named<'w>(
    world: &'w World,
    namespace: &NamespaceRecord,
    name: &str,
) -> Option<&'w Arc<ServiceRecord>> {
    let key = name_parts(&namespace.key.scope, &namespace.key.id, name);
    world.find_after(&SERVICES, &BY_NAME, &key, None).next()
}

/// The question whether the caller may do `action` to what a request names.
#[must_use]
pub fn ask(ctx: &Ctx, action: &str, given: Option<&str>) -> Vec<Ask> {
    let given = given.unwrap_or("*");
    let arn = match given.starts_with("arn:") || given == "*" {
        true => given.into(),
        false => ItemKey::new(&ctx.scope, given).arn(),
    };
    vec![Ask::new(format!("servicediscovery:{action}"), arn)]
}

/// A namespace as GetNamespace shows it.
#[must_use]
pub fn shape(world: &World, namespace: &NamespaceRecord) -> api::Namespace {
    let NamespaceRecord { key, .. } = namespace;
    let services = world.sum(&SERVICES, &OF_NAMESPACE, &key.encode());
    let zone = namespace.zone.as_ref();
    api::Namespace {
        id: Some(key.id.clone()),
        arn: Some(key.arn()),
        resource_owner: Some(key.scope.account.clone()),
        name: Some(namespace.name.clone()),
        r#type: Some(kind(namespace).into()),
        description: namespace.description.clone(),
        service_count: i32::try_from(services).ok(),
        properties: Some(api::NamespaceProperties {
            dns_properties: zone.map(|zone| api::DnsProperties {
                hosted_zone_id: Some(zone.hosted_zone.clone()),
                soa: Some(api::SOA {
                    ttl: Some(zone.soa_ttl),
                }),
            }),
            http_properties: Some(api::HttpProperties {
                http_name: Some(namespace.http_name.clone()),
            }),
        }),
        create_date: Some(namespace.created),
        creator_request_id: namespace.creator_request_id.clone(),
    }
}

/// `Type` of a namespace.
#[must_use]
pub fn kind(namespace: &NamespaceRecord) -> &'static str {
    match namespace.zone {
        Some(_) => "DNS_PRIVATE",
        None => "HTTP",
    }
}

/// A service as GetService shows it.
#[must_use]
pub fn service_shape(world: &World, service: &ServiceRecord) -> api::Service {
    let ServiceRecord { key, .. } = service;
    let instances = world.sum(&INSTANCES, &OF_SERVICE, &key.encode());
    let kind = match service.dns {
        Some(_) => "DNS_HTTP",
        None => "HTTP",
    };
    api::Service {
        id: Some(key.id.clone()),
        arn: Some(key.arn()),
        resource_owner: Some(key.scope.account.clone()),
        created_by_account: Some(key.scope.account.clone()),
        name: Some(service.name.clone()),
        namespace_id: Some(service.namespace.clone()),
        description: service.description.clone(),
        instance_count: i32::try_from(instances).ok(),
        dns_config: service
            .dns
            .as_ref()
            .map(|dns| dns.shape(&service.namespace)),
        r#type: Some(kind.into()),
        health_check_config: None,
        health_check_custom_config: service.custom_health.then_some(
            // API reference, HealthCheckCustomConfig: always 1, whatever was given.
            api::HealthCheckCustomConfig {
                failure_threshold: Some(1),
            },
        ),
        create_date: Some(service.created),
        creator_request_id: service.creator_request_id.clone(),
    }
}

/// A namespace or a service, by ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// A namespace.
    Namespace(ItemKey),
    /// A service.
    Service(ItemKey),
}

/// What an ARN names.
///
/// # Errors
/// `ResourceNotFoundException`, with AWS's member for the ARN in the text.
pub fn tagged(world: &World, scope: &Scope, arn: &str) -> Result<Tagged, AwsError> {
    let not_found =
        || errors::RESOURCE_NOT_FOUND_EXCEPTION.with(format!("The resource {arn} can't be found."));
    let parsed: Arn = arn
        .parse()
        .map_err(|_| invalid(format!("Invalid ARN: {arn}")))?;
    let (kind, id) = parsed.resource.split_once('/').ok_or_else(not_found)?;
    let key = ItemKey::new(scope, id);
    match kind {
        "namespace" if world.get(&NAMESPACES, &key).is_some() => Ok(Tagged::Namespace(key)),
        "service" if world.get(&SERVICES, &key).is_some() => Ok(Tagged::Service(key)),
        _ => Err(not_found()),
    }
}

/// Tags with those given put over them.
///
/// # Errors
/// `InvalidInput`, `TooManyTagsException`.
pub fn with_tags(
    mut tags: BTreeMap<String, String>,
    given: Option<&[api::Tag]>,
) -> Result<BTreeMap<String, String>, AwsError> {
    for tag in given.unwrap_or_default() {
        let key = tag.key.clone().unwrap_or_default();
        let start = key.get(..4).unwrap_or_default();
        if start.eq_ignore_ascii_case("aws:") {
            return Err(invalid(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        tags.insert(key, tag.value.clone().unwrap_or_default());
    }
    match tags.len() <= TAGS_MAX {
        true => Ok(tags),
        false => Err(errors::TOO_MANY_TAGS_EXCEPTION
            .with(format!("A resource can have at most {TAGS_MAX} tags."))),
    }
}
