//! A host's registration: its first, and every later one of the same host.
//!
//! A later one is known by the ARN that the agent kept or, should it have lost it, by the host's
//! name; it keeps the ARN, the EC2 id, the tags and the tasks. An ARN that names no registration of
//! this host is answered with a new one: the agent then learns that its old one is gone.
//! Rule: API reference, RegisterContainerInstance; the public agent, which exits for good when an
//! attribute it sent does not come back unchanged.

use super::attributes::after_registration;
use super::{interfaces, launch_template, resources};
use crate::fargate;
use crate::place::problem::{ARCHITECTURE, ZONE};
use crate::records::Tags;
use crate::records::container_instance::{
    AgentVersions, AttributeRecord, BY_HOST, CONTAINER_INSTANCES, Connection,
    ContainerInstanceRecord, HostResources, InstanceId, InstanceKey, InstanceStatus, host_parts,
};
use crate::rules::tags;
use crate::task::reference;
use aws_api::ecs::{Attribute, RegisterContainerInstanceRequest};
use aws_types::{AwsError, Ctx};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Txn, World};

/// Hexadecimal digits of an EC2 instance id.
const EC2_ID_DIGITS: usize = 17;

/// Stores a registration in this cluster; gives the instance's key.
///
/// # Errors
/// `InvalidParameterException` for malformed tags, and for a launch template that gives the machine no type.
pub fn register(
    txn: &mut Txn,
    ctx: &mut Ctx,
    cluster: &str,
    input: &RegisterContainerInstanceRequest,
) -> Result<InstanceKey, AwsError> {
    let given_tags = tags::read(input.tags.as_deref())?;
    let earlier = earlier(txn, ctx, cluster, input);
    let record = match earlier {
        Some(earlier) => again(txn, &earlier, ctx, input)?,
        None => first(txn, ctx, cluster, input, given_tags)?,
    };
    let key = record.key.clone();
    txn.put(&CONTAINER_INSTANCES, record);
    Ok(key)
}

/// The name under which the caller's host is known. The account's root may register machines too,
/// such as one with the public agent; they are told apart by their EC2 ids alone.
#[must_use]
pub fn host_of(ctx: &Ctx) -> &str {
    ctx.caller.host().unwrap_or_default()
}

fn earlier(
    world: &World,
    ctx: &Ctx,
    cluster: &str,
    input: &RegisterContainerInstanceRequest,
) -> Option<Arc<ContainerInstanceRecord>> {
    let usable = |record: &Arc<ContainerInstanceRecord>| {
        let here = record.key.cluster == cluster && record.status != InstanceStatus::Inactive;
        here && record.host == host_of(ctx)
    };
    let by_arn = input
        .container_instance_arn
        .as_deref()
        .filter(|arn| !arn.is_empty());
    if let Some(arn) = by_arn {
        let key = reference::instance(&ctx.scope, cluster, arn)?;
        return world
            .get(&CONTAINER_INSTANCES, &key)
            .cloned()
            .filter(usable);
    }
    let host = ctx.caller.host()?;
    let index_key = host_parts(&ctx.scope, host);
    let mut of_host = world
        .find(&CONTAINER_INSTANCES, &BY_HOST, &index_key)
        .cloned();
    of_host.find(usable)
}

fn again(
    world: &World,
    earlier: &ContainerInstanceRecord,
    ctx: &mut Ctx,
    input: &RegisterContainerInstanceRequest,
) -> Result<ContainerInstanceRecord, AwsError> {
    let cluster = &earlier.key.cluster;
    let mut sent = attributes(ctx, cluster, input);
    launch_template::add_type(world, ctx, cluster, Some(earlier), &mut sent)?;
    let interfaces = interfaces::quota(world, ctx, cluster, Some(earlier), &mut sent);
    Ok(ContainerInstanceRecord {
        version: earlier.version + 1,
        registered: HostResources {
            interfaces,
            ..offered(input)
        },
        attributes: after_registration(earlier, sent),
        versions: if input.version_info.is_some() {
            versions(input)
        } else {
            earlier.versions.clone()
        },
        ..earlier.clone()
    })
}

