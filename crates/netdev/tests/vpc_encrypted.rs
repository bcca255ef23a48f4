//! What goes between hosts, encrypted. A kernel without WireGuard refuses it, and says so; one that has it is
//! booted by `make test-guest`, which demands it by `LONGSHORE_TEST_WIREGUARD`. Needs root, `ip`, `nft`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;
mod vpc_support;

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_api::agent::host_sync::{HostEncryption, HostRow, InterfaceRow, Row, RowKey};
use netdev::namespace::run_in;
use netdev::vpc::{Between, Encryption, LinuxVpcs, VpcNetwork, WIREGUARD_PORT};
use netdev::{NetworkConfig, NetworkError};
use support::{on_private_host, sh, traces};
use vpc_support::hosts::{another_host, bulk, on, wire};
use vpc_support::{
    Talk, VPC, apply, base, call_from, echo, everything, groups, interface, put, serve, state,
};

fn network(tag: &str, run_dir: PathBuf, last: u8, encrypts: bool) -> LinuxVpcs {
    let mut config = NetworkConfig::new(tag, run_dir);
    config.underlay = Some(Ipv4Addr::new(10, 99, 0, last));
    let encryption = Encryption {
        private_key: [last; 32],
        port: WIREGUARD_PORT,
    };
    config.between = match encrypts {
        true => Between::Encrypted(encryption),
        false => Between::Clear,
    };
    LinuxVpcs::new(config).unwrap()
}

fn host(id: &str, last: u8, public_key: Option<[u8; 32]>) -> Row {
    Row::Host(HostRow {
        id: id.into(),
        underlay: Ipv4Addr::new(10, 99, 0, last),
        encryption: public_key.map(|key| HostEncryption {
            public_key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
            port: WIREGUARD_PORT,
        }),
    })
}

fn rows(own: &InterfaceRow, other: &InterfaceRow, host: Row) -> Vec<Row> {
    let id = host.key();
    let RowKey::Host(id) = &id else {
        unreachable!()
    };
    let mut rows = base(VPC, 79, vec![]);
    rows.extend([
        Row::GroupSet(groups(VPC, "sg", vec![], everything())),
        Row::Interface(own.clone()),
        on(other, id),
        host,
    ]);
    rows
}

/// Counts what leaves by the wire: VXLAN in the clear, and WireGuard's.
fn spy() {
    for line in [
        "table inet spy",
        "chain inet spy out { type filter hook postrouting priority 300 ; }",
        "rule inet spy out udp dport 4789 oifname wire counter comment clear",
        "rule inet spy out udp dport 51820 oifname wire counter comment encrypted",
    ] {
        sh(&format!("nft 'add {line}'"));
    }
}

fn seen(comment: &str) -> u64 {
    let rules = sh("nft list chain inet spy out");
    let line = rules.lines().find(|line| line.contains(comment)).unwrap();
    let (_, count) = line.split_once("packets ").unwrap();
    count.split_once(' ').unwrap().0.parse().unwrap()
}

#[test]
fn hosts_encrypt_where_the_kernel_can_and_are_refused_where_it_cannot() {
    let probe = std::process::Command::new("unshare");
    let probe = { probe }
        .args(["--net", "ip", "link", "add", "probe", "type", "wireguard"])
        .output();
    let has_wireguard = probe.unwrap().status.success();
    assert!(has_wireguard || std::env::var_os("LONGSHORE_TEST_WIREGUARD").is_none());
    on_private_host(move || async move {
        let dir = tempfile::tempdir().unwrap();
        wire();
        let second = another_host(dir.path(), 2);
        let before = traces();
        if has_wireguard {
            encrypted(dir.path(), &second).await;
        } else {
            let one = network("0000d301", dir.path().join("one"), 1, true);
            let refused = one.encrypt().await.unwrap_err();
            assert!(matches!(refused, NetworkError::NoWireGuard { .. }));
            assert!(refused.to_string().contains("--encrypt"), "{refused}");
            one.destroy().await.unwrap();
        }
        let but_forwarding = |traces: &str| traces.replace("]1\n", "]0\n");
        assert_eq!(but_forwarding(&traces()), but_forwarding(&before));
        assert!(!sh("ip rule").contains("4789"));
        sh(&format!("umount {}", second.display()));
    });
}

