//! After a crash, after others meddled, and at the end. Needs root, `ip` and `nft`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use netdev::{BridgeAttachment, HostNetwork, KeptAttachment, NetworkConfig};
use support::{call, network, on_private_host, serve_tcp, sh, tcp};

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn kept(id: &str, made: &BridgeAttachment) -> KeptAttachment {
    KeptAttachment {
        id: id.into(),
        address: Some(made.address),
        bindings: made.bindings.clone(),
    }
}

#[test]
fn adopting_keeps_what_is_named_and_removes_the_rest() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("000000c1", dir.path());
        let a = net.attach_bridge("a", &[tcp(80, 8080)]).await.unwrap();
        let b = net.attach_bridge("b", &[tcp(80, 8081)]).await.unwrap();
        let isolated = net.create_isolated("i").await.unwrap();
        serve_tcp(&a.netns, 80, "a");
        serve_tcp(&b.netns, 80, "b");
        drop(net);
        // While nobody holds them the mappings work on.
        assert_eq!(call(LOCALHOST, 8080).unwrap().0, "a");

        let net = network("000000c1", dir.path());
        let isolated_kept = KeptAttachment {
            id: "i".into(),
            address: None,
            bindings: vec![],
        };
        let gone = KeptAttachment {
            id: "gone".into(),
            address: None,
            bindings: vec![],
        };
        let report = net
            .adopt(&[kept("a", &a), isolated_kept, gone])
            .await
            .unwrap();
        assert_eq!(
            (report.kept, report.missing),
            (vec!["a".into(), "i".into()], vec!["gone".into()])
        );
        assert_eq!((report.removed_namespaces, report.removed_links), (1, 1));
        assert!(report.unheld.is_empty() && isolated.exists() && !b.netns.exists());
        assert_eq!(net.attached("a"), Some(a.clone()));
        assert_eq!((net.attached("b"), net.attached("i")), (None, None));
        assert_eq!(call(LOCALHOST, 8080).unwrap().0, "a");
        assert!(call(LOCALHOST, 8081).is_err());
        assert!(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)).is_err());
        let c = net.attach_bridge("c", &[tcp(80, 8081)]).await.unwrap();
        assert_eq!(c.gateway, a.gateway);
        assert_ne!(c.address, a.address);
        net.detach("a").await.unwrap();
        assert!(!a.netns.exists() && call(LOCALHOST, 8080).is_err());
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_port_that_another_took_meanwhile_is_reported_and_still_mapped() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("000000c2", dir.path());
        let a = net.attach_bridge("a", &[tcp(80, 8080)]).await.unwrap();
        serve_tcp(&a.netns, 80, "a");
        drop(net);
        // A child that another test forks holds the socket until it execs.
        let deadline = Instant::now() + Duration::from_secs(10);
        let _foreign = loop {
            match TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8080)) {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::yield_now();
        };
        let net = network("000000c2", dir.path());
        assert_eq!(
            net.adopt(&[kept("a", &a)]).await.unwrap().unheld,
            a.bindings
        );
        assert_eq!(call(LOCALHOST, 8080).unwrap().0, "a");
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_crash_between_any_two_steps_is_cleared_away() {
    let halves: [fn(&str); 4] = [
        |dir| drop(sh(&format!("touch {dir}/ns/half"))),
        |dir| {
            drop(sh(&format!(
                "touch {dir}/ns/half && unshare --net={dir}/ns/half true"
            )));
        },
        |_| {
            drop(sh(
                "ip link add v000000c3abcd type veth peer name x && ip link set v000000c3abcd master ls000000c3",
            ));
        },
        |_| drop(sh("ip link del ls000000c3")),
    ];
    for half in halves {
        for destroys in [false, true] {
            on_private_host(move || async move {
                let dir = tempfile::tempdir().unwrap();
                let before = support::traces();
                let net = network("000000c3", dir.path());
                net.attach_bridge("whole", &[tcp(80, 8080)]).await.unwrap();
                drop(net);
                half(dir.path().to_str().unwrap());
                let net = network("000000c3", dir.path());
                if !destroys {
                    net.adopt(&[]).await.unwrap();
                    assert_eq!(std::fs::read_dir(dir.path().join("ns")).unwrap().count(), 0);
                    assert!(!sh("ip -o link").contains("v000000c3"));
                    net.attach_bridge("next", &[tcp(80, 8080)]).await.unwrap();
                }
                net.destroy().await.unwrap();
                net.destroy().await.unwrap();
                assert_eq!(
                    support::traces().replace("1\n", "0\n"),
                    before.replace("1\n", "0\n")
                );
            });
        }
    }
}

#[test]
fn a_flushed_rule_set_is_made_again_with_all_mappings() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("000000c4", dir.path());
        let a = net.attach_bridge("a", &[tcp(80, 8080)]).await.unwrap();
        serve_tcp(&a.netns, 80, "a");
        sh("nft flush ruleset");
        net.attach_bridge("b", &[tcp(80, 8081)]).await.unwrap();
        assert_eq!(call(LOCALHOST, 8080).unwrap().0, "a");
        sh("nft flush ruleset");
        net.detach("b").await.unwrap();
        assert_eq!(call(LOCALHOST, 8080).unwrap().0, "a");
        net.destroy().await.unwrap();
    });
}

#[test]
fn the_range_avoids_the_hosts_routes_and_is_remembered() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        sh("ip route add 172.30.0.0/16 dev up0");
        let net = network("000000c5", dir.path());
        let first = net.attach_bridge("a", &[]).await.unwrap();
        assert_eq!(first.gateway, Ipv4Addr::new(172, 29, 240, 1));
        net.destroy().await.unwrap();
        sh("ip route del 172.30.0.0/16 dev up0");
        let again = network("000000c5", dir.path())
            .attach_bridge("a", &[])
            .await
            .unwrap();
        assert_eq!(again.gateway, first.gateway);
        network("000000c5", dir.path()).destroy().await.unwrap();
    });
}

#[test]
fn a_healthy_host_has_no_errors_and_a_dropping_firewall_is_found() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let config = NetworkConfig::new("000000c6", dir.path());
        let found = netdev::diagnose(&config);
        assert!(
            found
                .iter()
                .all(|finding| finding.severity == netdev::Severity::Note),
            "{found:?}"
        );
        sh(
            "nft add table ip filter; nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy drop; }'",
        );
        let found = netdev::diagnose(&config);
        assert!(
            found
                .iter()
                .any(|finding| finding.mend.contains("iptables -I FORWARD -i ls000000c6")),
            "{found:?}"
        );
    });
}
