//! Network interfaces of users; those of tasks are shown, and touched by nobody.

use super::interface_shape::{association, attachment, groups, shape, status};
use crate::errors::{code, invalid_combination, invalid_parameter, missing, refuse, required};
use crate::filter::{Field, fields};
use crate::interface::{self, check_groups, draft};
use crate::records::ResourceKey;
use crate::records::interface::{INTERFACES, InterfaceRecord};
use crate::records::subnet::SubnetRecord;
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{address, tags, tokens, zones};
use aws_api::Empty;
use aws_api::ec2::{
    AttributeBooleanValue, AttributeValue, CreateNetworkInterfaceRequest,
    CreateNetworkInterfaceResult, DeleteNetworkInterfaceRequest,
    DescribeNetworkInterfaceAttributeRequest, DescribeNetworkInterfaceAttributeResult,
    DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult,
    ModifyNetworkInterfaceAttributeRequest,
};
use aws_types::{AwsError, Ctx, Timestamp};
use store::{Table, Txn, World};

impl Resource for InterfaceRecord {
    const KIND: Kind = Kind {
        prefix: "eni",
        name: "network-interface",
        noun: "networkInterface ID",
        not_found: "InvalidNetworkInterfaceID.NotFound",
        malformed: "InvalidNetworkInterfaceId.Malformed",
        parameter: "networkInterfaceId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &INTERFACES
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeNetworkInterfaces, `Filter.N`.
const FIELDS: &[Field<InterfaceRecord>] = fields![
    "addresses.association.owner-id" => |world, eni| association(world, eni).and_then(|a| a.ip_owner_id),
    "addresses.association.public-ip" => |_, eni| eni.public.iter().map(|p| p.address.to_string()),
    "addresses.primary" => |_, eni| eni.addresses.iter().enumerate().map(|(at, _)| (at == 0).to_string()),
    "addresses.private-ip-address" => |_, eni| eni.addresses.iter().map(ToString::to_string),
    "association.allocation-id" => |_, eni| eni.public.iter().filter_map(|p| p.allocation.clone()),
    "association.association-id" => |_, eni| eni.public.iter().filter_map(|p| p.association.clone()),
    "association.ip-owner-id" => |world, eni| association(world, eni).and_then(|a| a.ip_owner_id),
    "association.public-dns-name" => |world, eni| association(world, eni).and_then(|a| a.public_dns_name),
    "association.public-ip" => |_, eni| eni.public.iter().map(|p| p.address.to_string()),
    "attachment.attach-time" => |_, eni| attachment(eni).and_then(|a| a.attach_time).map(Timestamp::iso8601),
    "attachment.attachment-id" => |_, eni| eni.attachment.iter().map(|a| a.id.clone()),
    "attachment.delete-on-termination" => |_, eni| attachment(eni).and_then(|a| a.delete_on_termination).map(|is| is.to_string()),
    "attachment.device-index" => |_, eni| eni.attachment.iter().map(|_| "1".to_owned()),
    "attachment.instance-id" => |_, _| Vec::<String>::new(),
    "attachment.instance-owner-id" => |_, eni| eni.attachment.iter().map(|_| eni.key.scope.account.clone()),
    "attachment.status" => |_, eni| attachment(eni).and_then(|a| a.status),
    "availability-zone" => |_, eni| [eni.zone.clone()],
    "availability-zone-id" => |_, eni| [zones::id_of(&eni.zone)],
    "description" => |_, eni| [eni.description.clone()],
    "group-id" => |_, eni| eni.groups.clone(),
    "group-name" => |world, eni| groups(world, eni).into_iter().filter_map(|g| g.group_name),
    "interface-type" => |_, eni| [eni.kind.clone()],
    "ipv6-addresses.ipv6-address" => |_, eni| eni.ipv6_addresses.iter().map(ToString::to_string),
    "mac-address" => |_, eni| [eni.mac.clone()],
    "network-interface-id" => |_, eni| [eni.key.id.clone()],
    "operator.managed" => |_, _| ["false".to_owned()],
    "operator.principal" => |_, _| Vec::<String>::new(),
    "owner-id" => |_, eni| [eni.key.scope.account.clone()],
    "private-dns-name" => |_, eni| eni.addresses.first().map(|a| interface::private_dns_name(&eni.key.scope, *a)),
    "private-ip-address" => |_, eni| eni.addresses.first().map(ToString::to_string),
    "requester-id" => |_, eni| eni.requester_managed.then(|| eni.key.scope.account.clone()),
    "requester-managed" => |_, eni| [eni.requester_managed.to_string()],
    "source-dest-check" => |_, eni| [eni.source_dest_check.to_string()],
    "status" => |_, eni| [status(eni).to_owned()],
    "subnet-id" => |_, eni| [eni.subnet.clone()],
    "vpc-id" => |_, eni| [eni.vpc.clone()],
];

/// CreateNetworkInterface.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateNetworkInterfaceRequest,
) -> Result<CreateNetworkInterfaceResult, AwsError> {
    refuse_unserved(input)?;
    let made = tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
        make(txn, ctx, input)
    })?;
    Ok(CreateNetworkInterfaceResult {
        network_interface: Some(aws_api::ec2::NetworkInterface {
            status: Some("pending".into()),
            ..shape(txn, &made)
        }),
        client_token: input.client_token.clone(),
    })
}

