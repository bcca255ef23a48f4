//! Hosts that are namespaces, on one wire.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use aws_api::agent::host_sync::{InterfaceRow, Row};
use netdev::namespace::run_in;

use crate::support::sh;

/// The wire between hosts is a bridge of the first one.
pub fn wire() {
    sh("ip link add wire type bridge && ip addr add 10.99.0.1/24 dev wire && ip link set wire up");
}

/// Another host on the wire.
pub fn another_host(dir: &Path, last: u8) -> PathBuf {
    let path = dir.join(format!("host{last}"));
    let p = path.display();
    sh(&format!("touch {p} && unshare --net={p} true"));
    sh(&format!(
        "ip link add w{last} type veth peer name wire netns {p}"
    ));
    sh(&format!("ip link set w{last} master wire up"));
    for line in [
        "ip link set lo up".to_owned(),
        format!("ip addr add 10.99.0.{last}/24 dev wire"),
        "ip link set wire up".to_owned(),
    ] {
        within(&path, &line);
    }
    path
}

/// Somebody outside: a namespace beside the host at the other end of its only link, `out0` here and `out1` there, with
/// no address yet.
pub fn linked(dir: &Path) -> PathBuf {
    let path = dir.join("outside");
    let p = path.display();
    sh(&format!("touch {p} && unshare --net={p} true"));
    sh("ip link del up0");
    sh("ip link add out0 type veth peer name out1");
    // Else its link-local route comes some time later.
    sh("ip link set out0 addrgenmode none && ip link set out1 addrgenmode none");
    sh(&format!("ip link set out1 netns {p}"));
    within(&path, "ip link set lo up");
    path
}

/// Runs a line in a network namespace.
pub fn within(netns: &Path, line: &str) {
    sh(&format!("nsenter --net={} {line}", netns.display()));
}

/// The interface as the other hosts are told of it.
pub fn on(row: &InterfaceRow, host: &str) -> Row {
    Row::Interface(InterfaceRow {
        host: Some(host.into()),
        ..row.clone()
    })
}

/// Whether much that is said comes back whole.
pub fn bulk(netns: &Path, to: Ipv4Addr, port: u16) -> bool {
    let mut stream = run_in(netns, || std::net::TcpStream::connect((to, port)).unwrap()).unwrap();
    stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let said = vec![7u8; 1 << 20];
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn({
        let said = said.clone();
        move || writer.write_all(&said)
    });
    let mut back = vec![0; said.len()];
    stream.read_exact(&mut back).is_ok() && sender.join().unwrap().is_ok() && back == said
}
