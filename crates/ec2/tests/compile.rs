//! What a host filters by means what the rules mean, and its pieces do not overlap.

use aws_api::agent::host_sync::{Compiled, What};
use aws_types::Scope;
use ec2::records::group::{Peer, Traffic};
use ec2::records::{ResourceKey, RuleRecord};
use ec2::security::compile::{ICMP, ICMPV6, Surroundings, compile};
use ipnet::{Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A first packet, as a filter sees it. `number` is the port, or type and code.
#[derive(Clone, Copy, Debug)]
struct Packet {
    from: IpAddr,
    groups: Option<&'static str>,
    protocol: u8,
    port: u16,
    icmp: (u8, u8),
}

const SETS: [&str; 4] = ["sg-a", "sg-a,sg-b", "sg-b", "sg-c"];

fn rules() -> impl Strategy<Value = Vec<RuleRecord>> {
    let net = (
        0_u8..4,
        0_u8..4,
        prop::sample::select(vec![0, 8, 15, 16, 24, 30, 32]),
    );
    let net = net.prop_map(|(b, d, len)| {
        Peer::Ipv4(Ipv4Net::new_assert(Ipv4Addr::new(10, b, 0, d), len).trunc())
    });
    let net6 = (0_u16..4, prop::sample::select(vec![0, 112, 126, 127, 128]));
    let net6 =
        net6.prop_map(|(last, len)| Peer::Ipv6(Ipv6Net::new_assert(address6(last), len).trunc()));
    let group = prop::sample::select(vec!["sg-a", "sg-b", "sg-c"]);
    let peer = prop_oneof![3 => net, 2 => net6, 2 => group.prop_map(|id| Peer::Group(id.into()))];
    let what =
        prop_oneof![
            Just((None, -1, -1)),
            (prop::sample::select(vec![6_u8, 17]), 0_i32..12, 0_i32..12).prop_map(|(p, a, b)| (
                Some(p),
                a.min(b),
                a.max(b)
            )),
            (prop::sample::select(vec![ICMP, ICMPV6]), -1..3, -1..3)
                .prop_map(|(which, kind, code)| (Some(which), kind, code)),
            Just((Some(50), -1, -1)),
        ];
    let rule = (peer, what).prop_map(|(peer, (protocol, from, to))| RuleRecord {
        key: ResourceKey::new(&Scope::new("000000000000", "us-east-1"), "sgr-1"),
        group: "sg-1".into(),
        egress: false,
        traffic: Traffic {
            protocol: match protocol {
                None => "-1".into(),
                Some(6) => "tcp".into(),
                Some(17) => "udp".into(),
                Some(ICMP) => "icmp".into(),
                Some(ICMPV6) => "icmpv6".into(),
                Some(other) => other.to_string(),
            },
            from: matches!(protocol, Some(6 | 17 | ICMP | ICMPV6)).then_some(from),
            to: matches!(protocol, Some(6 | 17 | ICMP | ICMPV6)).then_some(to),
        },
        peer,
        description: None,
    });
    prop::collection::vec(rule, 0..12)
}

fn address6(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, last)
}

fn packet() -> impl Strategy<Value = Packet> {
    let groups = prop::option::of(prop::sample::select(SETS.to_vec()));
    let protocol = |icmp| prop::sample::select(vec![icmp, 6, 17, 50]);
    let address = (0_u8..5, 0_u8..5).prop_map(|(b, d)| Ipv4Addr::new(10, b, 0, d).into());
    let address6 = (0_u16..5).prop_map(|last| address6(last).into());
    let of = prop_oneof![(address, protocol(ICMP)), (address6, protocol(ICMPV6))];
    (of, groups, 0_u16..14, (0_u8..4, 0_u8..4)).prop_map(
        |((from, protocol), groups, port, icmp): ((IpAddr, u8), _, _, _)| Packet {
            from,
            groups,
            protocol,
            port,
            icmp,
        },
    )
}

