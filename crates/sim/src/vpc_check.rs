//! What must always hold of addresses (design, section 8, invariant 5): one interface has an address at a
//! time; it is given again only when nothing is left of the earlier one, or its host was deregistered by
//! force; a host holds the rows of the VPCs in which it has interfaces, and of no other.
//!
//! Counts for itself, over the records, over what is plugged in on the hosts and over what they were told.

use crate::event::HostIndex;
use crate::simulation::Simulation;
use aws_api::agent::host_sync::{Row, RowKey};
use ec2::records::address::{ADDRESSES, POOL, space_of};
use ec2::records::{INTERFACES, InterfaceRecord};
use ecs::host_rows;
use ecs::records::InstanceStatus;
use ecs::records::container_instance::CONTAINER_INSTANCES;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use store::Change;

/// What was seen of interfaces.
#[derive(Debug, Default)]
pub struct Known {
    /// As last committed.
    now: BTreeMap<String, Arc<InterfaceRecord>>,
    /// The instance of each that was ever on one.
    of: BTreeMap<String, String>,
}

/// All private addresses, each with its VPC.
fn addresses(one: &InterfaceRecord) -> impl Iterator<Item = (String, IpAddr)> + '_ {
    let four = one.addresses.iter().copied().map(IpAddr::V4);
    let six = one.ipv6_addresses.iter().copied().map(IpAddr::V6);
    four.chain(six).map(|address| (one.vpc.clone(), address))
}

impl Simulation {
    /// After a commit.
    pub fn check_interfaces(&mut self, changes: &[Change]) {
        if !changes.iter().any(|c| c.table == INTERFACES.name()) {
            return;
        }
        let all = self.server.published.scan(&INTERFACES);
        let now: BTreeMap<_, _> = all.map(|one| (one.id().to_owned(), one.clone())).collect();
        let mut holders = BTreeMap::new();
        for (id, one) in &now {
            for at in addresses(one) {
                if let Some(other) = holders.insert(at.clone(), id) {
                    self.violate(5, format!("{other} and {id} have {} of {}", at.1, at.0));
                }
            }
        }
        self.check_ledger(&now);
        let before = std::mem::take(&mut self.interfaces.now);
        for id in before.keys().filter(|id| !now.contains_key(*id)) {
            for host in 0..self.hosts.len() {
                let is_there = self.hosts[host].machine.kernel.plugged.contains_key(id);
                if is_there && self.counts(id) {
                    self.violate(5, format!("{id} was given up while host {host} has it"));
                }
            }
        }
        for (id, one) in now.iter().filter(|(id, _)| !before.contains_key(*id)) {
            if let Some(instance) = &one.host {
                self.interfaces.of.insert(id.clone(), instance.clone());
            }
            self.check_alone(id, &addresses(one).collect());
        }
        self.interfaces.now = now;
    }

    /// The rows of addresses in use say what the interfaces have, private ones and public ones, and no more.
    fn check_ledger(&mut self, interfaces: &BTreeMap<String, Arc<InterfaceRecord>>) {
        let mut had = BTreeSet::new();
        for (id, one) in interfaces {
            let subnet = space_of(&one.key.beside(&one.subnet));
            let private = one.addresses.iter().map(|at| (subnet.clone(), *at));
            let public = one
                .public
                .iter()
                .map(|public| (POOL.to_owned(), public.address));
            had.extend(
                private
                    .chain(public)
                    .map(|(space, at)| (space, at, id.clone())),
            );
        }
        let rows = self.server.published.scan(&ADDRESSES);
        let rows = rows.map(|row| (row.key.space.clone(), row.key.address, row.owner.clone()));
        let rows: BTreeSet<_> = rows.collect();
        if let Some((_, at, owner)) = had.symmetric_difference(&rows).next() {
            self.violate(
                5,
                format!("{at} of {owner} is in one place and not in the other"),
            );
        }
    }

    /// Nobody else has these addresses plugged in.
    fn check_alone(&mut self, id: &str, own: &BTreeSet<(String, IpAddr)>) {
        for host in 0..self.hosts.len() {
            let plugged = self.hosts[host].machine.kernel.plugged.iter();
            let others = plugged.filter(|(other, there)| {
                let has = |address: &IpAddr| own.contains(&(there.vpc.clone(), *address));
                *other != id && there.addresses.iter().any(has)
            });
            let other = others
                .map(|(other, _)| other.clone())
                .find(|o| self.counts(o));
            if let Some(other) = other {
                let what = format!("{id} has the address of {other}, which host {host} still has");
                self.violate(5, what);
            }
        }
    }

    /// Whether the instance of an interface is one that counts: not of a host deregistered by force.
    fn counts(&self, interface: &str) -> bool {
        let Some(arn) = self.interfaces.of.get(interface) else {
            return true;
        };
        let mut all = self.server.published.scan(&CONTAINER_INSTANCES);
        let found = all.find(|instance| instance.key.arn() == *arn);
        found.is_some_and(|instance| instance.status != InstanceStatus::Inactive)
    }

