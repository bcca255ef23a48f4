//! VPC endpoints and their services as answers have them.

use super::endpoints::type_of;
use crate::records::ResourceKey;
use crate::records::endpoint::EndpointRecord;
use crate::records::group::GROUPS;
use crate::records::region::REGIONS;
use crate::tags;
use aws_api::ec2::{
    DnsEntry, DnsOptions, SecurityGroupIdentifier, ServiceDetail, ServiceTypeDetail, VpcEndpoint,
};
use aws_types::Scope;
use store::{Key, World};

/// An endpoint.
pub fn shape(world: &World, endpoint: &EndpointRecord) -> VpcEndpoint {
    let ResourceKey { scope, id } = &endpoint.key;
    let groups = endpoint.groups.iter().map(|group| SecurityGroupIdentifier {
        group_id: Some(group.clone()),
        group_name: world
            .get(&GROUPS, &endpoint.key.beside(group))
            .map(|group| group.name.clone()),
    });
    let ipv4 = || Some("ipv4".to_owned());
    let dns_name = format!(
        "{id}.{}.vpce.amazonaws.com",
        service_host(&endpoint.service)
    );
    let dns = DnsEntry {
        dns_name: Some(dns_name),
        hosted_zone_id: None,
    };
    VpcEndpoint {
        creation_timestamp: Some(endpoint.created),
        dns_entries: Some((!endpoint.is_gateway).then_some(dns).into_iter().collect()),
        dns_options: (!endpoint.is_gateway).then(|| DnsOptions {
            dns_record_ip_type: ipv4(),
            ..DnsOptions::default()
        }),
        groups: Some(groups.collect()),
        ip_address_type: ipv4(),
        network_interface_ids: Some(endpoint.subnets.values().cloned().collect()),
        owner_id: Some(scope.account.clone()),
        policy_document: Some(endpoint.policy.clone()),
        private_dns_enabled: Some(endpoint.private_dns),
        requester_managed: Some(false),
        route_table_ids: Some(endpoint.tables.iter().cloned().collect()),
        service_name: Some(endpoint.service.clone()),
        service_region: Some(scope.region.clone()),
        state: Some("available".into()),
        subnet_ids: Some(endpoint.subnets.keys().cloned().collect()),
        tags: Some(tags::shape(world, &endpoint.key)),
        vpc_endpoint_id: Some(id.clone()),
        vpc_endpoint_type: Some(type_of(endpoint.is_gateway).into()),
        vpc_id: Some(endpoint.vpc.clone()),
        ..VpcEndpoint::default()
    }
}

/// `com.amazonaws.REGION.NAME` as host names have it: `NAME.REGION`, parts of the name in turn.
fn service_host(service: &str) -> String {
    let rest = service.strip_prefix("com.amazonaws.").unwrap_or(service);
    let mut parts: Vec<&str> = rest.split('.').collect();
    parts.reverse();
    parts.join(".")
}

/// A service.
pub fn detail(world: &World, scope: &Scope, name: &str, is_gateway: bool) -> ServiceDetail {
    let zones = world.get(&REGIONS, &Key::of(&[&scope.region]));
    let zones = zones.map(|region| region.zones.clone()).unwrap_or_default();
    let host = format!("{}.amazonaws.com", service_host(name));
    ServiceDetail {
        acceptance_required: Some(false),
        availability_zones: Some(zones),
        base_endpoint_dns_names: Some(vec![host.clone()]),
        manages_vpc_endpoints: Some(false),
        owner: Some("amazon".into()),
        private_dns_name: (!is_gateway).then_some(host),
        private_dns_name_verification_state: (!is_gateway).then(|| "verified".into()),
        service_name: Some(name.into()),
        service_region: Some(scope.region.clone()),
        service_type: Some(vec![ServiceTypeDetail {
            service_type: Some(type_of(is_gateway).into()),
        }]),
        supported_ip_address_types: Some(vec!["ipv4".into()]),
        tags: Some(vec![]),
        vpc_endpoint_policy_supported: Some(true),
        ..ServiceDetail::default()
    }
}
