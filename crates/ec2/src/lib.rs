//! Amazon EC2, in so far as networking is: VPCs and what is in them; and launch templates.
//!
//! Vocabulary: a *VPC* is a network of its own, cut into *subnets*; an *interface* has an address of a
//! subnet, and *security groups*; a *route table* says where packets of a subnet go.
//!
//! * [`records`]: what is stored. [`ops`]: the API operations, a file a noun. [`resource`]: what all kinds
//!   of resources share. [`errors`], [`filter`], [`page`], [`tags`]: words and mechanics of the API.
//! * [`vpc`], [`subnet`], [`group`]: how these are made and unmade. [`defaults`]: what there is from the
//!   first start. [`zones`], [`cidr`].
//! * [`dhcp`]: what those in a VPC are told about names.
//! * [`host`]: all that a host shall hold. [`security`], [`route`], [`acl`]: its groups, routes, entries.
//! * [`nat`]: how a NAT gateway is made and unmade. [`prefix_list`]: lists of ranges.
//!   [`endpoint`]: ways to AWS's services. [`tokens`]: requests that come again.
//! * [`launch_template`]: what machines are to be, in versions; `ecs` asks it for a machine's type.
//! * [`interface`]: how `ecs` makes and frees interfaces. [`address`], [`elastic`], [`runs`]:
//!   addresses in use. [`pool`]: which range the public ones are of. [`held`]: those that hosts may still translate.
//!
//! Invariants: an address belongs to one interface, and is free only when nobody can use it any more;
//! every subnet has one route table and one network ACL; an interface's groups are of its VPC.
//! Rules: EC2 API reference; VPC user guide; docs/decisions/0008.

pub mod acl;
pub mod address;
pub mod cidr;
pub mod defaults;
pub mod dhcp;
pub mod elastic;
pub mod endpoint;
pub mod errors;
pub mod filter;
pub mod group;
pub mod held;
pub mod host;
pub mod interface;
pub mod launch_template;
pub mod nat;
pub mod ops;
pub mod page;
pub mod pool;
pub mod prefix_list;
pub mod records;
pub mod resource;
pub mod route;
pub mod runs;
pub mod security;
pub mod subnet;
pub mod tags;
pub mod tokens;
pub mod vpc;
pub mod zones;
