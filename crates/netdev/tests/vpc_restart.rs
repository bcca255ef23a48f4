//! Restarts, crashes, and many at once: real packets. Needs root, `ip`, `nft` and `conntrack`'s kernel half.

#![allow(clippy::unwrap_used, dead_code)]

mod support;
mod vpc_support;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_api::agent::host_sync::{Row, RowKey};
use netdev::namespace::run_in;
use netdev::vpc::{KeptVpcAttachment, VpcNetwork};
use support::{on_private_host, sh, traces};
use vpc_support::{
    Talk, VPC, apply, base, call_from, echo, everything, from_group, groups, interface, is_silence,
    network, put, remove, serve, state,
};

fn kept(id: &str, interface: &str) -> KeptVpcAttachment {
    KeptVpcAttachment {
        id: id.into(),
        interface: interface.into(),
    }
}

fn three(web_port: u16) -> Vec<Row> {
    let mut rows = base(VPC, 1, vec![]);
    for (last, group) in [(5, "sg-client"), (6, "sg-web"), (7, "sg-web")] {
        rows.push(Row::Interface(interface(VPC, [172, 31, 16, last], group)));
    }
    let web_in = vec![from_group("sg-client", web_port)];
    rows.push(Row::GroupSet(groups(VPC, "sg-web", web_in, vec![])));
    rows.push(Row::GroupSet(groups(VPC, "sg-client", vec![], vec![])));
    rows
}

fn eni(last: u8) -> String {
    interface(VPC, [172, 31, 16, last], "").id
}

#[test]
fn a_restart_loses_no_flow_and_what_changed_meanwhile_is_made_good() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let before = traces();
        let net = network("0000d301", dir.path());
        apply(&net, state(three(81))).await;
        let a = net.attach("a", &eni(5)).await.unwrap();
        let b = net.attach("b", &eni(6)).await.unwrap();
        let c = net.attach("c", &eni(7)).await.unwrap();
        echo(&b.netns, 81);
        serve(&b.netns, 82);
        let mut talk = Talk::open(&a, b.addresses[0], 81);
        drop(net);
        assert!(talk.goes_on());

        let net = network("0000d301", dir.path());
        let report = net
            .adopt(&[kept("a", &eni(5)), kept("b", &eni(6)), kept("z", "eni-z")])
            .await
            .unwrap();
        assert_eq!(report.kept, ["a", "b"]);
        assert_eq!((report.missing, report.removed), (vec!["z".to_owned()], 2));
        assert!(!c.netns.exists() && talk.goes_on());
        // The same rules: nothing changes. Others: only they change.
        apply(&net, state(three(81))).await;
        assert_eq!(net.attached("a"), Some(a.clone()));
        assert!(talk.goes_on() && is_silence(&call_from(&a, b.addresses[0], 82)));
        let c = net.attach("c", &eni(7)).await.unwrap();
        serve(&c.netns, 82);
        drop(net);

        let net = network("0000d301", dir.path());
        net.adopt(&[kept("a", &eni(5)), kept("b", &eni(6)), kept("c", &eni(7))])
            .await
            .unwrap();
        let mut rows = three(82);
        rows.retain(|row| row.key() != RowKey::Interface(eni(7)));
        // An interface that the rows no longer have is cut off.
        assert_eq!(apply(&net, state(rows)).await.removed, [eni(7)]);
        assert!(call_from(&a, c.addresses[0], 82).is_err());
        assert!(talk.goes_on() && call_from(&a, b.addresses[0], 82).is_ok());
        net.destroy().await.unwrap();
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
    });
}

#[test]
fn an_adopted_router_holds_what_a_new_one_would() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let contents = |router: &std::path::Path| {
            let all = "nft list ruleset; ip route show table all; ip -6 route show table all; ip rule; ip addr show dev lo";
            let text = run_in(router, || sh(all)).unwrap();
            // A set has no order.
            let pieces = text.split([',', '{', '}', '\n']).map(str::trim);
            pieces.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let net = network("0000d302", dir.path());
        apply(&net, state(three(81))).await;
        let router = net.router(VPC).unwrap();
        let fresh = contents(&router);
        for harm in [
            "nft flush ruleset",
            "nft flush map inet vpc gs; nft add element inet vpc in_ref '{ 0:1 . 9 . 6 . 80-90 }'",
            "ip route flush table main proto static; ip addr del 172.31.16.1/32 dev lo",
            "ip rule del pref 40000; ip rule add from 10.0.0.0/8 lookup 99 pref 40000",
            // A table of another build; a question about ACLs that nobody has any more.
            "nft 'delete table inet vpc; add table inet vpc; add set inet vpc anti { type ifname . ether_addr . ipv4_addr; }'",
            "nft 'add chain inet vpc acl_in_gone; add rule inet vpc acl iifname lo drop'",
            "ip route add unreachable 10.0.0.0/8 proto static; ip addr add 172.31.99.1/32 dev lo",
        ] {
            run_in(&router, || sh(harm)).unwrap();
            assert_ne!(contents(&router), fresh, "{harm}");
            let again = network("0000d302", dir.path());
            again.adopt(&[]).await.unwrap();
            apply(&again, state(three(81))).await;
            let now = contents(&router);
            let others: Vec<_> = now.symmetric_difference(&fresh).collect();
            assert!(others.is_empty(), "{harm}: {others:?}");
        }
        net.destroy().await.unwrap();
    });
}

