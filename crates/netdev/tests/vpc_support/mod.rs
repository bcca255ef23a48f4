//! Rows to give, hosts in namespaces, and calls between tasks.

pub mod hosts;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::Duration;

use aws_api::agent::host_sync::{
    Compiled, Destination, FromGroups, FromRange, GroupSetRow, HostRow, IcmpTypes, InterfaceRow,
    Ports, Protocols, Route, Row, RowKey, SubnetRow, ToHost, VpcRow, What,
};
use netdev::NetworkConfig;
use netdev::namespace::run_in;
use netdev::vpc::{LinuxVpcs, Outcome, VpcAttachment, VpcNetwork};

/// Only a guard against hanging.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// After so long an unanswered packet counts as dropped.
const SILENCE: Duration = Duration::from_millis(400);

pub const VPC: &str = "vpc-1";

pub fn vpc(id: &str, vni: u32) -> Row {
    Row::Vpc(VpcRow {
        id: id.into(),
        vni,
        cidrs: vec!["172.31.0.0/16".parse().unwrap()],
        ipv6_cidrs: vec!["fd00:1234:5678::/56".parse().unwrap()],
        resolver: true,
        domain: Some("ec2.internal".into()),
        name_servers: vec!["172.31.0.2".parse().unwrap()],
        search: vec!["ec2.internal".into()],
    })
}

pub fn subnet(vpc: &str, id: &str, cidr: &str, routes: Vec<Route>) -> SubnetRow {
    SubnetRow {
        id: id.into(),
        vpc: vpc.into(),
        cidr: cidr.parse().unwrap(),
        ipv6_cidr: None,
        routes,
        acl: vec![],
    }
}

pub fn route(to: &str, via: Destination) -> Route {
    Route {
        to: to.parse().unwrap(),
        via,
    }
}

/// An interface of this host in the subnet `a` (172.31.16.0/20), its id after its address.
pub fn interface(vpc: &str, address: [u8; 4], groups: &str) -> InterfaceRow {
    let [a, b, c, d] = address;
    let subnet = if c < 32 { "a" } else { "b" };
    InterfaceRow {
        id: format!("eni-{a:02x}{b:02x}{c:02x}{d:02x}"),
        vpc: vpc.into(),
        subnet: format!("{vpc}-{subnet}"),
        mac: format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:01"),
        addresses: vec![Ipv4Addr::from(address)],
        ipv6_addresses: vec![],
        public: None,
        groups: groups.into(),
        source_dest_check: true,
        host: None,
    }
}

pub fn everything() -> Vec<FromRange> {
    [
        ("0.0.0.0", "255.255.255.255"),
        ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ]
    .map(|(first, last)| range(first, last, Protocols(0, 255), Ports(0, 65535)))
    .to_vec()
}

pub fn range(first: &str, last: &str, protocols: Protocols, ports: Ports) -> FromRange {
    FromRange {
        first: first.parse().unwrap(),
        last: last.parse().unwrap(),
        what: What::Ports { protocols, ports },
    }
}

pub fn from_group(groups: &str, port: u16) -> FromGroups {
    FromGroups {
        groups: groups.into(),
        what: What::Ports {
            protocols: Protocols(6, 6),
            ports: Ports(port, port),
        },
    }
}

pub fn ping_from(groups: &str) -> FromGroups {
    FromGroups {
        groups: groups.into(),
        what: What::Icmp {
            types: IcmpTypes {
                types: (8, 8),
                codes: (0, 255),
            },
        },
    }
}

/// Everything out; in, what is said.
pub fn groups(vpc: &str, name: &str, refs: Vec<FromGroups>, ranges: Vec<FromRange>) -> GroupSetRow {
    GroupSetRow {
        vpc: vpc.into(),
        groups: name.into(),
        ingress: Compiled {
            ranges,
            groups: refs,
        },
        egress: Compiled {
            ranges: everything(),
            groups: vec![],
        },
    }
}

pub fn host(id: &str, underlay: [u8; 4]) -> Row {
    Row::Host(HostRow {
        id: id.into(),
        underlay: underlay.into(),
        encryption: None,
    })
}

/// The VPC and its two subnets, without a way out.
pub fn base(id: &str, vni: u32, routes: Vec<Route>) -> Vec<Row> {
    vec![
        vpc(id, vni),
        Row::Subnet(subnet(
            id,
            &format!("{id}-a"),
            "172.31.16.0/20",
            routes.clone(),
        )),
        Row::Subnet(subnet(id, &format!("{id}-b"), "172.31.32.0/20", routes)),
    ]
}

pub fn state(rows: Vec<Row>) -> ToHost {
    ToHost::State { revision: 1, rows }
}

pub fn network(tag: &str, run_dir: &Path) -> LinuxVpcs {
    LinuxVpcs::new(NetworkConfig::new(tag, run_dir)).unwrap()
}

