//! Ways from one task to another side by side: with the groups' rules, with less, and with none.
//!
//! Each way is a VPC of its own, or a pair of plain namespaces. All are there at once and are measured in
//! turn, so that all see the same machine.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use aws_api::agent::host_sync::{HostRow, Row, ToHost};
use ipnet::IpNet;
use tokio::runtime::Runtime;

use super::traffic::{Traffic, measure, serve};
use super::{TRACKING_ALONE, apart, base, interface, server};
use crate::config::NetworkConfig;
use crate::error::NetworkError;
use crate::namespace::{create_here, remove, run_in};
use crate::netlink::Socket;
use crate::netlink::devices::End;
use crate::netlink::message::Batch;
use crate::rules::run_nft;
use crate::sysctl;
use crate::vpc::{LinuxVpcs, VpcAttachment, VpcNetwork};

/// The same devices and routes without a table: nothing is tracked.
const NO_RULES: &str = "delete table inet vpc\n";
const UNDERLAYS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 99, 0, 1), Ipv4Addr::new(10, 99, 0, 2)];
const PLAIN: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 98, 0, 1), Ipv4Addr::new(10, 98, 0, 2)];
const MTU: u32 = 1500;

/// A way that packets take, and what was measured on it in each round.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// What it is.
    pub name: &'static str,
    /// One for each round.
    pub rounds: Vec<Traffic>,
}

struct Ends {
    name: &'static str,
    from: PathBuf,
    to: Ipv4Addr,
}

/// Measures the ways between two tasks of one host, and between tasks of two hosts, which are two
/// namespaces with a wire between them. `run_dir` is empty and stays so.
///
/// # Errors
/// Whatever the data plane lacks; root, for one.
pub fn ways(run_dir: &Path, rounds: usize) -> Result<Vec<Way>, NetworkError> {
    let mut all = apart(&run_dir.join("one"), |net, runtime| {
        let bridge = run_dir.join("plain");
        let ends = one_host(&net, runtime, &bridge);
        let measured = ends.and_then(|ends| in_turn(&ends, rounds));
        let gone = remove_plain(&bridge);
        measured.and_then(|ways| gone.map(|()| ways))
    })?;
    all.extend(apart(&run_dir.join("two"), |near, runtime| {
        let wire = run_dir.join("wire");
        let measured = two_hosts(near, runtime, &wire, rounds);
        let gone = remove(&wire);
        measured.and_then(|ways| gone.map(|()| ways))
    })?);
    Ok(all)
}

fn in_turn(ends: &[Ends], rounds: usize) -> Result<Vec<Way>, NetworkError> {
    let mut ways: Vec<Way> = ends
        .iter()
        .map(|ends| Way {
            name: ends.name,
            rounds: Vec::new(),
        })
        .collect();
    for _ in 0..rounds {
        for (way, ends) in ways.iter_mut().zip(ends) {
            way.rounds.push(measure(&ends.from, ends.to)?);
        }
    }
    Ok(ways)
}

fn one_host(net: &LinuxVpcs, runtime: &Runtime, plain: &Path) -> Result<Vec<Ends>, NetworkError> {
    let mut rows = in_vpc(1, tasks([false, false]));
    rows.extend(in_vpc(2, tasks([false, false])));
    let [with_rules, tracked] = runtime.block_on(async {
        net.apply(&ToHost::State { revision: 1, rows }).await?;
        let mut pairs = Vec::new();
        for vni in [1, 2] {
            pairs.push([attach(net, vni, 0).await?, attach(net, vni, 1).await?]);
        }
        <[_; 2]>::try_from(pairs).map_err(|_| NetworkError::Thread("attaching"))
    })?;
    load(net, 2, TRACKING_ALONE)?;
    Ok(vec![
        ends("one host: interfaces", &with_rules[0], &with_rules[1])?,
        ends("one host: tracking alone", &tracked[0], &tracked[1])?,
        bridged(plain)?,
    ])
}

