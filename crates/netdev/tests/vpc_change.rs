//! Rules that change while packets pass: real packets. Needs root, `ip` and `nft`.

#![allow(clippy::unwrap_used, dead_code)]

mod support;
mod vpc_support;

use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use aws_api::agent::host_sync::{
    AclEntry, FromGroups, GroupSetRow, Ports, Protocols, Row, RowKey, What,
};
use netdev::namespace::run_in;
use netdev::vpc::VpcNetwork;
use support::{on_private_host, traces};
use vpc_support::{
    PATIENCE, VPC, apply, base, groups, interface, network, put, range, remove, serve_udp, state,
    subnet, until,
};

const UDP: Protocols = Protocols(17, 17);
const CHANGES: u32 = 24;
/// Flows that begin, at least, between one change and the next.
const FLOWS: usize = 20;
/// After so long an unanswered question counts as dropped.
const SILENCE: Duration = Duration::from_millis(500);

/// Asks for ever, each time by a new flow, and counts.
struct Asking {
    asked: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Asking {
    fn of(netns: PathBuf, to: Ipv4Addr) -> Self {
        let (asked, lost): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
        let ends: Arc<AtomicBool> = Arc::default();
        let counts = (asked.clone(), lost.clone(), ends.clone());
        let thread = thread::spawn(move || {
            let (asked, lost, ends) = counts;
            let ask = || {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                let sent = socket.connect((to, 53)).and_then(|()| socket.send(b"?"));
                sent.and_then(|_| socket.recv(&mut [0; 100])).is_ok()
            };
            run_in(&netns, || {
                while !ends.load(SeqCst) {
                    lost.fetch_add(usize::from(!ask()), SeqCst);
                    asked.fetch_add(1, SeqCst);
                }
            })
            .unwrap();
        });
        Self {
            asked,
            lost,
            ends,
            thread,
        }
    }

    /// Waits until some more flows have begun and been answered, or not.
    fn go_on(&self) {
        let before = self.asked.load(SeqCst);
        until(|| self.asked.load(SeqCst) >= before + FLOWS);
    }

    fn end(self) -> (usize, usize) {
        self.ends.store(true, SeqCst);
        self.thread.join().unwrap();
        (self.asked.load(SeqCst), self.lost.load(SeqCst))
    }
}

/// One of several sets of rules each of which lets the client ask: by a reference, by its range, by both among others.
///
/// None is for all addresses: a flow that such a rule let in ends with it, as on AWS, and with it an answer on its way.
fn rules(number: u32) -> GroupSetRow {
    let by_reference = FromGroups {
        groups: "sg-client".into(),
        what: What::Ports {
            protocols: UDP,
            ports: Ports(53, 53),
        },
    };
    let by_range = range("172.31.16.0", "172.31.31.255", UDP, Ports(50, 60));
    let others = (0..50).map(|other| {
        let from = format!("10.0.{other}.{number}");
        range(&from, &from, Protocols(6, 6), Ports(other, 9000))
    });
    let (references, ranges) = match number % 3 {
        0 => (vec![by_reference], vec![]),
        1 => (vec![], vec![by_range]),
        _ => (vec![by_reference], others.chain([by_range]).collect()),
    };
    groups(VPC, "sg-server", references, ranges)
}

/// The server's subnet under one of several network ACLs each of which lets the question in and the answer out.
fn listed(number: u32) -> Row {
    let entry = |egress, allow, cidr: &str, protocols, ports| AclEntry {
        egress,
        allow,
        cidr: cidr.parse().unwrap(),
        protocols,
        ports,
        icmp: None,
    };
    let all = Protocols(0, 255);
    let mut row = subnet(VPC, "vpc-1-b", "172.31.32.0/20", vec![]);
    row.acl = match number % 3 {
        0 => vec![],
        1 => vec![
            entry(false, true, "172.31.16.0/20", UDP, Ports(53, 53)),
            entry(true, true, "0.0.0.0/0", UDP, Ports(1024, 65535)),
        ],
        _ => vec![
            entry(false, false, "0.0.0.0/0", Protocols(6, 6), Ports(22, 22)),
            entry(false, true, "0.0.0.0/0", all, Ports(0, 65535)),
            entry(true, true, "0.0.0.0/0", all, Ports(0, 65535)),
        ],
    };
    Row::Subnet(row)
}

#[test]
fn no_new_flow_is_lost_while_rules_that_allow_it_change() {
    on_private_host(|| async {
        let dir = tempfile::tempdir().unwrap();
        let before = traces();
        let net = network("0000d301", dir.path());
        let mut rows = base(VPC, 1, vec![]);
        let client = interface(VPC, [172, 31, 16, 5], "sg-client");
        let server = interface(VPC, [172, 31, 40, 6], "sg-server");
        rows.extend([&client, &server].map(|row| Row::Interface(row.clone())));
        rows.push(Row::GroupSet(rules(0)));
        rows.push(Row::GroupSet(groups(VPC, "sg-client", vec![], vec![])));
        apply(&net, state(rows)).await;
        let a = net.attach("a", &client.id).await.unwrap();
        let b = net.attach("b", &server.id).await.unwrap();
        serve_udp(&b.netns, b.addresses[0], 53);
        let askers = [(); 2].map(|()| Asking::of(a.netns.clone(), b.addresses[0]));
        for number in 1..=CHANGES {
            // Each thing that a change can be: rules, an ACL, a member that comes and goes.
            let member = interface(VPC, [172, 31, 16, 9], "sg-client");
            match number % 4 {
                0 => drop(put(&net, vec![listed(number / 4)]).await),
                1 => drop(put(&net, vec![Row::Interface(member)]).await),
                2 => drop(remove(&net, vec![RowKey::Interface(member.id)]).await),
                _ => drop(put(&net, vec![Row::GroupSet(rules(number / 4))]).await),
            }
            for one in &askers {
                one.go_on();
            }
        }
        let counted = askers.map(Asking::end);
        let (asked, lost): (usize, usize) = counted
            .iter()
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert_eq!(lost, 0, "of {asked}");
        // They did pass these rules: without them nobody is answered. By a port that no flow before had, since those are
        // tracked.
        let ask = |from: u16| {
            let answer = run_in(&a.netns, || {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, from))?;
                socket.set_read_timeout(Some(SILENCE))?;
                socket.connect((b.addresses[0], 53))?;
                socket.send(b"?")?;
                socket.recv(&mut [0; 100])
            });
            answer.unwrap().is_ok()
        };
        assert!(ask(2001));
        let none = groups(VPC, "sg-server", vec![], vec![]);
        put(&net, vec![Row::GroupSet(none)]).await;
        assert!(!ask(2002));
        for id in ["a", "b"] {
            net.detach(id).await.unwrap();
        }
        net.destroy().await.unwrap();
        assert_eq!(traces(), before);
    });
}
