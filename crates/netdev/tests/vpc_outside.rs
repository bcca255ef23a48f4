//! What leaves a VPC, and what comes in from outside: real packets. Needs root, `ip`, `nft` and `python3`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;
mod vpc_support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;

use aws_api::agent::host_sync::{
    AclEntry, Destination, FromGroups, GroupSetRow, InterfaceRow, Ports, Protocols, Row, RowKey,
    What,
};
use netdev::NetworkConfig;
use netdev::namespace::run_in;
use netdev::vpc::{LinuxVpcs, VpcNetwork};
use support::{on_private_host, sh, traces};
use vpc_support::hosts::{linked, within};
use vpc_support::{
    Talk, VPC, apply, ask, base, call, call_from, echo, everything, from_group, groups, interface,
    is_silence, network, ping_from, put, range, remove, route, serve, serve_udp, state, subnet,
    vpc,
};

/// Somebody outside, one hop from the host.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

/// A namespace beside the host that has [`OUTSIDE`] and knows the way to public addresses.
fn outside(dir: &std::path::Path) -> std::path::PathBuf {
    let path = linked(dir);
    let inside = |line: &str| within(&path, line);
    sh("ip addr add 192.0.2.2/24 dev out0 && ip link set out0 up");
    inside("ip addr add 192.0.2.1/24 dev out1");
    inside("ip addr add 203.0.113.9/32 dev lo");
    inside("ip link set out1 up");
    inside("ip route add 100.64.0.0/16 via 192.0.2.2 src 203.0.113.9");
    sh("ip route add 203.0.113.0/24 via 192.0.2.1");
    path
}

fn open(vpc: &str, name: &str) -> GroupSetRow {
    groups(vpc, name, vec![], everything())
}

fn with_public(mut row: InterfaceRow, last: u8) -> InterfaceRow {
    row.public = Some(Ipv4Addr::new(100, 64, 0, last));
    row
}

#[test]
fn who_comes_from_outside_is_nobody_of_the_vpc_whatever_source_it_gives() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let outside = outside(dir.path());
        let before = traces();
        let net = network("0000d107", dir.path());
        let out = vec![route("0.0.0.0/0", Destination::InternetGateway)];
        let mut rows = base(VPC, 1, out);
        let web = with_public(interface(VPC, [172, 31, 16, 6], "sg-web"), 6);
        let client = interface(VPC, [172, 31, 16, 5], "sg-client");
        rows.extend([&web, &client].map(|row| Row::Interface(row.clone())));
        let all = Protocols(0, u8::MAX);
        let of_client = FromGroups {
            groups: "sg-client".into(),
            what: What::Ports {
                protocols: all,
                ports: Ports(0, u16::MAX),
            },
        };
        let honest = range("203.0.113.9", "203.0.113.9", all, Ports(0, u16::MAX));
        rows.push(Row::GroupSet(groups(
            VPC,
            "sg-web",
            vec![of_client],
            vec![honest],
        )));
        rows.push(Row::GroupSet(groups(VPC, "sg-client", vec![], vec![])));
        apply(&net, state(rows)).await;
        let web = net.attach("web", &web.id).await.unwrap();
        let router = net.router(VPC).unwrap();
        let ear = run_in(&web.netns, || UdpSocket::bind("0.0.0.0:90")).unwrap();
        let ear = ear.unwrap();
        ear.set_read_timeout(Some(std::time::Duration::from_millis(500)))
            .unwrap();
        run_in(&outside, || sh("ip addr add 172.31.16.5/32 dev lo")).unwrap();
        let hears_of = |source: &str| {
            let say = || UdpSocket::bind((source, 0))?.send_to(b"x", "100.64.0.6:90");
            run_in(&outside, say).unwrap().unwrap();
            ear.recv_from(&mut [0; 8])
                .map(|(_, from)| from.ip().to_string())
        };
        assert_eq!(hears_of("203.0.113.9").unwrap(), "203.0.113.9");
        assert!(hears_of("172.31.16.5").is_err());
        // It is this that keeps it out.
        run_in(&router, || sh("nft flush set inet vpc inside")).unwrap();
        assert_eq!(hears_of("172.31.16.5").unwrap(), "172.31.16.5");
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
    });
}

