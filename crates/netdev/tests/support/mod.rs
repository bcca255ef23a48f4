//! A host of one's own: a thread that left the machine's network and mounts, with an "uplink".

use std::fs;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use netdev::namespace::run_in;
use netdev::{LinuxNetwork, NetworkConfig, PortRequest, Protocol};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// The host's own address in the tests.
pub const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// Only a guard against hanging; nothing is measured.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the body on a thread whose namespaces, and everything made in them, end with it.
pub fn on_private_host<F: Future<Output = ()>>(body: impl FnOnce() -> F + Send + 'static) {
    let thread = thread::spawn(move || {
        leave_the_machine();
        sh("ip link set lo up");
        sh("ip link add up0 type veth peer name up1");
        // The kernel adds a link-local route some time after a link is up: no trace of ours.
        sh("ip link set up0 addrgenmode none");
        sh("ip link set up1 addrgenmode none");
        sh("ip addr add 192.0.2.2/24 dev up0");
        sh("ip link set up0 up");
        sh("ip link set up1 up");
        // tokio's blocking threads are children of this thread and share its namespaces.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(body());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

#[allow(unsafe_code)]
fn leave_the_machine() {
    // SAFETY: file descriptor tables stay shared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET | UnshareFlags::NEWNS) }
        .expect("these tests need root");
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).unwrap();
    // Copies of others' namespaces, which may go meanwhile, would look like traces.
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    for mount in mounts.lines().filter(|line| line.contains(" - nsfs ")) {
        if let Some(path) = mount.split(' ').nth(4) {
            let _ = unmount(path, UnmountFlags::DETACH);
        }
    }
}

pub fn sh(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn network(tag: &str, run_dir: &Path) -> LinuxNetwork {
    LinuxNetwork::new(NetworkConfig::new(tag, run_dir)).unwrap()
}

pub fn tcp(container_port: u16, host_port: u16) -> PortRequest {
    PortRequest {
        container_port,
        host_port,
        protocol: Protocol::Tcp,
        count: 1,
    }
}

pub fn udp(container_port: u16, host_port: u16) -> PortRequest {
    PortRequest {
        container_port,
        host_port,
        protocol: Protocol::Udp,
        count: 1,
    }
}

/// A server inside the namespace that says its name and who called, for as long as the test runs.
pub fn serve_tcp(netns: &Path, port: u16, name: &str) {
    let listener = run_in(netns, || {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap()
    })
    .unwrap();
    let name = name.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let peer = stream.peer_addr().unwrap().ip();
            let _ = write!(stream, "{name} {peer}");
        }
    });
}

pub fn serve_udp(netns: &Path, port: u16, name: &str) {
    let socket = run_in(netns, || {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap()
    })
    .unwrap();
    let name = name.to_owned();
    thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(name.as_bytes(), from);
        }
    });
}

/// What the server says, or the error. (name, caller's address as the server saw it)
pub fn call(address: Ipv4Addr, port: u16) -> std::io::Result<(String, String)> {
    let to = SocketAddr::V4(SocketAddrV4::new(address, port));
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    let (name, caller) = said.split_once(' ').unwrap_or_default();
    Ok((name.to_owned(), caller.to_owned()))
}

pub fn call_from(netns: &Path, address: Ipv4Addr, port: u16) -> std::io::Result<(String, String)> {
    run_in(netns, || call(address, port)).unwrap()
}

pub fn ask(socket: &UdpSocket, address: Ipv4Addr, port: u16) -> std::io::Result<String> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(b"?", (address, port))?;
    let mut buffer = [0; 100];
    let (len, _) = socket.recv_from(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..len]).into_owned())
}

/// Everything this crate could leave on a host, as text to compare.
pub fn traces() -> String {
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let namespaces: Vec<&str> = mounts
        .lines()
        .filter(|line| line.contains("nsfs"))
        .collect();
    // The number of a link, or a changed flag, is no trace; its name is.
    let links = sh("ip -o link | cut -d: -f2 | sort");
    let forward = fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
    format!(
        "{links}{}{namespaces:?}{forward}{}",
        sh("nft list tables"),
        // A route knows whether its device has a carrier; that is no trace.
        sh("ip route show table all type unicast").replace(" linkdown", "")
    )
}
