//! VPCs: looked up, and made with what belongs to each.

use crate::errors::VPC;
use crate::records::{
    CidrAssociation, GROUPS, GroupRecord, GroupRule, Peer, ROUTE_TABLES, ResourceKey,
    RouteTableAssociation, RouteTableRecord, Tags, VPCS, VpcRecord,
};
use aws_types::{AwsError, Ctx, Ids, Scope};
use ipnet::{Ipv4Net, Ipv6Net};
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{Txn, World};

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 17;
/// The name of a VPC's group that nobody can delete.
pub const DEFAULT_GROUP: &str = "default";

/// A new id: `vpc-` and 17 hexadecimal digits.
pub fn new_id(ids: &mut Ids, prefix: &str) -> String {
    format!("{prefix}-{}", ids.hex(ID_DIGITS))
}

/// The VPC of this id.
///
/// # Errors
/// `InvalidVpcID.NotFound`.
pub fn require(world: &World, scope: &Scope, id: &str) -> Result<Arc<VpcRecord>, AwsError> {
    let found = world.get(&VPCS, &ResourceKey::new(scope, id));
    found.cloned().ok_or_else(|| VPC.missing(id))
}

/// What a VPC is made from.
#[derive(Clone, Debug)]
pub struct NewVpc {
    /// Its primary range.
    pub cidr: Ipv4Net,
    /// Its IPv6 range.
    pub ipv6_cidr: Option<Ipv6Net>,
    /// `isDefault`.
    pub is_default: bool,
    /// `instanceTenancy`.
    pub tenancy: String,
    /// Tags by key.
    pub tags: Tags,
}

/// Makes a VPC with its main route table and its default group.
/// Rule: VPC user guide, "Create a VPC": DNS host names are on in a default VPC only.
pub fn create(txn: &mut Txn, ctx: &mut Ctx, new: NewVpc) -> VpcRecord {
    let key = ResourceKey::new(&ctx.scope, &new_id(&mut ctx.ids, "vpc"));
    let associated = |ids: &mut Ids| new_id(ids, "vpc-cidr-assoc");
    let cidr = CidrAssociation {
        id: associated(&mut ctx.ids),
        cidr: new.cidr,
    };
    let ipv6 = new.ipv6_cidr.map(|cidr| CidrAssociation {
        id: associated(&mut ctx.ids),
        cidr,
    });
    let vpc = VpcRecord {
        vni: next_vni(txn),
        cidrs: vec![cidr],
        ipv6_cidrs: ipv6.into_iter().collect(),
        is_default: new.is_default,
        tenancy: new.tenancy,
        dns_support: true,
        dns_hostnames: new.is_default,
        address_usage_metrics: false,
        dhcp_options: "default".into(),
        tags: new.tags,
        key,
    };
    txn.put(&VPCS, vpc.clone());
    let table = RouteTableRecord {
        key: ResourceKey::new(&ctx.scope, &new_id(&mut ctx.ids, "rtb")),
        vpc: vpc.key.id.clone(),
        routes: Vec::new(),
        associations: vec![RouteTableAssociation {
            id: new_id(&mut ctx.ids, "rtbassoc"),
            subnet: None,
        }],
        tags: Tags::new(),
    };
    txn.put(&ROUTE_TABLES, table);
    let group = default_group(ctx, &vpc);
    txn.put(&GROUPS, group);
    vpc
}

/// Everything from itself, everything to anywhere.
fn default_group(ctx: &mut Ctx, vpc: &VpcRecord) -> GroupRecord {
    let key = ResourceKey::new(&ctx.scope, &new_id(&mut ctx.ids, "sg"));
    let own = Peer::Group(key.id.clone());
    let rules = vec![
        all_from(&mut ctx.ids, false, own),
        all_from(&mut ctx.ids, true, anywhere()),
    ];
    GroupRecord {
        key,
        vpc: vpc.key.id.clone(),
        name: DEFAULT_GROUP.into(),
        description: "default VPC security group".into(),
        rules,
        tags: Tags::new(),
    }
}

/// A rule for all protocols and ports.
pub fn all_from(ids: &mut Ids, is_egress: bool, peer: Peer) -> GroupRule {
    GroupRule {
        id: new_id(ids, "sgr"),
        is_egress,
        protocol: None,
        from: -1,
        to: -1,
        peer,
        description: None,
        tags: Tags::new(),
    }
}

/// Every IPv4 address.
#[must_use]
pub fn anywhere() -> Peer {
    Peer::Ipv4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))
}

/// One more than the greatest in use: there are few VPCs.
fn next_vni(world: &World) -> u32 {
    let greatest = world.scan(&VPCS).map(|vpc| vpc.vni).max();
    greatest.unwrap_or(0) + 1
}
