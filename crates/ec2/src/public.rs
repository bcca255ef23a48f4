//! Public addresses: of a pool that hosts translate 1:1.
//!
//! Rule: design section 6, "Network".

use crate::errors::code;
use crate::records::{BY_PUBLIC, INTERFACES, public_parts};
use aws_types::{AwsError, Ids};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use store::World;

/// The pool.
pub const POOL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 16);
/// The pool's first addresses are not given.
const FIRST: u32 = 4;

/// A free public address, the first from a random place on.
///
/// # Errors
/// `InsufficientAddressCapacity`.
pub fn choose(world: &World, ids: &mut Ids) -> Result<Ipv4Addr, AwsError> {
    let room = (1_u32 << (32 - u32::from(POOL.prefix_len()))) - FIRST - 1;
    let start = u32::try_from(ids.number() % u64::from(room)).unwrap_or(0);
    let at = |offset: u32| POOL.network().to_bits() + FIRST + (start + offset) % room;
    let mut all = (0..room).map(|offset| Ipv4Addr::from_bits(at(offset)));
    let free = all.find(|address| !is_taken(world, *address));
    free.ok_or_else(|| {
        code("InsufficientAddressCapacity")
            .with("There are not enough available addresses in the pool to satisfy your request.")
    })
}

/// Whether somebody has the address.
#[must_use]
pub fn is_taken(world: &World, address: Ipv4Addr) -> bool {
    let key = public_parts(address);
    world.find(&INTERFACES, &BY_PUBLIC, &key).next().is_some()
}