#[test]
fn addresses_are_translated_as_the_route_tables_say() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let outside = outside(dir.path());
        let before = traces();
        let net = network("0000d101", dir.path());
        let nat = Destination::NatGateway {
            public: Ipv4Addr::new(100, 64, 0, 9),
        };
        let a_subnet = subnet(
            VPC,
            "vpc-1-a",
            "172.31.16.0/20",
            vec![route("0.0.0.0/0", Destination::InternetGateway)],
        );
        let b_routes = vec![
            route("0.0.0.0/0", nat),
            route("203.0.113.9/32", Destination::Blackhole),
        ];
        let b_subnet = subnet(VPC, "vpc-1-b", "172.31.32.0/20", b_routes);
        let one = with_public(interface(VPC, [172, 31, 16, 5], "sg"), 5);
        let two = with_public(interface(VPC, [172, 31, 16, 6], "sg-2"), 6);
        let bare = interface(VPC, [172, 31, 16, 7], "sg");
        let private = interface(VPC, [172, 31, 40, 8], "sg");
        let mut rows = vec![
            vpc(VPC, 1),
            Row::Subnet(a_subnet),
            Row::Subnet(b_subnet.clone()),
        ];
        rows.extend([&one, &two, &bare, &private].map(|row| Row::Interface(row.clone())));
        rows.push(Row::GroupSet(open(VPC, "sg")));
        let from_one = range("100.64.0.5", "100.64.0.5", Protocols(6, 6), Ports(80, 80));
        let from_outside = range(
            "203.0.113.0",
            "203.0.113.255",
            Protocols(6, 6),
            Ports(81, 81),
        );
        rows.push(Row::GroupSet(groups(
            VPC,
            "sg-2",
            vec![],
            vec![from_one, from_outside],
        )));
        apply(&net, state(rows)).await;
        let a = net.attach("a", &one.id).await.unwrap();
        let b = net.attach("b", &two.id).await.unwrap();
        let c = net.attach("c", &bare.id).await.unwrap();
        let d = net.attach("d", &private.id).await.unwrap();
        serve(&outside, 80);
        serve(&b.netns, 80);
        serve(&b.netns, 81);
        serve(&b.netns, 82);

        // The outside sees the host's address: it knows no public address of a pool.
        assert_eq!(call_from(&a, OUTSIDE, 80).unwrap(), "192.0.2.2");
        // Without a public address there is no way by an internet gateway.
        assert!(is_silence(&call_from(&c, OUTSIDE, 80)));
        // A longer prefix leads nowhere.
        assert!(call_from(&d, OUTSIDE, 80).is_err());
        let mut changed = b_subnet.clone();
        changed.routes.pop();
        put(&net, vec![Row::Subnet(changed)]).await;
        assert_eq!(call_from(&d, OUTSIDE, 80).unwrap(), "192.0.2.2");

        // From outside to a public address, by the groups; the caller keeps its address.
        let from_outside =
            |port| run_in(&outside, || call(Ipv4Addr::new(100, 64, 0, 6), port)).unwrap();
        assert_eq!(from_outside(81).unwrap(), "203.0.113.9");
        assert!(is_silence(&from_outside(82)) && is_silence(&from_outside(80)));
        // From the host itself.
        assert!(is_silence(&call(Ipv4Addr::new(100, 64, 0, 6), 80)));

        // From one public address to another it is the public one that is seen, as on AWS.
        assert_eq!(
            call_from(&a, Ipv4Addr::new(100, 64, 0, 6), 80).unwrap(),
            "100.64.0.5"
        );
        assert!(is_silence(&call_from(&a, two.addresses[0], 80)));
        // A NAT gateway's own address takes nobody in.
        assert!(
            run_in(&outside, || call(Ipv4Addr::new(100, 64, 0, 9), 80))
                .unwrap()
                .is_err()
        );

        // The address goes to another interface.
        let mut rows = vec![one.clone(), bare.clone()];
        rows[1].public = rows[0].public.take();
        put(&net, rows.into_iter().map(Row::Interface).collect()).await;
        assert!(is_silence(&call_from(&a, OUTSIDE, 80)));
        assert_eq!(call_from(&c, OUTSIDE, 80).unwrap(), "192.0.2.2");

        for id in ["a", "b", "c", "d"] {
            net.detach(id).await.unwrap();
        }
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
        sh(&format!("umount {}", outside.display()));
    });
}

