//! Elastic addresses that are taken from an interface while hosts may still translate them.
//!
//! Every host of a VPC translates its elastic addresses, until it has applied the rows that say otherwise. Until all
//! of them have, an address is given to nobody else, and is translated in no other VPC: of one address there would
//! be two owners. Within the VPC nothing waits: a host hears of both ends of a move at once.
//! Rule: design section 8, invariant 5; docs/decisions/0008.

use crate::records::address::{ADDRESSES, AddressKey, POOL};
use crate::records::held::{BY_ADDRESS, BY_HOST, HELD, HeldRecord, address_key, number_key};
use crate::records::interface::{BY_VPC, INTERFACES, InterfaceRecord};
use crate::records::{ResourceKey, within};
use crate::{nat, vpc};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use store::{Key, Txn, World};

/// Who has an address of the pool that nobody has any more.
pub const OWNER: &str = "held";

/// An address is about to be taken from an interface: it is held for each host that may translate it.
pub fn hold(txn: &mut Txn, interface: &InterfaceRecord, address: Ipv4Addr) {
    // No host knows of others.
    if interface.host.is_none() && interface.kind != nat::KIND {
        return;
    }
    let of = within(&interface.key.scope, &interface.vpc);
    let all = txn.find_after(&INTERFACES, &BY_VPC, &of, None);
    let hosts: BTreeSet<String> = all.filter_map(|one| one.host.clone()).collect();
    if hosts.is_empty() {
        return;
    }
    let held = HeldRecord {
        number: vpc::next(txn, "held"),
        address,
        vpc: interface.key.beside(&interface.vpc),
        hosts,
    };
    txn.put(&HELD, held);
}

/// Frees an address of the pool: now, or when it is no longer held.
pub fn free(txn: &mut Txn, address: Ipv4Addr) {
    let key = in_pool(address);
    if is_held(txn, address) {
        txn.update(&ADDRESSES, &key, |row| row.owner = OWNER.into());
    } else {
        txn.delete(&ADDRESSES, &key);
    }
}

fn in_pool(address: Ipv4Addr) -> AddressKey {
    AddressKey {
        space: POOL.into(),
        address,
    }
}

fn is_held(world: &World, address: Ipv4Addr) -> bool {
    let at = address_key(address);
    world.find(&HELD, &BY_ADDRESS, &at).next().is_some()
}

/// Whether hosts may still translate an address for another VPC than this.
#[must_use]
pub fn is_held_elsewhere(world: &World, address: Ipv4Addr, vpc: &ResourceKey) -> bool {
    let at = address_key(address);
    let mut held = world.find(&HELD, &BY_ADDRESS, &at);
    held.any(|one| one.vpc != *vpc)
}

/// What is held for one of these hosts, by number. A host that has applied its rows of this World confirms it.
#[must_use]
pub fn waiting<'a>(world: &World, hosts: impl Iterator<Item = &'a str>) -> BTreeSet<u32> {
    hosts
        .flat_map(|host| world.find_after(&HELD, &BY_HOST, &Key::of(&[host]), None))
        .map(|held| held.number)
        .collect()
}

/// These hosts, names of one machine, have applied rows that have nothing of these any more.
pub fn confirm(txn: &mut Txn, hosts: &[String], numbers: &BTreeSet<u32>) {
    for number in numbers {
        if let Some(held) = txn.get(&HELD, &number_key(*number)).cloned() {
            keep(txn, &held, |host| !hosts.iter().any(|one| one == host));
        }
    }
}

/// Nothing waits for other hosts than these: what is no host any more translates nothing.
pub fn keep_hosts(txn: &mut Txn, is_host: impl Fn(&str) -> bool) {
    let all: Vec<_> = txn.scan(&HELD).cloned().collect();
    for held in all {
        keep(txn, &held, &is_host);
    }
}

fn keep(txn: &mut Txn, held: &HeldRecord, is_kept: impl Fn(&str) -> bool) {
    let mut left = held.clone();
    left.hosts.retain(|host| is_kept(host));
    if left.hosts.len() == held.hosts.len() {
        return;
    }
    if !left.hosts.is_empty() {
        txn.put(&HELD, left);
        return;
    }
    txn.delete(&HELD, &number_key(held.number));
    let row = txn.get(&ADDRESSES, &in_pool(held.address));
    if row.is_some_and(|row| row.owner == OWNER) && !is_held(txn, held.address) {
        txn.delete(&ADDRESSES, &in_pool(held.address));
    }
}
