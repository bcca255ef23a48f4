//! What a router holds beside its devices: put and taken away by difference, and read back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use rustix::io::Errno;

use super::acl;
use super::desired::Change;
use super::item::{Item, Way, table_of};
use super::overlay::{overlay_link_local, overlay_mac, underlay_of};
use super::router::Router;
use super::table::{self, SETS, TABLE};
use super::uplink::{HostSide, MTU as UPLINK_MTU};
use crate::error::NetworkError;
use crate::namespace::run_in;
use crate::netlink::elements::RawElement;
use crate::netlink::message::Batch;
use crate::netlink::nft::transaction;
use crate::netlink::paths::{Hop, Path};
use crate::netlink::policy::{Asker, Rule};
use crate::netlink::route::LOOPBACK_INDEX;
use crate::rules::run_nft;

/// Subnets' tables are asked after the main one, which knows the VPC.
const RULE_PRIORITY: u32 = 40_000;
/// Ways back to hosts are asked between these two.
const ANSWERS_PRIORITY: u32 = 35_000;
/// So many requests are sent at once: their answers must fit the socket.
const REQUESTS_MAX: usize = 64;

impl Router {
    /// Brings about a change. Elements change in one transaction; before them chains come, after them
    /// addresses and routes.
    ///
    /// # Errors
    /// The first refusal; the router is then doubtful, and the next [`Self::hold`] mends it.
    pub fn change(&mut self, change: &Change, host: &mut HostSide) -> Result<(), NetworkError> {
        let done = self.try_change(change, host);
        self.is_doubtful |= done.is_err();
        done
    }

    fn try_change(&mut self, change: &Change, host: &mut HostSide) -> Result<(), NetworkError> {
        self.put_chains(&change.put)?;
        self.change_elements(change)?;
        self.remove_chains(change)?;
        self.change_paths(change)?;
        let publics = |items: &BTreeSet<Item>| -> Vec<IpAddr> {
            let publics = items.iter().filter_map(|item| match item {
                Item::Public(address) => Some(*address),
                _ => None,
            });
            publics.collect()
        };
        host.publish(
            &self.uplink,
            &publics(&change.put),
            &publics(&change.remove),
        )
    }

    /// Reads what the router holds and brings it to this.
    pub fn hold(&mut self, all: &BTreeSet<Item>, host: &mut HostSide) -> Result<(), NetworkError> {
        self.is_doubtful = true;
        self.ensure_table(host)?;
        let found = self.read(host)?;
        let stale: BTreeSet<Item> = found.difference(all).cloned().collect();
        let change = Change {
            put: all.difference(&found).cloned().collect(),
            remove: stale,
        };
        self.try_change(&change, host)?;
        self.remove_chains_but(all)?;
        self.is_doubtful = false;
        Ok(())
    }

    /// A table that another build made is replaced. Until its elements are put, some milliseconds later, it drops
    /// packets; the flows themselves are known to the kernel and go on.
    fn ensure_table(&mut self, host: &mut HostSide) -> Result<(), NetworkError> {
        let found = self.chain_names()?;
        // While the underlay's device is gone, what stands stays.
        let (is_jumbo, either) = match host.mtu() {
            Ok(mtu) => (mtu > UPLINK_MTU, vec![mtu > UPLINK_MTU]),
            Err(_) => (true, vec![true, false]),
        };
        let mut versions = either.into_iter().map(table::version);
        if versions.any(|version| found.contains(&version)) {
            return Ok(());
        }
        let old = if found.is_empty() {
            String::new()
        } else {
            table::no_table()
        };
        self.nft_text(&(old + &table::script(is_jumbo)))
    }

    fn chain_names(&mut self) -> Result<Vec<String>, NetworkError> {
        let found = self.nft.chains(TABLE);
        found.map_err(|e| self.failed_io("chains", e))
    }

    fn nft_text(&self, text: &str) -> Result<(), NetworkError> {
        if text.is_empty() {
            return Ok(());
        }
        run_in(&self.path, || run_nft(TABLE, text))?
    }

    fn put_chains(&self, put: &BTreeSet<Item>) -> Result<(), NetworkError> {
        let text: String = chains(put)
            .map(|(name, rules)| table::chain(name, rules))
            .collect();
        self.nft_text(&text)
    }

    fn remove_chains(&self, change: &Change) -> Result<(), NetworkError> {
        let put: BTreeSet<&String> = chains(&change.put).map(|(name, _)| name).collect();
        let text: String = chains(&change.remove)
            .filter(|(name, _)| !put.contains(name))
            .map(|(name, _)| table::no_chain(name))
            .collect();
        self.nft_text(&text)
    }

