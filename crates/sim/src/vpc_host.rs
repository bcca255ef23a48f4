//! A host's networks of the VPCs: what its kernel holds, which outlives the agent.
//!
//! The rows, and what follows from them, are the real ones (`netdev::vpc::desired`), in the agent's
//! memory. Played is the kernel; the order of steps is that of `netdev/src/vpc/{applying,linux,leaving,standing}.rs`.

use aws_api::agent::host_sync::{InterfaceRow, ToHost};
use netdev::vpc::desired::Desired;
use netdev::vpc::item::Item;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// An interface's device, with the task's namespace at its other end.
#[derive(Debug)]
pub struct Plugged {
    /// ARN of the task.
    pub task: String,
    pub vpc: String,
    pub addresses: Vec<IpAddr>,
}

/// The routers of a host and what is plugged into them.
#[derive(Debug, Default)]
pub struct Kernel {
    /// By interface.
    pub plugged: BTreeMap<String, Plugged>,
    /// What each VPC's router holds.
    pub routers: BTreeMap<String, BTreeSet<Item>>,
    /// An agent that has just begun knows no router's contents.
    is_doubtful: bool,
}

/// All private addresses of an interface.
pub fn addresses(row: &InterfaceRow) -> Vec<IpAddr> {
    let four = row.addresses.iter().copied().map(IpAddr::V4);
    let six = row.ipv6_addresses.iter().copied().map(IpAddr::V6);
    four.chain(six).collect()
}

impl Kernel {
    /// Takes a message in; gives the interfaces of which nothing is left.
    pub fn apply(&mut self, desired: &mut Desired, message: &ToHost) -> Vec<String> {
        let delta = desired.take(message);
        let mut gone: BTreeSet<String> = delta.gone.iter().map(|row| row.id.clone()).collect();
        let is_rowless = |id: &&String| desired.local_interface(id).is_none();
        gone.extend(self.plugged.keys().filter(is_rowless).cloned());
        self.plugged.retain(|id, _| !gone.contains(id));
        let wanted = desired.local_vpcs();
        for vpc in &wanted {
            match self.routers.get_mut(vpc) {
                Some(router) if !self.is_doubtful => {
                    if let Some(change) = delta.routers.get(vpc) {
                        router.retain(|item| !change.remove.contains(item));
                        router.extend(change.put.iter().cloned());
                    }
                }
                _ => drop(self.routers.insert(vpc.clone(), desired.held(vpc))),
            }
        }
        for (_, now) in &delta.altered {
            if let Some(plugged) = self.plugged.get_mut(&now.id) {
                plugged.addresses = addresses(now);
            }
        }
        self.routers.retain(|vpc, _| wanted.contains(vpc));
        self.is_doubtful = false;
        gone.into_iter().collect()
    }

    /// Makes the device of a row's interface. Whether it was not there before.
    pub fn plug(&mut self, row: &InterfaceRow, task: &str) -> bool {
        let plugged = Plugged {
            task: task.to_owned(),
            vpc: row.vpc.clone(),
            addresses: addresses(row),
        };
        let has_router = self.routers.contains_key(&row.vpc);
        has_router && self.plugged.insert(row.id.clone(), plugged).is_none()
    }

    /// Takes a device out of use, if it is there.
    pub fn unplug(&mut self, interface: &str) {
        self.plugged.remove(interface);
    }

    /// A new agent keeps what the tasks' states name, and removes the rest.
    pub fn adopt(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.plugged.retain(|_, plugged| is_kept(&plugged.task));
        self.is_doubtful = true;
    }
}
