//! Rules of security groups as requests and answers have them.
//!
//! Rule: EC2 API reference, IpPermission and SecurityGroupRuleRequest.

use crate::cidr;
use crate::errors::{code, invalid_value, missing, required};
use crate::records::group::{GroupRecord, Peer, RuleRecord, Traffic};
use crate::resource::lookup;
use aws_api::ec2::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, ReferencedSecurityGroup, SecurityGroupRule,
    SecurityGroupRuleRequest, UserIdGroupPair,
};
use aws_types::{AwsError, Scope};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::World;

/// One rule of a request: several of them make one `IpPermission`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// What passes.
    pub traffic: Traffic,
    /// The other side.
    pub peer: Peer,
    /// `Description`.
    pub description: Option<String>,
}

/// Reads all rules of `IpPermissions`.
///
/// # Errors
/// `InvalidParameterValue`, `InvalidGroup.NotFound`, `InvalidPrefixListID.NotFound`,
/// `MissingParameter`.
pub fn read(
    world: &World,
    scope: &Scope,
    vpc: &str,
    permissions: &[IpPermission],
) -> Result<Vec<Given>, AwsError> {
    let mut all = Vec::new();
    for permission in permissions {
        let traffic = traffic(
            permission.ip_protocol.as_ref(),
            permission.from_port,
            permission.to_port,
        )?;
        let mut add = |peer, description: &Option<String>| {
            all.push(Given {
                traffic: traffic.clone(),
                peer,
                description: description.clone(),
            });
        };
        let mut has_peer = false;
        for range in permission.ip_ranges.iter().flatten() {
            add(ipv4(range.cidr_ip.as_deref())?, &range.description);
            has_peer = true;
        }
        for range in permission.ipv6_ranges.iter().flatten() {
            add(ipv6(range.cidr_ipv6.as_deref())?, &range.description);
            has_peer = true;
        }
        for list in permission.prefix_list_ids.iter().flatten() {
            add(
                prefix_list(world, scope, list.prefix_list_id.as_ref())?,
                &list.description,
            );
            has_peer = true;
        }
        for pair in permission.user_id_group_pairs.iter().flatten() {
            let id = match (&pair.group_id, &pair.group_name) {
                (Some(id), _) => id.clone(),
                (None, Some(name)) => by_name(world, scope, vpc, name)?,
                (None, None) => return Err(missing("groupId")),
            };
            add(group(world, scope, vpc, &id)?, &pair.description);
            has_peer = true;
        }
        if !has_peer {
            return Err(missing("cidrIp"));
        }
    }
    Ok(all)
}

/// Reads the one rule that ModifySecurityGroupRules puts in another's place.
///
/// # Errors
/// As [`read`].
pub fn read_one(
    world: &World,
    scope: &Scope,
    vpc: &str,
    given: &SecurityGroupRuleRequest,
) -> Result<Given, AwsError> {
    let peers = [
        given.cidr_ipv4.is_some(),
        given.cidr_ipv6.is_some(),
        given.prefix_list_id.is_some(),
        given.referenced_group_id.is_some(),
    ];
    if peers.iter().filter(|is_given| **is_given).count() != 1 {
        return Err(crate::errors::invalid_combination(
            "Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId must be specified.",
        ));
    }
    let peer = if given.cidr_ipv4.is_some() {
        ipv4(given.cidr_ipv4.as_deref())?
    } else if given.cidr_ipv6.is_some() {
        ipv6(given.cidr_ipv6.as_deref())?
    } else if let Some(id) = &given.referenced_group_id {
        group(world, scope, vpc, id)?
    } else {
        prefix_list(world, scope, given.prefix_list_id.as_ref())?
    };
    Ok(Given {
        traffic: traffic(given.ip_protocol.as_ref(), given.from_port, given.to_port)?,
        peer,
        description: given.description.clone(),
    })
}

fn ipv4(text: Option<&str>) -> Result<Peer, AwsError> {
    match cidr::of_rule::<Ipv4Net>(text.unwrap_or_default())? {
        IpNet::V4(net) => Ok(Peer::Ipv4(net)),
        IpNet::V6(net) => Ok(Peer::Ipv6(net)),
    }
}

fn ipv6(text: Option<&str>) -> Result<Peer, AwsError> {
    match cidr::of_rule::<Ipv6Net>(text.unwrap_or_default())? {
        IpNet::V4(net) => Ok(Peer::Ipv4(net)),
        IpNet::V6(net) => Ok(Peer::Ipv6(net)),
    }
}

fn prefix_list(world: &World, scope: &Scope, id: Option<&String>) -> Result<Peer, AwsError> {
    let id = required(id, "prefixListId")?;
    crate::prefix_list::require(world, scope, id)?;
    Ok(Peer::PrefixList(id.into()))
}

fn group(world: &World, scope: &Scope, vpc: &str, id: &str) -> Result<Peer, AwsError> {
    let group = lookup::<GroupRecord>(world, scope, id)?;
    match group.vpc == vpc {
        true => Ok(Peer::Group(id.into())),
        false => Err(code("InvalidGroup.NotFound")
            .with("You have specified two resources that belong to different networks.")),
    }
}

fn by_name(world: &World, scope: &Scope, vpc: &str, name: &str) -> Result<String, AwsError> {
    let group = crate::group::by_name(world, scope, vpc, name);
    group.map(|group| group.key.id.clone()).ok_or_else(|| {
        code("InvalidGroup.NotFound").with(format!("The security group '{name}' does not exist"))
    })
}

