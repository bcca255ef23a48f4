use super::*;
use crate::netlink::elements::Data;
use crate::vpc::config::ENDPOINTS;
use crate::vpc::registers::{ip, key};
use aws_api::agent::host_sync::{
    Compiled, FromGroups, FromRange, GroupSetRow, HostRow, IcmpTypes, Ports, Protocols, Route,
    SubnetRow, What,
};
use proptest::prelude::*;

fn vpc(id: &str, resolver: bool) -> Row {
    Row::Vpc(VpcRow {
        id: id.into(),
        vni: 1,
        cidrs: vec!["10.0.0.0/16".parse().unwrap()],
        ipv6_cidrs: vec![],
        resolver,
        domain: None,
        name_servers: vec![],
        search: vec![],
    })
}

fn interface(vpc: &str, last: u8, groups: &str, host: Option<&str>) -> InterfaceRow {
    InterfaceRow {
        id: format!("eni-{vpc}-{last}"),
        vpc: vpc.into(),
        subnet: format!("{vpc}-s"),
        mac: format!("02:00:00:00:00:{last:02x}"),
        addresses: vec![Ipv4Addr::new(10, 0, 0, last)],
        ipv6_addresses: vec![],
        public: None,
        groups: groups.into(),
        source_dest_check: last.is_multiple_of(2),
        host: host.map(str::to_owned),
    }
}

fn any_vpc() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("v1"), Just("v2")]
}

fn any_destination() -> impl Strategy<Value = Destination> {
    let nat = |last: u8| Destination::NatGateway {
        public: Ipv4Addr::new(100, 64, 0, last),
    };
    prop_oneof![
        Just(Destination::InternetGateway),
        Just(Destination::Blackhole),
        (0u8..2).prop_map(nat),
        (10u8..14).prop_map(|last| Destination::Interface {
            address: Ipv4Addr::new(10, 0, 0, last).into()
        }),
    ]
}

fn any_what() -> impl Strategy<Value = What> {
    prop_oneof![
        (0u16..4, 0u16..4).prop_map(|(port, more)| What::Ports {
            protocols: Protocols(6, 17),
            ports: Ports(port, port + more),
        }),
        Just(What::Ports {
            protocols: Protocols(0, 255),
            ports: Ports(0, 65535),
        }),
        (0u8..4, 0u8..4, any::<bool>()).prop_map(|(low, more, is_of_ipv4)| {
            let types = IcmpTypes {
                types: (low, low + more),
                codes: (0, 255),
            };
            match is_of_ipv4 {
                true => What::Icmp { types },
                false => What::Icmpv6 { types },
            }
        }),
    ]
}

/// May overlap, which the kernel would refuse; as a question of meaning that changes nothing.
fn any_compiled() -> impl Strategy<Value = Compiled> {
    let some = |(first, more): (u8, u8)| {
        let of = |last| Ipv4Addr::new(10, 0, 0, last);
        (of(first), of(first + more))
    };
    let bounds = prop_oneof![
        4 => (0u8..8, 0u8..8).prop_map(some),
        1 => Just((Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST)),
    ];
    let range = (bounds, any_what()).prop_map(|((first, last), what)| FromRange {
        first: first.into(),
        last: last.into(),
        what,
    });
    let group = (prop_oneof![Just("a"), Just("b")], any_what()).prop_map(|(groups, what)| {
        let groups = groups.to_owned();
        FromGroups { groups, what }
    });
    let ranges = proptest::collection::vec(range, 0..3);
    (ranges, proptest::collection::vec(group, 0..3))
        .prop_map(|(ranges, groups)| Compiled { ranges, groups })
}

