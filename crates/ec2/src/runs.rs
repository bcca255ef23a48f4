//! Runs of used addresses in each space, so that the lowest free one is found in logarithmic time.
//!
//! What always holds: runs of a space neither overlap nor touch; so the address after a run is free.

use crate::records::address::AddressRecord;
use imbl::OrdMap;
use std::net::Ipv4Addr;
use store::{Feed, View, World};

/// Runs by space: last address by first address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs(OrdMap<String, OrdMap<u32, u32>>);

/// Kept up to date by every write.
pub static RUNS: View<Runs> = View::new("ec2.address_runs", Runs::default);

/// Addresses make the runs.
pub static IN_USE: Feed<Runs, AddressRecord> = Feed {
    view: &RUNS,
    changed: |runs, before, now| {
        if let Some(before) = before {
            runs.remove(&before.key.space, before.key.address.into());
        }
        if let Some(now) = now {
            runs.insert(&now.key.space, now.key.address.into());
        }
    },
};

/// The lowest free address from `first` to `last`.
#[must_use]
pub fn lowest_free(
    world: &World,
    space: &str,
    first: Ipv4Addr,
    last: Ipv4Addr,
) -> Option<Ipv4Addr> {
    let free = world.view(&RUNS).free_from(space, first.into())?;
    (free <= u32::from(last)).then(|| free.into())
}

impl Runs {
    fn free_from(&self, space: &str, first: u32) -> Option<u32> {
        let Some(runs) = self.0.get(space) else {
            return Some(first);
        };
        match run_at(runs, first) {
            Some((_, end)) => end.checked_add(1),
            None => Some(first),
        }
    }

    fn insert(&mut self, space: &str, address: u32) {
        let runs = self.0.entry(space.to_owned()).or_default();
        let (mut start, mut end) = (address, address);
        if let Some((before, _)) = address.checked_sub(1).and_then(|at| run_at(runs, at)) {
            start = before;
        }
        if let Some((after, last)) = address.checked_add(1).and_then(|at| run_at(runs, at)) {
            end = last;
            runs.remove(&after);
        }
        runs.insert(start, end);
    }

    fn remove(&mut self, space: &str, address: u32) {
        let Some(runs) = self.0.get_mut(space) else {
            return;
        };
        let Some((start, end)) = run_at(runs, address) else {
            return;
        };
        runs.remove(&start);
        if start < address {
            runs.insert(start, address - 1);
        }
        if address < end {
            runs.insert(address + 1, end);
        }
        if runs.is_empty() {
            self.0.remove(space);
        }
    }
}

/// The run in which an address lies.
fn run_at(runs: &OrdMap<u32, u32>, address: u32) -> Option<(u32, u32)> {
    let (start, end) = runs.get_prev(&address)?;
    (address <= *end).then_some((*start, *end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn the_lowest_free_address_is_that_of_a_plain_set(steps in prop::collection::vec((any::<bool>(), 0u32..24), 0..80)) {
            let (mut runs, mut plain) = (Runs::default(), BTreeSet::new());
            for (adds, address) in steps {
                if adds {
                    if plain.insert(address) {
                        runs.insert("s", address);
                    }
                } else {
                    plain.remove(&address);
                    runs.remove("s", address);
                }
                for first in [0, 4, 23] {
                    let lowest = (first..).find(|address| !plain.contains(address));
                    prop_assert_eq!(runs.free_from("s", first), lowest);
                }
            }
            prop_assert_eq!(plain.is_empty(), runs == Runs::default());
        }
    }
}