#[test]
fn what_a_crash_left_half_made_is_made_whole_or_removed() {
    let halves: [fn(&str); 5] = [
        |dir| drop(sh(&format!("touch {dir}/routers/vpc-1"))),
        |dir| {
            drop(sh(&format!(
                "touch {dir}/routers/vpc-1 && unshare --net={dir}/routers/vpc-1 true"
            )));
        },
        |dir| {
            let router = format!("{dir}/routers/vpc-1");
            sh(&format!("touch {router} && unshare --net={router} true"));
            sh(&format!(
                "ip link add u0000d3061001 type veth peer name up0 netns {router}"
            ));
            sh("ip link set u0000d3061001 alias 'vpc-1 '");
        },
        |dir| {
            sh(&format!(
                "touch {dir}/routers/vpc-9 && unshare --net={dir}/routers/vpc-9 true"
            ));
        },
        |_| {
            drop(sh(
                "ip link add u0000d3060007 type veth peer name x && ip link set u0000d3060007 alias 'vpc-9 '",
            ));
        },
    ];
    for half in halves {
        on_private_host(move || async move {
            let dir = tempfile::tempdir().unwrap();
            let before = traces();
            let net = network("0000d306", dir.path());
            half(dir.path().join("vpc").to_str().unwrap());
            net.adopt(&[]).await.unwrap();
            apply(&net, state(three(81))).await;
            let a = net.attach("a", &eni(5)).await.unwrap();
            let b = net.attach("b", &eni(6)).await.unwrap();
            serve(&b.netns, 81);
            assert!(call_from(&a, b.addresses[0], 81).is_ok());
            assert!(net.router("vpc-9").is_none());
            net.destroy().await.unwrap();
            assert_eq!(traces(), before);
        });
    }
}

#[test]
fn a_flushed_rule_set_is_made_again_with_the_next_change() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("0000d303", dir.path());
        apply(&net, state(three(81))).await;
        let a = net.attach("a", &eni(5)).await.unwrap();
        let b = net.attach("b", &eni(6)).await.unwrap();
        serve(&b.netns, 81);
        run_in(&net.router(VPC).unwrap(), || sh("nft flush ruleset")).unwrap();
        put(
            &net,
            vec![Row::GroupSet(groups(VPC, "sg-new", vec![], everything()))],
        )
        .await;
        assert!(call_from(&a, b.addresses[0], 81).is_ok());
        assert!(is_silence(&call_from(&b, a.addresses[0], 81)));
        net.destroy().await.unwrap();
    });
}

#[test]
fn the_next_owner_of_an_address_inherits_no_flow() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("0000d304", dir.path());
        apply(&net, state(three(81))).await;
        let a = net.attach("a", &eni(5)).await.unwrap();
        let b = net.attach("b", &eni(6)).await.unwrap();
        echo(&b.netns, 81);
        assert!(Talk::open(&a, b.addresses[0], 81).goes_on());
        let flows = || {
            let router = net.router(VPC).unwrap();
            run_in(&router, || {
                std::fs::read_to_string("/proc/thread-self/net/nf_conntrack").unwrap()
            })
            .unwrap()
        };
        assert!(flows().contains("172.31.16.5"));
        net.detach("a").await.unwrap();
        assert!(!flows().contains("172.31.16.5"), "{}", flows());
        // Attached again, at once, by the same name and by another.
        let a = net.attach("a", &eni(5)).await.unwrap();
        assert!(Talk::open(&a, b.addresses[0], 81).goes_on());
        assert!(
            net.attach("other", &eni(5)).await.is_err()
                && !dir.path().join("vpc/ns/other").exists()
        );
        assert!(net.attached("a").is_some());
        net.destroy().await.unwrap();
    });
}

#[test]
fn a_thousand_interfaces_on_one_host_come_and_go() {
    on_private_host(|| async {
        const COUNT: u32 = 1000;
        let dir = tempfile::tempdir().unwrap();
        let before = traces();
        let net = Arc::new(network("0000d305", dir.path()));
        let address = |number: u32| (0xac1f_1000 + 16 + number).to_be_bytes();
        let mut rows = base(VPC, 1, vec![]);
        rows.extend((0..COUNT).map(|n| Row::Interface(interface(VPC, address(n), "sg"))));
        rows.push(Row::GroupSet(groups(
            VPC,
            "sg",
            vec![from_group("sg", 80)],
            vec![],
        )));
        apply(&net, state(rows)).await;
        let all = (0..COUNT).map(|number| {
            let net = Arc::clone(&net);
            let id = interface(VPC, address(number), "").id;
            tokio::spawn(async move { net.attach(&id.clone(), &id).await.unwrap() })
        });
        let mut attached = Vec::new();
        for one in all.collect::<Vec<_>>() {
            attached.push(one.await.unwrap());
        }
        let (first, last) = (&attached[0], &attached[COUNT as usize - 1]);
        serve(&last.netns, 80);
        assert!(call_from(first, last.addresses[0], 80).is_ok());
        assert!(is_silence(&call_from(last, first.addresses[0], 81)));
        let all = attached.iter().map(|at| {
            let (net, id) = (Arc::clone(&net), at.interface.clone());
            tokio::spawn(async move { net.detach(&id).await.unwrap() })
        });
        for one in all.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        let router = net.router(VPC).unwrap();
        assert!(
            !run_in(&router, || sh("ip -o link"))
                .unwrap()
                .contains(": e")
        );
        let keys = attached
            .iter()
            .map(|at| RowKey::Interface(at.interface.clone()));
        assert_eq!(
            remove(&net, keys.collect()).await.removed.len(),
            COUNT as usize
        );
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
    });
}
