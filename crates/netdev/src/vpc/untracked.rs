//! Flows that end with the rule that let them in.
//!
//! AWS does not track a TCP or UDP flow that a rule for all addresses lets pass while the other direction
//! is open for all answers; when that rule goes, the flow ends at once. All other flows live on.
//! Rule: "Security group connection tracking" of the VPC user guide, "Untracked connections".

use std::net::IpAddr;

use aws_api::agent::host_sync::{Compiled, GroupSetRow, Ports, Protocols, What};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Flows that are to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Opened by the other side.
    pub is_inbound: bool,
    /// IP version 6.
    pub is_ipv6: bool,
    /// TCP or UDP.
    pub protocol: u8,
    /// The destination's ports.
    pub ports: Ports,
}

/// What to forget of an interface that had the rules of `before` and has those of `after`.
pub fn cuts(before: &GroupSetRow, after: Option<&GroupSetRow>) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for is_inbound in [true, false] {
        let of = |row| directions(row, is_inbound);
        let (there, back) = of(before);
        let now = after.map(|after| of(after).0);
        for (protocol, is_ipv6) in [(TCP, false), (UDP, false), (TCP, true), (UDP, true)] {
            if open_to_all(back, protocol, is_ipv6) != [Ports(0, u16::MAX)] {
                continue;
            }
            let still = now.map(|now| open_to_all(now, protocol, is_ipv6));
            let still = still.unwrap_or_default();
            for ports in minus(&open_to_all(there, protocol, is_ipv6), &still) {
                cuts.push(Cut {
                    is_inbound,
                    is_ipv6,
                    protocol,
                    ports,
                });
            }
        }
    }
    cuts
}

/// The rules for calls, and those for their answers' direction.
fn directions(row: &GroupSetRow, is_inbound: bool) -> (&Compiled, &Compiled) {
    if is_inbound {
        (&row.ingress, &row.egress)
    } else {
        (&row.egress, &row.ingress)
    }
}

/// The ports that every address may use, ascending and with gaps between.
fn open_to_all(compiled: &Compiled, protocol: u8, is_ipv6: bool) -> Vec<Ports> {
    let boxes: Vec<(u128, u128, Ports)> = compiled
        .ranges
        .iter()
        .filter(|range| range.first.is_ipv6() == is_ipv6)
        .filter_map(|range| match &range.what {
            What::Ports {
                protocols: Protocols(low, high),
                ports,
            } if (*low..=*high).contains(&protocol) => {
                Some((number(range.first), number(range.last), *ports))
            }
            _ => None,
        })
        .collect();
    let mut starts: Vec<u32> = boxes
        .iter()
        .flat_map(|(_, _, ports)| [u32::from(ports.0), u32::from(ports.1) + 1])
        .collect();
    starts.sort_unstable();
    starts.dedup();
    let mut open: Vec<Ports> = Vec::new();
    // Whatever is open to all is open to the first address.
    let from_first: Vec<Ports> = boxes
        .iter()
        .filter(|(low, _, _)| *low == 0)
        .map(|(_, _, ports)| *ports)
        .collect();
    for pair in starts.windows(2) {
        let (Ok(first), Ok(last)) = (u16::try_from(pair[0]), u16::try_from(pair[1] - 1)) else {
            continue;
        };
        let covers = |ports: &Ports| ports.0 <= first && last <= ports.1;
        if !from_first.iter().any(covers) {
            continue;
        }
        let of_these = boxes.iter().filter(|(_, _, ports)| covers(ports));
        if !is_everything(of_these.map(|(low, high, _)| (*low, *high)), is_ipv6) {
            continue;
        }
        match open.last_mut() {
            Some(before) if before.1.checked_add(1) == Some(first) => before.1 = last,
            _ => open.push(Ports(first, last)),
        }
    }
    open
}

fn is_everything(ranges: impl Iterator<Item = (u128, u128)>, is_ipv6: bool) -> bool {
    let end = if is_ipv6 {
        u128::MAX
    } else {
        u128::from(u32::MAX)
    };
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_unstable();
    let mut next = Some(0u128);
    for (low, high) in ranges {
        match next {
            Some(wanted) if low <= wanted => {
                if high >= wanted {
                    next = (high < end).then(|| high + 1);
                }
            }
            _ => break,
        }
    }
    next.is_none()
}

fn minus(all: &[Ports], without: &[Ports]) -> Vec<Ports> {
    let mut left = Vec::new();
    for Ports(first, last) in all {
        let mut next = u32::from(*first);
        for Ports(low, high) in without {
            if high < first || low > last {
                continue;
            }
            if u32::from(*low) > next {
                left.push(Ports(next as u16, low - 1));
            }
            next = u32::from(*high) + 1;
        }
        if next <= u32::from(*last) {
            left.push(Ports(next as u16, *last));
        }
    }
    left
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::agent::host_sync::FromRange;

    fn range(first: &str, last: &str, protocols: Protocols, ports: Ports) -> FromRange {
        FromRange {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
            what: What::Ports { protocols, ports },
        }
    }

    fn row(ingress: Vec<FromRange>, egress: Vec<FromRange>) -> GroupSetRow {
        let compiled = |ranges| Compiled {
            ranges,
            groups: Vec::new(),
        };
        GroupSetRow {
            vpc: "vpc-1".into(),
            groups: "sg-1".into(),
            ingress: compiled(ingress),
            egress: compiled(egress),
        }
    }

    const ALL: Protocols = Protocols(0, 255);
    const EVERY: Ports = Ports(0, 65535);

    #[test]
    fn a_rule_for_everybody_that_goes_ends_its_flows() {
        let open = || vec![range("0.0.0.0", "255.255.255.255", ALL, EVERY)];
        let web = |last: u16| {
            vec![
                range("0.0.0.0", "9.255.255.255", Protocols(6, 6), Ports(80, last)),
                range(
                    "10.0.0.0",
                    "255.255.255.255",
                    Protocols(6, 6),
                    Ports(80, last),
                ),
            ]
        };
        let cut = Cut {
            is_inbound: true,
            is_ipv6: false,
            protocol: TCP,
            ports: Ports(81, 90),
        };
        let before = row(web(90), open());
        assert_eq!(cuts(&before, Some(&row(web(80), open()))), [cut]);
        assert_eq!(cuts(&before, Some(&before)), []);
        let tracked = row(web(90), web(90));
        assert_eq!(cuts(&tracked, Some(&row(vec![], web(90)))), []);
    }

    #[test]
    fn a_rule_for_some_addresses_ends_nothing() {
        let open = || vec![range("0.0.0.0", "255.255.255.255", ALL, EVERY)];
        let some = row(
            vec![range("10.0.0.0", "10.255.255.255", ALL, EVERY)],
            open(),
        );
        assert_eq!(cuts(&some, Some(&row(vec![], open()))), []);
    }
}