    /// Chains cannot be read back as they were written; only their names are looked at.
    fn remove_chains_but(&mut self, all: &BTreeSet<Item>) -> Result<(), NetworkError> {
        let wanted: BTreeSet<&String> = chains(all).map(|(name, _)| name).collect();
        let found = self.chain_names()?;
        let text: String = found
            .iter()
            .filter(|name| name.starts_with(acl::ASKING) && !wanted.contains(name))
            .map(|name| table::no_chain(name))
            .collect();
        self.nft_text(&text)
    }

    fn change_elements(&mut self, change: &Change) -> Result<(), NetworkError> {
        let (put, remove) = (elements(&change.put), elements(&change.remove));
        if put.is_empty() && remove.is_empty() {
            return Ok(());
        }
        let batch = transaction(|batch| {
            for (set, elements) in &remove {
                batch.drop_elements(TABLE, set, elements);
            }
            for (set, elements) in &put {
                batch.put_elements(TABLE, set, elements);
            }
        });
        self.nft
            .transact(batch)
            .map_err(|(_, errno)| self.failed("elements", errno))
    }

    fn change_paths(&mut self, change: &Change) -> Result<(), NetworkError> {
        let replaced: BTreeSet<(u32, IpNet)> = change.put.iter().filter_map(place_of).collect();
        let mut batch = Batch::new();
        for item in &change.put {
            self.put(item, &mut batch);
            self.send(&mut batch, REQUESTS_MAX, &[Errno::EXIST])?;
        }
        self.send(&mut batch, 1, &[Errno::EXIST])?;
        let gone = [Errno::NOENT, Errno::SRCH, Errno::ADDRNOTAVAIL, Errno::NODEV];
        for item in change.remove.iter().rev() {
            if place_of(item).is_some_and(|place| replaced.contains(&place)) {
                continue;
            }
            self.remove_one(item, &mut batch);
            self.send(&mut batch, REQUESTS_MAX, &gone)?;
        }
        self.send(&mut batch, 1, &gone)
    }

    /// Sends what has gathered, if it is so much.
    fn send(
        &mut self,
        batch: &mut Batch,
        at_least: usize,
        fine: &[Errno],
    ) -> Result<(), NetworkError> {
        if batch.acknowledged().len() < at_least {
            return Ok(());
        }
        let refused = self.route.exchange(std::mem::take(batch));
        let refused = refused.map_err(|errno| self.failed("routes", errno))?;
        match refused.iter().find(|(_, errno)| !fine.contains(errno)) {
            Some((_, errno)) => Err(self.failed("routes", *errno)),
            None => Ok(()),
        }
    }

    fn put(&self, item: &Item, batch: &mut Batch) {
        match item {
            Item::Address(address) => batch.put_address(LOOPBACK_INDEX, IpNet::from(*address)),
            Item::Peer(underlay) => {
                let (Some(index), mac) = (self.overlay, overlay_mac(*underlay)) else {
                    return;
                };
                batch.put_forwarding(index, mac, *underlay);
                batch.put_neighbour(index, (*underlay).into(), mac);
                batch.put_neighbour(index, overlay_link_local(*underlay).into(), mac);
            }
            Item::Route {
                table,
                to,
                way,
                source,
            } => batch.put_path(self.path(*table, *to, *way, *source)),
            Item::Rule { .. } | Item::Answers { .. } => {
                if let Some(rule) = rule(item) {
                    batch.put_rule(rule);
                }
            }
            Item::Public(_) | Item::Chain { .. } | Item::Element { .. } => {}
        }
    }

    fn remove_one(&self, item: &Item, batch: &mut Batch) {
        match item {
            Item::Address(address) => batch.delete_address(LOOPBACK_INDEX, IpNet::from(*address)),
            Item::Peer(underlay) => {
                if let Some(index) = self.overlay {
                    batch.delete_forwarding(index, overlay_mac(*underlay), *underlay);
                    batch.delete_neighbour(index, (*underlay).into());
                    batch.delete_neighbour(index, overlay_link_local(*underlay).into());
                }
            }
            Item::Route {
                table,
                to,
                way,
                source,
            } => batch.delete_path(self.path(*table, *to, *way, *source)),
            Item::Rule { .. } | Item::Answers { .. } => rule(item)
                .into_iter()
                .for_each(|one| batch.delete_rule(one)),
            Item::Public(_) | Item::Chain { .. } | Item::Element { .. } => {}
        }
    }

