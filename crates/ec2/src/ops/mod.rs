//! The table operation → function, and what it asks for; nothing else. A file holds a noun's operations.

mod account;
mod acl_entries;
mod acls;
mod addresses;
mod attachments;
mod dhcp;
mod egress_only;
mod endpoint_shape;
mod endpoints;
mod gateways;
pub mod group_rules;
pub mod groups;
mod interface_addresses;
mod interface_shape;
pub mod interfaces;
pub mod launch_template_versions;
pub mod launch_templates;
mod nat_gateways;
mod permissions;
mod prefix_list_versions;
mod prefix_lists;
mod route_tables;
mod routes;
mod rule_descriptions;
mod subnet_ranges;
pub mod subnets;
mod tags;
mod vpc_ranges;
pub mod vpcs;
mod vpn_gateways;

use aws_api::ec2::operations as api;
use aws_types::Ctx;
use iam::{Ask, Operation};

/// An operation that is on no single resource, or on the one that a member of its input names.
macro_rules! op {
    ($how:ident $name:ident, $run:path) => {
        Operation::$how::<api::$name>(
            |_, _, _| vec![Ask::any(concat!("ec2:", stringify!($name)))],
            $run,
        )
    };
    ($how:ident $name:ident, $run:path, $kind:literal $member:ident) => {
        Operation::$how::<api::$name>(
            |input, _, ctx| {
                let action = concat!("ec2:", stringify!($name));
                vec![Ask::new(action, arn(ctx, $kind, input.$member.as_deref()))]
            },
            $run,
        )
    };
}

fn arn(ctx: &Ctx, kind: &str, id: Option<&str>) -> String {
    let resource = format!("{kind}/{}", id.unwrap_or("*"));
    ctx.scope.arn("ec2", &resource).to_string()
}

/// The operations of this crate.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let parts = [
        vpc_operations(),
        group_operations(),
        route_operations(),
        gateway_operations(),
        acl_operations(),
        list_operations(),
        launch_template_operations(),
        endpoint_operations(),
        address_operations(),
        interface_operations(),
        other_operations(),
    ];
    parts.into_iter().flatten().collect()
}

fn vpc_operations() -> Vec<Operation> {
    vec![
        op!(write AssociateSubnetCidrBlock, subnet_ranges::associate, "subnet" subnet_id),
        op!(write AssociateVpcCidrBlock, vpc_ranges::associate, "vpc" vpc_id),
        op!(write CreateDefaultSubnet, subnets::create_default),
        op!(write CreateDefaultVpc, vpcs::create_default),
        op!(write CreateSubnet, subnets::create, "vpc" vpc_id),
        op!(write CreateVpc, vpcs::create),
        op!(write DeleteSubnet, subnets::delete, "subnet" subnet_id),
        op!(write DeleteVpc, vpcs::delete, "vpc" vpc_id),
        op!(read DescribeSubnets, subnets::describe),
        op!(read DescribeVpcAttribute, vpcs::describe_attribute, "vpc" vpc_id),
        op!(read DescribeVpcs, vpcs::describe),
        op!(write DisassociateSubnetCidrBlock, subnet_ranges::disassociate),
        op!(write DisassociateVpcCidrBlock, vpc_ranges::disassociate),
        op!(write ModifySubnetAttribute, subnets::modify, "subnet" subnet_id),
        op!(write ModifyVpcAttribute, vpcs::modify, "vpc" vpc_id),
    ]
}