/// The largest segment that each side of a connection to a server there sends.
fn segments(from: &Path, server: &Path, to: SocketAddr) -> [u32; 2] {
    let listener = run_in(server, || TcpListener::bind(to).unwrap()).unwrap();
    let calling = run_in(from, || TcpStream::connect(to).unwrap()).unwrap();
    let taken = listener.accept().unwrap();
    let sizes = [from, server].map(|netns| {
        let (netns, port) = (netns.display(), to.port());
        let shown = sh(&format!(
            "nsenter --net={netns} ss -Htin state established '( sport = {port} or dport = {port} )'"
        ));
        let (_, size) = shown.split_once(" mss:").unwrap();
        size.split(' ').next().unwrap().parse().unwrap()
    });
    drop((calling, taken));
    sizes
}

#[test]
fn a_segment_from_a_jumbo_interface_is_no_larger_than_what_leaves_the_vpc() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let outside = outside(dir.path());
        let p = outside.display();
        sh("ip link set out0 mtu 9000");
        sh(&format!("nsenter --net={p} ip link set out1 mtu 9000"));
        sh("ip link add under0 mtu 9000 type veth peer name under1 mtu 9000");
        sh("ip link set under0 addrgenmode none && ip addr add 10.99.0.1/24 dev under0");
        sh("ip link set under1 addrgenmode none && ip link set under1 up && ip link set under0 up");
        let before = traces();
        let mut config = NetworkConfig::new("0000d109", dir.path());
        config.underlay = Some(Ipv4Addr::new(10, 99, 0, 1));
        let net = LinuxVpcs::new(config).unwrap();
        let ways = vec![route("0.0.0.0/0", Destination::InternetGateway)];
        let one = with_public(interface(VPC, [172, 31, 16, 5], "sg"), 5);
        let two = interface(VPC, [172, 31, 16, 6], "sg");
        let rows = vec![
            vpc(VPC, 1),
            Row::Subnet(subnet(VPC, "vpc-1-a", "172.31.16.0/20", ways)),
            Row::Interface(one.clone()),
            Row::Interface(two.clone()),
            Row::GroupSet(open(VPC, "sg")),
        ];
        apply(&net, state(rows)).await;
        let a = net.attach("a", &one.id).await.unwrap();
        let b = net.attach("b", &two.id).await.unwrap();
        let at = |address: Ipv4Addr| SocketAddr::new(address.into(), 90);
        let (own, other) = (at(a.addresses[0]), at(b.addresses[0]));
        // Timestamps take twelve bytes of each.
        let within = segments(&b.netns, &a.netns, own);
        assert!(within.iter().all(|size| *size > 8000), "{within:?}");
        let out = segments(&a.netns, &outside, at(OUTSIDE));
        assert!(out.iter().all(|size| *size <= 1460), "{out:?}");
        assert_eq!(segments(&a.netns, &b.netns, other), within);
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
    });
}

