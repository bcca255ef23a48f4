//! Bridge mode on a private host: who reaches whom, by which address, and what is refused.
//! Needs root, `ip` and `nft`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;

use netdev::{HostNetwork, NetworkError};
use support::{
    HOST, ask, call, call_from, network, on_private_host, serve_tcp, serve_udp, sh, tcp, udp,
};

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Both values of `bridge-nf-call-iptables`: others on the host may need it on.
fn with_and_without_bridge_netfilter<F: Future<Output = ()> + 'static>(body: fn() -> F) {
    for value in [0, 1] {
        on_private_host(move || async move {
            sh(&format!(
                "echo {value} > /proc/sys/net/bridge/bridge-nf-call-iptables"
            ));
            body().await;
        });
    }
}

#[test]
fn two_containers_on_port_80_answer_on_every_address_of_the_host() {
    with_and_without_bridge_netfilter(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("00000001", dir.path());
        let a = net.attach_bridge("a", &[tcp(80, 0)]).await.unwrap();
        let b = net.attach_bridge("b", &[tcp(80, 8080)]).await.unwrap();
        serve_tcp(&a.netns, 80, "a");
        serve_tcp(&b.netns, 80, "b");
        assert_eq!(b.bindings[0].host_port, 8080);
        for (attachment, name) in [(&a, "a"), (&b, "b")] {
            let port = attachment.bindings[0].host_port;
            for address in [LOCALHOST, HOST, attachment.gateway] {
                assert_eq!(call(address, port).unwrap().0, name, "{address}:{port}");
            }
            assert_eq!(call(attachment.address, 80).unwrap().0, name);
        }
        // The host's own address is kept; 127.0.0.1 cannot be.
        assert_eq!(call(HOST, 8080).unwrap().1, HOST.to_string());
        assert_eq!(call(LOCALHOST, 8080).unwrap().1, b.gateway.to_string());
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_container_reaches_its_own_and_its_neighbours_host_port() {
    with_and_without_bridge_netfilter(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("00000002", dir.path());
        let a = net.attach_bridge("a", &[tcp(80, 8001)]).await.unwrap();
        let b = net.attach_bridge("b", &[tcp(80, 8002)]).await.unwrap();
        serve_tcp(&a.netns, 80, "a");
        serve_tcp(&b.netns, 80, "b");
        for address in [HOST, a.gateway] {
            assert_eq!(
                call_from(&a.netns, address, 8001).unwrap().0,
                "a",
                "{address}"
            );
            assert_eq!(
                call_from(&a.netns, address, 8002).unwrap().0,
                "b",
                "{address}"
            );
        }
        // Directly, the caller's own address is seen.
        assert_eq!(
            call_from(&a.netns, b.address, 80).unwrap(),
            ("b".into(), a.address.to_string())
        );
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_port_in_use_is_refused_and_nothing_is_left_of_the_attempt() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("00000003", dir.path());
        net.attach_bridge("a", &[tcp(80, 8080)]).await.unwrap();
        let foreign = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8081)).unwrap();
        let before = support::traces();
        for port in [8080, 8081] {
            let refused = net
                .attach_bridge("b", &[tcp(81, 0), tcp(80, port)])
                .await
                .unwrap_err();
            assert!(
                matches!(refused, NetworkError::PortInUse { port: p, .. } if p == port),
                "{refused}"
            );
            assert!(refused.to_string().contains(&format!(
                "Bind for 0.0.0.0:{port} failed: port is already allocated"
            )));
        }
        assert_eq!(support::traces(), before);
        // The same number in udp is another port, and what others have is theirs alone.
        drop(foreign);
        net.attach_bridge("b", &[udp(80, 8080), tcp(80, 8081)])
            .await
            .unwrap();
        assert!(
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8081)).is_err(),
            "the port is held"
        );
        assert!(matches!(
            net.attach_bridge("b", &[]).await,
            Err(NetworkError::AlreadyAttached { .. })
        ));
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_udp_mapping_follows_the_container_though_the_client_keeps_its_socket() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("00000004", dir.path());
        for address in [LOCALHOST, HOST] {
            let client = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            // A datagram before the mapping stands: tracked as going to the host itself.
            client.send_to(b"early", (address, 5353)).unwrap();
            for name in ["first", "second"] {
                let made = net.attach_bridge(name, &[udp(53, 5353)]).await.unwrap();
                serve_udp(&made.netns, 53, name);
                assert_eq!(
                    retry_refused(|| ask(&client, address, 5353)),
                    name,
                    "{address}"
                );
                net.detach(name).await.unwrap();
            }
        }
        net.destroy().await.unwrap();
    });
}

/// A refusal of an earlier datagram is reported on the socket's next use; only then is it the answer's turn.
fn retry_refused(mut ask: impl FnMut() -> std::io::Result<String>) -> String {
    for _ in 0..5 {
        match ask() {
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {}
            answer => return answer.unwrap(),
        }
    }
    panic!("refused again and again");
}

