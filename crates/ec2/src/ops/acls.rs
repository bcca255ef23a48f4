//! Network ACLs.

use crate::acl::last;
use crate::errors::{code, has_dependencies, invalid_parameter, invalid_value, required};
use crate::filter::{Field, fields};
use crate::records::acl::{ACLS, AclAssociation, AclEntryRecord, AclRecord, BY_ASSOCIATION};
use crate::records::vpc::{VPCS, VpcRecord};
use crate::records::{ResourceKey, fresh_id, within};
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{tags, tokens};
use aws_api::Empty;
use aws_api::ec2::{
    CreateNetworkAclRequest, CreateNetworkAclResult, DeleteNetworkAclRequest,
    DescribeNetworkAclsRequest, DescribeNetworkAclsResult, IcmpTypeCode, NetworkAcl,
    NetworkAclAssociation, NetworkAclEntry, PortRange, ReplaceNetworkAclAssociationRequest,
    ReplaceNetworkAclAssociationResult,
};
use aws_types::{AwsError, Ctx};
use ipnet::IpNet;
use store::{Table, Txn, World};

impl Resource for AclRecord {
    const KIND: Kind = Kind {
        prefix: "acl",
        name: "network-acl",
        noun: "networkAcl ID",
        not_found: "InvalidNetworkAclID.NotFound",
        malformed: "InvalidNetworkAclId.Malformed",
        parameter: "networkAclId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &ACLS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeNetworkAcls, `Filter.N`; each about any entry, not all about the same.
const FIELDS: &[Field<AclRecord>] = fields![
    "association.association-id" => |_, acl| acl.associations.iter().map(|a| a.id.clone()),
    "association.network-acl-id" => |_, acl| acl.associations.iter().map(|_| acl.key.id.clone()),
    "association.subnet-id" => |_, acl| acl.associations.iter().map(|a| a.subnet.clone()),
    "default" => |_, acl| [acl.is_default.to_string()],
    "entry.cidr" => |world, acl| entries(world, acl).filter_map(|e| e.cidr_block),
    "entry.egress" => |world, acl| entries(world, acl).filter_map(|e| e.egress).map(|is| is.to_string()),
    "entry.icmp.code" => |world, acl| entries(world, acl).filter_map(|e| e.icmp_type_code?.code).map(|n| n.to_string()),
    "entry.icmp.type" => |world, acl| entries(world, acl).filter_map(|e| e.icmp_type_code?.r#type).map(|n| n.to_string()),
    "entry.ipv6-cidr" => |world, acl| entries(world, acl).filter_map(|e| e.ipv6_cidr_block),
    "entry.port-range.from" => |world, acl| entries(world, acl).filter_map(|e| e.port_range?.from).map(|n| n.to_string()),
    "entry.port-range.to" => |world, acl| entries(world, acl).filter_map(|e| e.port_range?.to).map(|n| n.to_string()),
    "entry.protocol" => |world, acl| entries(world, acl).filter_map(|e| e.protocol).flat_map(names_of_protocol),
    "entry.rule-action" => |world, acl| entries(world, acl).filter_map(|e| e.rule_action),
    "entry.rule-number" => |world, acl| entries(world, acl).filter_map(|e| e.rule_number).map(|n| n.to_string()),
    "network-acl-id" => |_, acl| [acl.key.id.clone()],
    "owner-id" => |_, acl| [acl.key.scope.account.clone()],
    "vpc-id" => |_, acl| [acl.vpc.clone()],
];

/// A protocol is asked for by its number, or by its name where it has one here.
fn names_of_protocol(number: String) -> impl Iterator<Item = String> {
    let name = match number.as_str() {
        "1" => Some("icmp"),
        "6" => Some("tcp"),
        "17" => Some("udp"),
        _ => None,
    };
    name.map(String::from).into_iter().chain([number])
}

/// CreateNetworkAcl: it denies everything.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateNetworkAclRequest,
) -> Result<CreateNetworkAclResult, AwsError> {
    let vpc = required(input.vpc_id.as_ref(), "vpcId")?;
    let made = tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
        lookup::<VpcRecord>(txn, &ctx.scope, vpc)?;
        let made = AclRecord {
            key: ResourceKey::fresh(ctx, "acl"),
            vpc: vpc.into(),
            is_default: false,
            associations: vec![],
            entries: vec![],
        };
        txn.put(&ACLS, made.clone());
        let given = input.tag_specifications.as_ref();
        tags::create(txn, &made.key, AclRecord::KIND, given)?;
        Ok(made)
    })?;
    Ok(CreateNetworkAclResult {
        client_token: input.client_token.clone(),
        network_acl: Some(shape(txn, &made)),
    })
}

