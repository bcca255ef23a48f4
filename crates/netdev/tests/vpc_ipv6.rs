//! IPv6 between a VPC and the outside, and network ACLs for ICMP and IPv6: real packets. Needs root, `ip`, `nft` and
//! `python3`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;
mod vpc_support;

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_api::agent::host_sync::{
    AclEntry, Destination, IcmpTypes, InterfaceRow, Ports, Protocols, Row, SubnetRow,
};
use netdev::namespace::run_in;
use netdev::vpc::{VpcAttachment, VpcNetwork};
use support::{on_private_host, sh, traces};
use vpc_support::hosts::{linked, within};
use vpc_support::{
    VPC, apply, call, call_from, everything, groups, interface, is_silence, network, ping, put,
    reach, route, serve, state, subnet, vpc,
};

/// Somebody outside, on a link of the host's.
const OUTSIDE: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 9);
/// The host, on that link.
const HOST: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1);
/// After so long an unheard datagram counts as dropped.
const SILENCE: Duration = Duration::from_millis(500);

/// A namespace beside the host that has [`OUTSIDE`] and knows the way to the VPC.
fn outside(dir: &Path) -> PathBuf {
    let path = linked(dir);
    let inside = |line: &str| within(&path, line);
    sh("ip addr add fd99::1/64 dev out0 nodad && ip link set out0 up");
    // That the host forwards IPv6 is its administrator's to say.
    sh("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
    inside("ip addr add fd99::9/64 dev out1 nodad");
    inside("ip link set out1 up");
    inside("ip -6 route add fd00:1234:5678::/56 via fd99::1 src fd99::9");
    path
}

/// The VPC's address of this number in the subnet `a` (0) or `b` (1).
fn six(subnet: u16, last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0x1234, 0x5678, subnet, 0, 0, 0, last)
}

/// An interface with an address of either family.
fn dual(subnet: u16, last: u8) -> InterfaceRow {
    let third = if subnet == 0 { 16 } else { 40 };
    let mut row = interface(VPC, [172, 31, third, last], "sg");
    row.ipv6_addresses = vec![six(subnet, last.into())];
    row
}

/// A subnet with a range of either family, and a way out for all IPv6.
fn dual_subnet(number: u16, via: Option<Destination>) -> SubnetRow {
    let (id, range) =
        [("vpc-1-a", "172.31.16.0/20"), ("vpc-1-b", "172.31.32.0/20")][usize::from(number)];
    let routes = via.into_iter().map(|via| route("::/0", via)).collect();
    let mut row = subnet(VPC, id, range, routes);
    row.ipv6_cidr = Some(format!("{}/64", six(number, 0)).parse().unwrap());
    row
}

/// A socket there, which hears who says something to it.
struct Ear(UdpSocket);

impl Ear {
    fn at(netns: &Path, port: u16) -> Self {
        let socket = run_in(netns, || UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)));
        let socket = socket.unwrap().unwrap();
        socket.set_read_timeout(Some(SILENCE)).unwrap();
        Self(socket)
    }

    fn hears(&self) -> Option<IpAddr> {
        let heard = self.0.recv_from(&mut [0; 8]);
        heard.ok().map(|(_, from)| from.ip())
    }
}

/// Says something from there in the name of an address of its own.
fn say(netns: &Path, from: Ipv6Addr, to: Ipv6Addr, port: u16) {
    let say = || UdpSocket::bind((from, 0))?.send_to(b"x", (to, port));
    run_in(netns, say).unwrap().unwrap();
}

