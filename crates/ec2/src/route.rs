//! The routes that hold for a subnet, as a host has to do them.
//!
//! Rule: VPC user guide, "Route tables": a subnet without a table of its own has the main one; a route
//! whose target is gone leads nowhere ("blackhole").

use crate::records::gateway::{EGRESS_ONLY_GATEWAYS, INTERNET_GATEWAYS};
use crate::records::nat::NAT_GATEWAYS;
use crate::records::route::{BY_ASSOCIATION, ROUTE_TABLES, RouteTableRecord, To, Via};
use crate::records::{INTERFACES, SubnetRecord, within};
use crate::{nat, prefix_list, vpc};
use aws_api::agent::host_sync::{Destination, Route};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use store::World;

/// The table that holds for a subnet.
#[must_use]
pub fn table_of(world: &World, subnet: &SubnetRecord) -> Option<Arc<RouteTableRecord>> {
    let scope = &subnet.key.scope;
    let at = within(scope, &subnet.key.id);
    let own = world.find(&ROUTE_TABLES, &BY_ASSOCIATION, &at).next();
    own.or_else(|| vpc::main_table(world, scope, &subnet.vpc))
        .cloned()
}

/// What of it a host has to do.
#[must_use]
pub fn of_subnet(world: &World, subnet: &SubnetRecord) -> Vec<Route> {
    let Some(table) = table_of(world, subnet) else {
        return Vec::new();
    };
    let lists = prefix_list::ranges(world, &subnet.key.scope);
    let routes = table.routes.iter();
    routes
        .flat_map(|route| destinations(&lists, &route.to).map(move |to| (to, &route.via)))
        .map(|(to, via)| Route {
            to,
            via: target(world, subnet, via, to).unwrap_or(Destination::Blackhole),
        })
        .collect()
}

/// The ranges to which a route leads. Lists that name AWS's services have none.
fn destinations<'a>(
    lists: &'a BTreeMap<String, Vec<IpNet>>,
    to: &'a To,
) -> impl Iterator<Item = IpNet> + use<'a> {
    let (one, list) = match to {
        To::Ipv4(net) => (Some(IpNet::V4(*net)), None),
        To::Ipv6(net) => (Some(IpNet::V6(*net)), None),
        To::PrefixList(id) => (None, lists.get(id)),
    };
    one.into_iter().chain(list.into_iter().flatten().copied())
}

/// Where a route leads, if its target is there and of this VPC.
#[must_use]
pub fn target(world: &World, subnet: &SubnetRecord, via: &Via, to: IpNet) -> Option<Destination> {
    match via {
        Via::InternetGateway(id) => {
            let gateway = world.get(&INTERNET_GATEWAYS, &subnet.key.beside(id));
            let is_here = gateway.is_some_and(|one| one.vpc.as_ref() == Some(&subnet.vpc));
            is_here.then_some(Destination::InternetGateway)
        }
        Via::EgressOnlyGateway(id) => {
            let gateway = world.get(&EGRESS_ONLY_GATEWAYS, &subnet.key.beside(id));
            let is_here = gateway.is_some_and(|one| one.vpc == subnet.vpc);
            is_here.then_some(Destination::EgressOnlyInternetGateway)
        }
        Via::Interface(id) => {
            let found = world.get(&INTERFACES, &subnet.key.beside(id));
            found.map(|one| Destination::Interface {
                address: IpAddr::V4(one.address()),
            })
        }
        Via::NatGateway(id) => {
            let IpNet::V4(to) = to else { return None };
            let gateway = world.get(&NAT_GATEWAYS, &subnet.key.beside(id))?;
            let public = nat::public_address(world, gateway, to)?;
            Some(Destination::NatGateway { public })
        }
        Via::Endpoint(_) => None,
    }
}
