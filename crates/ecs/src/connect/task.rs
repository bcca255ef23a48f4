//! What a task is given of Service Connect: what it is registered as, and the listeners of its proxy.
//!
//! Each name has an address of 127.255/16 in the task, by the order of the names; with the endpoints fixed by
//! the revision, all tasks of one have the same. Rule: agent-protocol 7, "Service Connect"; vpc-network 6.

use super::shape;
use crate::records::connect::{AppProtocol, Endpoint, Exposed, TaskConnect};
use crate::records::registration::{RegisteredPort, RegistrationRecord};
use crate::records::service::{GROUP_PREFIX, ServiceKey, ServiceRecord, Workload};
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS, ServiceRevisionRecord};
use crate::records::task::TaskRecord;
use crate::task::docker_config::log_options;
use crate::task::effective::Effective;
use crate::task::log_streams::{self, LogTarget};
use crate::task::registration::checked;
use crate::task::status::TaskStatus;
use aws_api::agent::{ConnectAccessLog, ConnectIngress, ConnectListener, ServiceConnect};
use aws_api::ecs::{Attachment, KeyValuePair, TaskDefinition};
use servicediscovery::records::ItemKey;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::World;

/// The attribute of a host whose agent has the proxy.
pub const CAPABILITY: &str = "ecs.capability.service-connect-v1";
/// Of the attachment's id in the name of the proxy's container.
const NAME_CHARS: usize = 5;
/// 127.255.0.0, as a number: the first name has the address after it.
const ADDRESSES: u32 = 0x7fff_0000;

/// What each task of a deployment of this number is given; its id comes with the task.
#[must_use]
pub fn of(
    service: &ServiceRecord,
    number: u64,
    workload: &Workload,
    made_from: (&TaskDefinition, &Effective),
) -> Option<Box<TaskConnect>> {
    let connect = workload.connect.as_ref()?;
    let mut deployments = service.deployments.iter();
    let deployment = deployments.find(|one| one.number == number)?;
    let exposed = connect.exposed.iter();
    Some(Box::new(TaskConnect {
        id: String::new(),
        revision: deployment.revision,
        registrations: exposed.map(|one| registered(one, made_from)).collect(),
    }))
}

fn registered(
    one: &Exposed,
    (definition, effective): (&TaskDefinition, &Effective),
) -> RegistrationRecord {
    let is_bridge = matches!(definition.network_mode.as_deref(), None | Some("bridge"));
    let port = match one.ingress {
        Some(port) => RegisteredPort::Fixed(port.into()),
        None if is_bridge => RegisteredPort::Bound {
            container: one.container.clone(),
            port: one.container_port.into(),
        },
        None => RegisteredPort::Fixed(one.container_port.into()),
    };
    RegistrationRecord {
        service: one.endpoint.service.clone(),
        port: Some(port),
        checked: checked(effective),
        external_id: None,
    }
}

/// The revision that says what a task reaches.
#[must_use]
pub fn revision<'w>(world: &'w World, task: &TaskRecord) -> Option<&'w Arc<ServiceRevisionRecord>> {
    let connect = task.connect.as_ref()?;
    let name = task.group.strip_prefix(GROUP_PREFIX)?;
    let key = RevisionKey {
        service: ServiceKey::new(&task.key.scope, &task.key.cluster, name),
        number: connect.revision,
    };
    world.get(&SERVICE_REVISIONS, &key)
}

/// As its agent reads it.
#[must_use]
pub fn payload(world: &World, task: &TaskRecord) -> Option<ServiceConnect> {
    let revision = revision(world, task)?;
    let scope = &task.key.scope;
    let addresses = addresses(&revision.endpoints);
    let listener = |endpoint: &Endpoint| ConnectListener {
        name: Some(endpoint.name.clone()),
        address: addresses
            .get(endpoint.name.as_str())
            .map(ToString::to_string),
        port: Some(endpoint.port.into()),
        discovery_name: Some(endpoint.discovery.clone()),
        endpoint: Some(ItemKey::new(scope, &endpoint.service).arn()),
        protocol: Some(protocol(endpoint.protocol).into()),
        idle_seconds: Some(endpoint.idle_seconds.into()),
        request_seconds: Some(endpoint.request_seconds.into()),
    };
    let exposed = revision.workload.connect.iter();
    let exposed = exposed.flat_map(|connect| &connect.exposed);
    let ingress = exposed.filter_map(|one| {
        Some(ConnectIngress {
            port: Some(one.ingress?.into()),
            container_port: Some(one.container_port.into()),
            discovery_name: Some(one.endpoint.discovery.clone()),
            protocol: Some(protocol(one.endpoint.protocol).into()),
            idle_seconds: Some(one.endpoint.idle_seconds.into()),
            request_seconds: Some(one.endpoint.request_seconds.into()),
        })
    });
    Some(ServiceConnect {
        listeners: Some(revision.endpoints.iter().map(listener).collect()),
        ingress: Some(ingress.collect()),
        access_log: access_log(revision, task),
    })
}