/// DeleteNetworkAcl: neither a default one, nor one that holds for a subnet.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteNetworkAclRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.network_acl_id.as_ref(), "networkAclId")?;
    let found = lookup::<AclRecord>(txn, &ctx.scope, id)?.clone();
    if found.is_default {
        let why = "The default network ACL cannot be deleted.";
        return Err(invalid_parameter("networkAclId", id, why));
    }
    if !found.associations.is_empty() {
        return Err(has_dependencies("networkAcl", id));
    }
    txn.delete(&ACLS, &found.key);
    tags::forget(txn, &found.key);
    Ok(Empty {})
}

/// ReplaceNetworkAclAssociation: another ACL holds for the subnet from now on.
pub fn replace_association(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ReplaceNetworkAclAssociationRequest,
) -> Result<ReplaceNetworkAclAssociationResult, AwsError> {
    let id = required(input.association_id.as_ref(), "associationId")?;
    let acl = required(input.network_acl_id.as_ref(), "networkAclId")?;
    let to = lookup::<AclRecord>(txn, &ctx.scope, acl)?.clone();
    let at = within(&ctx.scope, id);
    let from = txn.find(&ACLS, &BY_ASSOCIATION, &at).next().cloned();
    let found = from.as_ref().and_then(|from| {
        let mut own = from.associations.iter();
        own.find(|one| one.id == id)
            .map(|one| (from, one.subnet.clone()))
    });
    let (from, subnet) = found.ok_or_else(|| {
        code("InvalidAssociationID.NotFound")
            .with(format!("The association ID '{id}' does not exist"))
    })?;
    if from.vpc != to.vpc {
        return Err(invalid_value(format!(
            "networkAcl {acl} and subnet {subnet} belong to different networks"
        )));
    }
    txn.update(&ACLS, &from.key, |from| {
        from.associations.retain(|one| one.id != id);
    });
    let association = fresh_id(ctx, "aclassoc");
    let made = AclAssociation {
        id: association.clone(),
        subnet,
    };
    txn.update(&ACLS, &to.key, |to| to.associations.push(made));
    Ok(ReplaceNetworkAclAssociationResult {
        new_association_id: Some(association),
    })
}

/// DescribeNetworkAcls.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeNetworkAclsRequest,
) -> Result<DescribeNetworkAclsResult, AwsError> {
    let query = Query {
        ids: input.network_acl_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<AclRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|acl| shape(world, acl));
    Ok(DescribeNetworkAclsResult {
        network_acls: Some(shapes.collect()),
        next_token: page.next_token,
    })
}

fn shape(world: &World, acl: &AclRecord) -> NetworkAcl {
    let associations = acl.associations.iter().map(|own| NetworkAclAssociation {
        network_acl_association_id: Some(own.id.clone()),
        network_acl_id: Some(acl.key.id.clone()),
        subnet_id: Some(own.subnet.clone()),
    });
    NetworkAcl {
        associations: Some(associations.collect()),
        entries: Some(entries(world, acl).collect()),
        is_default: Some(acl.is_default),
        network_acl_id: Some(acl.key.id.clone()),
        owner_id: Some(acl.key.scope.account.clone()),
        tags: Some(tags::shape(world, &acl.key)),
        vpc_id: Some(acl.vpc.clone()),
    }
}

/// Its entries, with those that every ACL ends with.
fn entries(world: &World, acl: &AclRecord) -> impl Iterator<Item = NetworkAclEntry> {
    let vpc = world.get(&VPCS, &acl.key.beside(&acl.vpc));
    let with_ipv6 = vpc.is_some_and(|vpc| !vpc.ipv6.is_empty());
    let own = acl.entries.iter().cloned().chain(last(with_ipv6));
    own.map(|entry| entry_shape(&entry))
}

fn entry_shape(entry: &AclEntryRecord) -> NetworkAclEntry {
    let mut shape = NetworkAclEntry {
        egress: Some(entry.egress),
        icmp_type_code: entry.icmp.map(|(kind, code)| IcmpTypeCode {
            r#type: Some(kind.into()),
            code: Some(code.into()),
        }),
        port_range: entry.ports.map(|(from, to)| PortRange {
            from: Some(from.into()),
            to: Some(to.into()),
        }),
        protocol: Some(entry.protocol.to_string()),
        rule_action: Some(if entry.allow { "allow" } else { "deny" }.into()),
        rule_number: Some(entry.number.into()),
        ..NetworkAclEntry::default()
    };
    match entry.cidr {
        IpNet::V4(net) => shape.cidr_block = Some(net.to_string()),
        IpNet::V6(net) => shape.ipv6_cidr_block = Some(net.to_string()),
    }
    shape
}
