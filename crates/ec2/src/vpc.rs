//! How a VPC is made, with its main route table, its default ACL and its default group, and unmade.

use crate::errors::{code, has_dependencies};
use crate::group;
use crate::records::acl::{self, ACLS, AclEntryRecord, AclRecord};
use crate::records::endpoint::{self, ENDPOINTS};
use crate::records::gateway::{self, EGRESS_ONLY_GATEWAYS, INTERNET_GATEWAYS};
use crate::records::group::{DEFAULT, GROUPS};
use crate::records::interface::{self, INTERFACES};
use crate::records::route::{self, ROUTE_TABLES, RouteAssociation, RouteTableRecord};
use crate::records::subnet::{self, SUBNETS};
use crate::records::vpc::{COUNTERS, CidrAssociation, CounterRecord, VPCS, VpcRecord};
use crate::records::{ResourceKey, fresh_id, within};
use crate::{cidr, tags};
use aws_types::{AwsError, Ctx, Scope};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::Ipv6Addr;
use std::sync::Arc;
use store::{Key, Txn, World};

/// What a VPC is made of.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its range.
    pub cidr: Ipv4Net,
    /// Whether it gets an IPv6 range too.
    pub with_ipv6: bool,
    /// `default`, `dedicated`.
    pub tenancy: String,
    /// The region's default one.
    pub is_default: bool,
}

/// Makes a VPC.
///
/// # Errors
/// `InvalidVpc.Range`.
pub fn create(txn: &mut Txn, ctx: &mut Ctx, wanted: Wanted) -> Result<VpcRecord, AwsError> {
    if !cidr::has_allowed_size(wanted.cidr) {
        return Err(invalid_range(wanted.cidr));
    }
    let key = ResourceKey::fresh(ctx, "vpc");
    let vni = next(txn, "vni");
    let vpc = VpcRecord {
        vni,
        cidrs: vec![CidrAssociation {
            id: fresh_id(ctx, "vpc-cidr-assoc"),
            cidr: wanted.cidr,
        }],
        ipv6: match wanted.with_ipv6 {
            true => vec![ipv6_range(txn, ctx)],
            false => vec![],
        },
        tenancy: wanted.tenancy,
        dns_support: true,
        dns_hostnames: wanted.is_default,
        address_usage_metrics: false,
        dhcp_options: dhcp_options(txn, &key.scope),
        is_default: wanted.is_default,
        key,
    };
    txn.put(&VPCS, vpc.clone());
    txn.put(
        &ROUTE_TABLES,
        RouteTableRecord {
            key: ResourceKey::fresh(ctx, "rtb"),
            vpc: vpc.key.id.clone(),
            associations: vec![RouteAssociation {
                id: fresh_id(ctx, "rtbassoc"),
                subnet: None,
            }],
            routes: vec![],
        },
    );
    txn.put(
        &ACLS,
        AclRecord {
            key: ResourceKey::fresh(ctx, "acl"),
            vpc: vpc.key.id.clone(),
            is_default: true,
            associations: vec![],
            entries: open_entries(!vpc.ipv6.is_empty()),
        },
    );
    group::create(txn, ctx, &vpc.key.id, DEFAULT, "default VPC security group");
    Ok(vpc)
}

/// `InvalidVpc.Range`.
#[must_use]
pub fn invalid_range(cidr: Ipv4Net) -> AwsError {
    code("InvalidVpc.Range").with(format!("The CIDR '{cidr}' is invalid."))
}

/// A range for a VPC, of a prefix that is nobody's: RFC 4193.
#[must_use]
pub fn ipv6_range(txn: &mut Txn, ctx: &mut Ctx) -> CidrAssociation<Ipv6Net> {
    let number = u128::from(next(txn, "ipv6"));
    let network = (0xfd10_u128 << 112) | (number << 72);
    CidrAssociation {
        id: fresh_id(ctx, "vpc-cidr-assoc"),
        // 56 is within 0..=128.
        cidr: Ipv6Net::new_assert(Ipv6Addr::from(network), 56),
    }
}

/// The entries of an ACL that lets everything pass: those of a default one.
#[must_use]
pub fn open_entries(with_ipv6: bool) -> Vec<AclEntryRecord> {
    let mut entries = Vec::new();
    for egress in [false, true] {
        let families = [
            (100, IpNet::V4(Ipv4Net::default())),
            (101, IpNet::V6(Ipv6Net::default())),
        ];
        for (number, cidr) in families.into_iter().take(1 + usize::from(with_ipv6)) {
            entries.push(AclEntryRecord {
                number,
                egress,
                allow: true,
                cidr,
                protocol: -1,
                ports: None,
                icmp: None,
            });
        }
    }
    entries
}