#[test]
fn detach_frees_port_address_and_namespace_and_may_be_repeated() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("00000005", dir.path());
        net.prepare().await.unwrap();
        let before = support::traces();
        let made = net
            .attach_bridge("a", &[tcp(80, 8080), udp(80, 8080)])
            .await
            .unwrap();
        let isolated = net.create_isolated("i").await.unwrap();
        assert!(
            sh(&format!("nsenter --net={} ip -br link", isolated.display())).starts_with("lo ")
        );
        for id in ["a", "i", "a", "never"] {
            net.detach(id).await.unwrap();
        }
        assert_eq!(support::traces(), before);
        assert!(!made.netns.exists() && !isolated.exists());
        assert!(call(LOCALHOST, 8080).is_err());
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).unwrap();
        let again = net.attach_bridge("b", &[tcp(80, 8080)]).await.unwrap();
        assert_ne!(
            again.address, made.address,
            "an address rests before it is used again"
        );
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_container_goes_out_under_the_hosts_address_and_is_not_entered_from_outside() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("00000006", dir.path());
        let made = net.attach_bridge("a", &[tcp(80, 8080)]).await.unwrap();
        serve_tcp(&made.netns, 80, "a");
        let outside = outside_world();
        serve_tcp(&outside, 9000, "world");
        let world = Ipv4Addr::new(192, 0, 2, 9);
        assert_eq!(
            call_from(&made.netns, world, 9000).unwrap(),
            ("world".into(), HOST.to_string())
        );
        assert_eq!(
            call_from(&outside, HOST, 8080).unwrap(),
            ("a".into(), world.to_string())
        );
        // Routing to the bridge's range by this host does not reach an address behind it.
        let direct = format!(
            "nsenter --net={} sh -c 'ip route add {}/32 via {HOST}; ping -c1 -W1 {} || echo unreached'",
            outside.display(),
            made.address,
            made.address
        );
        assert!(sh(&direct).contains("unreached"));
        net.destroy().await.unwrap();
        netdev_remove(&outside);
    });
}

/// The other end of the uplink, in a namespace of its own.
fn outside_world() -> std::path::PathBuf {
    let dir = tempfile::tempdir().unwrap().keep();
    let path = dir.join("world");
    std::fs::write(&path, "").unwrap();
    sh(&format!(
        "unshare --net={0} true && ip link set up1 netns {0} && nsenter --net={0} sh -c \
         'ip link set lo up; ip addr add 192.0.2.9/24 dev up1; ip link set up1 up'",
        path.display()
    ));
    path
}

fn netdev_remove(path: &std::path::Path) {
    sh(&format!(
        "umount {0} && rm -r $(dirname {0})",
        path.display()
    ));
}

#[test]
fn a_container_cannot_reach_the_hosts_loopback_services() {
    with_and_without_bridge_netfilter(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("00000007", dir.path());
        let made = net.attach_bridge("a", &[]).await.unwrap();
        let private = TcpListener::bind((LOCALHOST, 7777)).unwrap();
        private.set_nonblocking(true).unwrap();
        // Sends what is meant for 127.0.0.1 out by eth0, as an attacker with CAP_NET_ADMIN would.
        let forged = format!(
            "nsenter --net={} sh -c 'echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet; ip route del local 127.0.0.0/8 table local; \
             ip route del local 127.0.0.1 table local; ip route add 127.0.0.1 via {}; \
             timeout 2 busybox nc -w 1 127.0.0.1 7777 </dev/null || echo unreached'",
            made.netns.display(),
            made.gateway
        );
        assert!(sh(&forged).contains("unreached"));
        assert!(private.accept().is_err());
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_hundred_at_once_are_all_reachable() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = Arc::new(network("00000008", dir.path()));
        let before = support::traces();
        let calls: Vec<_> = (0..100)
            .map(|n| {
                let net = Arc::clone(&net);
                tokio::spawn(async move {
                    net.attach_bridge(&format!("c{n}"), &[tcp(80, 0)])
                        .await
                        .unwrap()
                })
            })
            .collect();
        for (n, attached) in calls.into_iter().enumerate() {
            let attached = attached.await.unwrap();
            serve_tcp(&attached.netns, 80, &format!("c{n}"));
            assert_eq!(
                call(LOCALHOST, attached.bindings[0].host_port).unwrap().0,
                format!("c{n}")
            );
        }
        net.destroy().await.unwrap();
        assert_eq!(support::traces(), before);
    });
}

#[test]
fn two_data_directories_live_side_by_side() {
    on_private_host(|| async {
        let dirs = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, two) = (
            network("0000000a", dirs.0.path()),
            network("0000000b", dirs.1.path()),
        );
        let before = support::traces();
        let a = one.attach_bridge("a", &[tcp(80, 8001)]).await.unwrap();
        let b = two.attach_bridge("b", &[tcp(80, 8002)]).await.unwrap();
        serve_tcp(&a.netns, 80, "a");
        serve_tcp(&b.netns, 80, "b");
        assert_ne!(a.gateway, b.gateway);
        assert_eq!(call(LOCALHOST, 8001).unwrap().0, "a");
        assert_eq!(call_from(&a.netns, HOST, 8002).unwrap().0, "b");
        one.destroy().await.unwrap();
        assert_eq!(call(LOCALHOST, 8002).unwrap().0, "b");
        assert_eq!(
            std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward")
                .unwrap()
                .trim(),
            "1"
        );
        two.destroy().await.unwrap();
        assert_eq!(
            support::traces(),
            before,
            "the last to go puts ip_forward back"
        );
    });
}
