//! What every account finds in every region: a default VPC with a subnet in each zone, and a way out.
//!
//! Rule: VPC user guide, "Default VPCs".

use crate::records::{
    Destination, INTERNET_GATEWAYS, InternetGatewayRecord, ROUTE_TABLES, ROUTE_TABLES_OF_VPC,
    ResourceKey, RouteRecord, SUBNETS, SubnetRecord, Tags, Target, VPCS, VpcRecord, parts,
};
use crate::vpc::{self, NewVpc, new_id};
use aws_types::{Ctx, Scope};
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;
use store::{Txn, World};

/// The range of a default VPC.
const RANGE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 31, 0, 0), 16);
/// The prefix of a default subnet.
const SUBNET_PREFIX: u8 = 20;
/// The letters of a region's zones.
pub const ZONES: [&str; 3] = ["a", "b", "c"];

/// The zones of a region.
#[must_use]
pub fn zones(region: &str) -> Vec<String> {
    ZONES
        .iter()
        .map(|letter| format!("{region}{letter}"))
        .collect()
}

/// Makes the default VPC of an account that never had any VPC.
pub fn ensure(txn: &mut Txn, ctx: &mut Ctx) {
    if !has_any(txn, &ctx.scope) {
        create_default_vpc(txn, ctx);
    }
}

fn has_any(world: &World, scope: &Scope) -> bool {
    let prefix = ResourceKey::prefix(scope);
    world.scan_prefix(&VPCS, &prefix, None).next().is_some()
}

/// A default VPC, with its subnets, its internet gateway and the route to it.
pub fn create_default_vpc(txn: &mut Txn, ctx: &mut Ctx) -> VpcRecord {
    let made = vpc::create(
        txn,
        ctx,
        NewVpc {
            cidr: RANGE,
            ipv6_cidr: None,
            is_default: true,
            tenancy: "default".into(),
            tags: Tags::new(),
        },
    );
    let gateway = InternetGatewayRecord {
        key: ResourceKey::new(&ctx.scope, &new_id(&mut ctx.ids, "igw")),
        vpc: Some(made.key.id.clone()),
        tags: Tags::new(),
    };
    let to_gateway = RouteRecord {
        to: Destination::Cidr(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))),
        target: Target::InternetGateway(gateway.key.id.clone()),
    };
    txn.put(&INTERNET_GATEWAYS, gateway);
    let of_vpc = parts(&ctx.scope, &made.key.id);
    let main = txn
        .find(&ROUTE_TABLES, &ROUTE_TABLES_OF_VPC, &of_vpc)
        .next();
    if let Some(key) = main.map(|table| table.key.clone()) {
        txn.update(&ROUTE_TABLES, &key, |table| table.routes.push(to_gateway));
    }
    let ranges = RANGE.subnets(SUBNET_PREFIX).into_iter().flatten();
    for (zone, cidr) in zones(&ctx.scope.region).into_iter().zip(ranges) {
        let subnet = SubnetRecord {
            key: ResourceKey::new(&ctx.scope, &new_id(&mut ctx.ids, "subnet")),
            vpc: made.key.id.clone(),
            zone,
            cidr,
            ipv6_cidr: None,
            is_default: true,
            map_public_ip: true,
            assign_ipv6: false,
            settings: Tags::new(),
            tags: Tags::new(),
        };
        txn.put(&SUBNETS, subnet);
    }
    made
}
