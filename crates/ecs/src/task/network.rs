//! The interface of a task in network mode `awsvpc`, from the call that asks for it to its end.
//!
//! It is made in the transaction that makes the task, so that no task is without one, and freed in the
//! transaction in which the task holds nothing any more ([`settle`]).
//! Rule: semantics 4.6; API reference, AwsVpcConfiguration; design section 8, invariant 5.

use crate::account_settings;
use crate::place::problem::Requirement;
use crate::records::Tags;
use crate::records::attachment::{AttachmentRecord, AttachmentStatus};
use crate::records::task::{TASKS, TaskKey, TaskRecord};
use crate::rules::account_settings::DUAL_STACK_IPV6;
use crate::rules::invalid_parameter;
use aws_api::agent::{Eni, Ipv4Address, Ipv6Address};
use aws_api::ecs::{Attachment, KeyValuePair, NetworkConfiguration};
use aws_types::{AwsError, Ctx, Scope};
use ec2::interface::{self, Wanted};
use ec2::security::groups;
use ec2::subnet;
use std::collections::BTreeSet;
use store::{Txn, World};

/// API reference, AwsVpcConfiguration: at most 16 subnets, and at most 5 groups.
const SUBNETS_MAX: usize = 16;
const GROUPS_MAX: usize = 5;

/// Where the interfaces of tasks go, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Subnets of one VPC, each with its Availability Zone.
    subnets: Vec<(String, String)>,
    /// Groups of that VPC; its default group where none is named.
    groups: Vec<String>,
    /// Whether each gets a public address.
    assign_public_ip: bool,
    /// Whether none gets an IPv6 address.
    without_ipv6: bool,
}

/// Checks what was asked for against the VPCs.
///
/// # Errors
/// `InvalidParameterException`.
pub fn resolve(
    world: &World,
    scope: &Scope,
    given: Option<&NetworkConfiguration>,
    is_fargate: bool,
) -> Result<Network, AwsError> {
    let given = given.and_then(|given| given.awsvpc_configuration.as_ref());
    let named = given
        .and_then(|given| given.subnets.as_deref())
        .unwrap_or_default();
    let groups = given
        .and_then(|given| given.security_groups.as_deref())
        .unwrap_or_default();
    if named.is_empty() {
        return Err(invalid_parameter("subnets can not be empty."));
    }
    at_most("subnets", named.len(), SUBNETS_MAX)?;
    at_most("securityGroups", groups.len(), GROUPS_MAX)?;
    let assign_public_ip = match given.and_then(|given| given.assign_public_ip.as_deref()) {
        None | Some("" | "DISABLED") => false,
        Some("ENABLED") if is_fargate => true,
        Some("ENABLED") => {
            let text = "Assign public IP is not supported for this launch type.";
            return Err(invalid_parameter(text));
        }
        Some(_) => {
            let text = "assignPublicIp should be one of [ENABLED,DISABLED]";
            return Err(invalid_parameter(text));
        }
    };
    let (subnets, vpc) = resolve_subnets(world, scope, named)?;
    for id in groups {
        check_group(world, scope, id, &vpc)?;
    }
    Ok(Network {
        subnets,
        groups: groups.to_vec(),
        assign_public_ip,
        without_ipv6: false,
    })
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), AwsError> {
    match count > max {
        true => Err(invalid_parameter(format!(
            "{what} can have at most {max} items."
        ))),
        false => Ok(()),
    }
}

fn resolve_subnets(
    world: &World,
    scope: &Scope,
    named: &[String],
) -> Result<(Vec<(String, String)>, String), AwsError> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut vpc: Option<String> = None;
    for id in named {
        let subnet = subnet::require(world, scope, id).map_err(|error| {
            let (text, code) = (error.message(), error.code().name);
            invalid_parameter(format!(
                "Error retrieving subnet information for [{id}]: {text} (ErrorCode: {code})"
            ))
        })?;
        if vpc.as_ref().is_some_and(|vpc| *vpc != subnet.vpc) {
            return Err(invalid_parameter(
                "All subnets must belong to the same VPC.",
            ));
        }
        vpc.get_or_insert_with(|| subnet.vpc.clone());
        if !found.iter().any(|(known, _)| known == id) {
            found.push((id.clone(), subnet.zone.clone()));
        }
    }
    Ok((found, vpc.unwrap_or_default()))
}