#[test]
fn a_route_may_lead_to_an_interface_that_forwards() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let outside = outside(dir.path());
        let net = network("0000d106", dir.path());
        let to_box = Destination::Interface {
            address: Ipv4Addr::new(172, 31, 16, 7).into(),
        };
        let way_out = vec![route("0.0.0.0/0", Destination::InternetGateway)];
        let mut forwarder = with_public(interface(VPC, [172, 31, 16, 7], "sg-box"), 7);
        forwarder.source_dest_check = false;
        let task = interface(VPC, [172, 31, 40, 8], "sg");
        let mut rows = vec![
            vpc(VPC, 1),
            Row::Subnet(subnet(VPC, "vpc-1-a", "172.31.16.0/20", way_out)),
            Row::Subnet(subnet(
                VPC,
                "vpc-1-b",
                "172.31.32.0/20",
                vec![route("0.0.0.0/0", to_box)],
            )),
            Row::GroupSet(open(VPC, "sg")),
            Row::GroupSet(open(VPC, "sg-box")),
        ];
        rows.extend([&forwarder, &task].map(|row| Row::Interface(row.clone())));
        apply(&net, state(rows)).await;
        let a = net.attach("a", &task.id).await.unwrap();
        serve(&outside, 80);
        // Nobody is there to forward.
        assert!(is_silence(&call_from(&a, OUTSIDE, 80)));
        let attach = || async {
            let made = net.attach("box", &forwarder.id).await.unwrap();
            run_in(&made.netns, || {
                std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
                sh("nft add table ip n && nft add chain ip n p '{ type nat hook postrouting priority 100; }' && nft add rule ip n p masquerade");
            })
            .unwrap();
        };
        attach().await;
        assert_eq!(call_from(&a, OUTSIDE, 80).unwrap(), "192.0.2.2");
        net.detach("box").await.unwrap();
        assert!(is_silence(&call_from(&a, OUTSIDE, 80)));
        attach().await;
        // Its groups decide, also on what is not for itself.
        let only_81 = range("0.0.0.0", "255.255.255.255", Protocols(6, 6), Ports(81, 81));
        put(
            &net,
            vec![Row::GroupSet(groups(VPC, "sg-box", vec![], vec![only_81]))],
        )
        .await;
        assert!(is_silence(&call_from(&a, OUTSIDE, 80)));
        // With its check on it forwards nothing.
        put(&net, vec![Row::GroupSet(open(VPC, "sg-box"))]).await;
        assert!(call_from(&a, OUTSIDE, 80).is_ok());
        let mut checked = forwarder.clone();
        checked.source_dest_check = true;
        put(&net, vec![Row::Interface(checked)]).await;
        assert!(is_silence(&call_from(&a, OUTSIDE, 80)));
        net.destroy().await.unwrap();
        sh(&format!("umount {}", outside.display()));
    });
}

async fn two_in(net: &LinuxVpcs, id: &str, vni: u32) -> [netdev::vpc::VpcAttachment; 2] {
    let mut rows = base(id, vni, vec![]);
    for last in [5, 6] {
        let mut row = interface(id, [172, 31, 16, last], "sg");
        row.id = format!("eni-{id}-{last}");
        rows.push(Row::Interface(row));
    }
    rows.push(Row::GroupSet(open(id, "sg")));
    put(net, rows).await;
    let one = net
        .attach(&format!("{id}-1"), &format!("eni-{id}-5"))
        .await
        .unwrap();
    [
        one,
        net.attach(&format!("{id}-2"), &format!("eni-{id}-6"))
            .await
            .unwrap(),
    ]
}

