//! A VPC on several hosts, which are namespaces here: real packets. Needs root, `ip`, `bridge`, `nft`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;
mod vpc_support;

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_api::agent::host_sync::{Destination, InterfaceRow, Ports, Protocols, Row, RowKey};
use netdev::namespace::run_in;
use netdev::vpc::{KeptVpcAttachment, LinuxVpcs, VpcNetwork};
use netdev::{NetworkConfig, NetworkError};
use support::{on_private_host, sh, traces};
use vpc_support::hosts::{another_host, bulk, on, wire};
use vpc_support::{
    Talk, VPC, apply, base, call, call_from, echo, everything, from_group, groups, host, interface,
    is_silence, ping, ping_from, put, range, remove, route, serve, state, subnet, until, vpc,
};

fn network(tag: &str, run_dir: PathBuf, last: u8) -> LinuxVpcs {
    let mut config = NetworkConfig::new(tag, run_dir);
    config.underlay = Some(Ipv4Addr::new(10, 99, 0, last));
    LinuxVpcs::new(config).unwrap()
}

#[test]
fn tasks_of_two_hosts_talk_as_their_groups_say_and_strangers_do_not() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        wire();
        let second = another_host(dir.path(), 2);
        let stranger = another_host(dir.path(), 3);
        let before = traces();
        let one = network("0000d201", dir.path().join("one"), 1);
        let two = run_in(&second, || network("0000d202", dir.path().join("two"), 2)).unwrap();
        let (web, client) = ("sg-web", "sg-client");
        let near = interface(VPC, [172, 31, 16, 5], client);
        let far = interface(VPC, [172, 31, 16, 8], web);
        let sets = |web_in| {
            vec![
                Row::GroupSet(groups(VPC, web, web_in, vec![])),
                Row::GroupSet(groups(VPC, client, vec![], vec![])),
            ]
        };
        let web_in = || {
            vec![
                from_group(client, 80),
                from_group(client, 81),
                ping_from(client),
            ]
        };
        let mut rows = [base(VPC, 77, vec![]), sets(web_in())].concat();
        rows.extend([
            host("h2", [10, 99, 0, 2]),
            Row::Interface(near.clone()),
            on(&far, "h2"),
        ]);
        apply(&one, state(rows)).await;
        let mut rows = [base(VPC, 77, vec![]), sets(web_in())].concat();
        rows.extend([
            host("h1", [10, 99, 0, 1]),
            Row::Interface(far.clone()),
            on(&near, "h1"),
        ]);
        apply(&two, state(rows)).await;
        let a = one.attach("a", &near.id).await.unwrap();
        let b = two.attach("b", &far.id).await.unwrap();
        assert_eq!((a.mtu, b.mtu), (1450, 1450));
        serve(&b.netns, 80);
        serve(&b.netns, 82);
        serve(&a.netns, 80);
        echo(&b.netns, 81);
        let (to_a, to_b) = (a.addresses[0], b.addresses[0]);

        assert_eq!(call_from(&a, to_b, 80).unwrap(), "172.31.16.5");
        assert!(is_silence(&call_from(&a, to_b, 82)) && is_silence(&call_from(&b, to_a, 80)));
        assert!(ping(&a, to_b) && !ping(&b, to_a));
        let mut talk = Talk::open(&a, to_b, 81);
        assert!(talk.goes_on() && bulk(&a.netns, to_b, 81));
        put(&two, sets(vec![])).await;
        assert!(talk.goes_on() && is_silence(&call_from(&a, to_b, 80)));

        // A stranger that knows everything but is no host of ours.
        let heard = hears_of(&stranger, &a.netns, to_a);
        put(
            &one,
            vec![
                Row::GroupSet(groups(VPC, client, vec![], everything())),
                host("h3", [10, 99, 0, 3]),
            ],
        )
        .await;
        assert!(
            heard(),
            "a known host's packets arrive, or the test below shows nothing"
        );
        // The kernel takes VXLAN at any address of the host.
        sh("ip addr add 10.99.1.1/32 dev lo");
        let there = format!("nsenter --net={} ", stranger.display());
        sh(&format!("{there} ip route add 10.99.1.1/32 via 10.99.0.1"));
        let forwards = |to| format!("{there} bridge fdb replace 02:fe:0a:63:00:01 dev vx dst {to}");
        sh(&forwards("10.99.1.1"));
        assert!(!heard());
        sh(&forwards("10.99.0.1"));
        assert!(heard());
        sh("ip addr del 10.99.1.1/32 dev lo");
        remove(&one, vec![RowKey::Host("h3".into())]).await;
        assert!(!heard());

        // The far task moves to this host, with its address.
        two.detach("b").await.unwrap();
        let gone = remove(&two, vec![RowKey::Interface(far.id.clone())]).await;
        assert_eq!(gone.removed, [far.id.as_str()]);
        put(
            &one,
            [vec![Row::Interface(far.clone())], sets(web_in())].concat(),
        )
        .await;
        let b = one.attach("b", &far.id).await.unwrap();
        serve(&b.netns, 80);
        assert_eq!(call_from(&a, to_b, 80).unwrap(), "172.31.16.5");

        one.destroy().await.unwrap();
        two.destroy().await.unwrap();
        // Forwarding stays on: the wire is a bridge, whose owner may rely on it.
        // A namespace may begin with it on: it inherits the machine's.
        let but_forwarding = |traces: &str| traces.replace("]1\n", "]0\n");
        assert_eq!(but_forwarding(&traces()), but_forwarding(&before));
        assert!(
            !sh(&format!(
                "nsenter --net={} nft list tables",
                second.display()
            ))
            .contains("longshore")
        );
        for path in [second, stranger] {
            sh(&format!("umount {}", path.display()));
        }
    });
}