    /// A host has plugged an interface in: it is its own, and nobody else has the address.
    pub fn check_plugged(&mut self, host: HostIndex, id: &str) {
        let Some(one) = self.interfaces.now.get(id).cloned() else {
            if self.counts(id) {
                self.violate(
                    5,
                    format!("host {host} plugged in {id}, which was given up"),
                );
            }
            return;
        };
        let machine = self.all_of(host);
        let owned = self
            .check
            .owners
            .iter()
            .filter(|(_, of)| machine.contains(of));
        let ids: BTreeSet<&str> = owned.map(|(id, _)| id.0.as_str()).collect();
        let instance = one.host.as_deref().unwrap_or_default();
        let its = instance.rsplit('/').next().unwrap_or_default();
        if !ids.contains(its) {
            self.violate(
                5,
                format!("host {host} plugged in {id}, which is {instance}'s"),
            );
        }
        self.check_alone(id, &addresses(&one).collect());
    }

    /// The routers of a host hold what its rows say, and there are no others.
    pub fn check_routers(&mut self, host: HostIndex) {
        let found = &self.hosts[host];
        let networks = &found.agent.networks;
        let routers = &found.machine.kernel.routers;
        let is_right = routers.keys().cloned().collect::<BTreeSet<_>>() == networks.local_vpcs()
            && routers
                .iter()
                .all(|(vpc, held)| *held == networks.held(vpc));
        if !is_right {
            let what = format!("a router of host {host} holds other things than its rows say");
            self.violate(5, what);
        }
    }

    /// What the server tells a host: the VPCs in which it has interfaces, every interface of these that is
    /// on a host, and nothing of others.
    pub fn check_told(&mut self, session: u64) {
        let Some(sync) = self.syncs.get(&session) else {
            return;
        };
        let (world, arn) = (&self.server.published, sync.instance.arn());
        // A machine has as many names as it was ever registered under.
        let name = &self.hosts[sync.agent.host].name;
        let registered = world.scan(&CONTAINER_INSTANCES).filter(|i| i.host == *name);
        let names: BTreeSet<String> = registered.map(|instance| instance.key.arn()).collect();
        let all = || world.scan(&INTERFACES);
        let own = all().filter(|one| one.host.as_ref().is_some_and(|at| names.contains(at)));
        let vpcs: BTreeSet<&str> = own.map(|one| one.vpc.as_str()).collect();
        let wanted = all().filter(|one| one.host.is_some() && vpcs.contains(one.vpc.as_str()));
        let wanted: BTreeSet<&str> = wanted.map(|one| one.id()).collect();
        let (mut told_vpcs, mut told, mut strange) = (BTreeSet::new(), BTreeSet::new(), false);
        let mut held = BTreeSet::new();
        for row in sync.told.rows().values() {
            match row {
                Row::Vpc(row) => drop(told_vpcs.insert(row.id.as_str())),
                Row::Interface(row) => {
                    told.insert(row.id.as_str());
                    let addresses = crate::vpc_host::addresses(row).into_iter();
                    strange |= !addresses.map(|a| (&row.vpc, a)).all(|at| held.insert(at));
                }
                Row::Subnet(row) => strange |= !vpcs.contains(row.vpc.as_str()),
                Row::GroupSet(row) => strange |= !vpcs.contains(row.vpc.as_str()),
                Row::Host(_) | Row::Name(_) | Row::Endpoint(_) => {}
            }
        }
        if told_vpcs != vpcs || told != wanted || strange {
            let what = format!("{arn} is told of {told_vpcs:?} {told:?}, not {vpcs:?} {wanted:?}");
            self.violate(5, what);
        }
    }

    /// A host that nothing is on its way to knows everything, and nothing else.
    pub fn check_knows(&mut self, session: u64) {
        let Some(sync) = self.syncs.get(&session) else {
            return;
        };
        let (host, arn) = (sync.agent.host, sync.instance.arn());
        let known = self.hosts[host].agent.networks.view().rows;
        let told = sync.told.rows();
        let rows = host_rows::rows(&self.server.published, &arn).into_iter();
        let wanted: BTreeMap<RowKey, Row> = rows.map(|row| (row.key(), row)).collect();
        let found = if known != told {
            Some((5, format!("host {host} holds other rows than it was told")))
        } else if *told != wanted {
            Some((9, format!("nothing made host {host} hear of a change")))
        } else {
            None
        };
        if let Some((invariant, what)) = found {
            self.violate(invariant, what);
        }
    }

    /// The end: no interface, address, router or row is left.
    pub fn check_networks_rest(&mut self) {
        let world = self.server.published.clone();
        for one in world.scan(&INTERFACES) {
            self.violate(5, format!("{} is left", one.id()));
        }
        for address in world.scan(&ADDRESSES) {
            let (at, owner) = (address.key.address, &address.owner);
            self.violate(5, format!("{at} of {owner} is left"));
        }
        let machines = self.hosts.iter().filter(|host| host.beside.is_none());
        if self.syncs.len() != machines.count() {
            self.violate(9, "a host's networks did not come back".into());
        }
        for host in 0..self.hosts.len() {
            let found = &self.hosts[host];
            let (kernel, networks) = (&found.machine.kernel, &found.agent.networks);
            let rows = networks.view().rows.len();
            if !kernel.plugged.is_empty() || !kernel.routers.is_empty() || rows > 0 {
                let plugged = kernel.plugged.len();
                let what = format!("{plugged} interfaces and {rows} rows are left on host {host}");
                self.violate(5, what);
            }
        }
    }
}