#[test]
fn two_vpcs_with_the_same_addresses_do_not_meet() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let before = traces();
        let mut config = netdev::NetworkConfig::new("0000d102", dir.path());
        config.router_linger = std::time::Duration::ZERO;
        let net = LinuxVpcs::new(config).unwrap();
        let [one, other] = two_in(&net, "vpc-1", 1).await;
        let [two, another] = two_in(&net, "vpc-2", 2).await;
        serve(&other.netns, 80);
        serve(&another.netns, 81);
        let to = Ipv4Addr::new(172, 31, 16, 6);
        assert!(call_from(&one, to, 80).is_ok() && call_from(&two, to, 81).is_ok());
        let refused = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
        assert!(refused(call_from(&one, to, 81).unwrap_err()));
        assert!(refused(call_from(&two, to, 80).unwrap_err()));
        remove(
            &net,
            ["vpc-1-5", "vpc-1-6"]
                .map(|id| RowKey::Interface(format!("eni-{id}")))
                .to_vec(),
        )
        .await;
        assert!(call_from(&two, to, 81).is_ok());
        assert!(net.router("vpc-1").is_none() && net.router("vpc-2").is_some());
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
    });
}

/// Sends from another's address and says nothing about what came of it.
const SPOOF: &str = r"
import socket, struct, sys
frm, to, mac = sys.argv[1:4]
def checksum(b):
    t = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while t >> 16: t = (t & 0xffff) + (t >> 16)
    return ~t & 0xffff
udp = struct.pack('!HHHH', 4000, 53, 12, 0) + b'fake'
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 32, 1, 0, 64, 17, 0, socket.inet_aton(frm), socket.inet_aton(to))
ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
own = s.getsockname()[4]
src = bytes.fromhex(mac.replace(':', '')) if mac != 'own' else own
s.send(bytes.fromhex('0a5800000001') + src + b'\x08\x00' + ip + udp)
";

