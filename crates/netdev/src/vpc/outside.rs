//! What the routes of a subnet say of the way between an interface and what is outside of its VPC. Pure.

use std::net::Ipv4Addr;

use aws_api::agent::host_sync::{Destination, InterfaceRow, Route, SubnetRow};
use ipnet::IpNet;

use super::item::Item;
use super::registers::{line, member};
use super::rows::element;

/// The ranges whose longest prefix leads to a NAT gateway, with its address: disjoint and ascending.
pub fn translated(routes: &[Route]) -> Vec<(Ipv4Addr, Ipv4Addr, Ipv4Addr)> {
    let four: Vec<(u32, u32, u8, Option<Ipv4Addr>)> = routes
        .iter()
        .filter_map(|route| match (route.to, &route.via) {
            (IpNet::V4(to), via) => Some((
                u32::from(to.network()),
                u32::from(to.broadcast()),
                to.prefix_len(),
                match via {
                    Destination::NatGateway { public } => Some(*public),
                    _ => None,
                },
            )),
            (IpNet::V6(_), _) => None,
        })
        .collect();
    let ends = |(first, last): (u32, u32)| [u64::from(first), u64::from(last) + 1];
    let mut cuts: Vec<u64> = four.iter().flat_map(|r| ends((r.0, r.1))).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut found: Vec<(u64, u64, Ipv4Addr)> = Vec::new();
    for pair in cuts.windows(2) {
        let (first, last) = (pair[0], pair[1] - 1);
        let longest = four
            .iter()
            .filter(|r| u64::from(r.0) <= first && last <= u64::from(r.1))
            .max_by_key(|r| r.2);
        let Some(public) = longest.and_then(|r| r.3) else {
            continue;
        };
        match found.last_mut() {
            Some(before) if before.1 + 1 == first && before.2 == public => before.1 = last,
            _ => found.push((first, last, public)),
        }
    }
    let address = |number: u64| Ipv4Addr::from(number as u32);
    let found = found.into_iter();
    found
        .map(|(first, last, public)| (address(first), address(last), public))
        .collect()
}

/// What comes to this host for a public address of an interface of another is handed on to it.
pub fn entry(row: &InterfaceRow, subnet: &SubnetRow) -> Vec<Item> {
    let mut items = Vec::new();
    if let (Some(public), Some(primary)) = (row.public, row.addresses.first()) {
        let line = line(public.octets().to_vec(), &primary.octets());
        items.extend([Item::Public(public.into()), element("pub2priv", line)]);
    }
    if outside6(subnet).may_enter {
        items.extend(row.ipv6_addresses.iter().flat_map(|address| {
            let member = member(address.octets().to_vec());
            [Item::Public((*address).into()), element("entry6", member)]
        }));
    }
    items
}

/// Which ways lead between a subnet and the outside, of IPv6.
pub struct Outside6 {
    pub may_leave: bool,
    pub may_enter: bool,
}

/// An IPv6 address is its own public one, where a route leads out.
pub fn outside6(subnet: &SubnetRow) -> Outside6 {
    let leads = |via: &Destination| {
        let mut routes = subnet.routes.iter();
        routes.any(|route| route.to.addr().is_ipv6() && route.via == *via)
    };
    let may_enter = leads(&Destination::InternetGateway);
    Outside6 {
        may_leave: may_enter || leads(&Destination::EgressOnlyInternetGateway),
        may_enter,
    }
}
