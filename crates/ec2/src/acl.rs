//! The network ACL that holds for a subnet, as a host has to do it.
//!
//! Rule: VPC user guide, "Network ACLs": entries are asked in order of their numbers.

use crate::records::acl::{ACLS, AclEntryRecord, AclRecord, BY_ASSOCIATION, LAST};
use crate::records::{SubnetRecord, within};
use aws_api::agent::host_sync::{AclEntry, IcmpTypes, Ports, Protocols};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::sync::Arc;
use store::World;

/// The ACL that holds for a subnet.
#[must_use]
pub fn acl_of<'w>(world: &'w World, subnet: &SubnetRecord) -> Option<&'w Arc<AclRecord>> {
    let at = within(&subnet.key.scope, &subnet.key.id);
    world.find(&ACLS, &BY_ASSOCIATION, &at).next()
}

/// Its entries; none where everything passes both ways.
#[must_use]
pub fn of_subnet(world: &World, subnet: &SubnetRecord) -> Vec<AclEntry> {
    let Some(acl) = acl_of(world, subnet) else {
        return Vec::new();
    };
    match is_open(acl, subnet.ipv6.is_some()) {
        true => Vec::new(),
        // With the last ones: an ACL without entries of its own denies, and none at all allow.
        false => {
            let own = acl.entries.iter().cloned();
            own.chain(last(subnet.ipv6.is_some()))
                .map(|one| entry(&one))
                .collect()
        }
    }
}

/// Whether the first entry of each direction and family lets everything pass.
fn is_open(acl: &AclRecord, with_ipv6: bool) -> bool {
    [false, true].into_iter().all(|egress| {
        [true, false].into_iter().all(|is_v4| {
            let mut own = acl.entries.iter();
            let first = own.find(|entry| {
                entry.egress == egress && matches!(entry.cidr, ipnet::IpNet::V4(_)) == is_v4
            });
            let all = |entry: &AclEntryRecord| {
                entry.allow && entry.protocol == -1 && entry.cidr.prefix_len() == 0
            };
            first.is_some_and(all) || !(is_v4 || with_ipv6)
        })
    })
}

fn entry(entry: &AclEntryRecord) -> AclEntry {
    let span = |number: i16| match u8::try_from(number) {
        Ok(one) => (one, one),
        Err(_) => (0, 255),
    };
    let protocols = span(entry.protocol);
    let ports = entry.ports.unwrap_or((0, u16::MAX));
    AclEntry {
        egress: entry.egress,
        allow: entry.allow,
        cidr: entry.cidr,
        protocols: Protocols(protocols.0, protocols.1),
        ports: Ports(ports.0, ports.1),
        icmp: entry.icmp.map(|(kind, code)| IcmpTypes {
            types: span(kind),
            codes: span(code),
        }),
    }
}

/// The entries that every ACL ends with: they deny what none before matched.
pub fn last(with_ipv6: bool) -> impl Iterator<Item = AclEntryRecord> {
    let families = [
        (LAST, IpNet::V4(Ipv4Net::default())),
        (LAST + 1, IpNet::V6(Ipv6Net::default())),
    ];
    let families = families.into_iter().take(1 + usize::from(with_ipv6));
    families.flat_map(|(number, cidr)| {
        [false, true].map(|egress| AclEntryRecord {
            number,
            egress,
            allow: false,
            cidr,
            protocol: -1,
            ports: None,
            icmp: None,
        })
    })
}