fn check_group(world: &World, scope: &Scope, id: &str, vpc: &str) -> Result<(), AwsError> {
    let group = groups::require(world, scope, id).map_err(|error| {
        let (text, code) = (error.message(), error.code().name);
        invalid_parameter(format!(
            "Error retrieving security group information for [{id}]: {text} (ErrorCode: {code})"
        ))
    })?;
    match group.vpc == vpc {
        true => Ok(()),
        false => Err(invalid_parameter(
            "Security Groups and Subnets must belong to the same VPC.",
        )),
    }
}

/// What the interface of a task is made for.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// What names its host in host sync.
    pub host: &'a str,
    /// Whether the host's interfaces are branches of a trunk.
    pub has_trunk: bool,
    /// The tags of the task.
    pub tags: &'a Tags,
}

impl Network {
    /// Of tasks that this principal starts: an IPv6 address of a subnet that gives one is theirs only
    /// with the account setting `dualStackIPv6`. Rule: API reference, PutAccountSetting.
    #[must_use]
    pub fn started_by(mut self, world: &World, scope: &Scope, principal_arn: &str) -> Self {
        let value = account_settings::value(world, scope, principal_arn, DUAL_STACK_IPV6);
        self.without_ipv6 = value != "enabled";
        self
    }

    /// Only its subnets of this zone.
    #[must_use]
    pub fn in_zone(mut self, zone: &str) -> Self {
        self.subnets.retain(|(_, of)| of == zone);
        self
    }

    /// The zones of its subnets.
    #[must_use]
    pub fn zones(&self) -> BTreeSet<String> {
        self.subnets.iter().map(|(_, zone)| zone.clone()).collect()
    }

    /// The requirement, of instances in the zones of subnets that have an address left.
    #[must_use]
    pub fn narrowed(&self, world: &World, scope: &Scope, requirement: &Requirement) -> Requirement {
        let free = self
            .subnets
            .iter()
            .filter(|(id, _)| has_room(world, scope, id));
        let zones: BTreeSet<String> = free.map(|(_, zone)| zone.clone()).collect();
        Requirement {
            zones: Some(zones),
            ..requirement.clone()
        }
    }

    /// The subnet of this zone, or of any, with the most addresses left.
    fn choose(&self, world: &World, scope: &Scope, zone: Option<&str>) -> Option<&str> {
        let fits = |of: &str| zone.is_none_or(|zone| zone == of);
        let fitting = self.subnets.iter().filter(|(_, of)| fits(of)).rev();
        let free = |id: &str| subnet::free_addresses(world, scope, id);
        let best = fitting.max_by_key(|(id, _)| free(id))?;
        has_room(world, scope, &best.0).then_some(best.0.as_str())
    }

    /// Makes the interface of a task on a host in `zone`.
    ///
    /// # Errors
    /// EC2's: no subnet has an address left, or a subnet or group is gone since.
    pub fn attach(
        &self,
        txn: &mut Txn,
        ctx: &mut Ctx,
        task: &TaskKey,
        zone: Option<&str>,
        holder: Holder<'_>,
    ) -> Result<AttachmentRecord, AwsError> {
        let first = || self.subnets.first().map_or("", |(id, _)| id.as_str());
        let chosen = self
            .choose(txn, &task.scope, zone)
            .unwrap_or_else(first)
            .to_owned();
        let id = ctx.ids.uuid();
        let managed = |(key, _): &(&String, &String)| key.starts_with("aws:ecs:");
        let wanted = Wanted {
            subnet: chosen,
            groups: self.groups.clone(),
            assign_public_ip: self.assign_public_ip,
            without_ipv6: self.without_ipv6,
            description: arn(&task.scope, &id),
            tags: holder
                .tags
                .0
                .iter()
                .filter(managed)
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            host: Some(holder.host.into()),
            is_branch: holder.has_trunk,
        };
        let made = interface::create_for_task(txn, ctx, &wanted)?;
        let subnet = subnet::require(txn, &task.scope, &made.subnet)?;
        let naming = subnet::naming(txn, &subnet);
        Ok(AttachmentRecord {
            id,
            status: AttachmentStatus::Precreated,
            interface: made.id().into(),
            subnet: made.subnet.clone(),
            mac: made.mac.clone(),
            address: made.address(),
            ipv6_address: made.ipv6_addresses.first().copied(),
            gateway: format!("{}/{}", subnet.gateway(), subnet.cidr.prefix_len()),
            name_servers: naming.servers,
            search: naming.search,
            private_dns_name: made.private_dns_name.clone(),
        })
    }
}

