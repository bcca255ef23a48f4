//! Security groups as elements: the rules of all combinations stand in the same few sets, with the
//! combination's number as their first field.
//!
//! So a change of a rule is a change of elements: no chain is made or moved. Element by element this is
//! [`Compiled`] with numbers for names, which promises that no two overlap.

use std::net::IpAddr;

use aws_api::agent::host_sync::{Compiled, FromRange, GroupSetRow, Ports, Protocols, What};

use super::item::Item;
use super::numbers::Numbers;
use super::registers::{ip, key, mark, member, range};

/// The sets of one direction, by the other side's address or groups, and by what they let pass.
struct Sets {
    all: &'static str,
    /// Of one address, one protocol and one port.
    cidr_one: &'static str,
    cidr: &'static str,
    cidr6: &'static str,
    icmp: &'static str,
    icmp6: &'static str,
    /// Of one protocol and one port.
    refs_one: &'static str,
    refs: &'static str,
    refs_icmp: &'static str,
    refs_icmp6: &'static str,
}

const IN: Sets = Sets {
    all: "in_all",
    cidr_one: "in_cidr_one",
    cidr: "in_cidr",
    cidr6: "in_cidr6",
    icmp: "in_icmp",
    icmp6: "in_icmp6",
    refs_one: "in_ref_one",
    refs: "in_ref",
    refs_icmp: "in_ref_icmp",
    refs_icmp6: "in_ref_icmp6",
};
const OUT: Sets = Sets {
    all: "out_all",
    cidr_one: "out_cidr_one",
    cidr: "out_cidr",
    cidr6: "out_cidr6",
    icmp: "out_icmp",
    icmp6: "out_icmp6",
    refs_one: "out_ref_one",
    refs: "out_ref",
    refs_icmp: "out_ref_icmp",
    refs_icmp6: "out_ref_icmp6",
};

const ALL_PORTS: Ports = Ports(0, u16::MAX);
const EVERYTHING: What = What::Ports {
    protocols: Protocols(0, u8::MAX),
    ports: ALL_PORTS,
};
/// The kernel's numbers of the two families.
const FAMILIES: [u8; 2] = [2, 10];
/// Protocols whose header begins with two ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
const WITH_PORTS: [u8; 5] = [6, 17, 33, 132, 136];

/// The elements of a combination of groups; `None` when there is no number left for it or for another.
pub fn elements(row: &GroupSetRow, numbers: &mut Numbers) -> Option<Vec<Item>> {
    let own = mark(numbers.of(&row.groups)?);
    let mut items = Vec::new();
    for (sets, compiled) in [(&IN, &row.ingress), (&OUT, &row.egress)] {
        direction(own, sets, compiled, numbers, &mut items)?;
    }
    Some(items)
}

fn direction(
    own: [u8; 4],
    sets: &Sets,
    compiled: &Compiled,
    numbers: &mut Numbers,
    items: &mut Vec<Item>,
) -> Option<()> {
    for FromRange { first, last, what } in &compiled.ranges {
        if let Some(family) = family_if_all(*first, *last)
            && *what == EVERYTHING
        {
            let element = member(key(&[&own, &[family]]));
            items.push(Item::Element {
                set: sets.all,
                element,
            });
            continue;
        }
        let of_family = if first.is_ipv4() {
            let ports = (sets.cidr, Some(sets.cidr_one));
            (ports, Some(sets.icmp), None)
        } else {
            ((sets.cidr6, None), None, Some(sets.icmp6))
        };
        let (first, last) = (ip(*first), ip(*last));
        boxes(own, (&first, &last), what, of_family, items);
    }
    for from in &compiled.groups {
        let other = mark(numbers.of(&from.groups)?);
        let ports = (sets.refs, Some(sets.refs_one));
        let of_both = (ports, Some(sets.refs_icmp), Some(sets.refs_icmp6));
        boxes(own, (&other, &other), &from.what, of_both, items);
    }
    Some(())
}

/// The family of a range that is all of it. What lets everything pass is asked first and costs least: so most groups
/// are on the way out.
fn family_if_all(first: IpAddr, last: IpAddr) -> Option<u8> {
    let all =
        ip(first).iter().all(|byte| *byte == 0) && ip(last).iter().all(|byte| *byte == u8::MAX);
    all.then(|| FAMILIES[usize::from(first.is_ipv6())])
}

/// The sets for ports, and for one port of one other side: the kernel finds what is in a set without ranges at once and
/// takes it away at once, where it looks through one with ranges.
type ForPorts = (&'static str, Option<&'static str>);
/// The sets for ports, for ICMP and for ICMPv6; a range is of one family, and the other's ICMP says nothing of it.
type OfOther = (ForPorts, Option<&'static str>, Option<&'static str>);

fn boxes(
    own: [u8; 4],
    (first, last): (&[u8], &[u8]),
    what: &What,
    (ports_sets, icmp_set, icmpv6_set): OfOther,
    items: &mut Vec<Item>,
) {
    let mut put = |(set, one): ForPorts, low: [&[u8]; 2], high: [&[u8]; 2]| {
        let from = key(&[&own, first, low[0], low[1]]);
        let to = key(&[&own, last, high[0], high[1]]);
        let (set, element) = match one.filter(|_| from == to) {
            Some(one) => (one, member(from)),
            None => (set, range(from, to)),
        };
        items.push(Item::Element { set, element });
    };
    match what {
        What::Ports { protocols, ports } => {
            for Protocols(low, high) in with_these_ports(*protocols, *ports) {
                let (from, to) = (ports.0.to_be_bytes(), ports.1.to_be_bytes());
                put(ports_sets, [&[low], &from], [&[high], &to]);
            }
        }
        What::Icmp { types } | What::Icmpv6 { types } => {
            let (low, high) = (types.types, types.codes);
            let set = match what {
                What::Icmpv6 { .. } => icmpv6_set,
                _ => icmp_set,
            };
            if let Some(set) = set {
                put((set, None), [&[low.0], &[high.0]], [&[low.1], &[high.1]]);
            }
        }
    }
}

/// Where only some ports are meant, only protocols with ports: of another, what the kernel reads in the
/// ports' place is something else (of ICMP, the checksum).
fn with_these_ports(protocols: Protocols, ports: Ports) -> Vec<Protocols> {
    if ports == ALL_PORTS {
        return vec![protocols];
    }
    WITH_PORTS
        .into_iter()
        .filter(|protocol| (protocols.0..=protocols.1).contains(protocol))
        .map(|protocol| Protocols(protocol, protocol))
        .collect()
}
