//! An IPv4 range in prefix notation. Host bits are always zero.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// `172.17.0.0/20`: a network address and its prefix length (0 to 32).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv4Cidr {
    network: u32,
    prefix_len: u8,
}

impl Ipv4Cidr {
    /// The range of this prefix length that holds `address`; `None` when the length is above 32.
    pub fn containing(address: Ipv4Addr, prefix_len: u8) -> Option<Self> {
        let mask = mask_of(prefix_len)?;
        Some(Self {
            network: u32::from(address) & mask,
            prefix_len,
        })
    }

    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network)
    }

    pub fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// How many addresses the range holds, network and broadcast included.
    pub fn size(self) -> u64 {
        1 << (32 - self.prefix_len)
    }

    /// The address at `offset` from the network address; `None` beyond the range.
    pub fn nth(self, offset: u32) -> Option<Ipv4Addr> {
        (u64::from(offset) < self.size()).then(|| Ipv4Addr::from(self.network + offset))
    }

    /// How far `address` lies from the network address; `None` outside the range.
    pub fn offset_of(self, address: Ipv4Addr) -> Option<u32> {
        self.contains(address)
            .then(|| u32::from(address) - self.network)
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        Self::containing(address, self.prefix_len) == Some(self)
    }

    pub fn overlaps(self, other: Self) -> bool {
        let (wide, narrow) = if self.prefix_len <= other.prefix_len {
            (self, other)
        } else {
            (other, self)
        };
        wide.contains(narrow.network())
    }
}

fn mask_of(prefix_len: u8) -> Option<u32> {
    match prefix_len {
        0 => Some(0),
        1..=32 => Some(u32::MAX << (32 - prefix_len)),
        _ => None,
    }
}

impl FromStr for Ipv4Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no IPv4 range such as 172.17.0.0/20");
        let (address, prefix_len) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let prefix_len: u8 = prefix_len.parse().map_err(|_| wrong())?;
        let range = Self::containing(address, prefix_len).ok_or_else(wrong)?;
        if range.network() == address {
            Ok(range)
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Ipv4Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.prefix_len)
    }
}

impl fmt::Debug for Ipv4Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_with_host_bits_or_a_bad_length_is_refused() {
        for (text, good) in [
            ("172.17.0.0/20", true),
            ("0.0.0.0/0", true),
            ("172.17.0.1/20", false),
            ("172.17.0.0/33", false),
            ("172.17.0.0", false),
            ("x/8", false),
        ] {
            assert_eq!(text.parse::<Ipv4Cidr>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn ranges_overlap_when_one_holds_the_other() {
        for (a, b, expected) in [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", true),
            ("10.0.0.0/16", "10.1.0.0/16", false),
            ("0.0.0.0/0", "10.1.0.0/16", true),
        ] {
            let (a, b): (Ipv4Cidr, Ipv4Cidr) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(a.overlaps(b), expected, "{a} {b}");
        }
    }
}