fn any_row() -> impl Strategy<Value = Row> {
    let acl = || aws_api::agent::host_sync::AclEntry {
        egress: true,
        allow: true,
        cidr: "0.0.0.0/0".parse().unwrap(),
        protocols: Protocols(6, 6),
        ports: Ports(1, 2),
        icmp: None,
    };
    let subnet = (
        any_vpc(),
        proptest::option::of(any_destination()),
        any::<bool>(),
    );
    let subnet = subnet.prop_map(move |(vpc, via, has_acl)| {
        Row::Subnet(SubnetRow {
            id: format!("{vpc}-s"),
            vpc: vpc.into(),
            cidr: "10.0.0.0/24".parse().unwrap(),
            ipv6_cidr: None,
            routes: via
                .map(|via| Route {
                    to: "0.0.0.0/0".parse().unwrap(),
                    via,
                })
                .into_iter()
                .collect(),
            acl: if has_acl { vec![acl()] } else { vec![] },
        })
    });
    let host = prop_oneof![Just(None), Just(Some("h1")), Just(Some("h2"))];
    let groups = prop_oneof![Just("a"), Just("b")];
    prop_oneof![
        (any_vpc(), any::<bool>()).prop_map(|(id, resolver)| vpc(id, resolver)),
        subnet,
        (any_vpc(), 10u8..14, groups.clone(), host)
            .prop_map(|(v, last, groups, host)| Row::Interface(interface(v, last, groups, host))),
        (any_vpc(), groups, any_compiled()).prop_map(|(vpc, groups, ingress)| {
            Row::GroupSet(GroupSetRow {
                vpc: vpc.into(),
                groups: groups.into(),
                egress: Compiled::default(),
                ingress,
            })
        }),
        (1u8..3, 1u8..3).prop_map(|(id, last)| Row::Host(HostRow {
            id: format!("h{id}"),
            underlay: Ipv4Addr::new(192, 0, 2, last),
            encryption: None,
        })),
    ]
}

/// A packet's key in the sets of a direction: own groups, the other side, protocol, port.
fn finds(items: &BTreeSet<Item>, wanted: &str, fields: &[Vec<u8>]) -> bool {
    let slices: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    let packet = key(&slices);
    items.iter().any(|item| match item {
        Item::Element { set, element } if *set == wanted => {
            let end = element.end.as_ref().unwrap_or(&element.key);
            packet.len() == end.len()
                && (0..packet.len()).step_by(4).all(|at| {
                    let field = at..at + 4;
                    element.key[field.clone()] <= packet[field.clone()]
                        && packet[field.clone()] <= end[field]
                })
        }
        _ => false,
    })
}

fn number(items: &BTreeSet<Item>, map: &str, name: &[u8]) -> Option<Vec<u8>> {
    items.iter().find_map(|item| match item {
        Item::Element { set, element } if *set == map && element.key == name => {
            match &element.data {
                Some(Data::Value(value)) => Some(value.clone()),
                _ => None,
            }
        }
        _ => None,
    })
}

fn allows(what: &What, protocol: u8, port: u16) -> bool {
    match what {
        What::Ports { protocols, ports } => {
            let with_ports = protocol == 6 || protocol == 17 || *ports == Ports(0, 65535);
            with_ports
                && (protocols.0..=protocols.1).contains(&protocol)
                && (ports.0..=ports.1).contains(&port)
        }
        What::Icmp { types } => {
            let [kind, code] = port.to_be_bytes();
            protocol == 1
                && (types.types.0..=types.types.1).contains(&kind)
                && (types.codes.0..=types.codes.1).contains(&code)
        }
        // The packets of these tests are IPv4's.
        What::Icmpv6 { .. } => false,
    }
}

