//! The stored subnet.

use super::{CidrAssociation, ResourceKey, Tags, parts};
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use store::{Index, Table};

/// One subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetRecord {
    /// `subnet-…`.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// Its Availability Zone, for example `us-east-1a`.
    pub zone: String,
    /// Its IPv4 range, within one of its VPC's.
    pub cidr: Ipv4Net,
    /// Its IPv6 range.
    #[serde(default)]
    pub ipv6_cidr: Option<CidrAssociation<Ipv6Net>>,
    /// `defaultForAz`.
    pub is_default: bool,
    /// `mapPublicIpOnLaunch`.
    pub map_public_ip: bool,
    /// `assignIpv6AddressOnCreation`.
    #[serde(default)]
    pub assign_ipv6: bool,
    /// Attributes of which nothing here depends, by the API's name.
    #[serde(default)]
    pub settings: Tags,
    /// Tags by key.
    #[serde(default)]
    pub tags: Tags,
}

impl SubnetRecord {
    /// The address after the network's own: the subnet's router.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.cidr.network().to_bits() + 1)
    }
}

/// By VPC.
pub static OF_VPC: Index<SubnetRecord> = Index {
    name: "of_vpc",
    keys: |subnet| vec![parts(&subnet.key.scope, &subnet.vpc)],
};

/// All subnets.
pub static SUBNETS: Table<ResourceKey, SubnetRecord> =
    Table::new("ec2.subnets", |subnet| subnet.key.clone(), &[&OF_VPC]);
