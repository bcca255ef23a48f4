//! The resolver of each VPC, at 169.254.169.253 and at the third address of its first range.
//!
//! [`zones`] knows the VPC's own names, [`message`] reads and writes what goes over the wire, `server` has
//! the sockets, `forward` asks others: the resolvers of this host, as it would itself.
//! Rule: VPC user guide, "DNS attributes"; design section 6, "Network".

mod forward;
mod message;
mod server;
mod zones;

pub use message::Query;
pub use server::{Sockets, serve};
pub use zones::{Known, Zones};

use std::net::Ipv4Addr;

/// At which every VPC's resolver can be asked.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