#[test]
fn a_task_cannot_send_in_its_neighbours_name() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("0000d103", dir.path());
        let [one, two] = two_in(&net, VPC, 1).await;
        let resolver = Ipv4Addr::new(172, 31, 0, 2);
        // Who listens there is told who asked.
        let router = net.router(VPC).unwrap();
        let socket = run_in(&router, || {
            std::net::UdpSocket::bind((resolver, 53)).unwrap()
        })
        .unwrap();
        socket
            .set_read_timeout(Some(std::time::Duration::from_millis(300)))
            .unwrap();
        let heard = || {
            let mut buffer = [0; 100];
            socket
                .recv_from(&mut buffer)
                .ok()
                .map(|(_, from)| from.ip())
        };
        let spoof = |from: Ipv4Addr, mac: &str| {
            let arguments =
                [SPOOF, &from.to_string(), &resolver.to_string(), mac].map(str::to_owned);
            run_in(&one.netns, || {
                let [script, from, to, mac] = &arguments;
                let done = std::process::Command::new("python3")
                    .args(["-c", script, from, to, mac])
                    .status();
                assert!(done.unwrap().success());
            })
            .unwrap();
        };
        spoof(one.addresses[0], "own");
        assert_eq!(
            heard(),
            Some(one.addresses[0].into()),
            "the test's own packet is well made"
        );
        spoof(two.addresses[0], "own");
        assert_eq!(heard(), None);
        spoof(one.addresses[0], "02:00:00:00:00:99");
        assert_eq!(heard(), None);
        // Its check is turned off: whatever it sends is its own affair, as far as a VPC's rules go.
        let mut free = interface(VPC, [172, 31, 16, 5], "sg");
        free.id = format!("eni-{VPC}-5");
        free.source_dest_check = false;
        put(&net, vec![Row::Interface(free)]).await;
        spoof(two.addresses[0], "own");
        assert_eq!(heard(), Some(two.addresses[0].into()));
        // No other port of the router is open.
        drop(socket);
        serve_udp(&router, resolver, 54);
        assert!(is_silence(&ask(&one, resolver, 54)));
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_network_acl_knows_no_flows_and_says_nothing_within_a_subnet() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("0000d104", dir.path());
        let mut rows = base(VPC, 1, vec![]);
        let one = interface(VPC, [172, 31, 16, 5], "sg");
        let two = interface(VPC, [172, 31, 16, 6], "sg");
        let far = interface(VPC, [172, 31, 40, 7], "sg");
        rows.extend([&one, &two, &far].map(|row| Row::Interface(row.clone())));
        rows.push(Row::GroupSet(open(VPC, "sg")));
        apply(&net, state(rows)).await;
        let a = net.attach("a", &one.id).await.unwrap();
        let b = net.attach("b", &two.id).await.unwrap();
        let c = net.attach("c", &far.id).await.unwrap();
        for at in [&b, &c] {
            serve(&at.netns, 80);
            echo(&at.netns, 81);
        }
        let mut talk = Talk::open(&a, c.addresses[0], 81);
        assert!(talk.goes_on() && call_from(&a, c.addresses[0], 80).is_ok());
        let entry = |egress, allow, cidr: &str, ports| AclEntry {
            egress,
            allow,
            cidr: cidr.parse().unwrap(),
            protocols: Protocols(6, 6),
            ports,
            icmp: None,
        };
        let with = |acl| {
            let mut row = subnet(VPC, "vpc-1-b", "172.31.32.0/20", vec![]);
            row.acl = acl;
            vec![Row::Subnet(row)]
        };
        // Answers have ports that nothing allows: it keeps no flow in mind.
        put(
            &net,
            with(vec![entry(false, true, "172.31.16.0/20", Ports(80, 81))]),
        )
        .await;
        assert!(is_silence(&call_from(&a, c.addresses[0], 80)) && !talk.goes_on());
        assert!(call_from(&a, b.addresses[0], 80).is_ok());
        let answers = entry(true, true, "0.0.0.0/0", Ports(1024, 65535));
        put(
            &net,
            with(vec![
                entry(false, false, "172.31.16.6/32", Ports(0, 65535)),
                entry(false, true, "172.31.16.0/20", Ports(80, 80)),
                answers.clone(),
            ]),
        )
        .await;
        assert!(call_from(&a, c.addresses[0], 80).is_ok());
        assert!(is_silence(&call_from(&b, c.addresses[0], 80)));
        put(&net, with(vec![])).await;
        assert!(call_from(&b, c.addresses[0], 80).is_ok());
        assert!(Talk::open(&a, c.addresses[0], 81).goes_on());
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_flow_that_a_rule_for_everybody_let_in_ends_with_the_rule() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("0000d105", dir.path());
        let mut rows = base(VPC, 1, vec![]);
        let one = interface(VPC, [172, 31, 16, 5], "sg-1");
        let two = interface(VPC, [172, 31, 16, 6], "sg-2");
        rows.extend([&one, &two].map(|row| Row::Interface(row.clone())));
        rows.push(Row::GroupSet(open(VPC, "sg-1")));
        rows.push(Row::GroupSet(open(VPC, "sg-2")));
        apply(&net, state(rows)).await;
        let a = net.attach("a", &one.id).await.unwrap();
        let b = net.attach("b", &two.id).await.unwrap();
        echo(&b.netns, 81);
        echo(&b.netns, 82);
        let mut cut = Talk::open(&a, b.addresses[0], 81);
        let mut kept = Talk::open(&a, b.addresses[0], 82);
        assert!(cut.goes_on() && kept.goes_on());
        let only = range("0.0.0.0", "255.255.255.255", Protocols(6, 6), Ports(82, 82));
        put(
            &net,
            vec![Row::GroupSet(groups(VPC, "sg-2", vec![], vec![only]))],
        )
        .await;
        assert!(!cut.goes_on() && kept.goes_on());
        // From now on it was a reference that let it in: tracked.
        let by_group = vec![from_group("sg-1", 82), ping_from("sg-1")];
        put(
            &net,
            vec![Row::GroupSet(groups(VPC, "sg-2", by_group, vec![]))],
        )
        .await;
        let mut tracked = Talk::open(&a, b.addresses[0], 82);
        put(
            &net,
            vec![Row::GroupSet(groups(VPC, "sg-2", vec![], vec![]))],
        )
        .await;
        assert!(tracked.goes_on());
        net.destroy().await.unwrap();
    });
}
