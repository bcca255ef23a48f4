//! How an instance comes and goes: for RegisterInstance, and for `ecs` in the transaction of a task.
//!
//! Rule: API reference, RegisterInstance: registering again replaces the attributes; which attributes a
//! record needs.

use crate::dns::{Dns, RecordType};
use crate::errors::invalid;
use crate::records::{
    BY_SERVICE, Health, INSTANCES, InstanceKey, InstanceRecord, ItemKey, SERVICES, ServiceRecord,
};
use aws_types::{AwsError, Timestamp};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use store::{TableKey, Txn, World};

/// The IPv4 address.
pub const IPV4: &str = "AWS_INSTANCE_IPV4";
/// The IPv6 address.
pub const IPV6: &str = "AWS_INSTANCE_IPV6";
/// The port.
pub const PORT: &str = "AWS_INSTANCE_PORT";
/// The name that a CNAME leads to.
pub const CNAME: &str = "AWS_INSTANCE_CNAME";
/// The custom health status with which it begins.
pub const INIT_HEALTH: &str = "AWS_INIT_HEALTH_STATUS";
/// API reference, `Attributes`: custom attributes of an instance.
const CUSTOM_MAX: usize = 30;
/// API reference, `Attributes`: bytes of all keys and values.
const BYTES_MAX: usize = 5_000;

/// Registers an instance, or gives it other attributes. Whether its service exists.
pub fn register(
    txn: &mut Txn,
    now: Timestamp,
    key: InstanceKey,
    attributes: BTreeMap<String, String>,
    creator_request_id: Option<String>,
) -> bool {
    let health = match attributes.get(INIT_HEALTH).map(String::as_str) {
        Some("UNHEALTHY") => Health::Unhealthy,
        _ => Health::Healthy,
    };
    if !changed(txn, now, &key.service) {
        return false;
    }
    txn.put(
        &INSTANCES,
        InstanceRecord {
            key,
            attributes,
            creator_request_id,
            health,
        },
    );
    true
}

/// Takes an instance away. Whether it was there.
pub fn deregister(txn: &mut Txn, now: Timestamp, key: &InstanceKey) -> bool {
    let was_there = txn.delete(&INSTANCES, key);
    if was_there {
        changed(txn, now, &key.service);
    }
    was_there
}

/// Says how an instance is. Whether it is there.
pub fn set_health(txn: &mut Txn, now: Timestamp, key: &InstanceKey, health: Health) -> bool {
    let Some(before) = txn.get(&INSTANCES, key).map(|one| one.health) else {
        return false;
    };
    if before != health {
        txn.update(&INSTANCES, key, |one| one.health = health);
        changed(txn, now, &key.service);
    }
    true
}

/// The instances of a service, in order of id.
pub fn of_service<'w>(
    world: &'w World,
    service: &ItemKey,
) -> impl Iterator<Item = &'w Arc<InstanceRecord>> + use<'w> {
    world.find_after(&INSTANCES, &BY_SERVICE, &service.encode(), None)
}

/// The service's revision grows. Whether there is such a service.
fn changed(txn: &mut Txn, now: Timestamp, service: &ItemKey) -> bool {
    txn.update(&SERVICES, service, |service| {
        service.revision = (service.revision + 1).max(now.millis());
    })
}

/// Checks what RegisterInstance gives against the service's records.
///
/// # Errors
/// `InvalidInput`.
pub fn check(
    service: &ServiceRecord,
    attributes: &BTreeMap<String, String>,
) -> Result<(), AwsError> {
    let custom = attributes.keys().filter(|key| !key.starts_with("AWS_"));
    if custom.count() > CUSTOM_MAX {
        return Err(invalid(format!(
            "An instance can have at most {CUSTOM_MAX} custom attributes."
        )));
    }
    let bytes: usize = attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
    if bytes > BYTES_MAX {
        return Err(invalid(format!(
            "The attributes of an instance can have at most {BYTES_MAX} bytes."
        )));
    }
    check_values(attributes)?;
    if attributes.contains_key("AWS_ALIAS_DNS_NAME")
        || attributes.contains_key("AWS_EC2_INSTANCE_ID")
    {
        return Err(invalid(
            "Longshore does not serve the attributes AWS_ALIAS_DNS_NAME and AWS_EC2_INSTANCE_ID.",
        ));
    }
    if attributes.contains_key(INIT_HEALTH) && !service.custom_health {
        return Err(invalid(
            "AWS_INIT_HEALTH_STATUS can be specified only if the service has a HealthCheckCustomConfig.",
        ));
    }
    match &service.dns {
        Some(dns) => check_records(dns, attributes),
        None => Ok(()),
    }
}

