//! The mappings of host ports, in memory and in the table's maps.
//!
//! Memory is the truth. If the kernel's side is not what memory says (somebody ran
//! `nft flush ruleset`), the table is loaded again and filled from memory.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use rustix::io::Errno;
use tracing::warn;

use crate::attachment::{PortBinding, Protocol};
use crate::cidr::Ipv4Cidr;
use crate::error::NetworkError;
use crate::names::Names;
use crate::netlink::Socket;
use crate::netlink::conntrack::UdpFlows;
use crate::netlink::message::Batch;
use crate::netlink::nft::{Element, transaction};
use crate::ports::HostPort;
use crate::rules;

const PROTOCOLS: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

/// Host port to a container's address and port.
pub type Targets = BTreeMap<HostPort, (Ipv4Addr, u16)>;

#[derive(Debug)]
pub struct PortMap {
    names: Names,
    range: Ipv4Cidr,
    targets: Targets,
    has_instance_metadata: bool,
}

impl PortMap {
    /// Loads the table; its maps hold these mappings and no other afterwards.
    pub fn load(
        names: &Names,
        range: Ipv4Cidr,
        targets: Targets,
        has_instance_metadata: bool,
    ) -> Result<Self, NetworkError> {
        let map = Self {
            names: names.clone(),
            range,
            targets,
            has_instance_metadata,
        };
        map.rebuild()?;
        Ok(map)
    }

    pub fn add(&mut self, address: Ipv4Addr, bindings: &[PortBinding]) -> Result<(), NetworkError> {
        if bindings.is_empty() {
            return Ok(());
        }
        for binding in bindings {
            let to = (address, binding.container_port);
            self.targets
                .insert((binding.protocol, binding.host_port), to);
        }
        let table = self.names.table();
        self.send(|batch| {
            for protocol in PROTOCOLS {
                let elements: Vec<Element> = of(protocol, bindings)
                    .map(|binding| Element {
                        port: binding.host_port,
                        to: (address, binding.container_port),
                    })
                    .collect();
                batch.add_elements(&table, rules::map_name(protocol), &elements);
            }
        })?;
        forget_udp(bindings, |binding| UdpFlows::ToPort(binding.host_port))
    }

    /// Idempotent.
    pub fn remove(
        &mut self,
        address: Ipv4Addr,
        bindings: &[PortBinding],
    ) -> Result<(), NetworkError> {
        if bindings.is_empty() {
            return Ok(());
        }
        for binding in bindings {
            self.targets.remove(&(binding.protocol, binding.host_port));
        }
        let table = self.names.table();
        self.send(|batch| {
            for protocol in PROTOCOLS {
                let ports: Vec<u16> = of(protocol, bindings)
                    .map(|binding| binding.host_port)
                    .collect();
                batch.delete_elements(&table, rules::map_name(protocol), &ports);
            }
        })?;
        forget_udp(bindings, |binding| {
            UdpFlows::AnsweredBy(address, binding.container_port)
        })
    }

    fn send(&self, fill: impl FnOnce(&mut Batch)) -> Result<(), NetworkError> {
        match transact(fill) {
            Ok(()) => Ok(()),
            Err(Errno::NOENT | Errno::EXIST) => {
                warn!(
                    table = self.names.table(),
                    "port table was changed by others; made again"
                );
                self.rebuild()
            }
            Err(errno) => Err(self.failed(errno)),
        }
    }

    fn rebuild(&self) -> Result<(), NetworkError> {
        rules::load(&self.names, self.range, self.has_instance_metadata)?;
        let table = self.names.table();
        transact(|batch| {
            for protocol in PROTOCOLS {
                let map = rules::map_name(protocol);
                let elements: Vec<Element> = self
                    .targets
                    .iter()
                    .filter(|((of, _), _)| *of == protocol)
                    .map(|((_, port), to)| Element {
                        port: *port,
                        to: *to,
                    })
                    .collect();
                batch.flush_map(&table, map);
                batch.add_elements(&table, map, &elements);
            }
        })
        .map_err(|errno| self.failed(errno))
    }

    fn failed(&self, errno: Errno) -> NetworkError {
        NetworkError::kernel(
            format!("port maps of nftables table {}", self.names.table()),
            errno,
        )
    }
}

/// Idempotent.
pub fn delete_table(names: &Names) -> Result<(), NetworkError> {
    match transact(|batch| batch.delete_table(&names.table())) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(NetworkError::kernel(
            format!("delete nftables table {}", names.table()),
            errno,
        )),
    }
}

fn of(protocol: Protocol, bindings: &[PortBinding]) -> impl Iterator<Item = &PortBinding> {
    bindings
        .iter()
        .filter(move |binding| binding.protocol == protocol)
}

fn transact(fill: impl FnOnce(&mut Batch)) -> Result<(), Errno> {
    let mut socket =
        Socket::netfilter().map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    socket
        .transact(transaction(fill))
        .map_err(|(_, errno)| errno)
}

fn forget_udp(
    bindings: &[PortBinding],
    which: impl Fn(&PortBinding) -> UdpFlows,
) -> Result<(), NetworkError> {
    let flows: Vec<_> = of(Protocol::Udp, bindings).map(which).collect();
    if flows.is_empty() {
        return Ok(());
    }
    let mut socket =
        Socket::netfilter().map_err(|e| NetworkError::kernel("netfilter socket", e))?;
    socket
        .forget(&flows)
        .map_err(|errno| NetworkError::kernel("forget UDP flows", errno))
}
