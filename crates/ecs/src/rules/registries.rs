//! `serviceRegistries` of a service or a task set.
//!
//! Rule: API reference, ServiceRegistry; developer guide, "Service discovery considerations": with
//! `awsvpc` A or SRV records, the port only with SRV; with `bridge` and `host` SRV records alone, whose
//! port is a container's. Texts as users report them, but for those marked as ours.

use super::{client, invalid_parameter};
use aws_api::ecs::{ContainerDefinition, ServiceRegistry, TaskDefinition};
use aws_types::{Arn, AwsError, Scope};
use servicediscovery::dns::RecordType;
use servicediscovery::records::{ItemKey, SERVICES, ServiceRecord};
use store::World;

/// Checks each registry against the definition and against Cloud Map.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check(
    world: &World,
    scope: &Scope,
    given: &[ServiceRegistry],
    definition: &TaskDefinition,
) -> Result<(), AwsError> {
    for registry in given {
        let arn = registry.registry_arn.as_deref().unwrap_or_default();
        let key = service(scope, arn);
        let found = key.and_then(|key| world.get(&SERVICES, &key));
        // Ours.
        let found = found
            .ok_or_else(|| invalid_parameter(format!("Service registry {arn} was not found.")))?;
        check_one(registry, found, definition)?;
    }
    Ok(())
}

/// The Cloud Map service that an ARN names, of this account and region.
#[must_use]
pub fn service(scope: &Scope, arn: &str) -> Option<ItemKey> {
    let parsed: Arn = arn.parse().ok()?;
    let id = parsed.resource.strip_prefix("service/")?;
    let key = ItemKey::new(scope, id);
    (key.arn() == arn).then_some(key)
}

fn check_one(
    registry: &ServiceRegistry,
    service: &ServiceRecord,
    definition: &TaskDefinition,
) -> Result<(), AwsError> {
    let is_named = registry.container_name.is_some() || registry.container_port.is_some();
    if registry.port.is_some() && is_named {
        return Err(invalid_parameter(
            "Specify a value for either 'port' or the 'containerName' and 'containerPort' \
             combination, but not both.",
        ));
    }
    if registry.container_name.is_some() != registry.container_port.is_some() {
        // Ours.
        return Err(invalid_parameter(
            "'containerName' and 'containerPort' must be specified together.",
        ));
    }
    let has_srv = service
        .dns
        .as_ref()
        .is_none_or(|dns| dns.ttl(RecordType::Srv).is_some());
    match definition.network_mode.as_deref() {
        Some("awsvpc") => check_awsvpc(registry, service, has_srv)?,
        // Ours.
        Some("none") => {
            return Err(invalid_parameter(
                "Service registries are not supported when networkMode=none.",
            ));
        }
        _ if !is_named || !has_srv => {
            return Err(invalid_parameter(
                "When specifying 'host' or 'bridge' for networkMode, values for 'containerName' and \
                 'containerPort' must be specified from the task definition.",
            ));
        }
        _ => {}
    }
    check_container(registry, definition)
}

fn check_awsvpc(
    registry: &ServiceRegistry,
    service: &ServiceRecord,
    has_srv: bool,
) -> Result<(), AwsError> {
    let given = [
        ("containerName", registry.container_name.is_some()),
        ("containerPort", registry.container_port.is_some()),
        ("port", registry.port.is_some()),
    ];
    let first = given.iter().find(|(_, is_given)| *is_given);
    match first {
        Some((what, _)) if !has_srv => Err(invalid_parameter(format!(
            "The values specified for serviceRegistries do not require a value for '{what}'. \
             Remove the value and retry."
        ))),
        // Ours.
        None if has_srv && service.dns.is_some() => Err(invalid_parameter(
            "The service registry has an SRV record: specify a value for either 'port' or the \
             'containerName' and 'containerPort' combination.",
        )),
        _ => Ok(()),
    }
}