async fn encrypted(dir: &Path, second: &Path) {
    let one = network("0000d301", dir.join("one"), 1, true);
    let second_network =
        |encrypts| run_in(second, || network("0000d302", dir.join("two"), 2, encrypts)).unwrap();
    let two = second_network(true);
    let key_one = one.encrypt().await.unwrap().unwrap();
    let key_two = two.encrypt().await.unwrap().unwrap();
    let near = interface(VPC, [172, 31, 16, 5], "sg");
    let far = interface(VPC, [172, 31, 16, 8], "sg");
    apply(&one, state(rows(&near, &far, host("h2", 2, Some(key_two))))).await;
    apply(&two, state(rows(&far, &near, host("h1", 1, Some(key_one))))).await;
    let a = one.attach("a", &near.id).await.unwrap();
    let b = two.attach("b", &far.id).await.unwrap();
    assert_eq!((a.mtu, b.mtu), (1390, 1390));
    spy();
    serve(&b.netns, 80);
    echo(&b.netns, 81);
    let to_b = b.addresses[0];
    // The first packet waits for the keys to be agreed on.
    vpc_support::until(|| call_from(&a, to_b, 80).is_ok());
    assert_eq!(call_from(&a, to_b, 80).unwrap(), "172.31.16.5");
    assert!(bulk(&a.netns, to_b, 81));
    assert!(seen("encrypted") > 100 && seen("clear") == 0);

    // A start anew takes over what stands: the same key, and what talks goes on.
    let mut talk = Talk::open(&a, to_b, 81);
    let again = network("0000d301", dir.join("one"), 1, true);
    assert_eq!(again.encrypt().await.unwrap(), Some(key_one));
    drop(one);
    let one = again;
    let kept = [netdev::vpc::KeptVpcAttachment {
        id: "a".into(),
        interface: near.id.clone(),
    }];
    assert_eq!(one.adopt(&kept).await.unwrap().kept, ["a"]);
    apply(&one, state(rows(&near, &far, host("h2", 2, Some(key_two))))).await;
    assert!(talk.goes_on());

    // Another key is another host.
    put(&one, vec![host("h2", 2, Some(key_one))]).await;
    assert!(call_from(&a, to_b, 80).is_err());
    put(&one, vec![host("h2", 2, Some(key_two))]).await;
    vpc_support::until(|| call_from(&a, to_b, 80).is_ok());

    // A peer that says nothing new is left alone; clear VXLAN of a known host is not taken.
    let second_host = two_in_the_clear(second, &a, to_b);
    assert!(!second_host());
    sh("nft delete chain inet longshore_0000d301_vpc overlay");
    assert!(
        second_host(),
        "without the guard it is heard, or the line above shows nothing"
    );

    // One that does not encrypt is not spoken with, in either direction.
    let outcome = put_any(&one, host("h2", 2, None)).await;
    assert!(
        outcome.iter().any(|why| why.contains("does not encrypt")),
        "{outcome:?}"
    );
    drop(two);
    let two = second_network(false);
    let kept = [netdev::vpc::KeptVpcAttachment {
        id: "b".into(),
        interface: far.id.clone(),
    }];
    two.adopt(&kept).await.unwrap();
    apply(&two, state(rows(&far, &near, host("h1", 1, None)))).await;
    assert!(call_from(&a, to_b, 80).is_err());
    assert!(call_from(&b, a.addresses[0], 80).is_err());
    assert_eq!(seen("clear"), 0);
    sh("nft delete table inet spy");
    one.destroy().await.unwrap();
    two.destroy().await.unwrap();
}

/// Sends a frame of the far task's in the clear, from its own host; the answer says whether the near task heard.
fn two_in_the_clear(
    second: &Path,
    near: &netdev::vpc::VpcAttachment,
    far: Ipv4Addr,
) -> impl Fn() -> bool + use<> {
    let ear = run_in(&near.netns, || {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 90)).unwrap()
    })
    .unwrap();
    ear.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mouth = run_in(second, || {
        UdpSocket::bind((Ipv4Addr::new(10, 99, 0, 2), 0)).unwrap()
    })
    .unwrap();
    // The host's own VXLAN alone goes by the tunnel: by port, so that this one is led past it.
    sh(&format!(
        "nsenter --net={} ip rule add priority 100 iif lo lookup main",
        second.display()
    ));
    let frame = clear_frame(far, near.addresses[0]);
    move || {
        mouth
            .send_to(&frame, (Ipv4Addr::new(10, 99, 0, 1), 4789))
            .unwrap();
        ear.recv_from(&mut [0; 10]).is_ok()
    }
}

/// VXLAN of the VPC: Ethernet, IPv4, UDP to port 90.
fn clear_frame(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0];
    ip.extend(from.octets());
    ip.extend(to.octets());
    let sum: u32 = ip
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = vec![8, 0, 0, 0, 0, 0, 79, 0];
    frame.extend([0x02, 0xfe, 10, 99, 0, 1, 0x02, 0xfe, 10, 99, 0, 2, 8, 0]);
    frame.extend(ip);
    frame.extend([0x30, 0x39, 0, 90, 0, 12, 0, 0]);
    frame.extend(b"psst");
    frame
}

/// Why rows were refused.
async fn put_any(net: &LinuxVpcs, row: Row) -> Vec<String> {
    let message = aws_api::agent::host_sync::ToHost::Change {
        revision: 9,
        put: vec![row],
        remove: vec![],
    };
    let outcome = net.apply(&message).await.unwrap();
    outcome.failures.into_iter().map(|(_, why)| why).collect()
}
