//! What there is from the first start: in each region a default VPC with a subnet in every zone, an
//! internet gateway and the route to it, and a set of DHCP options.
//!
//! Rule: VPC user guide, "Default VPCs".

use crate::records::ResourceKey;
use crate::records::dhcp::{DHCP_OPTIONS, DhcpOptionsRecord};
use crate::records::gateway::{INTERNET_GATEWAYS, InternetGatewayRecord};
use crate::records::region::{REGIONS, RegionRecord};
use crate::records::route::{ROUTE_TABLES, RouteRecord, To, Via};
use crate::records::vpc::VpcRecord;
use crate::{dhcp, subnet, vpc, zones};
use aws_types::{AwsError, Ctx, Scope};
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use store::{Key, Txn, World};

const RANGE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 31, 0, 0), 16);
/// A default subnet is a /20.
const SUBNET_LEN: u8 = 20;

/// Makes what is missing in the context's scope. What a user deleted is not made again. Called for each
/// region at every start.
pub fn ensure(txn: &mut Txn, ctx: &mut Ctx) {
    let Scope {
        account, region, ..
    } = &ctx.scope;
    let there = txn.get(&REGIONS, &Key::of(&[region])).cloned();
    let mut record = there.map_or_else(
        || RegionRecord {
            name: region.clone(),
            zones: zones::by_default(region),
            accounts: vec![],
        },
        |region| region.as_ref().clone(),
    );
    if record.accounts.contains(account) {
        return;
    }
    record.accounts.push(account.clone());
    txn.put(&REGIONS, record);
    let made = in_scope(txn, ctx);
    debug_assert!(made.is_ok(), "the ranges of a default VPC are its own");
}

fn in_scope(txn: &mut Txn, ctx: &mut Ctx) -> Result<(), AwsError> {
    let made = DhcpOptionsRecord {
        key: ResourceKey::fresh(ctx, "dopt"),
        options: dhcp_options_of(&ctx.scope.region),
    };
    txn.put(&DHCP_OPTIONS, made);
    create_vpc(txn, ctx).map(|_| ())
}

fn dhcp_options_of(region: &str) -> BTreeMap<String, Vec<String>> {
    let servers = vec![dhcp::AMAZON_PROVIDED.to_owned()];
    BTreeMap::from([
        ("domain-name".to_owned(), vec![domain(region)]),
        ("domain-name-servers".to_owned(), servers),
    ])
}

/// The domain of private names in a region. Rule: VPC user guide, "DNS hostnames".
#[must_use]
pub fn domain(region: &str) -> String {
    match region {
        "us-east-1" => "ec2.internal".into(),
        region => format!("{region}.compute.internal"),
    }
}

/// The first set of DHCP options that is AWS's own one.
#[must_use]
pub fn dhcp_options(world: &World, scope: &Scope) -> Option<String> {
    let own = dhcp_options_of(&scope.region);
    let prefix = ResourceKey::prefix(scope);
    let mut all = world.scan_prefix(&DHCP_OPTIONS, &prefix, None);
    all.find(|(_, set)| set.options == own)
        .map(|(_, set)| set.key.id.clone())
}

/// Where default subnets may be.
pub fn subnet_ranges() -> impl Iterator<Item = Ipv4Net> {
    RANGE.subnets(SUBNET_LEN).into_iter().flatten()
}

/// Makes a default VPC in the context's scope.
///
/// # Errors
/// None: its ranges are its own.
pub fn create_vpc(txn: &mut Txn, ctx: &mut Ctx) -> Result<VpcRecord, AwsError> {
    let made = vpc::create(
        txn,
        ctx,
        vpc::Wanted {
            cidr: RANGE,
            with_ipv6: false,
            tenancy: "default".into(),
            is_default: true,
        },
    )?;
    let gateway = ResourceKey::fresh(ctx, "igw");
    let route = RouteRecord {
        to: To::Ipv4(Ipv4Net::default()),
        via: Via::InternetGateway(gateway.id.clone()),
    };
    txn.put(
        &INTERNET_GATEWAYS,
        InternetGatewayRecord {
            key: gateway,
            vpc: Some(made.key.id.clone()),
        },
    );
    let main = vpc::main_table(txn, &ctx.scope, &made.key.id);
    if let Some(main) = main.map(|table| table.key.clone()) {
        txn.update(&ROUTE_TABLES, &main, |table| table.routes.push(route));
    }
    for (cidr, zone) in subnet_ranges().zip(zones::names(txn, &ctx.scope)) {
        let wanted = subnet::Wanted {
            cidr,
            ipv6: None,
            zone,
            is_default: true,
        };
        subnet::create(txn, ctx, &made, wanted)?;
    }
    Ok(made)
}