fn group_operations() -> Vec<Operation> {
    vec![
        op!(write AuthorizeSecurityGroupEgress, group_rules::authorize_egress, "security-group" group_id),
        op!(write AuthorizeSecurityGroupIngress, group_rules::authorize_ingress, "security-group" group_id),
        op!(write CreateSecurityGroup, groups::create, "vpc" vpc_id),
        op!(write DeleteSecurityGroup, groups::delete, "security-group" group_id),
        op!(read DescribeSecurityGroupReferences, groups::describe_references),
        op!(read DescribeSecurityGroupRules, group_rules::describe),
        op!(read DescribeSecurityGroups, groups::describe),
        op!(write ModifySecurityGroupRules, group_rules::modify, "security-group" group_id),
        op!(write RevokeSecurityGroupEgress, group_rules::revoke_egress, "security-group" group_id),
        op!(write RevokeSecurityGroupIngress, group_rules::revoke_ingress, "security-group" group_id),
        op!(
            write UpdateSecurityGroupRuleDescriptionsEgress,
            rule_descriptions::egress, "security-group" group_id
        ),
        op!(
            write UpdateSecurityGroupRuleDescriptionsIngress,
            rule_descriptions::ingress, "security-group" group_id
        ),
    ]
}

fn route_operations() -> Vec<Operation> {
    vec![
        op!(write AssociateRouteTable, route_tables::associate, "route-table" route_table_id),
        op!(write CreateRoute, routes::create, "route-table" route_table_id),
        op!(write CreateRouteTable, route_tables::create, "vpc" vpc_id),
        op!(write DeleteRoute, routes::delete, "route-table" route_table_id),
        op!(write DeleteRouteTable, route_tables::delete, "route-table" route_table_id),
        op!(read DescribeRouteTables, route_tables::describe),
        op!(write DisassociateRouteTable, route_tables::disassociate),
        op!(write ReplaceRoute, routes::replace, "route-table" route_table_id),
        op!(
            write ReplaceRouteTableAssociation,
            route_tables::replace_association, "route-table" route_table_id
        ),
    ]
}

fn gateway_operations() -> Vec<Operation> {
    vec![
        op!(write AttachInternetGateway, gateways::attach, "internet-gateway" internet_gateway_id),
        op!(write CreateEgressOnlyInternetGateway, egress_only::create, "vpc" vpc_id),
        op!(write CreateInternetGateway, gateways::create),
        op!(write CreateNatGateway, nat_gateways::create, "subnet" subnet_id),
        op!(
            write DeleteEgressOnlyInternetGateway, egress_only::delete,
            "egress-only-internet-gateway" egress_only_internet_gateway_id
        ),
        op!(write DeleteInternetGateway, gateways::delete, "internet-gateway" internet_gateway_id),
        op!(write DeleteNatGateway, nat_gateways::delete, "natgateway" nat_gateway_id),
        op!(read DescribeEgressOnlyInternetGateways, egress_only::describe),
        op!(read DescribeInternetGateways, gateways::describe),
        op!(read DescribeNatGateways, nat_gateways::describe),
        op!(read DescribeVpnGateways, vpn_gateways::describe),
        op!(write DetachInternetGateway, gateways::detach, "internet-gateway" internet_gateway_id),
    ]
}

fn acl_operations() -> Vec<Operation> {
    vec![
        op!(write CreateNetworkAcl, acls::create, "vpc" vpc_id),
        op!(write CreateNetworkAclEntry, acl_entries::create, "network-acl" network_acl_id),
        op!(write DeleteNetworkAcl, acls::delete, "network-acl" network_acl_id),
        op!(write DeleteNetworkAclEntry, acl_entries::delete, "network-acl" network_acl_id),
        op!(read DescribeNetworkAcls, acls::describe),
        op!(write ReplaceNetworkAclAssociation, acls::replace_association, "network-acl" network_acl_id),
        op!(write ReplaceNetworkAclEntry, acl_entries::replace, "network-acl" network_acl_id),
    ]
}

fn list_operations() -> Vec<Operation> {
    vec![
        op!(write CreateManagedPrefixList, prefix_lists::create),
        op!(write DeleteManagedPrefixList, prefix_lists::delete, "prefix-list" prefix_list_id),
        op!(read DescribeManagedPrefixLists, prefix_lists::describe),
        op!(read DescribePrefixLists, prefix_lists::describe_of_services),
        op!(read GetManagedPrefixListEntries, prefix_lists::entries, "prefix-list" prefix_list_id),
        op!(write ModifyManagedPrefixList, prefix_lists::modify, "prefix-list" prefix_list_id),
        op!(
            write RestoreManagedPrefixListVersion,
            prefix_list_versions::restore, "prefix-list" prefix_list_id
        ),
    ]
}