/// Gives the stranger a VXLAN device of the VPC's and a member's address; the answer sends a datagram
/// into the VPC and says whether the task heard it.
fn hears_of(stranger: &Path, task: &Path, to: Ipv4Addr) -> impl Fn() -> bool + use<> {
    for line in [
        "ip link add vx address 02:fe:0a:63:00:03 type vxlan id 77 local 10.99.0.3 dstport 4789 nolearning",
        "ip addr add 172.31.16.8/32 dev vx",
        "ip link set vx up",
        "bridge fdb append 02:fe:0a:63:00:01 dev vx dst 10.99.0.1",
        "ip neigh replace 10.99.0.1 lladdr 02:fe:0a:63:00:01 dev vx nud permanent",
        "ip route add 172.31.16.0/24 via 10.99.0.1 dev vx onlink src 172.31.16.8",
    ] {
        sh(&format!("nsenter --net={} {line}", stranger.display()));
    }
    let ear = run_in(task, || {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 90)).unwrap()
    })
    .unwrap();
    ear.set_read_timeout(Some(Duration::from_millis(400)))
        .unwrap();
    let mouth = run_in(stranger, || {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap()
    })
    .unwrap();
    move || {
        mouth.send_to(b"psst", (to, 90)).unwrap();
        ear.recv_from(&mut [0; 10]).is_ok()
    }
}

#[test]
fn ipv6_goes_within_a_host_and_between_hosts() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        wire();
        let second = another_host(dir.path(), 2);
        let one = network("0000d203", dir.path().join("one"), 1);
        let two = run_in(&second, || network("0000d204", dir.path().join("two"), 2)).unwrap();
        let six = |last: u8, group: &str| {
            let mut row = interface(VPC, [172, 31, 16, last], group);
            row.ipv6_addresses = vec![Ipv6Addr::new(
                0xfd00,
                0x1234,
                0x5678,
                0,
                0,
                0,
                0,
                last.into(),
            )];
            row
        };
        let (near, beside, far) = (six(5, "sg-client"), six(6, "sg-web"), six(8, "sg-web"));
        let common = || {
            let mut subnet = subnet(VPC, "vpc-1-a", "172.31.16.0/20", vec![]);
            subnet.ipv6_cidr = Some("fd00:1234:5678::/64".parse().unwrap());
            vec![
                vpc(VPC, 78),
                Row::Subnet(subnet),
                Row::GroupSet(groups(
                    VPC,
                    "sg-web",
                    vec![from_group("sg-client", 80)],
                    vec![],
                )),
                Row::GroupSet(groups(VPC, "sg-client", vec![], vec![])),
            ]
        };
        let local = |rows: [&InterfaceRow; 2]| rows.map(|row| Row::Interface(row.clone())).to_vec();
        apply(
            &one,
            state(
                [
                    common(),
                    local([&near, &beside]),
                    vec![host("h2", [10, 99, 0, 2]), on(&far, "h2")],
                ]
                .concat(),
            ),
        )
        .await;
        let there = vec![
            Row::Interface(far.clone()),
            host("h1", [10, 99, 0, 1]),
            on(&near, "h1"),
            on(&beside, "h1"),
        ];
        apply(&two, state([common(), there].concat())).await;
        let a = one.attach("a", &near.id).await.unwrap();
        let b = one.attach("b", &beside.id).await.unwrap();
        let c = two.attach("c", &far.id).await.unwrap();
        for at in [&a, &b, &c] {
            serve(&at.netns, 80);
            serve(&at.netns, 81);
        }
        let first = |at: &netdev::vpc::VpcAttachment| at.ipv6_addresses[0];
        for to in [&b, &c] {
            assert_eq!(call_from(&a, first(to), 80).unwrap(), "fd00:1234:5678::5");
            assert!(is_silence(&call_from(&a, first(to), 81)));
            assert!(is_silence(&call_from(to, first(&a), 80)));
        }
        one.destroy().await.unwrap();
        two.destroy().await.unwrap();
        sh(&format!("umount {}", second.display()));
    });
}

