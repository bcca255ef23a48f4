//! Where routers answer themselves, and what they are made of.

use std::net::Ipv4Addr;

/// An address and port at which the router itself takes calls, whatever the caller's groups say, as on
/// AWS. Who answers is not this crate's affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// A link-local address.
    pub address: Ipv4Addr,
    /// IP protocol: 6 for TCP, 17 for UDP.
    pub protocol: u8,
    /// The port. 53 is the resolver's: it is closed where the VPC has none.
    pub port: u16,
}

/// Task metadata and credentials, the AWS APIs beside it, instance metadata, the resolver.
pub const ENDPOINTS: [Endpoint; 5] = [
    tcp([169, 254, 170, 2], 80),
    tcp([169, 254, 170, 2], 4566),
    tcp([169, 254, 169, 254], 80),
    tcp([169, 254, 169, 253], 53),
    Endpoint {
        protocol: 17,
        ..tcp([169, 254, 169, 253], 53)
    },
];

const fn tcp([a, b, c, d]: [u8; 4], port: u16) -> Endpoint {
    Endpoint {
        address: Ipv4Addr::new(a, b, c, d),
        protocol: 6,
        port,
    }
}