fn launch_template_operations() -> Vec<Operation> {
    vec![
        op!(write CreateLaunchTemplate, launch_templates::create),
        op!(
            write CreateLaunchTemplateVersion,
            launch_template_versions::create, "launch-template" launch_template_id
        ),
        op!(write DeleteLaunchTemplate, launch_templates::delete, "launch-template" launch_template_id),
        op!(
            write DeleteLaunchTemplateVersions,
            launch_template_versions::delete, "launch-template" launch_template_id
        ),
        op!(read DescribeLaunchTemplateVersions, launch_template_versions::describe),
        op!(read DescribeLaunchTemplates, launch_templates::describe),
        op!(write ModifyLaunchTemplate, launch_templates::modify, "launch-template" launch_template_id),
    ]
}

fn endpoint_operations() -> Vec<Operation> {
    vec![
        op!(write CreateVpcEndpoint, endpoints::create, "vpc" vpc_id),
        op!(write DeleteVpcEndpoints, endpoints::delete),
        op!(read DescribeVpcEndpointServices, endpoints::describe_services),
        op!(read DescribeVpcEndpoints, endpoints::describe),
        op!(write ModifyVpcEndpoint, endpoints::modify, "vpc-endpoint" vpc_endpoint_id),
    ]
}

fn address_operations() -> Vec<Operation> {
    vec![
        op!(write AllocateAddress, addresses::allocate),
        op!(write AssociateAddress, addresses::associate, "elastic-ip" allocation_id),
        op!(write AssociateDhcpOptions, dhcp::associate, "vpc" vpc_id),
        op!(write CreateDhcpOptions, dhcp::create),
        op!(write DeleteDhcpOptions, dhcp::delete, "dhcp-options" dhcp_options_id),
        op!(read DescribeAddresses, addresses::describe),
        op!(read DescribeAddressesAttribute, addresses::describe_attribute),
        op!(read DescribeDhcpOptions, dhcp::describe),
        op!(write DisassociateAddress, addresses::disassociate),
        op!(write ReleaseAddress, addresses::release, "elastic-ip" allocation_id),
    ]
}

fn interface_operations() -> Vec<Operation> {
    vec![
        op!(
            write AssignIpv6Addresses,
            interface_addresses::assign_ipv6, "network-interface" network_interface_id
        ),
        op!(
            write AssignPrivateIpAddresses,
            interface_addresses::assign, "network-interface" network_interface_id
        ),
        op!(write AttachNetworkInterface, attachments::attach, "network-interface" network_interface_id),
        op!(write DetachNetworkInterface, attachments::detach),
        op!(
            write UnassignIpv6Addresses,
            interface_addresses::unassign_ipv6, "network-interface" network_interface_id
        ),
        op!(
            write UnassignPrivateIpAddresses,
            interface_addresses::unassign, "network-interface" network_interface_id
        ),
    ]
}

fn other_operations() -> Vec<Operation> {
    vec![
        op!(write CreateNetworkInterface, interfaces::create, "subnet" subnet_id),
        op!(write CreateTags, tags::create),
        op!(
            write DeleteNetworkInterface,
            interfaces::delete, "network-interface" network_interface_id
        ),
        op!(write DeleteTags, tags::delete),
        op!(read DescribeAccountAttributes, account::attributes),
        op!(read DescribeAvailabilityZones, account::zones),
        op!(
            read DescribeNetworkInterfaceAttribute,
            interfaces::describe_attribute, "network-interface" network_interface_id
        ),
        op!(read DescribeNetworkInterfaces, interfaces::describe),
        op!(read DescribeRegions, account::regions),
        op!(read DescribeTags, tags::describe),
        op!(
            write ModifyNetworkInterfaceAttribute,
            interfaces::modify, "network-interface" network_interface_id
        ),
    ]
}