#[test]
fn what_came_through_another_host_is_answered_through_it_also_after_a_restart() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        wire();
        let second = another_host(dir.path(), 2);
        let client = another_host(dir.path(), 3);
        let six = Ipv6Addr::new(0xfd00, 0x1234, 0x5678, 0, 0, 0, 0, 8);
        // That the host forwards IPv6 is its administrator's to say.
        sh("ip addr add fd99::1/64 dev wire nodad; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
        run_in(&client, || {
            sh("ip addr add fd99::3/64 dev wire nodad; ip route add 100.64.0.9 via 10.99.0.1");
            sh(&format!("ip -6 route add {six} via fd99::1"));
        })
        .unwrap();
        let one = network("0000d206", dir.path().join("one"), 1);
        let two = run_in(&second, || network("0000d207", dir.path().join("two"), 2)).unwrap();
        let near = interface(VPC, [172, 31, 16, 5], "sg");
        let far = InterfaceRow {
            public: Some(Ipv4Addr::new(100, 64, 0, 9)),
            ipv6_addresses: vec![six],
            ..interface(VPC, [172, 31, 16, 8], "sg")
        };
        // A way out of its own, which an answer must not take.
        let common = || {
            let out = ["0.0.0.0/0", "::/0"].map(|to| route(to, Destination::InternetGateway));
            let only = ["10.99.0.3", "fd99::3"]
                .map(|from| range(from, from, Protocols(6, 6), Ports(80, 80)));
            let mut rows = base(VPC, 77, out.to_vec());
            for row in &mut rows {
                match row {
                    Row::Vpc(row) => row.ipv6_cidrs = vec!["fd00:1234:5678::/56".parse().unwrap()],
                    Row::Subnet(row) if row.id.ends_with("-a") => {
                        row.ipv6_cidr = Some("fd00:1234:5678::/64".parse().unwrap());
                    }
                    _ => {}
                }
            }
            rows.push(Row::GroupSet(groups(VPC, "sg", vec![], only.to_vec())));
            rows
        };
        let here = [Row::Interface(near.clone()), host("h2", [10, 99, 0, 2])];
        let here = [common(), here.to_vec(), vec![on(&far, "h2")]].concat();
        let there = [Row::Interface(far.clone()), host("h1", [10, 99, 0, 1])];
        let there = [common(), there.to_vec(), vec![on(&near, "h1")]].concat();
        apply(&one, state(here.clone())).await;
        apply(&two, state(there.clone())).await;
        let kept = two.attach("far", &far.id).await.unwrap();
        serve(&kept.netns, 80);
        let page = |from: &Path| run_in(from, || call(Ipv4Addr::new(100, 64, 0, 9), 80)).unwrap();
        let page6 = |from: &Path| run_in(from, || call(six, 80)).unwrap();
        assert_eq!(page(&client).unwrap(), "10.99.0.3");
        // A neighbour of IPv6 is found once both ends of the wire have an address of the link.
        until(|| page6(&client).is_ok());
        assert_eq!(page6(&client).unwrap(), "fd99::3");
        drop((one, two));
        let one = network("0000d206", dir.path().join("one"), 1);
        let two = run_in(&second, || network("0000d207", dir.path().join("two"), 2)).unwrap();
        let far_kept = KeptVpcAttachment {
            id: "far".into(),
            interface: far.id.clone(),
        };
        one.adopt(&[]).await.unwrap();
        two.adopt(&[far_kept]).await.unwrap();
        // What an earlier agent left wrong is made good.
        let router = two.router(VPC).unwrap();
        let harm = "ip rule del pref 35000; ip -6 rule del pref 35000; nft flush map inet vpc peers; ip rule add fwmark 7 lookup 7 pref 35000";
        run_in(&router, || sh(harm)).unwrap();
        assert!(page(&client).is_err() && page6(&client).is_err());
        apply(&one, state(here)).await;
        apply(&two, state(there)).await;
        assert_eq!(page(&client).unwrap(), "10.99.0.3");
        assert_eq!(page6(&client).unwrap(), "fd99::3");
        for family in ["-4", "-6"] {
            let show = format!("ip {family} rule show pref 35000");
            let rules = run_in(&router, || sh(&show)).unwrap();
            assert_eq!(rules.lines().count(), 1, "{rules}");
            assert!(rules.contains("0xa630001"), "{rules}");
        }
        one.destroy().await.unwrap();
        two.destroy().await.unwrap();
        for path in [second, client] {
            sh(&format!("umount {}", path.display()));
        }
    });
}

#[test]
fn an_underlay_that_the_host_does_not_have_is_told() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let before = traces();
        let net = network("0000d205", dir.path().join("one"), 9);
        let mut rows = base(VPC, 1, vec![]);
        rows.push(Row::Interface(interface(VPC, [172, 31, 16, 5], "")));
        let outcome = net.apply(&state(rows)).await.unwrap();
        let [(key, why)] = &outcome.failures[..] else {
            panic!("{outcome:?}");
        };
        assert_eq!(*key, RowKey::Vpc(VPC.into()));
        assert!(why.contains("10.99.0.9"), "{why}");
        let attached = net.attach("a", "eni-ac1f1005").await;
        assert!(
            matches!(attached, Err(NetworkError::Kernel { .. })),
            "{attached:?}"
        );
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
    });
}
