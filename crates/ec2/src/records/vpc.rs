//! The stored VPC.

use super::{ResourceKey, Tags};
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use store::Table;

/// A range of a VPC or subnet, by the id of its association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CidrAssociation<T> {
    /// `vpc-cidr-assoc-…` or `subnet-cidr-assoc-…`.
    pub id: String,
    /// The range.
    pub cidr: T,
}

/// One VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcRecord {
    /// `vpc-…`.
    pub key: ResourceKey,
    /// Its VXLAN network identifier: unique, never given again while a host may know it.
    pub vni: u32,
    /// Its IPv4 ranges, the primary one first.
    pub cidrs: Vec<CidrAssociation<Ipv4Net>>,
    /// Its IPv6 ranges.
    pub ipv6_cidrs: Vec<CidrAssociation<Ipv6Net>>,
    /// `isDefault`.
    pub is_default: bool,
    /// `instanceTenancy`.
    pub tenancy: String,
    /// `enableDnsSupport`.
    pub dns_support: bool,
    /// `enableDnsHostnames`.
    pub dns_hostnames: bool,
    /// `enableNetworkAddressUsageMetrics`.
    #[serde(default)]
    pub address_usage_metrics: bool,
    /// `dhcpOptionsId`, or `default`.
    pub dhcp_options: String,
    /// Tags by key.
    #[serde(default)]
    pub tags: Tags,
}

/// All VPCs.
pub static VPCS: Table<ResourceKey, VpcRecord> = Table::new("ec2.vpcs", |vpc| vpc.key.clone(), &[]);
