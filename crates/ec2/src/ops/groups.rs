//! Security groups.

use super::permissions;
use crate::errors::{code, invalid_parameter, missing, required};
use crate::filter::{Field, fields};
use crate::group;
use crate::records::ResourceKey;
use crate::records::group::{GROUPS, GroupRecord, Peer, RuleRecord};
use crate::records::vpc::VpcRecord;
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{tags, vpc};
use aws_api::ec2::{
    CreateSecurityGroupRequest, CreateSecurityGroupResult, DeleteSecurityGroupRequest,
    DeleteSecurityGroupResult, DescribeSecurityGroupReferencesRequest,
    DescribeSecurityGroupReferencesResult, DescribeSecurityGroupsRequest,
    DescribeSecurityGroupsResult, SecurityGroup,
};
use aws_types::{AwsError, Ctx, Scope};
use std::sync::Arc;
use store::{Table, Txn, World};

impl Resource for GroupRecord {
    const KIND: Kind = Kind {
        prefix: "sg",
        name: "security-group",
        noun: "security group",
        not_found: "InvalidGroup.NotFound",
        malformed: "InvalidGroupId.Malformed",
        parameter: "groupId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &GROUPS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeSecurityGroups, `Filter.N`; each about any rule, not all about the same.
const FIELDS: &[Field<GroupRecord>] = fields![
    "description" => |_, group| [group.description.clone()],
    "group-id" => |_, group| [group.key.id.clone()],
    "group-name" => |_, group| [group.name.clone()],
    "owner-id" => |_, group| [group.key.scope.account.clone()],
    "vpc-id" => |_, group| [group.vpc.clone()],
    "egress.ip-permission.cidr" => |world, group| of_rules(world, group, true, |_, rule| ipv4(rule)),
    "egress.ip-permission.from-port" => |world, group| of_rules(world, group, true, |_, rule| rule.traffic.from.map(|port| port.to_string())),
    "egress.ip-permission.group-id" => |world, group| of_rules(world, group, true, |_, rule| named(rule)),
    "egress.ip-permission.group-name" => |world, group| of_rules(world, group, true, name_of),
    "egress.ip-permission.ipv6-cidr" => |world, group| of_rules(world, group, true, |_, rule| ipv6(rule)),
    "egress.ip-permission.prefix-list-id" => |world, group| of_rules(world, group, true, |_, rule| list(rule)),
    "egress.ip-permission.protocol" => |world, group| of_rules(world, group, true, |_, rule| Some(rule.traffic.protocol.clone())),
    "egress.ip-permission.to-port" => |world, group| of_rules(world, group, true, |_, rule| rule.traffic.to.map(|port| port.to_string())),
    "egress.ip-permission.user-id" => |world, group| of_rules(world, group, true, |_, rule| named(rule).map(|_| rule.key.scope.account.clone())),
    "ip-permission.cidr" => |world, group| of_rules(world, group, false, |_, rule| ipv4(rule)),
    "ip-permission.from-port" => |world, group| of_rules(world, group, false, |_, rule| rule.traffic.from.map(|port| port.to_string())),
    "ip-permission.group-id" => |world, group| of_rules(world, group, false, |_, rule| named(rule)),
    "ip-permission.group-name" => |world, group| of_rules(world, group, false, name_of),
    "ip-permission.ipv6-cidr" => |world, group| of_rules(world, group, false, |_, rule| ipv6(rule)),
    "ip-permission.prefix-list-id" => |world, group| of_rules(world, group, false, |_, rule| list(rule)),
    "ip-permission.protocol" => |world, group| of_rules(world, group, false, |_, rule| Some(rule.traffic.protocol.clone())),
    "ip-permission.to-port" => |world, group| of_rules(world, group, false, |_, rule| rule.traffic.to.map(|port| port.to_string())),
    "ip-permission.user-id" => |world, group| of_rules(world, group, false, |_, rule| named(rule).map(|_| rule.key.scope.account.clone())),
];

/// What a group's rules of one direction have of something.
fn of_rules(
    world: &World,
    group: &GroupRecord,
    egress: bool,
    of: fn(&World, &RuleRecord) -> Option<String>,
) -> Vec<String> {
    let rules = group::rules(world, &group.key);
    let own = rules.iter().filter(|rule| rule.egress == egress);
    own.filter_map(|rule| of(world, rule)).collect()
}

fn name_of(world: &World, rule: &RuleRecord) -> Option<String> {
    let peer = world.get(&GROUPS, &rule.key.beside(&named(rule)?))?;
    Some(peer.name.clone())
}

fn ipv4(rule: &RuleRecord) -> Option<String> {
    match &rule.peer {
        Peer::Ipv4(net) => Some(net.to_string()),
        _ => None,
    }
}

fn ipv6(rule: &RuleRecord) -> Option<String> {
    match &rule.peer {
        Peer::Ipv6(net) => Some(net.to_string()),
        _ => None,
    }
}

fn named(rule: &RuleRecord) -> Option<String> {
    match &rule.peer {
        Peer::Group(id) => Some(id.clone()),
        _ => None,
    }
}

fn list(rule: &RuleRecord) -> Option<String> {
    match &rule.peer {
        Peer::PrefixList(id) => Some(id.clone()),
        _ => None,
    }
}

/// CreateSecurityGroup.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateSecurityGroupRequest,
) -> Result<CreateSecurityGroupResult, AwsError> {
    let name = required(input.group_name.as_ref(), "groupName")?;
    let description = required(input.description.as_ref(), "groupDescription")?;
    check_text(name, "groupName")?;
    check_text(description, "groupDescription")?;
    if name.starts_with("sg-") {
        let why = "Group names may not be in the format sg-*.";
        return Err(invalid_parameter("groupName", name, why));
    }
    let vpc = match &input.vpc_id {
        Some(id) => lookup::<VpcRecord>(txn, &ctx.scope, id)?.key.id.clone(),
        None => default_vpc(txn, &ctx.scope)?,
    };
    if group::by_name(txn, &ctx.scope, &vpc, name).is_some() {
        return Err(code("InvalidGroup.Duplicate").with(format!(
            "The security group '{name}' already exists for VPC '{vpc}'"
        )));
    }
    let made = group::create(txn, ctx, &vpc, name, description);
    tags::create(
        txn,
        &made.key,
        GroupRecord::KIND,
        input.tag_specifications.as_ref(),
    )?;
    Ok(CreateSecurityGroupResult {
        group_id: Some(made.key.id.clone()),
        security_group_arn: Some(made.key.arn("security-group")),
        tags: Some(tags::shape(txn, &made.key)),
    })
}

/// Rule: EC2 API reference, CreateSecurityGroup: up to 255 of certain characters.
fn check_text(text: &str, parameter: &str) -> Result<(), AwsError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    match text.len() <= 255 && text.chars().all(is_allowed) {
        true => Ok(()),
        false => Err(invalid_parameter(
            parameter,
            text,
            "Up to 255 characters of a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$* are allowed.",
        )),
    }
}

