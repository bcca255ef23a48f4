//! Tasks of a VPC on one host: real packets. Needs root, `ip`, `nft` and `python3`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;
mod vpc_support;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use aws_api::agent::host_sync::{InterfaceRow, Ports, Protocols, Row, RowKey};
use netdev::NetworkConfig;
use netdev::namespace::run_in;
use netdev::vpc::{LinuxVpcs, VpcNetwork};
use support::{on_private_host, sh, traces};
use vpc_support::{
    Talk, VPC, apply, ask, base, call_from, echo, everything, from_group, groups, interface,
    is_silence, network, ping, ping_from, put, range, remove, serve, serve_udp, state, until,
};

#[test]
fn groups_decide_who_may_talk_and_may_change_while_they_talk() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let before = traces();
        let net = network("0000d001", dir.path());
        let (web, client) = ("sg-web", "sg-client");
        let mut rows = base(VPC, 1, vec![]);
        let one = interface(VPC, [172, 31, 16, 5], client);
        let two = interface(VPC, [172, 31, 16, 6], web);
        let three = interface(VPC, [172, 31, 40, 7], "");
        rows.extend([&one, &two, &three].map(|row| Row::Interface(row.clone())));
        let in_web = vec![
            from_group(client, 80),
            from_group(client, 81),
            ping_from(client),
        ];
        rows.push(Row::GroupSet(groups(VPC, web, in_web, vec![])));
        rows.push(Row::GroupSet(groups(VPC, client, vec![], vec![])));
        rows.push(Row::GroupSet(groups(VPC, "", vec![], vec![])));
        apply(&net, state(rows)).await;
        let a = net.attach("a", &one.id).await.unwrap();
        let b = net.attach("b", &two.id).await.unwrap();
        let c = net.attach("c", &three.id).await.unwrap();
        assert_eq!(a.gateway.to_string(), "172.31.16.1");
        assert_eq!((a.mtu, a.prefix_len), (1500, 20));
        assert_eq!(a.name_servers, [std::net::Ipv4Addr::new(172, 31, 0, 2)]);
        assert_eq!(a.search, ["ec2.internal"]);
        serve(&a.netns, 80);
        serve(&b.netns, 80);
        serve(&b.netns, 8080);
        echo(&b.netns, 81);
        serve_udp(&b.netns, b.addresses[0], 53);
        let to_b = b.addresses[0];

        assert_eq!(call_from(&a, to_b, 80).unwrap(), "172.31.16.5");
        assert!(is_silence(&call_from(&a, to_b, 8080)));
        assert!(is_silence(&call_from(&c, to_b, 80)));
        assert!(is_silence(&call_from(&b, a.addresses[0], 80)));
        assert!(is_silence(&ask(&a, to_b, 53)));
        assert!(ping(&a, to_b) && !ping(&c, to_b) && !ping(&b, a.addresses[0]));
        // An address that nobody has.
        assert!(call_from(&a, std::net::Ipv4Addr::new(172, 31, 16, 99), 80).is_err());

        let mut talk = Talk::open(&a, to_b, 81);
        assert!(talk.goes_on());
        let ranges = vec![range(
            "172.31.32.0",
            "172.31.47.255",
            Protocols(6, 17),
            Ports(53, 90),
        )];
        put(&net, vec![Row::GroupSet(groups(VPC, web, vec![], ranges))]).await;
        // Tracked: it goes on; a new one does not begin.
        assert!(talk.goes_on());
        assert!(is_silence(&call_from(&a, to_b, 80)) && !ping(&a, to_b));
        assert_eq!(call_from(&c, to_b, 80).unwrap(), "172.31.40.7");
        assert_eq!(ask(&c, to_b, 53).unwrap(), "172.31.40.7");

        // Another group for the interface, while it is attached.
        let mut moved = three.clone();
        moved.groups = client.into();
        put(
            &net,
            vec![
                Row::Interface(moved),
                Row::GroupSet(groups(VPC, web, vec![from_group(client, 80)], vec![])),
            ],
        )
        .await;
        assert_eq!(call_from(&c, to_b, 80).unwrap(), "172.31.40.7");
        assert!(is_silence(&ask(&c, to_b, 53)));

        for id in ["a", "b", "c", "c"] {
            net.detach(id).await.unwrap();
        }
        assert!(!a.netns.exists());
        let keys = [&one, &two, &three].map(|row| RowKey::Interface(row.id.clone()));
        let gone = remove(&net, keys.to_vec()).await.removed;
        assert_eq!(gone.len(), 3);
        assert!(net.router(VPC).is_some(), "it waits for the next task");
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
    });
}

