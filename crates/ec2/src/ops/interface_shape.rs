//! An interface as answers have it.

use crate::interface::{private_dns_name, public_dns_name};
use crate::records::group::GROUPS;
use crate::records::interface::InterfaceRecord;
use crate::records::vpc::VPCS;
use crate::{tags, zones};
use aws_api::ec2::{
    GroupIdentifier, NetworkInterface, NetworkInterfaceAssociation, NetworkInterfaceAttachment,
    NetworkInterfaceIpv6Address, NetworkInterfacePrivateIpAddress, OperatorResponse,
};
use store::World;

/// An interface as answers have it.
/// Rule: semantics of a task's interface, as recorded.
pub fn shape(world: &World, interface: &InterfaceRecord) -> NetworkInterface {
    let scope = &interface.key.scope;
    let association = association(world, interface);
    let primary = interface.addresses.first();
    let private = interface.addresses.iter().enumerate();
    let private = private.map(|(at, address)| NetworkInterfacePrivateIpAddress {
        association: association.clone().filter(|_| at == 0),
        primary: Some(at == 0),
        private_dns_name: Some(private_dns_name(scope, *address)),
        private_ip_address: Some(address.to_string()),
    });
    let ipv6 = interface
        .ipv6_addresses
        .iter()
        .map(|address| NetworkInterfaceIpv6Address {
            ipv6_address: Some(address.to_string()),
            is_primary_ipv6: Some(false),
            public_ipv6_dns_name: None,
        });
    NetworkInterface {
        attachment: attachment(interface),
        availability_zone: Some(interface.zone.clone()),
        availability_zone_id: Some(zones::id_of(&interface.zone)),
        description: Some(interface.description.clone()),
        groups: Some(groups(world, interface)),
        interface_type: Some(interface.kind.clone()),
        ipv6_address: interface.ipv6_addresses.first().map(ToString::to_string),
        ipv6_addresses: Some(ipv6.collect()),
        mac_address: Some(interface.mac.clone()),
        network_interface_id: Some(interface.key.id.clone()),
        operator: Some(OperatorResponse {
            managed: Some(false),
            ..OperatorResponse::default()
        }),
        owner_id: Some(scope.account.clone()),
        private_dns_name: primary.map(|address| private_dns_name(scope, *address)),
        private_ip_address: primary.map(ToString::to_string),
        private_ip_addresses: Some(private.collect()),
        public_dns_name: association.as_ref().and_then(|a| a.public_dns_name.clone()),
        association,
        requester_id: interface.requester_managed.then(|| scope.account.clone()),
        requester_managed: Some(interface.requester_managed),
        source_dest_check: Some(interface.source_dest_check),
        status: Some(status(interface).into()),
        subnet_id: Some(interface.subnet.clone()),
        tag_set: Some(tags::shape(world, &interface.key)),
        vpc_id: Some(interface.vpc.clone()),
        ..NetworkInterface::default()
    }
}

/// `Status`.
pub fn status(interface: &InterfaceRecord) -> &'static str {
    match interface.attachment {
        Some(_) => "in-use",
        None => "available",
    }
}

/// `Groups`.
pub fn groups(world: &World, interface: &InterfaceRecord) -> Vec<GroupIdentifier> {
    let ids = interface.groups.iter();
    ids.map(|id| GroupIdentifier {
        group_id: Some(id.clone()),
        group_name: world
            .get(&GROUPS, &interface.key.beside(id))
            .map(|group| group.name.clone()),
    })
    .collect()
}

/// `Attachment`.
pub fn attachment(interface: &InterfaceRecord) -> Option<NetworkInterfaceAttachment> {
    let attachment = interface.attachment.as_ref()?;
    let status = match attachment.is_attached {
        true => "attached",
        false => "attaching",
    };
    Some(NetworkInterfaceAttachment {
        attach_time: Some(attachment.at),
        attachment_id: Some(attachment.id.clone()),
        delete_on_termination: Some(false),
        device_index: Some(1),
        instance_owner_id: Some(interface.key.scope.account.clone()),
        network_card_index: Some(0),
        status: Some(status.into()),
        ..NetworkInterfaceAttachment::default()
    })
}

/// `Association`, of its public address.
pub fn association(
    world: &World,
    interface: &InterfaceRecord,
) -> Option<NetworkInterfaceAssociation> {
    let public = interface.public.as_ref()?;
    let scope = &interface.key.scope;
    let vpc = world.get(&VPCS, &interface.key.beside(&interface.vpc));
    let has_name = vpc.is_some_and(|vpc| vpc.dns_hostnames);
    Some(NetworkInterfaceAssociation {
        allocation_id: public.allocation.clone(),
        association_id: public.association.clone(),
        ip_owner_id: Some(match public.allocation {
            Some(_) => scope.account.clone(),
            None => "amazon".into(),
        }),
        public_dns_name: Some(match has_name {
            true => public_dns_name(scope, public.address),
            false => String::new(),
        }),
        public_ip: Some(public.address.to_string()),
        ..NetworkInterfaceAssociation::default()
    })
}