fn check_values(attributes: &BTreeMap<String, String>) -> Result<(), AwsError> {
    let wrong = |key: &str, value: &str| {
        Err(invalid(format!(
            "Invalid value for attribute {key}: {value}"
        )))
    };
    for (key, value) in attributes {
        let fits = match key.as_str() {
            IPV4 => value.parse::<Ipv4Addr>().is_ok(),
            IPV6 => value.parse::<Ipv6Addr>().is_ok(),
            PORT => value.parse::<u16>().is_ok_and(|port| port > 0),
            INIT_HEALTH => matches!(value.as_str(), "HEALTHY" | "UNHEALTHY"),
            _ => true,
        };
        if !fits {
            return wrong(key, value);
        }
    }
    Ok(())
}

/// Every type of record needs its attribute.
fn check_records(dns: &Dns, attributes: &BTreeMap<String, String>) -> Result<(), AwsError> {
    let has = |key: &str| attributes.contains_key(key);
    let missing = dns.records.iter().find_map(|(kind, _)| {
        let (key, is_there) = match kind {
            RecordType::A => (IPV4, has(IPV4)),
            RecordType::Aaaa => (IPV6, has(IPV6)),
            RecordType::Cname => (CNAME, has(CNAME)),
            RecordType::Srv => (PORT, has(PORT) && (has(IPV4) || has(IPV6))),
        };
        (!is_there).then_some((kind, key))
    });
    match missing {
        None => Ok(()),
        Some((kind, key)) => Err(invalid(format!(
            "The attribute {key} is required, as the service has records of type {}.",
            kind.name()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Routing;
    use aws_types::Scope;

    #[test]
    fn a_record_needs_its_attributes_and_they_must_be_what_they_say() {
        use RecordType::{A, Aaaa, Cname, Srv};
        let scope = Scope::new("000000000000", "us-east-1");
        for (records, custom_health, given, is_taken) in [
            (&[A][..], false, &[(IPV4, "10.0.0.1")][..], true),
            (&[A], false, &[(IPV4, "10.0.0.256")], false),
            (&[A], false, &[(PORT, "80")], false),
            (&[A, Aaaa], false, &[(IPV4, "10.0.0.1")], false),
            (
                &[A, Aaaa],
                false,
                &[(IPV4, "10.0.0.1"), (IPV6, "fd00::1")],
                true,
            ),
            (&[Srv], false, &[(IPV4, "10.0.0.1"), (PORT, "80")], true),
            (&[Srv], false, &[(PORT, "80")], false),
            (&[Srv], false, &[(IPV4, "10.0.0.1"), (PORT, "0")], false),
            (&[Cname], false, &[(CNAME, "a.example")], true),
            (&[Cname], false, &[(IPV4, "10.0.0.1")], false),
            (&[], false, &[("colour", "green")], true),
            (&[], false, &[(INIT_HEALTH, "HEALTHY")], false),
            (&[], true, &[(INIT_HEALTH, "UNHEALTHY")], true),
            (&[], true, &[(INIT_HEALTH, "ILL")], false),
            (&[], false, &[("AWS_ALIAS_DNS_NAME", "a")], false),
        ] {
            let service = ServiceRecord {
                key: ItemKey::new(&scope, "srv-1"),
                namespace: "ns-1".into(),
                name: "web".into(),
                description: None,
                dns: (!records.is_empty()).then(|| Dns {
                    routing: Routing::Multivalue,
                    records: records.iter().map(|kind| (*kind, 60)).collect(),
                }),
                custom_health,
                revision: 0,
                creator_request_id: None,
                created: Timestamp::from_millis(0),
                tags: BTreeMap::new(),
            };
            let attributes = given
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect();
            assert_eq!(
                check(&service, &attributes).is_ok(),
                is_taken,
                "{records:?} {given:?}"
            );
        }
    }
}
