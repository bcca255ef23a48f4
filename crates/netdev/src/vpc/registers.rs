//! Keys and values of the router's sets, as the kernel's registers hold them.

use std::net::{IpAddr, Ipv4Addr};

use crate::netlink::elements::{Data, RawElement};

const REGISTER_LEN: usize = 4;
const NAME_LEN: usize = 16;

/// Fields of a concatenation: each begins at a register.
pub fn key(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(field);
        bytes.resize(bytes.len().next_multiple_of(REGISTER_LEN), 0);
    }
    bytes
}

/// A number that the rules carry in a packet's mark or priority. It reads the same from both ends: `nft`
/// turns these two into the network's order in sets with intervals, and not elsewhere.
pub fn mark(number: u16) -> [u8; 4] {
    let [low, high] = number.to_le_bytes();
    [low, high, high, low]
}

/// A device's name.
pub fn device(name: &str) -> [u8; NAME_LEN] {
    let mut bytes = [0; NAME_LEN];
    let len = name.len().min(NAME_LEN - 1);
    bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
    bytes
}

/// An address.
pub fn ip(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A member of a set.
pub fn member(key: Vec<u8>) -> RawElement {
    RawElement {
        key,
        end: None,
        data: None,
    }
}

/// A line of a map.
pub fn line(key: Vec<u8>, value: &[u8]) -> RawElement {
    RawElement {
        key,
        end: None,
        data: Some(Data::Value(value.to_vec())),
    }
}

/// A member that covers a range in each field.
pub fn range(first: Vec<u8>, last: Vec<u8>) -> RawElement {
    RawElement {
        key: first,
        end: Some(last),
        data: None,
    }
}

/// A line that covers a range in each field.
pub fn range_to(first: Vec<u8>, last: Vec<u8>, to: Ipv4Addr) -> RawElement {
    RawElement {
        key: first,
        end: Some(last),
        data: Some(Data::Value(to.octets().to_vec())),
    }
}

/// `02:aa:00:00:00:05`.
pub fn mac(text: &str) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(parts.next().filter(|part| part.len() == 2)?, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_the_same_from_both_ends() {
        for number in [1, 0x0102, u16::MAX] {
            let mut bytes = mark(number);
            let forward = bytes;
            bytes.reverse();
            assert_eq!(bytes, forward);
        }
    }

    #[test]
    fn only_six_bytes_in_hexadecimal_are_a_mac() {
        assert_eq!(mac("02:aa:00:00:00:05"), Some([2, 0xaa, 0, 0, 0, 5]));
        for text in ["", "02:aa", "02:aa:00:00:00:05:06", "2:aa:0:0:0:5", "02-aa"] {
            assert_eq!(mac(text), None, "{text}");
        }
    }
}