    /// A way as the kernel says it. Through what is not there packets go nowhere.
    pub fn path(&self, table: u32, to: IpNet, way: Way, source: Option<IpAddr>) -> Path {
        let device = |index, gateway| Hop::Device {
            index,
            gateway: Some(gateway),
        };
        let hop = match way {
            Way::Unreachable => Hop::Unreachable,
            Way::Blackhole => Hop::Blackhole,
            Way::Up if to.addr().is_ipv4() => device(self.up, self.uplink.host().into()),
            Way::Up => device(self.up, super::uplink::HOST_LINK_LOCAL.into()),
            Way::Overlay(underlay) => self.overlay.map_or(Hop::Blackhole, |index| {
                let next = if to.addr().is_ipv4() {
                    underlay.into()
                } else {
                    overlay_link_local(underlay).into()
                };
                device(index, next)
            }),
            Way::Interface(address) => self
                .plugged
                .values()
                .find(|plugged| plugged.has(address))
                .map_or(Hop::Blackhole, |plugged| device(plugged.index, address)),
        };
        Path {
            table,
            to,
            hop,
            source,
        }
    }

    fn way(&self, path: &Path) -> Option<Way> {
        Some(match path.hop {
            Hop::Unreachable => Way::Unreachable,
            Hop::Blackhole => Way::Blackhole,
            Hop::Device { index, .. } if index == self.up => Way::Up,
            Hop::Device { index, gateway } if Some(index) == self.overlay => {
                Way::Overlay(underlay_of(gateway?)?)
            }
            // Without a gateway: an interface's own address, which goes with its device.
            Hop::Device { gateway, .. } => Way::Interface(gateway?),
        })
    }

    fn read(&mut self, host: &mut HostSide) -> Result<BTreeSet<Item>, NetworkError> {
        let mut found = BTreeSet::new();
        for set in SETS {
            let elements = self.nft.elements(TABLE, set);
            let elements = elements.map_err(|e| self.failed_io(set, e))?;
            found.extend(
                elements
                    .into_iter()
                    .map(|element| Item::Element { set, element }),
            );
        }
        let paths = self
            .route
            .paths()
            .map_err(|e| self.failed_io("routes", e))?;
        for path in paths {
            found.extend(self.way(&path).map(|way| Item::Route {
                table: path.table,
                to: path.to,
                way,
                source: path.source,
            }));
        }
        let rules = self.route.rules(&[RULE_PRIORITY, ANSWERS_PRIORITY]);
        let rules = rules.map_err(|e| self.failed_io("rules", e))?;
        found.extend(rules.into_iter().filter_map(|rule| match rule.asker {
            Asker::From(from) => Some(Item::Rule {
                from,
                table: rule.table,
            }),
            Asker::Mark { mark, is_ipv6 } => Some(Item::Answers {
                to: mark.into(),
                is_ipv6,
            }),
            // The host's own, never a router's.
            Asker::Vxlan(_) => None,
        }));
        let addresses = self.route.addresses(LOOPBACK_INDEX);
        let addresses = addresses.map_err(|e| self.failed_io("addresses", e))?;
        let addresses = addresses
            .into_iter()
            .filter(|address| !address.is_loopback());
        found.extend(addresses.map(Item::Address));
        if let Some(index) = self.overlay {
            let peers = self.route.neighbours(index);
            let peers = peers.map_err(|e| self.failed_io("neighbours", e))?;
            found.extend(peers.into_iter().filter_map(underlay_of).map(Item::Peer));
        }
        found.extend(host.publics(&self.uplink)?.into_iter().map(Item::Public));
        Ok(found)
    }
}

/// The policy rule of a thing that is one.
fn rule(item: &Item) -> Option<Rule> {
    match item {
        Item::Rule { from, table } => Some(Rule {
            asker: Asker::From(*from),
            table: *table,
            priority: RULE_PRIORITY,
        }),
        Item::Answers { to, is_ipv6 } => Some(Rule {
            asker: Asker::Mark {
                mark: table_of(*to),
                is_ipv6: *is_ipv6,
            },
            table: table_of(*to),
            priority: ANSWERS_PRIORITY,
        }),
        _ => None,
    }
}

/// What a route replaces, and is replaced by.
fn place_of(item: &Item) -> Option<(u32, IpNet)> {
    match item {
        Item::Route { table, to, .. } => Some((*table, *to)),
        _ => None,
    }
}

fn chains(items: &BTreeSet<Item>) -> impl Iterator<Item = (&String, &Vec<String>)> {
    items.iter().filter_map(|item| match item {
        Item::Chain { name, rules } => Some((name, rules)),
        _ => None,
    })
}

fn elements(items: &BTreeSet<Item>) -> BTreeMap<&'static str, Vec<&RawElement>> {
    let mut by_set: BTreeMap<&'static str, Vec<&RawElement>> = BTreeMap::new();
    for item in items {
        if let Item::Element { set, element } = item {
            by_set.entry(set).or_default().push(element);
        }
    }
    by_set
}
