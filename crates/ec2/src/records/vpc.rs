//! VPCs.

use super::ResourceKey;
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use store::{Key, Table};

/// A range that a VPC has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CidrAssociation<N> {
    /// `vpc-cidr-assoc-…`; of a subnet `subnet-cidr-assoc-…`.
    pub id: String,
    /// The range.
    pub cidr: N,
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcRecord {
    /// Its scope and id.
    pub key: ResourceKey,
    /// The VXLAN network identifier, 1 to 2²⁴ − 1; never given to another VPC.
    pub vni: u32,
    /// Its IPv4 ranges, the primary one first.
    pub cidrs: Vec<CidrAssociation<Ipv4Net>>,
    /// Its IPv6 ranges.
    pub ipv6: Vec<CidrAssociation<Ipv6Net>>,
    /// `default`, `dedicated`.
    pub tenancy: String,
    /// `enableDnsSupport`.
    pub dns_support: bool,
    /// `enableDnsHostnames`.
    pub dns_hostnames: bool,
    /// `enableNetworkAddressUsageMetrics`.
    #[serde(default)]
    pub address_usage_metrics: bool,
    /// `dopt-…`, or `default` where it has none.
    pub dhcp_options: String,
    /// Whether it is the region's default VPC.
    pub is_default: bool,
}

/// All VPCs.
pub static VPCS: Table<ResourceKey, VpcRecord> =
    Table::new("ec2.vpcs", |vpc: &VpcRecord| vpc.key.clone(), &[]);

/// A number that only grows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterRecord {
    /// What is counted.
    pub name: String,
    /// The last number given.
    pub last: u32,
}

/// The counters of a Longshore.
pub static COUNTERS: Table<Key, CounterRecord> = Table::new(
    "ec2.counters",
    |counter: &CounterRecord| Key::of(&[&counter.name]),
    &[],
);
