//! The routes that hold for a subnet, as a host has to do them.
//!
//! Rule: VPC user guide, "Route tables": a subnet without a table of its own has the main one; a route
//! whose target is gone leads nowhere ("blackhole").

use crate::interface;
use crate::records::{
    Destination, INTERNET_GATEWAYS, ROUTE_TABLES, ROUTE_TABLES_OF_VPC, ResourceKey, RouteRecord,
    RouteTableRecord, SubnetRecord, Target, parts,
};
use aws_api::agent::host_sync::{self, Route};
use std::net::IpAddr;
use std::sync::Arc;
use store::World;

/// The table that holds for a subnet.
#[must_use]
pub fn table_of(world: &World, subnet: &SubnetRecord) -> Option<Arc<RouteTableRecord>> {
    let of_vpc = parts(&subnet.key.scope, &subnet.vpc);
    let tables = || world.find(&ROUTE_TABLES, &ROUTE_TABLES_OF_VPC, &of_vpc);
    let own = tables().find(|table| table.has(&subnet.key.id));
    own.or_else(|| tables().find(|table| table.is_main()))
        .cloned()
}

/// What of it a host has to do.
#[must_use]
pub fn of_subnet(world: &World, subnet: &SubnetRecord) -> Vec<Route> {
    let Some(table) = table_of(world, subnet) else {
        return Vec::new();
    };
    let routes = table.routes.iter();
    routes
        .filter_map(|route| one(world, subnet, route))
        .collect()
}

fn one(world: &World, subnet: &SubnetRecord, route: &RouteRecord) -> Option<Route> {
    let Destination::Cidr(to) = &route.to else {
        // Prefix lists name AWS's own services, which are reached at our own endpoint.
        return None;
    };
    let via = match &route.target {
        Target::InternetGateway(id) => {
            let key = ResourceKey::new(&subnet.key.scope, id);
            let gateway = world.get(&INTERNET_GATEWAYS, &key);
            let is_here = gateway.is_some_and(|one| one.vpc.as_ref() == Some(&subnet.vpc));
            is_here.then_some(host_sync::Destination::InternetGateway)
        }
        Target::Interface(id) => {
            let found = interface::require(world, &subnet.key.scope, id).ok();
            found.map(|one| host_sync::Destination::Interface {
                address: IpAddr::V4(one.address()),
            })
        }
        Target::EgressOnlyInternetGateway(_) | Target::NatGateway(_) | Target::Endpoint(_) => None,
    };
    Some(Route {
        to: *to,
        via: via.unwrap_or(host_sync::Destination::Blackhole),
    })
}