fn two_hosts(
    near: Arc<LinuxVpcs>,
    runtime: &Runtime,
    wire: &Path,
    rounds: usize,
) -> Result<Vec<Way>, NetworkError> {
    connect(wire)?;
    let config = |host: usize| {
        let run_dir = wire.with_file_name(format!("host{host}"));
        let mut config = NetworkConfig::new(format!("be0c400{}", host + 1), run_dir);
        config.underlay = Some(UNDERLAYS[host]);
        config
    };
    drop(near);
    let near = LinuxVpcs::new(config(0))?;
    let far = run_in(wire, || LinuxVpcs::new(config(1)))??;
    let measured = runtime
        .block_on(across(&near, &far))
        .and_then(|ends| in_turn(&ends, rounds));
    let gone = runtime.block_on(async {
        near.destroy().await?;
        far.destroy().await
    });
    measured.and_then(|ways| gone.map(|()| ways))
}

async fn across(near: &LinuxVpcs, far: &LinuxVpcs) -> Result<Vec<Ends>, NetworkError> {
    let ways = [
        (1, "two hosts: interfaces", ""),
        (2, "two hosts: tracking alone", TRACKING_ALONE),
        (3, "two hosts: VXLAN without rules", NO_RULES),
    ];
    for (net, elsewhere, other) in [
        (near, [false, true], UNDERLAYS[1]),
        (far, [true, false], UNDERLAYS[0]),
    ] {
        let mut rows = vec![Row::Host(HostRow {
            id: "elsewhere".into(),
            underlay: other,
            encryption: None,
        })];
        rows.extend(
            ways.iter()
                .flat_map(|(vni, ..)| in_vpc(*vni, tasks(elsewhere))),
        );
        net.apply(&ToHost::State { revision: 1, rows }).await?;
    }
    let mut all = Vec::new();
    for (vni, name, rules) in ways {
        let (client, server) = (attach(near, vni, 0).await?, attach(far, vni, 1).await?);
        for net in [near, far] {
            load(net, vni, rules)?;
        }
        all.push(ends(name, &client, &server)?);
    }
    Ok(all)
}

async fn attach(net: &LinuxVpcs, vni: u32, number: u32) -> Result<VpcAttachment, NetworkError> {
    let id = format!("eni-{vni}-{number}");
    net.attach(&id, &id).await
}

fn load(net: &LinuxVpcs, vni: u32, rules: &str) -> Result<(), NetworkError> {
    match net.router(&format!("vpc-{vni}")) {
        Some(router) if !rules.is_empty() => run_in(&router, || run_nft("vpc", rules))?,
        _ => Ok(()),
    }
}

fn ends(
    name: &'static str,
    client: &VpcAttachment,
    server: &VpcAttachment,
) -> Result<Ends, NetworkError> {
    serve(&server.netns)?;
    Ok(Ends {
        name,
        from: client.netns.clone(),
        to: server.addresses[0],
    })
}

/// A client and a server that it may call, here or elsewhere.
fn tasks(elsewhere: [bool; 2]) -> Vec<Row> {
    let mut rows = base();
    rows.retain(|row| !matches!(row, Row::Interface(_) | Row::Host(_)));
    rows.push(Row::GroupSet(server(vec![])));
    let groups = ["sg-client", "sg-server"];
    for (number, (groups, is_elsewhere)) in (0..).zip(groups.into_iter().zip(elsewhere)) {
        rows.push(Row::Interface(interface(number, groups, is_elsewhere)));
    }
    rows
}

