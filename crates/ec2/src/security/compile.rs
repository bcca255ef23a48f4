//! The rules of a combination of groups, as a host filters by them.
//!
//! Pure. Rules are united (there is no deny) and made disjoint; a reference to a group becomes one to
//! every combination in use that has the group, so that who joins a group costs its members' hosts one
//! element, and no rule.
//! Rule: VPC user guide, "Security group rules".

use super::boxes::{Flat, Span, disjoint, disjoint_stacks};
use crate::records::RuleRecord;
use crate::records::group::{Peer, Traffic};
use aws_api::agent::host_sync::{
    Compiled, FromGroups, FromRange, IcmpTypes, Ports, Protocols, What,
};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IP protocol of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol of ICMPv6.
pub const ICMPV6: u8 = 58;

/// What the compilation may look at besides the rules.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The combinations in use in the VPC, each named by its groups with commas between.
    pub combinations: &'a BTreeSet<String>,
    /// The entries of prefix lists, by id.
    pub prefix_lists: &'a BTreeMap<String, Vec<IpNet>>,
}

/// The rules of one direction.
#[must_use]
pub fn compile<'r>(
    rules: impl Iterator<Item = &'r RuleRecord>,
    around: Surroundings<'_>,
) -> Compiled {
    let mut sides = Sides::default();
    for rule in rules {
        match &rule.peer {
            Peer::Ipv4(net) => sides.add_range(rule, IpNet::V4(*net)),
            Peer::Ipv6(net) => sides.add_range(rule, IpNet::V6(*net)),
            Peer::PrefixList(id) => {
                for net in around.prefix_lists.get(id).into_iter().flatten() {
                    sides.add_range(rule, *net);
                }
            }
            Peer::Group(id) => {
                let with = |set: &&String| set.split(',').any(|group| group == id);
                for set in around.combinations.iter().filter(with) {
                    sides.groups.entry(set.clone()).or_default().add(rule);
                }
            }
        }
    }
    sides.compiled()
}

/// Everything that is allowed, by the other side.
#[derive(Debug, Default)]
struct Sides {
    ipv4: BTreeMap<Span, Allowed>,
    ipv6: BTreeMap<Span, Allowed>,
    groups: BTreeMap<String, Allowed>,
}

/// What is allowed of one other side.
#[derive(Debug, Default)]
struct Allowed {
    /// Protocols and ports.
    ports: BTreeSet<Flat>,
    /// Types and codes.
    icmp: BTreeSet<Flat>,
    icmpv6: BTreeSet<Flat>,
}

impl Allowed {
    fn add(&mut self, rule: &RuleRecord) {
        let Traffic { protocol, from, to } = &rule.traffic;
        let one_or = |number: &Option<i32>, all: Span| {
            let number = number.and_then(|number| u128::try_from(number).ok());
            number.map_or(all, |one| (one, one))
        };
        match number_of(protocol) {
            Some(which @ (ICMP | ICMPV6)) => {
                let of = if which == ICMP {
                    &mut self.icmp
                } else {
                    &mut self.icmpv6
                };
                of.insert((one_or(from, (0, 255)), one_or(to, (0, 255))));
            }
            None => {
                self.ports.insert(((0, 255), (0, 65_535)));
            }
            Some(protocol) => {
                let protocol = u128::from(protocol);
                let bound = |port: &Option<i32>, none: u128| {
                    port.and_then(|port| u128::try_from(port).ok())
                        .unwrap_or(none)
                };
                let ports = (bound(from, 0), bound(to, 65_535));
                self.ports.insert(((protocol, protocol), ports));
            }
        }
    }
}

/// The protocol's number; `None` for every one.
fn number_of(protocol: &str) -> Option<u8> {
    match protocol {
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmp" => Some(ICMP),
        "icmpv6" => Some(ICMPV6),
        number => number.parse().ok(),
    }
}

impl Sides {
    fn add_range(&mut self, rule: &RuleRecord, net: IpNet) {
        let allowed = match net {
            IpNet::V4(net) => {
                let bits = |address: Ipv4Addr| u128::from(address.to_bits());
                let span = (bits(net.network()), bits(net.broadcast()));
                self.ipv4.entry(span).or_default()
            }
            IpNet::V6(net) => {
                let span = (net.network().to_bits(), net.broadcast().to_bits());
                self.ipv6.entry(span).or_default()
            }
        };
        allowed.add(rule);
    }

    fn compiled(self) -> Compiled {
        let v4 = |bits: u128| IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(0)));
        let v6 = |bits: u128| IpAddr::V6(Ipv6Addr::from_bits(bits));
        let mut ranges = Vec::new();
        // ICMP is of one family, whatever a rule's range says.
        for (side, of, kinds) in [
            (
                &self.ipv4,
                &v4 as &dyn Fn(u128) -> IpAddr,
                [PORTS, ICMP_TYPES],
            ),
            (&self.ipv6, &v6, [PORTS, ICMPV6_TYPES]),
        ] {
            for (pick, make) in kinds {
                let stacks = side
                    .iter()
                    .map(|(span, allowed)| (*span, pick(allowed).clone()));
                let stacks = stacks.filter(|(_, flats)| !flats.is_empty()).collect();
                for ((first, last), flats) in disjoint_stacks(&stacks) {
                    ranges.extend(flats.into_iter().map(|flat| FromRange {
                        first: of(first),
                        last: of(last),
                        what: make(flat),
                    }));
                }
            }
        }
        let groups = self.groups.iter().flat_map(|(groups, allowed)| {
            let kinds = [PORTS, ICMP_TYPES, ICMPV6_TYPES].into_iter();
            kinds.flat_map(move |(pick, make)| {
                let flats = disjoint(pick(allowed)).into_iter();
                flats.map(move |flat| FromGroups {
                    groups: groups.clone(),
                    what: make(flat),
                })
            })
        });
        Compiled {
            groups: groups.collect(),
            ranges,
        }
    }
}

type Pick = fn(&Allowed) -> &BTreeSet<Flat>;
/// One kind of what is allowed, and how it is told.
type Kind = (Pick, fn(Flat) -> What);

const PORTS: Kind = (
    |allowed| &allowed.ports,
    |(protocols, ports)| What::Ports {
        protocols: Protocols(narrow(protocols.0), narrow(protocols.1)),
        ports: Ports(port(ports.0), port(ports.1)),
    },
);
const ICMP_TYPES: Kind = (
    |allowed| &allowed.icmp,
    |flat| What::Icmp { types: types(flat) },
);
const ICMPV6_TYPES: Kind = (
    |allowed| &allowed.icmpv6,
    |flat| What::Icmpv6 { types: types(flat) },
);

fn types((types, codes): Flat) -> IcmpTypes {
    IcmpTypes {
        types: (narrow(types.0), narrow(types.1)),
        codes: (narrow(codes.0), narrow(codes.1)),
    }
}

fn narrow(number: u128) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn port(number: u128) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
