//! A container with raw sockets is nobody but itself on the bridge. Needs root, `ip`, `nft` and `python3`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use netdev::namespace::run_in;
use netdev::{BridgeAttachment, HostNetwork, KeptAttachment};
use support::{call_from, network, on_private_host, serve_tcp, sh};

/// One frame: `udp` with a source, or `arp`, which says that an address is at a MAC.
const SPOOF: &str = r"
import socket, struct, sys
kind, mac_from, says_mac, says_ip, to = sys.argv[1:6]
mac = lambda text: bytes.fromhex(text.replace(':', ''))
def checksum(b):
    t = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while t >> 16: t = (t & 0xffff) + (t >> 16)
    return ~t & 0xffff
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(('eth0', 0))
if kind == 'udp':
    udp = struct.pack('!HHHH', 4000, 53, 12, 0) + b'fake'
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 32, 1, 0, 64, 17, 0, socket.inet_aton(says_ip), socket.inet_aton(to))
    body, ether = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:] + udp, 0x0800
else:
    body = struct.pack('!HHBBH6s4s6s4s', 1, 0x0800, 6, 4, 2, mac(says_mac), socket.inet_aton(says_ip), b'\0' * 6, socket.inet_aton(to))
    ether = 0x0806
raw.send(b'\xff' * 6 + mac(mac_from) + struct.pack('!H', ether) + body)
";

fn text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn send(from: &Path, arguments: [&str; 5]) {
    let arguments = arguments.map(str::to_owned);
    let sent = run_in(from, || {
        let mut python = Command::new("python3");
        python.args(["-c", SPOOF]).args(&arguments);
        python.status().unwrap().success()
    });
    assert!(sent.unwrap());
}

fn dropped(tag: &str) -> u64 {
    let chain = sh(&format!(
        "nft list chain bridge longshore_{tag}_bridge antispoof"
    ));
    let count = chain.split("counter packets ").nth(1).unwrap();
    count.split(' ').next().unwrap().parse().unwrap()
}

fn kept(id: &str, made: &BridgeAttachment) -> KeptAttachment {
    KeptAttachment {
        id: id.into(),
        address: Some(made.address),
        bindings: made.bindings.clone(),
    }
}

/// What the host hears on its side of the bridge, and from whom.
struct Ear(UdpSocket);

impl Ear {
    fn at(gateway: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((gateway, 53)).unwrap();
        let patience = Duration::from_millis(300);
        socket.set_read_timeout(Some(patience)).unwrap();
        Self(socket)
    }

    fn heard(&self) -> Option<Ipv4Addr> {
        let (_, from) = self.0.recv_from(&mut [0; 100]).ok()?;
        match from.ip() {
            std::net::IpAddr::V4(from) => Some(from),
            std::net::IpAddr::V6(_) => None,
        }
    }
}

#[test]
fn a_container_cannot_send_in_its_neighbours_name_nor_be_taken_for_another() {
    on_private_host(|| async {
        const TAG: &str = "0000b501";
        let dir = tempfile::tempdir().unwrap();
        let net = network(TAG, dir.path());
        let liar = net.attach_bridge("liar", &[]).await.unwrap();
        let victim = net.attach_bridge("victim", &[]).await.unwrap();
        let ear = Ear::at(liar.gateway);
        let to = liar.gateway.to_string();
        let (own, other) = (text(liar.mac), text(victim.mac));
        let (mine, theirs) = (liar.address.to_string(), victim.address.to_string());
        let told = |kind: &str, ether: &str, says_mac: &str, says_ip: &str| {
            let before = dropped(TAG);
            send(&liar.netns, [kind, ether, says_mac, says_ip, &to]);
            let heard = (kind == "udp").then(|| ear.heard()).flatten();
            (heard, dropped(TAG) - before)
        };
        let well_made = told("udp", &own, "", &mine);
        assert_eq!(well_made, (Some(liar.address), 0));
        assert_eq!(told("arp", &own, &own, &mine).1, 0);
        for (kind, ether, says_mac, says_ip) in [
            ("udp", &own, "", &theirs),
            ("udp", &other, "", &theirs),
            ("udp", &other, "", &mine),
            // "The gateway is here", "your neighbour is here", and what would move his MAC to this port.
            ("arp", &own, own.as_str(), &to),
            ("arp", &own, own.as_str(), &theirs),
            ("arp", &other, own.as_str(), &mine),
            ("arp", &own, other.as_str(), &mine),
        ] {
            let found = told(kind, ether, says_mac, says_ip);
            assert_eq!(found, (None, 1), "{kind} {ether} {says_mac} {says_ip}");
        }
        // What is honest goes its way all the time, and for the next agent's containers too.
        serve_tcp(&victim.netns, 80, "victim");
        let called = || call_from(&liar.netns, victim.address, 80).unwrap().0;
        assert_eq!(called(), "victim");
        let net = network(TAG, dir.path());
        net.adopt(&[kept("liar", &liar), kept("victim", &victim)])
            .await
            .unwrap();
        assert_eq!(called(), "victim");
        assert_eq!(told("udp", &own, "", &theirs), (None, 1));
        net.destroy().await.unwrap();
        assert!(!sh("nft list tables").contains(TAG));
    });
}