/// Applies a message of which nothing fails.
pub async fn apply(net: &LinuxVpcs, message: ToHost) -> Outcome {
    let outcome = net.apply(&message).await.unwrap();
    assert_eq!(outcome.failures, []);
    outcome
}

pub async fn put(net: &LinuxVpcs, put: Vec<Row>) -> Outcome {
    let change = ToHost::Change {
        revision: 2,
        put,
        remove: vec![],
    };
    apply(net, change).await
}

pub async fn remove(net: &LinuxVpcs, remove: Vec<RowKey>) -> Outcome {
    let change = ToHost::Change {
        revision: 3,
        put: vec![],
        remove,
    };
    apply(net, change).await
}

pub fn is_silence(result: &std::io::Result<String>) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    result
        .as_ref()
        .is_err_and(|e| matches!(e.kind(), TimedOut | WouldBlock))
}

/// Who the server says called, by TCP.
pub fn call(to: impl Into<IpAddr>, port: u16) -> std::io::Result<String> {
    call_within(SILENCE, to, port)
}

/// What answers from there, which may be slow to.
pub fn reach(from: &Path, to: impl Into<IpAddr> + Send, port: u16) -> String {
    run_in(from, || call_within(PATIENCE, to, port))
        .unwrap()
        .unwrap()
}

fn call_within(wait: Duration, to: impl Into<IpAddr>, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(to.into(), port), wait)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    Ok(said)
}

pub fn call_from(
    at: &VpcAttachment,
    to: impl Into<IpAddr> + Send,
    port: u16,
) -> std::io::Result<String> {
    run_in(&at.netns, || call(to, port)).unwrap()
}

/// A server in the namespace that says who called, for as long as the test runs.
pub fn serve(netns: &Path, port: u16) {
    let listener = run_in(netns, || {
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
            .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
            .unwrap()
    })
    .unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let peer = stream.peer_addr().unwrap().ip().to_canonical();
            let _ = write!(stream, "{peer}");
        }
    });
}

/// A server that returns every byte.
pub fn echo(netns: &Path, port: u16) {
    let listener = run_in(netns, || {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap()
    })
    .unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = stream.try_clone().unwrap();
            thread::spawn(move || std::io::copy(&mut reader, &mut stream));
        }
    });
}

/// An open conversation with an [`echo`].
pub struct Talk(TcpStream);

impl Talk {
    pub fn open(at: &VpcAttachment, to: Ipv4Addr, port: u16) -> Self {
        let stream = run_in(&at.netns, || {
            TcpStream::connect_timeout(&(to, port).into(), PATIENCE)
        });
        Self(stream.unwrap().unwrap())
    }

    /// Whether what is said comes back.
    pub fn goes_on(&mut self) -> bool {
        self.0.set_read_timeout(Some(SILENCE)).unwrap();
        let mut back = [0; 4];
        self.0.write_all(b"ping").is_ok()
            && self.0.read_exact(&mut back).is_ok()
            && back == *b"ping"
    }
}

/// Whether an ICMP echo is answered, by the task's own unprivileged socket.
pub fn ping(at: &VpcAttachment, to: Ipv4Addr) -> bool {
    run_in(&at.netns, || {
        std::process::Command::new("python3")
            .args(["-c", PING, &to.to_string()])
            .status()
            .unwrap()
            .success()
    })
    .unwrap()
}

const PING: &str = r"
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(0.4)
sys.excepthook = lambda *_: None
s.sendto(bytes([8, 0, 0, 0, 0, 1, 0, 1]) + b'x' * 16, (sys.argv[1], 0))
sys.exit(0 if s.recv(100)[0] == 0 else 1)
";

/// A datagram that is answered, or not.
pub fn ask(at: &VpcAttachment, to: Ipv4Addr, port: u16) -> std::io::Result<String> {
    run_in(&at.netns, || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        socket.set_read_timeout(Some(SILENCE))?;
        socket.connect((to, port))?;
        socket.send(b"?")?;
        let mut buffer = [0; 100];
        let len = socket.recv(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..len]).into_owned())
    })
    .unwrap()
}

/// Answers datagrams with who sent them.
pub fn serve_udp(netns: &Path, at: Ipv4Addr, port: u16) {
    let socket = run_in(netns, || UdpSocket::bind((at, port)).unwrap()).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(from.ip().to_string().as_bytes(), from);
        }
    });
}

/// For futures of several hosts on one thread.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Handle::current().block_on(future)
}

/// Waits for what happens later.
pub fn until(happened: impl Fn() -> bool) {
    let since = std::time::Instant::now();
    while !happened() {
        assert!(since.elapsed() < PATIENCE, "it does not happen");
        thread::sleep(Duration::from_millis(20));
    }
}
