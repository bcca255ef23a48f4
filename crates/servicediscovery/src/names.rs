//! What a VPC's resolver answers of the namespaces that are its own: pure, and the whole of it.
//!
//! Rule: developer guide, "DNS records"; API reference, DnsConfig: up to eight healthy instances in an
//! answer, all instances where none is healthy; an SRV record leads to a name of its instance's own.

use crate::discover::answered;
use crate::dns::{Dns, RecordType};
use crate::instances::{CNAME, IPV4, IPV6, PORT};
use crate::records::{
    BY_NAMESPACE, BY_VPC, InstanceRecord, NAMESPACES, NamespaceRecord, SERVICES, ServiceRecord,
};
use aws_api::agent::host_sync::{NameRow, NameValue};
use std::net::IpAddr;
use std::sync::Arc;
use store::{Key, TableKey, World};

/// Instances in an answer. Of WEIGHTED the caller takes one of them.
const ANSWERED_MAX: usize = 8;
/// API reference, DnsRecord, SRV: priority and weight are always these.
const PRIORITY: u16 = 1;
const WEIGHT: u16 = 1;

/// The names of the namespaces of a VPC. A service's name is there with every type of record that it has,
/// and without a value where no instance is registered.
#[must_use]
pub fn names(world: &World, vpc: &str) -> Vec<NameRow> {
    let mut rows = Vec::new();
    for namespace in world.find_after(&NAMESPACES, &BY_VPC, &Key::of(&[vpc]), None) {
        let own = namespace.key.encode();
        for service in world.find_after(&SERVICES, &BY_NAMESPACE, &own, None) {
            if let Some(dns) = &service.dns {
                of_service(world, (vpc, namespace), (service, dns), &mut rows);
            }
        }
    }
    rows
}

fn of_service(
    world: &World,
    (vpc, namespace): (&str, &NamespaceRecord),
    (service, dns): (&ServiceRecord, &Dns),
    rows: &mut Vec<NameRow>,
) {
    let name = format!("{}.{}", service.name, namespace.name).to_lowercase();
    let mut instances = answered(world, service);
    // Which eight of many: always the same, so that rows change only when instances do.
    instances.truncate(ANSWERED_MAX);
    for (kind, ttl) in &dns.records {
        let value = |one: &Arc<InstanceRecord>| value(one, *kind, &name);
        rows.push(NameRow {
            vpc: vpc.into(),
            name: name.clone(),
            ttl: *ttl,
            values: instances.iter().filter_map(value).collect(),
            record: kind.name().into(),
        });
    }
    if let Some(ttl) = dns.ttl(RecordType::Srv) {
        let of = |one: &Arc<InstanceRecord>| hosts(one, (vpc, &name), ttl);
        rows.extend(instances.iter().flat_map(of));
    }
}

/// The name to which an SRV record of an instance leads.
fn host(instance: &InstanceRecord, name: &str) -> String {
    format!("{}.{name}", instance.key.id).to_lowercase()
}

fn hosts(instance: &InstanceRecord, (vpc, name): (&str, &str), ttl: u32) -> Vec<NameRow> {
    let of = |kind: RecordType| {
        Some(NameRow {
            vpc: vpc.into(),
            name: host(instance, name),
            ttl,
            values: vec![value(instance, kind, name)?],
            record: kind.name().into(),
        })
    };
    let kinds = [RecordType::A, RecordType::Aaaa];
    kinds.into_iter().filter_map(of).collect()
}

/// What an instance adds to the records of a type.
fn value(instance: &InstanceRecord, kind: RecordType, name: &str) -> Option<NameValue> {
    let attribute = |key: &str| instance.attributes.get(key);
    let address = |key: &str| {
        let address: IpAddr = attribute(key)?.parse().ok()?;
        Some(NameValue::Address { address })
    };
    match kind {
        RecordType::A => address(IPV4),
        RecordType::Aaaa => address(IPV6),
        RecordType::Cname => Some(NameValue::Alias {
            target: attribute(CNAME)?.to_lowercase(),
        }),
        RecordType::Srv => Some(NameValue::Service {
            priority: PRIORITY,
            weight: WEIGHT,
            port: attribute(PORT)?.parse().ok()?,
            target: host(instance, name),
        }),
    }
}