fn default_vpc(world: &World, scope: &Scope) -> Result<String, AwsError> {
    let vpc = vpc::default_of(world, scope);
    vpc.map(|vpc| vpc.key.id.clone())
        .ok_or_else(|| code("VPCIdNotSpecified").with("No default VPC for this user."))
}

/// The group that a request names by id, or by name in the default VPC.
pub fn chosen<'w>(
    world: &'w World,
    scope: &Scope,
    id: Option<&String>,
    name: Option<&String>,
) -> Result<&'w Arc<GroupRecord>, AwsError> {
    match (id, name) {
        (Some(id), _) => lookup::<GroupRecord>(world, scope, id),
        (None, Some(name)) => {
            let vpc = default_vpc(world, scope)?;
            group::by_name(world, scope, &vpc, name).ok_or_else(|| {
                code("InvalidGroup.NotFound").with(format!(
                    "The security group '{name}' does not exist in default VPC '{vpc}'"
                ))
            })
        }
        (None, None) => Err(missing("groupId")),
    }
}

/// DeleteSecurityGroup.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteSecurityGroupRequest,
) -> Result<DeleteSecurityGroupResult, AwsError> {
    let (id, name) = (input.group_id.as_ref(), input.group_name.as_ref());
    let found = chosen(txn, &ctx.scope, id, name)?.clone();
    group::delete(txn, &found)?;
    Ok(DeleteSecurityGroupResult {
        group_id: Some(found.key.id.clone()),
        r#return: Some(true),
    })
}

/// DescribeSecurityGroups.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeSecurityGroupsRequest,
) -> Result<DescribeSecurityGroupsResult, AwsError> {
    let mut ids = input.group_ids.clone().unwrap_or_default();
    for name in input.group_names.iter().flatten() {
        ids.push(chosen(world, &ctx.scope, None, Some(name))?.key.id.clone());
    }
    let query = Query {
        ids: Some(&ids),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<GroupRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|group| shape(world, group));
    Ok(DescribeSecurityGroupsResult {
        security_groups: Some(shapes.collect()),
        next_token: page.next_token,
    })
}

/// DescribeSecurityGroupReferences: of peered VPCs, of which there are none.
pub fn describe_references(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeSecurityGroupReferencesRequest,
) -> Result<DescribeSecurityGroupReferencesResult, AwsError> {
    let ids = input.group_id.as_ref().filter(|ids| !ids.is_empty());
    for id in ids.ok_or_else(|| missing("groupId"))? {
        lookup::<GroupRecord>(world, &ctx.scope, id)?;
    }
    Ok(DescribeSecurityGroupReferencesResult {
        security_group_reference_set: Some(vec![]),
    })
}

fn shape(world: &World, group: &GroupRecord) -> SecurityGroup {
    let rules = group::rules(world, &group.key);
    let of = |egress| rules.iter().filter(move |rule| rule.egress == egress);
    SecurityGroup {
        description: Some(group.description.clone()),
        group_id: Some(group.key.id.clone()),
        group_name: Some(group.name.clone()),
        ip_permissions: Some(permissions::shapes(of(false))),
        ip_permissions_egress: Some(permissions::shapes(of(true))),
        owner_id: Some(group.key.scope.account.clone()),
        security_group_arn: Some(group.key.arn("security-group")),
        tags: Some(tags::shape(world, &group.key)),
        vpc_id: Some(group.vpc.clone()),
    }
}