#[test]
fn an_egress_only_gateway_leads_out_and_nobody_in_and_no_outsider_is_of_the_vpc() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let outside = outside(dir.path());
        let before = traces();
        let net = network("0000d401", dir.path());
        let egress_only = dual_subnet(0, Some(Destination::EgressOnlyInternetGateway));
        let public = dual_subnet(1, Some(Destination::InternetGateway));
        let (one, neighbour, open) = (dual(0, 5), dual(0, 6), dual(1, 7));
        let mut rows = vec![
            vpc(VPC, 1),
            Row::Subnet(egress_only),
            Row::Subnet(public.clone()),
        ];
        rows.extend([&one, &neighbour, &open].map(|row| Row::Interface(row.clone())));
        rows.push(Row::GroupSet(groups(VPC, "sg", vec![], everything())));
        apply(&net, state(rows)).await;
        let a = net.attach("a", &one.id).await.unwrap();
        let b = net.attach("b", &neighbour.id).await.unwrap();
        let c = net.attach("c", &open.id).await.unwrap();
        for netns in [&outside, &a.netns, &c.netns] {
            serve(netns, 80);
        }
        let router = net.router(VPC).unwrap();
        let flush = |set: &str| {
            run_in(&router, || sh(&format!("nft flush set inet vpc {set}"))).unwrap();
        };
        let calls = |to: Ipv6Addr| run_in(&outside, || call(to, 80)).unwrap();

        // Out, by the host, whose address the outside sees: it knows none of the VPC's. The answers come back.
        for at in [&a, &c] {
            assert_eq!(reach(&at.netns, OUTSIDE, 80), HOST.to_string());
        }
        // In, where an internet gateway is the way, and not where the other one is.
        assert_eq!(reach(&outside, six(1, 7), 80), OUTSIDE.to_string());
        assert!(is_silence(&calls(six(0, 5))));
        let ear = Ear::at(&a.netns, 90);
        say(&outside, OUTSIDE, six(0, 5), 90);
        assert_eq!(ear.hears(), None);
        // Within the VPC it is reached as ever.
        say(&c.netns, six(1, 7), six(0, 5), 90);
        assert_eq!(ear.hears(), Some(six(1, 7).into()));

        // A task in its neighbour's name: out, and within the VPC.
        let far = Ear::at(&outside, 91);
        say(&a.netns, six(0, 5), OUTSIDE, 91);
        assert_eq!(far.hears(), Some(HOST.into()));
        run_in(&a.netns, || {
            sh(&format!("ip addr add {}/128 dev eth0 nodad", six(0, 6)));
        })
        .unwrap();
        say(&a.netns, six(0, 6), OUTSIDE, 91);
        assert_eq!(far.hears(), None);
        let near = Ear::at(&c.netns, 92);
        say(&a.netns, six(0, 6), six(1, 7), 92);
        assert_eq!(near.hears(), None);
        say(&b.netns, six(0, 6), six(1, 7), 92);
        assert_eq!(near.hears(), Some(six(0, 6).into()));

        // Somebody outside in the name of an address of the VPC that nobody has.
        let nobody = six(1, 0x77);
        run_in(&outside, || {
            sh(&format!("ip addr add {nobody}/128 dev lo nodad"))
        })
        .unwrap();
        say(&outside, nobody, six(1, 7), 92);
        assert_eq!(near.hears(), None);
        say(&outside, OUTSIDE, six(1, 7), 92);
        assert_eq!(near.hears(), Some(OUTSIDE.into()));
        // It is these sets that keep them out.
        flush("inside6");
        say(&outside, nobody, six(1, 7), 92);
        assert_eq!(near.hears(), Some(nobody.into()));
        flush("closed6");
        say(&outside, OUTSIDE, six(0, 5), 90);
        assert_eq!(ear.hears(), Some(OUTSIDE.into()));

        // A gateway that lets in is no longer the way.
        let shut = dual_subnet(1, Some(Destination::EgressOnlyInternetGateway));
        put(&net, vec![Row::Subnet(shut)]).await;
        assert!(is_silence(&calls(six(1, 7))));
        put(&net, vec![Row::Subnet(public)]).await;
        assert_eq!(reach(&outside, six(1, 7), 80), OUTSIDE.to_string());
        for id in ["a", "b", "c"] {
            net.detach(id).await.unwrap();
        }
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
        sh(&format!("umount {}", outside.display()));
    });
}

const PING6: &str = r"
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6)
s.settimeout(0.4)
sys.excepthook = lambda *_: None
s.sendto(bytes([128, 0, 0, 0, 0, 1, 0, 1]) + b'x' * 16, (sys.argv[1], 0))
sys.exit(0 if s.recv(100)[0] == 129 else 1)
";

/// Whether an ICMPv6 echo is answered.
fn ping6(at: &VpcAttachment, to: Ipv6Addr) -> bool {
    let ask = || {
        let mut ask = std::process::Command::new("python3");
        ask.args(["-c", PING6, &to.to_string()]).status().unwrap()
    };
    run_in(&at.netns, ask).unwrap().success()
}

const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMP6: u8 = 58;
const ANY: (u8, u8) = (0, 255);

/// `egress`, `allow`, the other side.
type Rule<'a> = (bool, bool, &'a str);

fn icmp((egress, allow, cidr): Rule<'_>, types: (u8, u8), codes: (u8, u8)) -> AclEntry {
    let protocol = if cidr.contains(':') { ICMP6 } else { ICMP };
    AclEntry {
        protocols: Protocols(protocol, protocol),
        icmp: Some(IcmpTypes { types, codes }),
        ..tcp((egress, allow, cidr), 0, u16::MAX)
    }
}

