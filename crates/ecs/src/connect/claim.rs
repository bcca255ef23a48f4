//! What a service asks of Service Connect becomes its own: its discovery names are Cloud Map services.
//!
//! Everything is checked before anything is written.

use super::namespace;
use crate::records::connect::{
    ConnectRecord, ENDPOINTS, EndpointKey, EndpointRecord, Exposed, of_namespace,
};
use crate::records::service::{Controller, ServiceRecord};
use crate::rules::deployment_strategy::is_rolling;
use crate::rules::run_task::not_yet;
use crate::rules::service_connect::{alias_taken, discovery_taken};
use crate::rules::{invalid_parameter, service_connect};
use aws_api::Stored;
use aws_api::ecs::{ServiceConnectConfiguration, TaskDefinition};
use aws_types::{AwsError, Ctx};
use servicediscovery::managed;
use servicediscovery::records::{NamespaceRecord, SERVICES as MAP_SERVICES};
use servicediscovery::resource;
use std::sync::Arc;
use store::{Txn, World};

/// What was asked for, checked, and not yet made.
#[derive(Clone, Debug)]
pub struct Asked {
    given: ServiceConnectConfiguration,
    namespace: Arc<NamespaceRecord>,
    exposed: Vec<Exposed>,
}

/// Checks what a service of tasks of this definition asks for; `None` where Service Connect is off.
/// `default`: the namespace of its cluster.
///
/// # Errors
/// `NamespaceNotFoundException`, `InvalidParameterException`, `ClientException`.
pub fn check(
    world: &World,
    service: &ServiceRecord,
    given: Option<&ServiceConnectConfiguration>,
    (default, definition): (Option<&str>, &TaskDefinition),
) -> Result<Option<Asked>, AwsError> {
    let Some(given) = given.filter(|given| given.enabled.unwrap_or(false)) else {
        return Ok(None);
    };
    if service.controller != Controller::Ecs {
        // Ours.
        return Err(invalid_parameter(
            "Service Connect is only supported for services with the ECS deployment controller.",
        ));
    }
    let scope = &service.key.scope;
    let named = given.namespace.as_deref().filter(|name| !name.is_empty());
    let named = named.or(default).ok_or_else(|| {
        // Ours.
        invalid_parameter(
            "A Service Connect namespace must be specified, as the cluster has no default namespace.",
        )
    })?;
    let namespace = namespace::require(world, scope, named)?.clone();
    let exposed = service_connect::read(given, &namespace.name, definition)?;
    if !exposed.is_empty() && !is_rolling(&service.configuration.0) {
        return Err(not_yet(
            "serviceConnectConfiguration.services with a deploymentConfiguration.strategy other than ROLLING",
        ));
    }
    for one in &exposed {
        check_free(world, service, &namespace, one)?;
    }
    Ok(Some(Asked {
        given: given.clone(),
        namespace,
        exposed,
    }))
}

/// Discovery name and alias may be the service's own, but nobody else's.
fn check_free(
    world: &World,
    service: &ServiceRecord,
    namespace: &NamespaceRecord,
    one: &Exposed,
) -> Result<(), AwsError> {
    let endpoint = &one.endpoint;
    let known = known(world, namespace, &endpoint.discovery);
    let map_service = resource::service_named(world, namespace, &endpoint.discovery);
    match (known, map_service) {
        (Some(known), _) if known.owner != service.key => {
            return Err(discovery_taken(&endpoint.discovery));
        }
        (None, Some(_)) => return Err(discovery_taken(&endpoint.discovery)),
        _ => {}
    }
    let all = of_namespace(&namespace.key.scope, &namespace.key.id);
    let mut others = world.scan_prefix(&ENDPOINTS, &all, None);
    let is_taken = others.any(|(_, other)| {
        other.owner != service.key
            && other.endpoint.name == endpoint.name
            && other.endpoint.port == endpoint.port
    });
    match is_taken {
        true => Err(alias_taken(endpoint)),
        false => Ok(()),
    }
}

fn known<'w>(
    world: &'w World,
    namespace: &NamespaceRecord,
    discovery: &str,
) -> Option<&'w Arc<EndpointRecord>> {
    let key = EndpointKey {
        scope: namespace.key.scope.clone(),
        namespace: namespace.key.id.clone(),
        discovery: discovery.into(),
    };
    world.get(&ENDPOINTS, &key)
}

/// Makes the Cloud Map services that are not there yet.
pub fn claim(txn: &mut Txn, ctx: &mut Ctx, asked: Asked) -> Box<ConnectRecord> {
    let Asked {
        given,
        namespace,
        mut exposed,
    } = asked;
    for one in &mut exposed {
        let endpoint = &mut one.endpoint;
        let known = known(txn, &namespace, &endpoint.discovery);
        let kept = known
            .map(|known| known.map_service())
            .filter(|key| txn.get(&MAP_SERVICES, key).is_some());
        let key = kept.unwrap_or_else(|| {
            managed::make_service(txn, ctx, &namespace.key.id, &endpoint.discovery)
        });
        endpoint.service = key.id;
    }
    Box::new(ConnectRecord {
        given: Stored(given),
        namespace: namespace.key.id.clone(),
        exposed,
    })
}
