//! Ranges of addresses as requests have them.
//!
//! Rule: EC2 API reference, CreateVpc: a range is brought into its canonical form (`10.0.0.1/8` is
//! `10.0.0.0/8`).

use crate::errors::{invalid_parameter, invalid_value};
use aws_types::AwsError;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::Ipv4Addr;

/// Sizes of VPCs and subnets: /16 to /28.
const LENGTHS: std::ops::RangeInclusive<u8> = 16..=28;

/// A range of IPv4 from a parameter.
///
/// # Errors
/// `InvalidParameterValue`.
pub fn ipv4(text: &str, parameter: &str) -> Result<Ipv4Net, AwsError> {
    let net: Result<Ipv4Net, _> = text.parse();
    net.map(|net| net.trunc())
        .map_err(|_| invalid_parameter(parameter, text, "This is not a valid CIDR block."))
}

/// A range of IPv6 from a parameter.
///
/// # Errors
/// `InvalidParameterValue`.
pub fn ipv6(text: &str, parameter: &str) -> Result<Ipv6Net, AwsError> {
    let net: Result<Ipv6Net, _> = text.parse();
    net.map(|net| net.trunc())
        .map_err(|_| invalid_parameter(parameter, text, "This is not a valid CIDR block."))
}

/// A range of a security group's rule.
///
/// # Errors
/// `InvalidParameterValue`.
pub fn of_rule<N: std::str::FromStr + Into<IpNet>>(text: &str) -> Result<IpNet, AwsError> {
    let net: Result<N, _> = text.parse();
    net.map(|net| net.into().trunc())
        .map_err(|_| invalid_value(format!("CIDR block {text} is malformed")))
}

/// Whether a VPC or a subnet may be of this size.
#[must_use]
pub fn has_allowed_size(net: Ipv4Net) -> bool {
    LENGTHS.contains(&net.prefix_len())
}

/// The resolver of a VPC whose first range this is: the third address. Rule: VPC user guide, "Amazon DNS server".
#[must_use]
pub fn resolver(first: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(first.network()) + 2)
}

/// Whether two ranges share an address.
#[must_use]
pub fn overlap<N: Into<IpNet>>(a: N, b: N) -> bool {
    let (a, b) = (a.into(), b.into());
    a.contains(&b) || b.contains(&a)
}