fn make(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateNetworkInterfaceRequest,
) -> Result<InterfaceRecord, AwsError> {
    let id = required(input.subnet_id.as_ref(), "subnetId")?;
    let subnet = lookup::<SubnetRecord>(txn, &ctx.scope, id)?.clone();
    let given = input.groups.clone().unwrap_or_default();
    let mut made = draft(txn, ctx, &subnet, &given)?;
    made.description = input.description.clone().unwrap_or_default();
    take_addresses(txn, &subnet, &mut made, input)?;
    made.private_dns_name = interface::private_dns_name(&ctx.scope, made.address());
    let ipv6: Vec<Option<&str>> = match (&input.ipv6_addresses, input.ipv6_address_count) {
        (Some(wanted), None) => wanted.iter().map(|a| a.ipv6_address.as_deref()).collect(),
        (None, Some(count)) => vec![None; usize::try_from(count).unwrap_or_default().min(50)],
        (None, None) => vec![None; usize::from(subnet.assign_ipv6)],
        (Some(_), Some(_)) => {
            return Err(invalid_combination(
                "You may specify ipv6AddressCount or ipv6Addresses, not both.",
            ));
        }
    };
    for wanted in ipv6 {
        let free = address::ipv6(txn, ctx, &subnet, wanted)?;
        made.ipv6_addresses.push(free);
    }
    txn.put(&INTERFACES, made.clone());
    tags::create(
        txn,
        &made.key,
        InterfaceRecord::KIND,
        input.tag_specifications.as_ref(),
    )?;
    Ok(made)
}

fn refuse_unserved(input: &CreateNetworkInterfaceRequest) -> Result<(), AwsError> {
    let kind = input.interface_type.as_deref();
    refuse(&[
        (
            "InterfaceType",
            kind.is_some_and(|kind| kind != "interface"),
        ),
        ("Ipv4PrefixCount", input.ipv4_prefix_count.is_some()),
        ("Ipv4Prefixes", input.ipv4_prefixes.is_some()),
        ("Ipv6PrefixCount", input.ipv6_prefix_count.is_some()),
        ("Ipv6Prefixes", input.ipv6_prefixes.is_some()),
        ("EnablePrimaryIpv6", input.enable_primary_ipv6 == Some(true)),
        (
            "ConnectionTrackingSpecification",
            input.connection_tracking_specification.is_some(),
        ),
        ("Operator", input.operator.is_some()),
    ])
}

/// The private addresses that a request wants: the primary one first.
fn take_addresses(
    txn: &mut Txn,
    subnet: &SubnetRecord,
    made: &mut InterfaceRecord,
    input: &CreateNetworkInterfaceRequest,
) -> Result<(), AwsError> {
    let listed = input.private_ip_addresses.as_deref().unwrap_or_default();
    let primaries = listed.iter().filter(|a| a.primary == Some(true)).count();
    if primaries + usize::from(input.private_ip_address.is_some()) > 1 {
        return Err(invalid_combination(
            "Only one primary private IP address can be specified.",
        ));
    }
    let mut wanted: Vec<&str> = input.private_ip_address.as_deref().into_iter().collect();
    for is_primary in [true, false] {
        let of_this = listed
            .iter()
            .filter(|a| (a.primary == Some(true)) == is_primary);
        wanted.extend(of_this.filter_map(|a| a.private_ip_address.as_deref()));
    }
    for address in wanted {
        let taken = address::take(txn, subnet, &made.key.id, address)?;
        made.addresses.push(taken);
    }
    if primaries == 0 && input.private_ip_address.is_none() {
        let lowest = address::take_lowest(txn, subnet, &made.key.id)?;
        made.addresses.insert(0, lowest);
    }
    let more = input.secondary_private_ip_address_count.unwrap_or_default();
    for _ in 0..more.clamp(0, 50) {
        let lowest = address::take_lowest(txn, subnet, &made.key.id)?;
        made.addresses.push(lowest);
    }
    Ok(())
}