/// The scope's own set of DHCP options: the one made at first start.
fn dhcp_options(world: &World, scope: &Scope) -> String {
    crate::defaults::dhcp_options(world, scope).unwrap_or_else(|| "default".into())
}

/// The next number of a counter, from 1 on.
pub fn next(txn: &mut Txn, name: &str) -> u32 {
    let last = txn.get(&COUNTERS, &Key::of(&[name]));
    let last = last.map_or(0, |counter| counter.last) + 1;
    txn.put(
        &COUNTERS,
        CounterRecord {
            name: name.into(),
            last,
        },
    );
    last
}

/// The default VPC of a scope.
#[must_use]
pub fn default_of<'w>(world: &'w World, scope: &Scope) -> Option<&'w Arc<VpcRecord>> {
    let own = ResourceKey::prefix(scope);
    let mut all = world.scan_prefix(&VPCS, &own, None);
    all.find(|(_, vpc)| vpc.is_default).map(|(_, vpc)| vpc)
}

/// The main route table of a VPC.
#[must_use]
pub fn main_table<'w>(
    world: &'w World,
    scope: &Scope,
    vpc: &str,
) -> Option<&'w Arc<RouteTableRecord>> {
    let at = within(scope, vpc);
    let mut tables = world.find(&ROUTE_TABLES, &route::BY_VPC, &at);
    tables.find(|table| table.is_main())
}

/// The default ACL of a VPC.
#[must_use]
pub fn default_acl<'w>(world: &'w World, scope: &Scope, vpc: &str) -> Option<&'w Arc<AclRecord>> {
    let at = within(scope, vpc);
    let mut acls = world.find(&ACLS, &acl::BY_VPC, &at);
    acls.find(|acl| acl.is_default)
}

/// Deletes a VPC with what was made with it.
///
/// # Errors
/// `DependencyViolation` while it has anything else.
pub fn delete(txn: &mut Txn, vpc: &VpcRecord) -> Result<(), AwsError> {
    let ResourceKey { scope, id } = &vpc.key;
    let at = within(scope, id);
    if has_more(txn, &at) {
        return Err(has_dependencies("vpc", id));
    }
    let tables = txn.find(&ROUTE_TABLES, &route::BY_VPC, &at);
    let tables: Vec<_> = tables.map(|table| table.key.clone()).collect();
    for key in tables {
        txn.delete(&ROUTE_TABLES, &key);
        tags::forget(txn, &key);
    }
    let acls = txn.find(&ACLS, &acl::BY_VPC, &at);
    let acls: Vec<_> = acls.map(|acl| acl.key.clone()).collect();
    for key in acls {
        txn.delete(&ACLS, &key);
        tags::forget(txn, &key);
    }
    let groups = txn.find(&GROUPS, &crate::records::group::BY_VPC, &at);
    let groups: Vec<_> = groups.map(|group| group.key.clone()).collect();
    for key in groups {
        group::forget(txn, &key);
    }
    txn.delete(&VPCS, &vpc.key);
    tags::forget(txn, &vpc.key);
    Ok(())
}

fn has_more(world: &World, at: &Key) -> bool {
    let groups = world.find(&GROUPS, &crate::records::group::BY_VPC, at);
    let tables = world.find(&ROUTE_TABLES, &route::BY_VPC, at);
    let acls = world.find(&ACLS, &acl::BY_VPC, at);
    let egress_only = world.find(&EGRESS_ONLY_GATEWAYS, &gateway::EGRESS_BY_VPC, at);
    world.find(&SUBNETS, &subnet::BY_VPC, at).next().is_some()
        || world
            .find(&INTERFACES, &interface::BY_VPC, at)
            .next()
            .is_some()
        || world
            .find(&INTERNET_GATEWAYS, &gateway::BY_VPC, at)
            .next()
            .is_some()
        || egress_only.take(1).count() > 0
        || world
            .find(&ENDPOINTS, &endpoint::BY_VPC, at)
            .next()
            .is_some()
        || groups.filter(|group| group.name != DEFAULT).count() > 0
        || tables.filter(|table| !table.is_main()).count() > 0
        || acls.filter(|acl| !acl.is_default).count() > 0
}