fn tcp((egress, allow, cidr): Rule<'_>, first: u16, last: u16) -> AclEntry {
    AclEntry {
        egress,
        allow,
        cidr: cidr.parse().unwrap(),
        protocols: Protocols(TCP, TCP),
        ports: Ports(first, last),
        icmp: None,
    }
}

#[test]
fn a_network_acl_tells_types_of_icmp_and_families_apart() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("0000d402", dir.path());
        let (near, far) = (dual(0, 5), dual(1, 7));
        let with = |acl: Vec<AclEntry>| {
            let mut row = dual_subnet(1, None);
            row.acl = acl;
            Row::Subnet(row)
        };
        let mut rows = vec![vpc(VPC, 1), Row::Subnet(dual_subnet(0, None)), with(vec![])];
        rows.extend([&near, &far].map(|row| Row::Interface(row.clone())));
        rows.push(Row::GroupSet(groups(VPC, "sg", vec![], everything())));
        apply(&net, state(rows)).await;
        let a = net.attach("a", &near.id).await.unwrap();
        let b = net.attach("b", &far.id).await.unwrap();
        serve(&b.netns, 80);
        let (four, range6) = (b.addresses[0], "fd00:1234:5678::/64");
        // Echo and TCP, of either family.
        let passes = || {
            [
                ping(&a, four),
                ping6(&a, six(1, 7)),
                call_from(&a, four, 80).is_ok(),
                call_from(&a, six(1, 7), 80).is_ok(),
            ]
        };
        assert_eq!(passes(), [true; 4]);
        let (request, answer) = ((8, 8), (0, 0));
        let (request6, answer6) = ((128, 128), (129, 129));
        let into = (false, true, "172.31.16.0/20");
        let out = (true, true, "0.0.0.0/0");
        let (into6, out6) = ((false, true, range6), (true, true, "::/0"));
        let high = |rule| tcp(rule, 1024, u16::MAX);
        for (acl, expected) in [
            // Echoes of IPv4 alone: no TCP, and nothing of the other family.
            (
                vec![icmp(into, request, ANY), icmp(out, answer, ANY)],
                [true, false, false, false],
            ),
            // No flow is kept in mind: the answer needs an entry.
            (vec![icmp(into, request, ANY)], [false; 4]),
            // Other types, and another code, are something else.
            (
                vec![icmp(into, (9, 255), ANY), icmp(out, ANY, ANY)],
                [false; 4],
            ),
            (
                vec![icmp(into, request, (1, 255)), icmp(out, ANY, ANY)],
                [false; 4],
            ),
            (
                vec![icmp(into, request, (0, 0)), icmp(out, answer, (0, 0))],
                [true, false, false, false],
            ),
            // The first that matches decides.
            (
                vec![
                    icmp((false, false, "172.31.16.5/32"), request, ANY),
                    icmp(into, ANY, ANY),
                    icmp(out, ANY, ANY),
                ],
                [false; 4],
            ),
            // The same of IPv6.
            (
                vec![icmp(into6, request6, ANY), icmp(out6, answer6, ANY)],
                [false, true, false, false],
            ),
            (
                vec![icmp(into6, request6, (1, 255)), icmp(out6, ANY, ANY)],
                [false; 4],
            ),
            (
                vec![
                    icmp((false, false, "fd00:1234:5678::5/128"), ANY, ANY),
                    icmp(into6, ANY, ANY),
                    icmp(out6, ANY, ANY),
                ],
                [false; 4],
            ),
            // TCP of IPv6 alone, and its other ports.
            (
                vec![tcp(into6, 80, 80), high(out6)],
                [false, false, false, true],
            ),
            (vec![tcp(into6, 81, 90), high(out6)], [false; 4]),
            (
                vec![
                    tcp((false, false, range6), 80, 80),
                    tcp(into6, 0, u16::MAX),
                    high(out6),
                ],
                [false; 4],
            ),
            // Somebody else's range.
            (
                vec![
                    tcp((false, true, "fd00:1234:5678:2::/64"), 80, 80),
                    high(out6),
                ],
                [false; 4],
            ),
            // All together.
            (
                vec![
                    icmp(into, request, ANY),
                    icmp(into6, request6, ANY),
                    tcp(into, 80, 80),
                    tcp(into6, 80, 80),
                    icmp(out, answer, ANY),
                    icmp(out6, answer6, ANY),
                    high(out),
                    high(out6),
                ],
                [true; 4],
            ),
            (vec![], [true; 4]),
        ] {
            put(&net, vec![with(acl.clone())]).await;
            assert_eq!(passes(), expected, "{acl:?}");
        }
        net.destroy().await.unwrap();
    });
}
