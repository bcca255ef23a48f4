//! Amazon EC2, in so far as ECS stands on it: VPCs, subnets, interfaces, security groups, routes,
//! addresses.
//!
//! * [`records`]: what is stored. [`ops`]: one file per API operation.
//! * [`vpc`], [`subnet`], [`interface`]: what others may ask of them and do with them; [`defaults`]:
//!   what every account finds.
//! * [`security`]: groups, and what a host filters by ([`security::compile`]).
//! * [`route`]: what of a route table a host has to do. [`host`]: all that a host shall hold.
//!
//! Invariants: a private address belongs to one interface of a VPC; an interface's groups are of its
//! VPC; nothing is deleted that another thing needs.
//! Rules: EC2 API reference and VPC user guide.

pub mod defaults;
pub mod errors;
pub mod host;
pub mod interface;
pub mod ops;
pub mod public;
pub mod records;
pub mod route;
pub mod security;
pub mod subnet;
pub mod vpc;