#[test]
fn a_router_stays_a_while_for_the_next_task_and_holds_nothing_meanwhile() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let before = traces();
        let mut config = NetworkConfig::new("0000d003", dir.path());
        // Long enough for an emulated processor to come back with the next task.
        config.router_linger = Duration::from_secs(6);
        let net = LinuxVpcs::new(config).unwrap();
        let task = interface(VPC, [172, 31, 16, 5], "sg");
        let other = interface(VPC, [172, 31, 16, 6], "sg");
        let rows = |row: &InterfaceRow| {
            let mut rows = base(VPC, 1, vec![]);
            rows.push(Row::GroupSet(groups(VPC, "sg", vec![], everything())));
            rows.push(Row::Interface(row.clone()));
            rows
        };
        let contents =
            |router: &Path| run_in(router, || sh("nft list table inet vpc; ip route")).unwrap();
        let inode = |router: &Path| std::fs::metadata(router).unwrap().ino();
        apply(&net, state(rows(&task))).await;
        net.attach("a", &task.id).await.unwrap();
        let router = net.router(VPC).unwrap();
        let first = inode(&router);
        assert!(contents(&router).contains("172.31.16.5"));
        net.detach("a").await.unwrap();
        apply(&net, state(vec![])).await;
        assert!(
            !contents(&router).contains("172.31."),
            "{}",
            contents(&router)
        );
        apply(&net, state(rows(&other))).await;
        let a = net.attach("a", &other.id).await.unwrap();
        assert_eq!(inode(&router), first);
        serve(&a.netns, 80);
        put(&net, vec![Row::Interface(task.clone())]).await;
        let b = net.attach("b", &task.id).await.unwrap();
        assert_eq!(call_from(&b, a.addresses[0], 80).unwrap(), "172.31.16.5");
        for id in ["a", "b"] {
            net.detach(id).await.unwrap();
        }
        apply(&net, state(vec![])).await;
        until(|| net.router(VPC).is_none());
        assert!(!router.exists() && !sh("ip -o link").contains("u0000d003"));
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
    });
}

#[test]
fn a_device_goes_though_something_holds_its_namespace() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("0000d004", dir.path());
        let task = interface(VPC, [172, 31, 16, 5], "sg");
        let mut rows = base(VPC, 1, vec![]);
        rows.push(Row::GroupSet(groups(VPC, "sg", vec![], everything())));
        rows.push(Row::Interface(task.clone()));
        apply(&net, state(rows)).await;
        let held = net.attach("a", &task.id).await.unwrap();
        let holder = std::fs::File::open(&held.netns).unwrap();
        net.detach("a").await.unwrap();
        // The next owner of the address does not wait, and is not disturbed by what is left.
        net.attach("b", &task.id).await.unwrap();
        let router = net.router(VPC).unwrap();
        let is_left = || {
            run_in(&router, || sh("ip -o link"))
                .unwrap()
                .contains(": x")
        };
        until(|| !is_left());
        assert!(
            run_in(&router, || sh("ip -o link"))
                .unwrap()
                .contains("eac1f1005")
        );
        drop(holder);
        net.destroy().await.unwrap();
    });
}

#[test]
fn an_interface_that_is_not_this_hosts_cannot_be_attached() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let net = network("0000d002", dir.path());
        let error = net.attach("a", "eni-none").await.unwrap_err();
        assert!(error.to_string().contains("eni-none"), "{error}");
        assert_eq!(
            std::fs::read_dir(dir.path().join("vpc/ns"))
                .unwrap()
                .count(),
            0
        );
        assert!(!sh("ip -o link").contains("u0000d002"));
        // Nothing was made, so that there is nothing to remove, and no table for it.
        net.destroy().await.unwrap();
        assert!(!sh("nft list tables").contains("0000d002"));
    });
}
