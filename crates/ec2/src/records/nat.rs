//! NAT gateways.

use super::ResourceKey;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::time::Duration;
use store::Table;

/// How long a gateway that ended is still shown.
/// Rule: VPC user guide, "NAT gateways": about an hour.
const SHOWN: Duration = Duration::from_hours(1);

/// What a NAT gateway is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NatState {
    /// It translates.
    Available,
    /// It was never made; `FailureCode` and `FailureMessage`.
    Failed(String, String),
    /// It was deleted.
    Deleted,
}

/// A NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGatewayRecord {
    /// Its scope and id, `nat-…`.
    pub key: ResourceKey,
    /// Its VPC.
    pub vpc: String,
    /// The subnet in which it stands.
    pub subnet: String,
    /// What it is.
    pub state: NatState,
    /// `ConnectivityType`: `public`; else `private`.
    pub is_public: bool,
    /// Its interface, while it is available.
    pub interface: Option<String>,
    /// Its private address.
    pub private: Option<Ipv4Addr>,
    /// The elastic address in whose name it translates, and its id.
    pub public: Option<(Ipv4Addr, String)>,
    /// `eipassoc-…`, of that address.
    pub association: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it failed or was deleted.
    pub ended: Option<Timestamp>,
}

impl NatGatewayRecord {
    /// Whether it translates.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.state == NatState::Available
    }

    /// Whether it ended so long ago that it is shown no more.
    #[must_use]
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.ended.is_some_and(|at| now > at.plus(SHOWN))
    }
}

/// All NAT gateways.
pub static NAT_GATEWAYS: Table<ResourceKey, NatGatewayRecord> = Table::new(
    "ec2.nat_gateways",
    |gateway: &NatGatewayRecord| gateway.key.clone(),
    &[],
);
