//! New ids, in AWS's forms, from one seed.
//!
//! SHA-256 over (seed, counter): the same seed gives the same ids, so that a run can be replayed;
//! a seed from the system's random source makes them unguessable.

use sha2::{Digest, Sha256};
use std::fmt;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A deterministic stream of ids.
pub struct Ids {
    seed: [u8; 32],
    counter: u64,
}

impl Ids {
    /// Ids from 32 bytes of the system's random source (taken at the edge).
    #[must_use]
    pub const fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// Ids from a small seed, for tests and the simulator.
    #[must_use]
    pub fn from_u64(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self::from_seed(bytes)
    }

    /// 32 fresh bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_le_bytes());
        self.counter += 1;
        hash.finalize().into()
    }

    /// `len` (at most 64) lowercase hexadecimal digits: task and container-instance ids have 32.
    pub fn hex(&mut self, len: usize) -> String {
        let bytes = self.bytes();
        bytes
            .iter()
            .flat_map(|b| [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]])
            .take(len)
            .map(char::from)
            .collect()
    }

    /// A version 4 UUID with dashes: request, container and attachment ids.
    pub fn uuid(&mut self) -> String {
        let mut b = self.bytes();
        b[6] = b[6] & 0x0f | 0x40;
        b[8] = b[8] & 0x3f | 0x80;
        let mut text = String::with_capacity(36);
        for (i, byte) in b[..16].iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        text
    }

    /// A number of up to 19 digits, as in `ecs-svc/5219324069200109376`.
    pub fn number(&mut self) -> u64 {
        let b = self.bytes();
        u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) >> 1
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed stays out of logs: who knows it can guess every id.
        f.debug_struct("Ids")
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_no_id_twice() {
        let (mut a, mut b) = (Ids::from_u64(7), Ids::from_u64(7));
        let first = a.hex(32);
        assert_eq!(first, b.hex(32));
        assert_eq!(first.len(), 32);
        assert_ne!(first, a.hex(32));
        assert_ne!(Ids::from_u64(8).hex(32), first);
    }

    #[test]
    fn a_uuid_is_of_version_4() {
        let id = Ids::from_u64(1).uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }
}
