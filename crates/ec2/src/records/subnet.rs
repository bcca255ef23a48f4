//! Subnets.

use super::vpc::CidrAssociation;
use super::{ResourceKey, within};
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use store::{Index, Table};

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetRecord {
    /// Its scope and id.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// Its IPv4 range.
    pub cidr: Ipv4Net,
    /// Its IPv6 range.
    pub ipv6: Option<CidrAssociation<Ipv6Net>>,
    /// Its zone's name.
    pub zone: String,
    /// Whether it is its zone's default subnet.
    pub default_for_az: bool,
    /// `MapPublicIpOnLaunch`.
    pub map_public_ip: bool,
    /// `AssignIpv6AddressOnCreation`.
    pub assign_ipv6: bool,
    /// `EnableDns64`.
    #[serde(default)]
    pub dns64: bool,
    /// `PrivateDnsNameOptionsOnLaunch`: `ip-name`, `resource-name`.
    pub hostname_type: String,
    /// `EnableResourceNameDnsARecord`.
    #[serde(default)]
    pub resource_name_a: bool,
    /// `EnableResourceNameDnsAAAARecord`.
    #[serde(default)]
    pub resource_name_aaaa: bool,
}

impl SubnetRecord {
    /// The address after the network's own: the subnet's router.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.cidr.network()) + 1)
    }
}

/// By VPC.
pub static BY_VPC: Index<SubnetRecord> = Index {
    name: "by_vpc",
    keys: |subnet| vec![within(&subnet.key.scope, &subnet.vpc)],
};

/// All subnets.
pub static SUBNETS: Table<ResourceKey, SubnetRecord> = Table::new(
    "ec2.subnets",
    |subnet: &SubnetRecord| subnet.key.clone(),
    &[&BY_VPC],
);