/// AWS's proxy is a container, after whose name its streams are named. Rule: API reference, Attachment; AWS's five
/// characters are of chance, ours those of the attachment.
fn container_name(task: &TaskRecord) -> String {
    let id = task.connect.as_ref().map_or("", |connect| &connect.id);
    let some: String = id.chars().take(NAME_CHARS).collect();
    format!("ecs-service-connect-{some}")
}

/// Where a task's proxy writes its access log; `None` where it has none, or not by `awslogs`.
#[must_use]
pub fn log_target(world: &World, task: &TaskRecord) -> Option<LogTarget> {
    let connect = revision(world, task)?.workload.connect.as_ref()?;
    connect.given.0.access_log_configuration.as_ref()?;
    let log = connect.given.0.log_configuration.as_ref()?;
    log_streams::of(log, &container_name(task), &task.key.id.0)
}

fn access_log(revision: &ServiceRevisionRecord, task: &TaskRecord) -> Option<ConnectAccessLog> {
    let given = &revision.workload.connect.as_ref()?.given.0;
    let access = given.access_log_configuration.as_ref()?;
    let mut log = given.log_configuration.clone()?;
    if let Some(mode) = &task.log_mode {
        let options = log.options.get_or_insert_default();
        options.entry("mode".into()).or_insert_with(|| mode.clone());
    }
    let with_query = access.include_query_parameters.as_deref() == Some("ENABLED");
    Some(ConnectAccessLog {
        format: access.format.clone(),
        include_query_parameters: Some(with_query),
        options: Some(log_options(&log, &container_name(task), &task.key.id.0)),
        driver: log.log_driver,
    })
}

fn addresses(endpoints: &[Endpoint]) -> BTreeMap<&str, Ipv4Addr> {
    let names: BTreeMap<&str, ()> = endpoints
        .iter()
        .map(|one| (one.name.as_str(), ()))
        .collect();
    let numbers = (ADDRESSES + 1)..;
    let named = names.into_keys().zip(numbers);
    named.map(|(name, number)| (name, number.into())).collect()
}

/// What the agent calls it.
fn protocol(protocol: AppProtocol) -> &'static str {
    match protocol {
        AppProtocol::Tcp => "tcp",
        AppProtocol::Http => "http",
        AppProtocol::Http2 => "http2",
        AppProtocol::Grpc => "grpc",
    }
}

/// Its attachment as the API shows it. Rule: API reference, Attachment, `details`.
#[must_use]
pub fn attachment(world: &World, task: &TaskRecord) -> Option<Attachment> {
    let connect = task.connect.as_ref()?;
    let revision = revision(world, task);
    let exposed = revision.and_then(|revision| revision.workload.connect.as_ref());
    let exposed = exposed.into_iter().flat_map(|connect| &connect.exposed);
    let status = match task.last_status {
        TaskStatus::Stopped => "DELETED",
        _ if task.times.started.is_some() => "ATTACHED",
        _ => "PRECREATED",
    };
    Some(Attachment {
        id: Some(connect.id.clone()),
        r#type: Some("Service Connect".into()),
        status: Some(status.into()),
        details: Some(exposed.flat_map(details).collect()),
    })
}

fn details(one: &Exposed) -> Vec<KeyValuePair> {
    let detail = |name: &str, value: String| KeyValuePair {
        name: Some(name.into()),
        value: Some(value),
    };
    let aliases = aws_api::Stored(shape::alias(one));
    let aliases = serde_json::to_string(&[aliases]).unwrap_or_default();
    let mut shown = vec![
        detail("portName", one.port_name.clone()),
        detail("discoveryName", one.endpoint.discovery.clone()),
        detail("clientAliases", aliases),
    ];
    let ingress = one.ingress.map(|port| port.to_string());
    shown.extend(ingress.map(|port| detail("ingressPortOverride", port)));
    shown
}
