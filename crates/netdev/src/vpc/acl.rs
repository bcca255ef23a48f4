//! Network ACLs as chains: one for what leaves a subnet and one for what enters it. They see every
//! packet, as they know no flows; within a subnet they say nothing.
//!
//! As long as no subnet of a VPC has an ACL of its own, the chain that asks them is empty: two questions by a
//! device's name are a good part of what a packet costs.

use aws_api::agent::host_sync::{AclEntry, Ports, Protocols, SubnetRow};
use ipnet::IpNet;

use super::item::Item;

/// The chain that every packet passes.
pub const ASKING: &str = "acl";

/// The map from devices to chains, and the chain, of one direction.
pub struct Direction {
    /// The map.
    pub map: &'static str,
    /// The chain.
    pub chain: String,
}

/// Both directions of a subnet: out of it, and into it.
pub fn directions(subnet: &str) -> [Direction; 2] {
    let name: String = subnet
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    ["acl_out", "acl_in"].map(|map| Direction {
        map,
        chain: format!("{map}_{name}"),
    })
}

/// The chains of a subnet that has an ACL.
pub fn chains(row: &SubnetRow) -> Vec<Item> {
    if row.acl.is_empty() {
        return Vec::new();
    }
    let [out, into] = directions(&row.id);
    let chain = |direction: Direction, egress: bool| {
        let side = if egress { "daddr" } else { "saddr" };
        let mut rules = vec![format!("ip {side} {} return", row.cidr)];
        rules.extend(row.ipv6_cidr.map(|to| format!("ip6 {side} {to} return")));
        let entries = row.acl.iter().filter(|entry| entry.egress == egress);
        rules.extend(entries.map(|entry| rule(entry, side)));
        rules.push("drop".into());
        Item::Chain {
            name: direction.chain,
            rules,
        }
    };
    let asking = Item::Chain {
        name: ASKING.into(),
        rules: vec![
            "iifname vmap @acl_out".into(),
            "oifname vmap @acl_in".into(),
        ],
    };
    vec![asking, chain(out, true), chain(into, false)]
}

fn rule(entry: &AclEntry, side: &str) -> String {
    let (family, icmp) = match entry.cidr {
        IpNet::V4(_) => ("ip", "icmp"),
        IpNet::V6(_) => ("ip6", "icmpv6"),
    };
    let mut text = format!("{family} {side} {}", entry.cidr);
    let Protocols(low, high) = entry.protocols;
    if (low, high) != (0, u8::MAX) {
        text += &format!(" meta l4proto {low}-{high}");
    }
    if let Some(types) = entry.icmp {
        let ((low, high), (first, last)) = (types.types, types.codes);
        text += &format!(" {icmp} type {low}-{high} {icmp} code {first}-{last}");
    } else if entry.ports != Ports(0, u16::MAX) {
        text += &format!(" th dport {}-{}", entry.ports.0, entry.ports.1);
    }
    text + if entry.allow { " return" } else { " drop" }
}