/// Texts as for a load balancer's.
fn check_container(
    registry: &ServiceRegistry,
    definition: &TaskDefinition,
) -> Result<(), AwsError> {
    let (Some(name), Some(port)) = (&registry.container_name, registry.container_port) else {
        return Ok(());
    };
    let mut containers = definition.container_definitions.iter().flatten();
    let named = |c: &&ContainerDefinition| c.name.as_ref() == Some(name);
    let container = containers.find(named).ok_or_else(|| {
        invalid_parameter(format!(
            "The container {name} does not exist in the task definition."
        ))
    })?;
    let mut ports = container.port_mappings.iter().flatten();
    match ports.any(|mapping| mapping.container_port == Some(port)) {
        true => Ok(()),
        false => Err(client(format!(
            "The container {name} did not have a container port {port} defined."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::Stored;
    use aws_types::Timestamp;
    use serde_json::{Value, json};
    use servicediscovery::dns::{Dns, Routing};
    use std::collections::BTreeMap;

    fn of(types: &[RecordType]) -> ServiceRecord {
        let dns = Dns {
            routing: Routing::Multivalue,
            records: types.iter().map(|kind| (*kind, 10)).collect(),
        };
        ServiceRecord {
            key: ItemKey::new(&Scope::new("000000000000", "us-east-1"), "srv-1"),
            namespace: "ns-1".into(),
            name: "web".into(),
            description: None,
            dns: (!types.is_empty()).then_some(dns),
            custom_health: true,
            revision: 0,
            creator_request_id: None,
            created: Timestamp::from_millis(0),
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn what_a_registry_needs_follows_from_network_mode_and_records() {
        use RecordType::{A, Srv};
        let named = json!({"containerName": "app", "containerPort": 80});
        let both = json!({"containerName": "app", "containerPort": 80, "port": 80});
        let host = "When specifying 'host' or 'bridge' for networkMode, values for 'containerName' \
                    and 'containerPort' must be specified from the task definition.";
        let remove = |what: &str| {
            format!(
                "The values specified for serviceRegistries do not require a value for '{what}'. \
                 Remove the value and retry."
            )
        };
        for (mode, types, registry, refusal) in [
            (json!("awsvpc"), &[A][..], json!({}), None),
            (json!("awsvpc"), &[A], json!({"port": 80}), Some(remove("port"))),
            (json!("awsvpc"), &[A], named.clone(), Some(remove("containerName"))),
            (json!("awsvpc"), &[Srv, A], json!({"port": 80}), None),
            (json!("awsvpc"), &[Srv], named.clone(), None),
            (json!("awsvpc"), &[], json!({}), None),
            (json!("host"), &[Srv], named.clone(), None),
            (Value::Null, &[Srv], named.clone(), None),
            (Value::Null, &[Srv], json!({"port": 80}), Some(host.into())),
            (json!("bridge"), &[A], named.clone(), Some(host.into())),
            (
                json!("awsvpc"),
                &[Srv],
                both,
                Some("Specify a value for either 'port' or the 'containerName' and 'containerPort' combination, but not both.".into()),
            ),
            (
                json!("awsvpc"),
                &[Srv],
                json!({"containerName": "db", "containerPort": 80}),
                Some("The container db does not exist in the task definition.".into()),
            ),
            (
                json!("awsvpc"),
                &[Srv],
                json!({"containerName": "app", "containerPort": 81}),
                Some("The container app did not have a container port 81 defined.".into()),
            ),
        ] {
            let definition = json!({
                "networkMode": mode,
                "containerDefinitions": [{"name": "app", "portMappings": [{"containerPort": 80}]}],
            });
            let definition: Stored<TaskDefinition> = serde_json::from_value(definition).unwrap();
            let given: Stored<ServiceRegistry> = serde_json::from_value(registry.clone()).unwrap();
            let found = check_one(&given.0, &of(types), &definition.0).err();
            let found = found.map(|error| error.message().to_owned());
            assert_eq!(found, refusal, "{mode} {types:?} {registry}");
        }
    }
}