fn has_room(world: &World, scope: &Scope, subnet: &str) -> bool {
    subnet::free_addresses(world, scope, subnet) > 0
}

/// `arn:aws:ecs:REGION:ACCOUNT:attachment/ID`.
#[must_use]
pub fn arn(scope: &Scope, id: &str) -> String {
    scope.arn("ecs", &format!("attachment/{id}")).to_string()
}

/// The host said that the attachment of this ARN is there. Whether that was news.
pub fn attached(task: &mut TaskRecord, arn_said: &str) -> bool {
    let scope = task.key.scope.clone();
    match &mut task.attachment {
        Some(one)
            if one.status < AttachmentStatus::Attached && arn(&scope, &one.id) == arn_said =>
        {
            one.status = AttachmentStatus::Attached;
            true
        }
        _ => false,
    }
}

/// Runs at the end of every transaction. The interface that a host said it has is attached in EC2 too; that
/// of a task that holds nothing any more is gone, on its host too, and its address is free.
pub fn settle(txn: &mut Txn, ctx: &Ctx) {
    let status = |task: &TaskRecord| task.attachment.as_ref().map(|one| one.status);
    let mut over = Vec::new();
    for (before, now) in txn.changed(&TASKS) {
        let Some(task) = now else { continue };
        match status(&task) {
            None | Some(AttachmentStatus::Deleted) => {}
            Some(_) if !task.holds => over.push(task),
            Some(AttachmentStatus::Attached) => {
                let is_news = before.as_deref().and_then(status) != status(&task);
                if let Some(one) = task.attachment.as_ref().filter(|_| is_news) {
                    interface::attached(txn, ctx, &one.interface);
                }
            }
            Some(AttachmentStatus::Precreated) => {}
        }
    }
    for task in over {
        let mut task = TaskRecord::clone(&task);
        if let Some(one) = &mut task.attachment {
            interface::remove(txn, &task.key.scope, &one.interface);
            one.status = AttachmentStatus::Deleted;
        }
        txn.put(&TASKS, task);
    }
}

/// As the API shows it.
#[must_use]
pub fn shape(task: &TaskRecord, one: &AttachmentRecord) -> Attachment {
    let detail = |name: &str, value: String| KeyValuePair {
        name: Some(name.into()),
        value: Some(value),
    };
    let mut details = vec![detail("subnetId", one.subnet.clone())];
    if task.version > 1 || one.status != AttachmentStatus::Precreated {
        details.extend([
            detail("networkInterfaceId", one.interface.clone()),
            detail("macAddress", one.mac.clone()),
            detail("privateDnsName", one.private_dns_name.clone()),
            detail("privateIPv4Address", one.address.to_string()),
        ]);
        let ipv6 = one.ipv6_address.map(|address| address.to_string());
        details.extend(ipv6.map(|address| detail("ipv6Address", address)));
    }
    Attachment {
        id: Some(one.id.clone()),
        r#type: Some("ElasticNetworkInterface".into()),
        status: Some(one.status.name().into()),
        details: Some(details),
    }
}

/// As its agent reads it.
#[must_use]
pub fn payload(scope: &Scope, one: &AttachmentRecord) -> Eni {
    let servers = one.name_servers.iter().map(ToString::to_string);
    Eni {
        ec2_id: Some(one.interface.clone()),
        mac_address: Some(one.mac.clone()),
        attachment_arn: Some(arn(scope, &one.id)),
        index: Some(0),
        ipv4_addresses: Some(vec![Ipv4Address {
            private_address: Some(one.address.to_string()),
            primary: Some(true),
        }]),
        ipv6_addresses: one.ipv6_address.map(|address| {
            vec![Ipv6Address {
                address: Some(address.to_string()),
                primary: Some(true),
            }]
        }),
        subnet_gateway_ipv4_address: Some(one.gateway.clone()),
        private_dns_name: Some(one.private_dns_name.clone()),
        domain_name: Some(one.search.clone()),
        domain_name_servers: Some(servers.collect()),
        interface_association_protocol: Some("default".into()),
        ..Eni::default()
    }
}
