//! Hands out the bridge's addresses.
//!
//! Pure. An address has one holder at a time. The search goes on from the last one given, so that an
//! address rests as long as possible before it is used again (connection tracking and neighbour
//! tables outlive a container). Network, gateway (the first) and broadcast are never given.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::cidr::Ipv4Cidr;

#[derive(Debug)]
pub struct AddressPool {
    range: Ipv4Cidr,
    taken: BTreeSet<u32>,
    next: u32,
}

const GATEWAY_OFFSET: u32 = 1;
const FIRST_OFFSET: u32 = 2;

impl AddressPool {
    pub fn new(range: Ipv4Cidr) -> Self {
        Self {
            range,
            taken: BTreeSet::new(),
            next: FIRST_OFFSET,
        }
    }

    pub fn range(&self) -> Ipv4Cidr {
        self.range
    }

    #[cfg(test)]
    pub fn gateway(&self) -> Ipv4Addr {
        gateway(self.range)
    }

    /// `None` when every address has a holder.
    pub fn take(&mut self) -> Option<Ipv4Addr> {
        let last = self.last_offset();
        let offset = self
            .free_from(self.next, last)
            .or_else(|| self.free_from(FIRST_OFFSET, last))?;
        self.taken.insert(offset);
        self.next = offset + 1;
        self.range.nth(offset)
    }

    /// Takes this very address; `false` when it is outside, reserved or held.
    pub fn reserve(&mut self, address: Ipv4Addr) -> bool {
        match self.range.offset_of(address) {
            Some(offset) if (FIRST_OFFSET..=self.last_offset()).contains(&offset) => {
                self.next = self.next.max(offset + 1);
                self.taken.insert(offset)
            }
            _ => false,
        }
    }

    pub fn release(&mut self, address: Ipv4Addr) {
        if let Some(offset) = self.range.offset_of(address) {
            self.taken.remove(&offset);
        }
    }

    fn last_offset(&self) -> u32 {
        u32::try_from(self.range.size() - 2).expect("config::check allows /16 to /28 only")
    }

    fn free_from(&self, first: u32, last: u32) -> Option<u32> {
        (first..=last).find(|offset| !self.taken.contains(offset))
    }
}

/// The bridge's own address: the first of the range.
pub fn gateway(range: Ipv4Cidr) -> Ipv4Addr {
    range
        .nth(GATEWAY_OFFSET)
        .expect("config::check allows /16 to /28 only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_address_has_two_holders_and_none_is_lost(steps in proptest::collection::vec(any::<(bool, u8)>(), 1..200)) {
            let range: Ipv4Cidr = "10.0.0.0/28".parse().unwrap();
            let mut pool = AddressPool::new(range);
            let mut held: Vec<Ipv4Addr> = Vec::new();
            for (take, which) in steps {
                if take {
                    match pool.take() {
                        Some(address) => {
                            prop_assert!(!held.contains(&address));
                            prop_assert!(range.contains(address));
                            prop_assert!(address != pool.gateway() && address != range.network());
                            prop_assert!(address != range.nth(15).unwrap());
                            held.push(address);
                        }
                        None => prop_assert_eq!(held.len(), 13),
                    }
                } else if !held.is_empty() {
                    let address = held.swap_remove(usize::from(which) % held.len());
                    pool.release(address);
                }
            }
        }
    }

    #[test]
    fn a_released_address_rests_until_the_others_were_used() {
        let mut pool = AddressPool::new("10.0.0.0/29".parse().unwrap());
        let first = pool.take().unwrap();
        pool.release(first);
        let later: Vec<_> = (0..4).map(|_| pool.take().unwrap()).collect();
        assert!(!later.contains(&first));
        assert_eq!(pool.take(), Some(first));
        assert_eq!(pool.take(), None);
    }
}