fn first(
    world: &World,
    ctx: &mut Ctx,
    cluster: &str,
    input: &RegisterContainerInstanceRequest,
    tags: Tags,
) -> Result<ContainerInstanceRecord, AwsError> {
    let ec2_instance_id =
        identity(input).unwrap_or_else(|| format!("i-{}", ctx.ids.hex(EC2_ID_DIGITS)));
    let mut attributes = attributes(ctx, cluster, input);
    launch_template::add_type(world, ctx, cluster, None, &mut attributes)?;
    let interfaces = interfaces::quota(world, ctx, cluster, None, &mut attributes);
    Ok(ContainerInstanceRecord {
        key: InstanceKey {
            scope: ctx.scope.clone(),
            cluster: cluster.into(),
            id: InstanceId(ctx.ids.hex(32)),
        },
        host: host_of(ctx).into(),
        ec2_instance_id,
        version: 1,
        status: InstanceStatus::Active,
        connection: Connection::Away(ctx.now),
        registered: HostResources {
            interfaces,
            ..offered(input)
        },
        attributes,
        put_attributes: BTreeSet::new(),
        versions: versions(input),
        timeline: 0,
        registered_at: ctx.now,
        capacity_provider: None,
        deregistered_at: None,
        tags,
    })
}

fn offered(input: &RegisterContainerInstanceRequest) -> HostResources {
    let devices = input.platform_devices.as_deref().unwrap_or_default();
    let host = resources::read(input.total_resources.as_deref().unwrap_or_default());
    resources::with_devices(host, devices)
}

/// Those sent, and what the service adds: a zone, and on EC2 the processor of the instance type. A
/// host that lends FARGATE capacity and names no zone serves all.
fn attributes(
    ctx: &Ctx,
    cluster: &str,
    input: &RegisterContainerInstanceRequest,
) -> Vec<AttributeRecord> {
    let record = |given: &Attribute| AttributeRecord {
        name: given.name.clone().unwrap_or_default(),
        value: given.value.clone(),
    };
    let mut records: Vec<_> = input.attributes.iter().flatten().map(record).collect();
    let architecture = document(input).and_then(|document| architecture(&document));
    if !records
        .iter()
        .any(|attribute| attribute.name == ARCHITECTURE)
    {
        records.extend(architecture.map(|value| AttributeRecord {
            name: ARCHITECTURE.into(),
            value: Some(value),
        }));
    }
    if cluster != fargate::CLUSTER && !records.iter().any(|attribute| attribute.name == ZONE) {
        records.push(AttributeRecord {
            name: ZONE.into(),
            value: Some(format!("{}a", ctx.scope.region)),
        });
    }
    records
}

fn versions(input: &RegisterContainerInstanceRequest) -> AgentVersions {
    let given = input.version_info.clone().unwrap_or_default();
    AgentVersions {
        agent_version: given.agent_version,
        agent_hash: given.agent_hash,
        docker_version: given.docker_version,
    }
}

/// The instance identity document, a JSON object; empty for external machines.
fn document(input: &RegisterContainerInstanceRequest) -> Option<Value> {
    serde_json::from_str(input.instance_identity_document.as_deref()?).ok()
}

/// `architecture` of the document, where tasks can ask for it.
fn architecture(document: &Value) -> Option<String> {
    let named = document.get("architecture")?.as_str()?;
    ["x86_64", "arm64"]
        .contains(&named)
        .then(|| named.to_owned())
}

/// The EC2 id in the document.
fn identity(input: &RegisterContainerInstanceRequest) -> Option<String> {
    let document = document(input)?;
    let id = document.get("instanceId")?.as_str()?;
    let plain =
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| id.to_owned())
}