proptest! {
    #[test]
    fn changes_one_by_one_come_to_what_the_state_as_a_whole_comes_to(
        steps in proptest::collection::vec((any_row(), any::<bool>()), 1..30)
    ) {
        let mut desired = Desired::new(ENDPOINTS.to_vec(), false);
        let mut kernel: BTreeMap<String, BTreeSet<Item>> = BTreeMap::new();
        for (row, is_put) in steps {
            let (put, remove) = if is_put { (vec![row], vec![]) } else { (vec![], vec![row.key()]) };
            let delta = desired.take(&ToHost::Change { revision: 1, put, remove });
            for (vpc, change) in delta.routers {
                let held = kernel.entry(vpc).or_default();
                for item in &change.remove {
                    prop_assert!(held.remove(item));
                }
                for item in change.put {
                    prop_assert!(held.insert(item));
                }
            }
        }
        let rows: Vec<Row> = desired.rows.values().cloned().collect();
        let mut whole = Desired::new(ENDPOINTS.to_vec(), false);
        whole.take(&ToHost::State { revision: 1, rows: rows.clone() });
        for vpc in ["v1", "v2"] {
            prop_assert_eq!(whole.held(vpc), desired.held(vpc));
            prop_assert_eq!(kernel.get(vpc).cloned().unwrap_or_default(), desired.held(vpc));
        }
        prop_assert_eq!(desired.take(&ToHost::State { revision: 2, rows }), {
            let failures = Vec::new();
            Delta { failures, ..Delta::default() }
        });
    }

    #[test]
    fn the_sets_let_pass_what_the_compiled_rules_let_pass(
        ingress in any_compiled(),
        packets in proptest::collection::vec((1u8..16, prop_oneof![Just(1u8), Just(6), Just(17), Just(47)], 0u16..8), 1..30)
    ) {
        let mut desired = Desired::new(vec![], false);
        let members = [interface("v1", 4, "a", None), interface("v1", 5, "b", None)];
        let groups = GroupSetRow {
            vpc: "v1".into(),
            groups: "a".into(),
            ingress: ingress.clone(),
            egress: Compiled::default(),
        };
        let mut rows = vec![vpc("v1", true), Row::GroupSet(groups), Row::Subnet(SubnetRow {
            id: "v1-s".into(), vpc: "v1".into(), cidr: "10.0.0.0/24".parse().unwrap(),
            ipv6_cidr: None, routes: vec![], acl: vec![],
        })];
        rows.extend(members.into_iter().map(Row::Interface));
        desired.take(&ToHost::State { revision: 1, rows });
        let items = desired.held("v1");
        let own = number(&items, "gs", &[10, 0, 0, 4]).expect("it is a member");
        for (last, protocol, port) in packets {
            let from = IpAddr::from([10, 0, 0, last]);
            let name = match last { 4 => Some("a"), 5 => Some("b"), _ => None };
            let other = number(&items, "gs", &ip(from)).unwrap_or(vec![0; 4]);
            // ICMP's type and code stand in another place, and where ports stand there is a checksum.
            let [kind, code] = port.to_be_bytes();
            let checksum = 0x1234u16;
            let at_ports = if protocol == 1 { checksum } else { port };
            let ports = |other: Vec<u8>| [own.clone(), other, vec![protocol], at_ports.to_be_bytes().to_vec()];
            let types = |other: Vec<u8>| [own.clone(), other, vec![kind], vec![code]];
            let ipv4 = vec![2];
            let passes = finds(&items, "in_all", &[own.clone(), ipv4])
                || ["in_ref_one", "in_ref"].iter().any(|set| finds(&items, set, &ports(other.clone())))
                || ["in_cidr_one", "in_cidr"].iter().any(|set| finds(&items, set, &ports(ip(from))))
                || protocol == 1 && (finds(&items, "in_ref_icmp", &types(other)) || finds(&items, "in_icmp", &types(ip(from))));
            let by_range = ingress.ranges.iter().any(|range| {
                range.first <= from && from <= range.last && allows(&range.what, protocol, port)
            });
            let by_group = ingress.groups.iter().any(|group| {
                Some(group.groups.as_str()) == name && allows(&group.what, protocol, port)
            });
            prop_assert_eq!(passes, by_range || by_group, "{} {} {}", from, protocol, port);
        }
    }

    #[test]
    fn a_translated_range_is_one_whose_longest_prefix_leads_to_a_nat_gateway(
        routes in proptest::collection::btree_map((0u32..4, 28u8..33), any_destination(), 0..6)
    ) {
        let routes: Vec<Route> = routes.into_iter().map(|((last, len), via)| {
            let net = ipnet::Ipv4Net::new(Ipv4Addr::from(last), len).unwrap().trunc();
            Route { to: net.into(), via }
        }).collect();
        let mut distinct: BTreeMap<ipnet::IpNet, Route> = BTreeMap::new();
        for route in routes {
            distinct.insert(route.to, route);
        }
        let routes: Vec<Route> = distinct.into_values().collect();
        let ranges = crate::vpc::outside::translated(&routes);
        for number in 0u32..20 {
            let address = Ipv4Addr::from(number);
            let best = routes.iter().filter(|r| r.to.contains(&IpAddr::from(address))).max_by_key(|r| r.to.prefix_len());
            let naive = match best.map(|route| &route.via) {
                Some(Destination::NatGateway { public }) => Some(*public),
                _ => None,
            };
            let found: Vec<_> = ranges.iter().filter(|(a, b, _)| *a <= address && address <= *b).collect();
            prop_assert!(found.len() <= 1);
            prop_assert_eq!(found.first().map(|r| r.2), naive);
        }
    }
}