fn in_vpc(vni: u32, rows: Vec<Row>) -> Vec<Row> {
    let vpc = format!("vpc-{vni}");
    let moved = rows.into_iter().enumerate().map(|(at, mut row)| {
        match &mut row {
            Row::Vpc(row) => (row.id, row.vni) = (vpc.clone(), vni),
            Row::Subnet(row) => (row.id, row.vpc) = (format!("subnet-{vni}"), vpc.clone()),
            Row::GroupSet(row) => row.vpc.clone_from(&vpc),
            Row::Interface(row) => {
                let number = u32::from(row.groups == "sg-server");
                row.id = format!("eni-{vni}-{number}");
                (row.vpc, row.subnet) = (vpc.clone(), format!("subnet-{vni}"));
            }
            Row::Host(_) | Row::Name(_) | Row::Endpoint(_) => {
                debug_assert!(at == 0, "not of a VPC");
            }
        }
        row
    });
    moved.collect()
}

/// The second host at `path`, with a wire to this one.
fn connect(path: &Path) -> Result<(), NetworkError> {
    let host = new_namespace(path)?;
    let mut batch = Batch::new();
    let end = |name| End { name, mac: None };
    batch.add_pair(end("wire"), end("wire"), MTU, host.as_fd());
    let mut socket = route()?;
    socket.transact(batch).map_err(|(_, e)| failed(e.into()))?;
    address(&mut socket, "wire", UNDERLAYS[0])?;
    run_in(path, || address(&mut route()?, "wire", UNDERLAYS[1]))?
}

/// Two namespaces at a bridge in a third, as Docker's networks are, with no rule anywhere.
fn bridged(path: &Path) -> Result<Ends, NetworkError> {
    new_namespace(path)?;
    let at = |number: usize| path.with_file_name(format!("plain{number}"));
    for (number, own) in PLAIN.into_iter().enumerate() {
        let task = new_namespace(&at(number))?;
        let name = format!("v{number}");
        run_in(path, || {
            // Else the kernel shows bridged packets to the rules of routed ones.
            sysctl::write_if_present("bridge/bridge-nf-call-iptables", "0")?;
            let mut socket = route()?;
            let mut batch = Batch::new();
            if number == 0 {
                batch.add_bridge("bridge", [2, 0, 0, 0, 0, 1]);
                socket.transact(batch).map_err(|(_, e)| failed(e.into()))?;
                batch = Batch::new();
            }
            let bridge = index(&mut socket, "bridge")?;
            batch.set_up(bridge);
            let mac = [2, 0, 0, 0, 1, number as u8];
            batch.add_veth(&name, bridge, "eth0", mac, task.as_fd());
            socket.transact(batch).map_err(|(_, e)| failed(e.into()))
        })??;
        run_in(&at(number), || address(&mut route()?, "eth0", own))??;
        run_in(path, || crate::veth::wait_open(&mut route()?, &name))??;
    }
    serve(&at(1))?;
    Ok(Ends {
        name: "one host: veth and bridge",
        from: at(0),
        to: PLAIN[1],
    })
}

fn remove_plain(path: &Path) -> Result<(), NetworkError> {
    for name in ["plain", "plain0", "plain1"] {
        remove(&path.with_file_name(name))?;
    }
    Ok(())
}

fn new_namespace(path: &Path) -> Result<File, NetworkError> {
    thread::scope(|scope| {
        let made = scope.spawn(|| create_here(path)).join();
        made.unwrap_or(Err(NetworkError::Thread("a namespace to measure in")))
    })
}

fn address(socket: &mut Socket, device: &str, address: Ipv4Addr) -> Result<(), NetworkError> {
    let index = index(socket, device)?;
    let net = IpNet::new(IpAddr::V4(address), 24).expect("24 is a prefix length");
    let mut batch = Batch::new();
    batch.set_up(index);
    batch.put_address(index, net);
    socket.transact(batch).map_err(|(_, e)| failed(e.into()))
}

fn index(socket: &mut Socket, device: &str) -> Result<u32, NetworkError> {
    let link = socket.link(device).map_err(failed)?;
    let link = link.ok_or_else(|| failed(rustix::io::Errno::NODEV.into()))?;
    Ok(link.index)
}

fn route() -> Result<Socket, NetworkError> {
    Socket::route().map_err(failed)
}

fn failed(error: std::io::Error) -> NetworkError {
    NetworkError::kernel("a way to measure", error)
}
