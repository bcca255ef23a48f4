//! Rules of security groups: both generations of the API.

use super::groups::chosen;
use super::permissions::{self, Given, read, read_one, rule_shape};
use crate::errors::{code, invalid_combination, missing, required};
use crate::filter::Field;
use crate::group;
use crate::records::ResourceKey;
use crate::records::group::{GroupRecord, Peer, RULES, RuleRecord};
use crate::records::vpc::VPCS;
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::tags;
use aws_api::ec2::{
    AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupEgressResult,
    AuthorizeSecurityGroupIngressRequest, AuthorizeSecurityGroupIngressResult,
    DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResult, IpPermission, IpRange,
    ModifySecurityGroupRulesRequest, ModifySecurityGroupRulesResult,
    RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResult,
    RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResult, RevokedSecurityGroupRule,
    SecurityGroupRule, TagSpecification, UserIdGroupPair,
};
use aws_types::{AwsError, Ctx};
use std::sync::Arc;
use store::{Table, Txn, World};

impl Resource for RuleRecord {
    const KIND: Kind = Kind {
        prefix: "sgr",
        name: "security-group-rule",
        noun: "security group rule ID",
        not_found: "InvalidSecurityGroupRuleId.NotFound",
        malformed: "InvalidSecurityGroupRuleId.Malformed",
        parameter: "securityGroupRuleId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &RULES
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeSecurityGroupRules, `Filter.N`.
const FIELDS: &[Field<RuleRecord>] = &[
    Field {
        name: "group-id",
        values: |_, rule| vec![rule.group.clone()],
    },
    Field {
        name: "security-group-rule-id",
        values: |_, rule| vec![rule.key.id.clone()],
    },
];

/// A rule as the oldest form of the calls has it: members of the request itself.
struct Flat<'a> {
    protocol: Option<&'a String>,
    ports: (Option<i32>, Option<i32>),
    cidr: Option<&'a String>,
    group_name: Option<&'a String>,
}

macro_rules! flat {
    ($input:ident) => {
        Flat {
            protocol: $input.ip_protocol.as_ref(),
            ports: ($input.from_port, $input.to_port),
            cidr: $input.cidr_ip.as_ref(),
            group_name: $input.source_security_group_name.as_ref(),
        }
    };
}

/// What a request names, in whichever form.
fn all(
    permissions: Option<&Vec<IpPermission>>,
    flat: &Flat<'_>,
) -> Result<Vec<IpPermission>, AwsError> {
    let is_flat = flat.protocol.is_some() || flat.cidr.is_some() || flat.group_name.is_some();
    match (permissions, is_flat) {
        (Some(_), true) => Err(invalid_combination(
            "The parameter ipPermissions may not be used with the rule's own parameters",
        )),
        (Some(permissions), false) => Ok(permissions.clone()),
        (None, false) => Err(missing("ipPermissions")),
        (None, true) => Ok(vec![IpPermission {
            // A source group alone means everything from it.
            ip_protocol: Some(flat.protocol.cloned().unwrap_or_else(|| "-1".into())),
            from_port: flat.ports.0,
            to_port: flat.ports.1,
            ip_ranges: flat.cidr.map(|cidr| {
                vec![IpRange {
                    cidr_ip: Some(cidr.clone()),
                    description: None,
                }]
            }),
            user_id_group_pairs: flat.group_name.map(|name| {
                vec![UserIdGroupPair {
                    group_name: Some(name.clone()),
                    ..UserIdGroupPair::default()
                }]
            }),
            ..IpPermission::default()
        }]),
    }
}

/// AuthorizeSecurityGroupIngress.
pub fn authorize_ingress(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AuthorizeSecurityGroupIngressRequest,
) -> Result<AuthorizeSecurityGroupIngressResult, AwsError> {
    let (id, name) = (input.group_id.as_ref(), input.group_name.as_ref());
    let group = chosen(txn, &ctx.scope, id, name)?.clone();
    let permissions = all(input.ip_permissions.as_ref(), &flat!(input))?;
    let tags = input.tag_specifications.as_ref();
    Ok(AuthorizeSecurityGroupIngressResult {
        security_group_rules: Some(authorize(txn, ctx, &group, false, &permissions, tags)?),
        r#return: Some(true),
    })
}

/// AuthorizeSecurityGroupEgress.
pub fn authorize_egress(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AuthorizeSecurityGroupEgressRequest,
) -> Result<AuthorizeSecurityGroupEgressResult, AwsError> {
    let group = chosen(txn, &ctx.scope, input.group_id.as_ref(), None)?.clone();
    let permissions = all(input.ip_permissions.as_ref(), &flat!(input))?;
    let tags = input.tag_specifications.as_ref();
    Ok(AuthorizeSecurityGroupEgressResult {
        security_group_rules: Some(authorize(txn, ctx, &group, true, &permissions, tags)?),
        r#return: Some(true),
    })
}

fn authorize(
    txn: &mut Txn,
    ctx: &mut Ctx,
    group: &GroupRecord,
    egress: bool,
    permissions: &[IpPermission],
    tags: Option<&Vec<TagSpecification>>,
) -> Result<Vec<SecurityGroupRule>, AwsError> {
    let mut made = Vec::new();
    for given in read(txn, &ctx.scope, &group.vpc, permissions)? {
        let rule = RuleRecord {
            key: ResourceKey::fresh(ctx, "sgr"),
            group: group.key.id.clone(),
            egress,
            traffic: given.traffic,
            peer: given.peer,
            description: described(given.description)?,
        };
        group::add_rule(txn, rule.clone())?;
        tags::create(txn, &rule.key, RuleRecord::KIND, tags)?;
        made.push(rule_shape(txn, &rule));
    }
    Ok(made)
}

/// Rule: EC2 API reference, IpRange: up to 255 characters.
pub(super) fn described(text: Option<String>) -> Result<Option<String>, AwsError> {
    match &text {
        Some(long) if long.chars().count() > 255 => Err(crate::errors::invalid_value(
            "Invalid rule description. Valid descriptions are strings less than 256 characters.",
        )),
        Some(empty) if empty.is_empty() => Ok(None),
        _ => Ok(text),
    }
}

/// What revoking took away, and what of the request it did not find.
struct Revoked {
    rules: Vec<RevokedSecurityGroupRule>,
    unknown: Vec<IpPermission>,
}

/// RevokeSecurityGroupIngress.
pub fn revoke_ingress(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &RevokeSecurityGroupIngressRequest,
) -> Result<RevokeSecurityGroupIngressResult, AwsError> {
    let (id, name) = (input.group_id.as_ref(), input.group_name.as_ref());
    let group = chosen(txn, &ctx.scope, id, name)?.clone();
    let revoked = match &input.security_group_rule_ids {
        Some(ids) => revoke_by_id(txn, ctx, &group, false, ids)?,
        None => {
            let permissions = all(input.ip_permissions.as_ref(), &flat!(input))?;
            revoke(txn, ctx, &group, false, &permissions)?
        }
    };
    Ok(RevokeSecurityGroupIngressResult {
        r#return: Some(true),
        revoked_security_group_rules: Some(revoked.rules),
        unknown_ip_permissions: Some(revoked.unknown),
    })
}

/// RevokeSecurityGroupEgress.
pub fn revoke_egress(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &RevokeSecurityGroupEgressRequest,
) -> Result<RevokeSecurityGroupEgressResult, AwsError> {
    let group = chosen(txn, &ctx.scope, input.group_id.as_ref(), None)?.clone();
    let revoked = match &input.security_group_rule_ids {
        Some(ids) => revoke_by_id(txn, ctx, &group, true, ids)?,
        None => {
            let permissions = all(input.ip_permissions.as_ref(), &flat!(input))?;
            revoke(txn, ctx, &group, true, &permissions)?
        }
    };
    Ok(RevokeSecurityGroupEgressResult {
        r#return: Some(true),
        revoked_security_group_rules: Some(revoked.rules),
        unknown_ip_permissions: Some(revoked.unknown),
    })
}

fn revoke_by_id(
    txn: &mut Txn,
    ctx: &Ctx,
    group: &GroupRecord,
    egress: bool,
    ids: &[String],
) -> Result<Revoked, AwsError> {
    let mut rules = Vec::new();
    for id in ids {
        let rule = own_rule(txn, ctx, group, id, Some(egress))?;
        group::remove_rule(txn, &rule.key);
        rules.push(revoked_shape(&rule));
    }
    Ok(Revoked {
        rules,
        unknown: vec![],
    })
}

/// The rule of this id, if the group has it.
pub(super) fn own_rule(
    world: &World,
    ctx: &Ctx,
    group: &GroupRecord,
    id: &str,
    egress: Option<bool>,
) -> Result<Arc<RuleRecord>, AwsError> {
    let rule = lookup::<RuleRecord>(world, &ctx.scope, id)?;
    let is_own = rule.group == group.key.id && egress.is_none_or(|egress| rule.egress == egress);
    match is_own {
        true => Ok(rule.clone()),
        false => Err(code(RuleRecord::KIND.not_found)
            .with(format!("The security group rule ID '{id}' does not exist"))),
    }
}

/// Rule: EC2 API reference, RevokeSecurityGroupIngress: a rule that is not there is an error, but in a
/// default VPC, where the answer names it.
fn revoke(
    txn: &mut Txn,
    ctx: &Ctx,
    group: &GroupRecord,
    egress: bool,
    permissions: &[IpPermission],
) -> Result<Revoked, AwsError> {
    let vpc = txn.get(&VPCS, &group.key.beside(&group.vpc));
    let is_lenient = vpc.is_some_and(|vpc| vpc.is_default);
    let mut revoked = Revoked {
        rules: vec![],
        unknown: vec![],
    };
    for given in read(txn, &ctx.scope, &group.vpc, permissions)? {
        match find(txn, group, egress, &given) {
            Some(rule) => {
                group::remove_rule(txn, &rule.key);
                revoked.rules.push(revoked_shape(&rule));
            }
            None if is_lenient => {
                let rule = RuleRecord {
                    key: group.key.clone(),
                    group: group.key.id.clone(),
                    egress,
                    traffic: given.traffic,
                    peer: given.peer,
                    description: None,
                };
                let unknown = permissions::shapes([Arc::new(rule)].iter());
                revoked.unknown.extend(unknown);
            }
            None => return Err(not_found()),
        }
    }
    Ok(revoked)
}

pub(super) fn not_found() -> AwsError {
    code("InvalidPermission.NotFound")
        .with("The specified rule does not exist in this security group.")
}

pub(super) fn find(
    world: &World,
    group: &GroupRecord,
    egress: bool,
    given: &Given,
) -> Option<Arc<RuleRecord>> {
    group::rules(world, &group.key).into_iter().find(|rule| {
        rule.egress == egress && rule.traffic == given.traffic && rule.peer == given.peer
    })
}

fn revoked_shape(rule: &RuleRecord) -> RevokedSecurityGroupRule {
    let mut shape = RevokedSecurityGroupRule {
        description: rule.description.clone(),
        from_port: Some(rule.traffic.from.unwrap_or(-1)),
        to_port: Some(rule.traffic.to.unwrap_or(-1)),
        group_id: Some(rule.group.clone()),
        ip_protocol: Some(rule.traffic.protocol.clone()),
        is_egress: Some(rule.egress),
        security_group_rule_id: Some(rule.key.id.clone()),
        ..RevokedSecurityGroupRule::default()
    };
    match &rule.peer {
        Peer::Ipv4(net) => shape.cidr_ipv4 = Some(net.to_string()),
        Peer::Ipv6(net) => shape.cidr_ipv6 = Some(net.to_string()),
        Peer::PrefixList(id) => shape.prefix_list_id = Some(id.clone()),
        Peer::Group(id) => shape.referenced_group_id = Some(id.clone()),
    }
    shape
}

/// ModifySecurityGroupRules: all or none.
pub fn modify(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ModifySecurityGroupRulesRequest,
) -> Result<ModifySecurityGroupRulesResult, AwsError> {
    let id = required(input.group_id.as_ref(), "groupId")?;
    let group = lookup::<GroupRecord>(txn, &ctx.scope, id)?.clone();
    let updates = input.security_group_rules.as_ref();
    for update in updates.ok_or_else(|| missing("securityGroupRule"))? {
        let rule_id = required(
            update.security_group_rule_id.as_ref(),
            "securityGroupRuleId",
        )?;
        let before = own_rule(txn, ctx, &group, rule_id, None)?;
        let given = update.security_group_rule.as_ref();
        let given = given.ok_or_else(|| missing("securityGroupRule"))?;
        let given = read_one(txn, &ctx.scope, &group.vpc, given)?;
        let rule = RuleRecord {
            traffic: given.traffic,
            peer: given.peer,
            description: described(given.description)?,
            ..before.as_ref().clone()
        };
        txn.delete(&RULES, &before.key);
        group::add_rule(txn, rule)?;
    }
    Ok(ModifySecurityGroupRulesResult {
        r#return: Some(true),
    })
}

/// DescribeSecurityGroupRules.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeSecurityGroupRulesRequest,
) -> Result<DescribeSecurityGroupRulesResult, AwsError> {
    let query = Query {
        ids: input.security_group_rule_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<RuleRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|rule| rule_shape(world, rule));
    Ok(DescribeSecurityGroupRulesResult {
        security_group_rules: Some(shapes.collect()),
        next_token: page.next_token,
    })
}