fn traffic(
    protocol: Option<&String>,
    from: Option<i32>,
    to: Option<i32>,
) -> Result<Traffic, AwsError> {
    let given = protocol.ok_or_else(|| missing("ipProtocol"))?;
    let protocol = match given.to_lowercase().as_str() {
        "-1" | "all" => "-1".to_owned(),
        "tcp" | "6" => "tcp".into(),
        "udp" | "17" => "udp".into(),
        "icmp" | "1" => "icmp".into(),
        "icmpv6" | "58" => "icmpv6".into(),
        other => match other.parse::<u8>() {
            Ok(number) => number.to_string(),
            Err(_) => return Err(unknown_protocol(given)),
        },
    };
    let (from, to) = match protocol.as_str() {
        "tcp" | "udp" => {
            let (Some(from), Some(to)) = (from, to) else {
                return Err(invalid_value(
                    "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
                ));
            };
            if !(0..=65535).contains(&from) || !(0..=65535).contains(&to) || from > to {
                return Err(invalid_value(format!(
                    "Invalid TCP/UDP port range ({from}:{to})"
                )));
            }
            (Some(from), Some(to))
        }
        "icmp" | "icmpv6" => {
            let (kind, icmp_code) = (from.unwrap_or(-1), to.unwrap_or(-1));
            if !(-1..=255).contains(&kind) || !(-1..=255).contains(&icmp_code) {
                return Err(invalid_value(format!(
                    "ICMP type ({kind}) or code ({icmp_code}) out of range"
                )));
            }
            (Some(kind), Some(icmp_code))
        }
        _ => (None, None),
    };
    Ok(Traffic { protocol, from, to })
}

fn unknown_protocol(given: &str) -> AwsError {
    invalid_value(format!(
        "Invalid value '{given}' for IP protocol. Unknown protocol."
    ))
}

/// Rules as `IpPermissions` have them: one for each protocol and ports.
pub fn shapes<'a>(rules: impl Iterator<Item = &'a Arc<RuleRecord>>) -> Vec<IpPermission> {
    let mut by_traffic: BTreeMap<Traffic, IpPermission> = BTreeMap::new();
    for rule in rules {
        let permission = by_traffic
            .entry(rule.traffic.clone())
            .or_insert_with(|| IpPermission {
                from_port: rule.traffic.from,
                ip_protocol: Some(rule.traffic.protocol.clone()),
                ip_ranges: Some(vec![]),
                ipv6_ranges: Some(vec![]),
                prefix_list_ids: Some(vec![]),
                to_port: rule.traffic.to,
                user_id_group_pairs: Some(vec![]),
            });
        put_peer(permission, rule);
    }
    by_traffic.into_values().collect()
}

fn put_peer(permission: &mut IpPermission, rule: &RuleRecord) {
    let description = rule.description.clone();
    match &rule.peer {
        Peer::Ipv4(net) => permission.ip_ranges.get_or_insert_default().push(IpRange {
            cidr_ip: Some(net.to_string()),
            description,
        }),
        Peer::Ipv6(net) => permission
            .ipv6_ranges
            .get_or_insert_default()
            .push(Ipv6Range {
                cidr_ipv6: Some(net.to_string()),
                description,
            }),
        Peer::PrefixList(id) => {
            let lists = permission.prefix_list_ids.get_or_insert_default();
            lists.push(PrefixListId {
                prefix_list_id: Some(id.clone()),
                description,
            });
        }
        Peer::Group(id) => {
            let pairs = permission.user_id_group_pairs.get_or_insert_default();
            pairs.push(UserIdGroupPair {
                description,
                group_id: Some(id.clone()),
                user_id: Some(rule.key.scope.account.clone()),
                ..UserIdGroupPair::default()
            });
        }
    }
}

/// A rule as answers of the newer calls have it.
pub fn rule_shape(world: &World, rule: &RuleRecord) -> SecurityGroupRule {
    let mut shape = SecurityGroupRule {
        description: rule.description.clone(),
        // The newer calls say -1 where the older ones leave ports out.
        from_port: Some(rule.traffic.from.unwrap_or(-1)),
        to_port: Some(rule.traffic.to.unwrap_or(-1)),
        group_id: Some(rule.group.clone()),
        group_owner_id: Some(rule.key.scope.account.clone()),
        ip_protocol: Some(rule.traffic.protocol.clone()),
        is_egress: Some(rule.egress),
        security_group_rule_arn: Some(rule.key.arn("security-group-rule")),
        security_group_rule_id: Some(rule.key.id.clone()),
        tags: Some(crate::tags::shape(world, &rule.key)),
        ..SecurityGroupRule::default()
    };
    match &rule.peer {
        Peer::Ipv4(net) => shape.cidr_ipv4 = Some(net.to_string()),
        Peer::Ipv6(net) => shape.cidr_ipv6 = Some(net.to_string()),
        Peer::PrefixList(id) => shape.prefix_list_id = Some(id.clone()),
        Peer::Group(id) => {
            shape.referenced_group_info = Some(ReferencedSecurityGroup {
                group_id: Some(id.clone()),
                user_id: Some(rule.key.scope.account.clone()),
                ..ReferencedSecurityGroup::default()
            });
        }
    }
    shape
}