/// DeleteNetworkInterface.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteNetworkInterfaceRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.network_interface_id.as_ref(), "networkInterfaceId")?;
    let found = lookup::<InterfaceRecord>(txn, &ctx.scope, id)?;
    check_is_users(found)?;
    if found.attachment.is_some() {
        return Err(crate::errors::invalid_value(format!(
            "Network interface '{id}' is currently in use."
        )));
    }
    interface::remove(txn, &ctx.scope, id);
    Ok(Empty {})
}

pub(super) fn check_is_users(interface: &InterfaceRecord) -> Result<(), AwsError> {
    match interface.requester_managed {
        false => Ok(()),
        true => Err(code("OperationNotPermitted")
            .with("You are not allowed to manage this resource: it is managed by its requester.")),
    }
}

/// DescribeNetworkInterfaces.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResult, AwsError> {
    let query = Query {
        ids: input.network_interface_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<InterfaceRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|interface| shape(world, interface));
    Ok(DescribeNetworkInterfacesResult {
        network_interfaces: Some(shapes.collect()),
        next_token: page.next_token,
    })
}

/// ModifyNetworkInterfaceAttribute.
pub fn modify(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ModifyNetworkInterfaceAttributeRequest,
) -> Result<Empty, AwsError> {
    refuse(&[
        ("Attachment", input.attachment.is_some()),
        ("EnaSrdSpecification", input.ena_srd_specification.is_some()),
        ("EnablePrimaryIpv6", input.enable_primary_ipv6.is_some()),
        (
            "AssociatePublicIpAddress",
            input.associate_public_ip_address.is_some(),
        ),
        ("AssociatedSubnetIds", input.associated_subnet_ids.is_some()),
        (
            "ConnectionTrackingSpecification",
            input.connection_tracking_specification.is_some(),
        ),
    ])?;
    let id = required(input.network_interface_id.as_ref(), "networkInterfaceId")?;
    let found = lookup::<InterfaceRecord>(txn, &ctx.scope, id)?.clone();
    check_is_users(&found)?;
    let description = input
        .description
        .as_ref()
        .map(|d| d.value.clone().unwrap_or_default());
    let check = input
        .source_dest_check
        .as_ref()
        .and_then(|check| check.value);
    let given = [
        description.is_some(),
        check.is_some(),
        input.groups.is_some(),
    ];
    match given.into_iter().filter(|is_given| *is_given).count() {
        0 => return Err(missing("attribute")),
        1 => {}
        _ => {
            return Err(invalid_combination(
                "Fields for multiple attribute types specified",
            ));
        }
    }
    let groups = match &input.groups {
        Some(groups) if groups.is_empty() => return Err(missing("groupId")),
        Some(groups) => Some(check_groups(txn, &ctx.scope, &found.vpc, groups)?),
        None => None,
    };
    txn.update(&INTERFACES, &found.key, |interface| {
        interface.description = description.unwrap_or(interface.description.clone());
        interface.source_dest_check = check.unwrap_or(interface.source_dest_check);
        interface.groups = groups.unwrap_or(interface.groups.clone());
    });
    Ok(Empty {})
}

/// DescribeNetworkInterfaceAttribute.
pub fn describe_attribute(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeNetworkInterfaceAttributeRequest,
) -> Result<DescribeNetworkInterfaceAttributeResult, AwsError> {
    let id = required(input.network_interface_id.as_ref(), "networkInterfaceId")?;
    let found = lookup::<InterfaceRecord>(world, &ctx.scope, id)?;
    let mut answer = DescribeNetworkInterfaceAttributeResult {
        network_interface_id: Some(id.into()),
        ..DescribeNetworkInterfaceAttributeResult::default()
    };
    match required(input.attribute.as_ref(), "attribute")? {
        "description" => {
            answer.description = Some(AttributeValue {
                value: Some(found.description.clone()),
            });
        }
        "sourceDestCheck" => {
            answer.source_dest_check = Some(AttributeBooleanValue {
                value: Some(found.source_dest_check),
            });
        }
        "groupSet" => answer.groups = Some(groups(world, found)),
        "attachment" => answer.attachment = attachment(found),
        other => return Err(invalid_parameter("attribute", other, "Unknown attribute.")),
    }
    Ok(answer)
}