/// By the rules as AWS words them.
fn naive(rules: &[RuleRecord], packet: Packet) -> bool {
    rules.iter().any(|rule| {
        let from = match &rule.peer {
            Peer::Ipv4(net) => matches!(packet.from, IpAddr::V4(from) if net.contains(&from)),
            Peer::Ipv6(net) => matches!(packet.from, IpAddr::V6(from) if net.contains(&from)),
            Peer::Group(id) => packet
                .groups
                .is_some_and(|set| set.split(',').any(|g| g == id)),
            Peer::PrefixList(_) => false,
        };
        let within = |asked: Option<i32>, is: i32| asked == Some(-1) || asked == Some(is);
        let Traffic {
            protocol,
            from: first,
            to: last,
        } = &rule.traffic;
        let what = match (protocol.as_str(), packet.protocol) {
            ("-1", _) | ("50", 50) => true,
            ("icmp", ICMP) | ("icmpv6", ICMPV6) => {
                within(*first, packet.icmp.0.into()) && within(*last, packet.icmp.1.into())
            }
            ("tcp", 6) | ("udp", 17) => (*first..=*last).contains(&Some(i32::from(packet.port))),
            _ => false,
        };
        from && what
    })
}

fn is_named(what: &What, packet: Packet) -> bool {
    match what {
        What::Ports { protocols, ports } => {
            let has_ports = ![ICMP, ICMPV6].contains(&packet.protocol);
            (protocols.0..=protocols.1).contains(&packet.protocol)
                && (!has_ports || (ports.0..=ports.1).contains(&packet.port))
        }
        What::Icmp { types } | What::Icmpv6 { types } => {
            let within = |(first, last): (u8, u8), is: u8| (first..=last).contains(&is);
            let is_icmp = matches!(what, What::Icmp { .. });
            packet.protocol == if is_icmp { ICMP } else { ICMPV6 }
                && within(types.types, packet.icmp.0)
                && within(types.codes, packet.icmp.1)
        }
    }
}

fn by_host(compiled: &Compiled, packet: Packet) -> (usize, usize) {
    let from = packet.from;
    let ranges = compiled.ranges.iter();
    let ranges = ranges.filter(|one| (one.first..=one.last).contains(&from));
    let groups = compiled.groups.iter();
    let groups = groups.filter(|one| packet.groups == Some(one.groups.as_str()));
    (
        ranges.filter(|one| is_named(&one.what, packet)).count(),
        groups.filter(|one| is_named(&one.what, packet)).count(),
    )
}

fn compiled(rules: &[RuleRecord]) -> Compiled {
    let combinations: BTreeSet<String> = SETS.iter().map(|set| (*set).to_owned()).collect();
    let around = Surroundings {
        combinations: &combinations,
        prefix_lists: &BTreeMap::new(),
    };
    compile(rules.iter(), around)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_host_lets_pass_what_the_rules_let_pass(rules in rules(), packets in prop::collection::vec(packet(), 1..40)) {
        let compiled = compiled(&rules);
        for packet in packets {
            let (ranges, groups) = by_host(&compiled, packet);
            prop_assert_eq!(ranges + groups > 0, naive(&rules, packet), "{:?}", packet);
        }
    }

    #[test]
    fn no_two_pieces_of_a_kind_overlap(rules in rules()) {
        let compiled = compiled(&rules);
        let meets = |a: (u16, u16), b: (u16, u16)| a.0 <= b.1 && b.0 <= a.1;
        let wide = |a: (u8, u8)| (u16::from(a.0), u16::from(a.1));
        let overlap = |a: &What, b: &What| match (a, b) {
            (What::Ports { protocols, ports }, What::Ports { protocols: p, ports: q }) => {
                meets(wide((protocols.0, protocols.1)), wide((p.0, p.1)))
                    && meets((ports.0, ports.1), (q.0, q.1))
            }
            (What::Icmp { types }, What::Icmp { types: t })
            | (What::Icmpv6 { types }, What::Icmpv6 { types: t }) => {
                meets(wide(types.types), wide(t.types)) && meets(wide(types.codes), wide(t.codes))
            }
            _ => false,
        };
        for (index, one) in compiled.ranges.iter().enumerate() {
            for other in &compiled.ranges[index + 1..] {
                let apart = one.last < other.first || other.last < one.first;
                prop_assert!(apart || !overlap(&one.what, &other.what), "{:?} {:?}", one, other);
            }
        }
        for (index, one) in compiled.groups.iter().enumerate() {
            for other in &compiled.groups[index + 1..] {
                prop_assert!(one.groups != other.groups || !overlap(&one.what, &other.what));
            }
        }
    }
}
