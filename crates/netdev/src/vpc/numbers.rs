//! Numbers for names, as rules and tables of the kernel need them; local to one host.
//!
//! A number follows from the name alone as long as no two names meet, so that after a restart the kernel
//! as a rule already holds what it shall hold. Nothing relies on it.

use std::collections::{BTreeMap, BTreeSet};

/// Names with their numbers, 1 to 65535.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    by_name: BTreeMap<String, u16>,
    taken: BTreeSet<u16>,
}

impl Numbers {
    /// The name's number; `None` when all are taken.
    pub fn of(&mut self, name: &str) -> Option<u16> {
        if let Some(number) = self.by_name.get(name) {
            return Some(*number);
        }
        if self.taken.len() >= usize::from(u16::MAX) {
            return None;
        }
        let mut number = hash(name).max(1);
        while !self.taken.insert(number) {
            number = number.checked_add(1).unwrap_or(1);
        }
        self.by_name.insert(name.to_owned(), number);
        Some(number)
    }
}

/// FNV-1a, folded to 16 bits.
fn hash(name: &str) -> u16 {
    let whole = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let [a, b, c, d] = whole.to_be_bytes();
    u16::from_be_bytes([a ^ c, b ^ d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_own_number_and_keeps_it_until_none_is_left() {
        let mut numbers = Numbers::default();
        let first = numbers.of("sg-1");
        let mut seen = BTreeSet::new();
        for name in 1..u32::from(u16::MAX) {
            assert!(seen.insert(numbers.of(&name.to_string()).unwrap()));
        }
        assert!(!seen.contains(&0) && !seen.contains(&first.unwrap()));
        assert_eq!(numbers.of("one too many"), None);
        assert_eq!(numbers.of("sg-1"), first);
    }
}
