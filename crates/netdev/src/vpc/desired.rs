//! What the routers of this host shall hold, and what a change of rows changes in it. Pure.
//!
//! Every row gives some things ([`rows`]); a thing that several give is held once and goes with the
//! last. Only rows that changed, and rows whose meaning depends on them, are looked at: the cost of a
//! change does not grow with what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use aws_api::agent::host_sync::{
    Destination, GroupSetRow, HostRow, InterfaceRow, Row, RowKey, ToHost, VpcRow,
};

use super::config::Endpoint;
use super::encryption::Peer;
use super::item::Item;
use super::numbers::Numbers;
use super::rows::{self, View};
use super::untracked::{Cut, cuts};

/// The rows, and what follows from them.
#[derive(Debug, Default)]
pub struct Desired {
    endpoints: Vec<Endpoint>,
    /// Whether this host encrypts, and so the others must.
    encrypts: bool,
    rows: BTreeMap<RowKey, Row>,
    by_address: BTreeMap<(String, IpAddr), String>,
    numbers: BTreeMap<String, [Numbers; 2]>,
    items: BTreeMap<RowKey, Vec<(String, Item)>>,
    held: BTreeMap<String, BTreeMap<Item, u32>>,
    local: BTreeMap<String, BTreeSet<String>>,
}

/// What a message changes.
#[derive(Debug, Default, PartialEq)]
pub struct Delta {
    /// By VPC: what comes and what goes.
    pub routers: BTreeMap<String, Change>,
    /// Interfaces of this host that go, as they were.
    pub gone: Vec<InterfaceRow>,
    /// Interfaces of this host that are other than they were: before and now.
    pub altered: Vec<(InterfaceRow, InterfaceRow)>,
    /// Flows to forget, by interface.
    pub cuts: Vec<(InterfaceRow, Cut)>,
    /// Rows without meaning, and why.
    pub failures: Vec<(RowKey, String)>,
}

/// What comes to a router and what goes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Change {
    /// To be put, in this order.
    pub put: BTreeSet<Item>,
    /// To be taken away.
    pub remove: BTreeSet<Item>,
}

impl Desired {
    /// Nothing yet.
    pub fn new(endpoints: Vec<Endpoint>, encrypts: bool) -> Self {
        Self {
            endpoints,
            encrypts,
            ..Self::default()
        }
    }

    /// Takes a message in. Twice the same changes nothing the second time.
    pub fn take(&mut self, message: &ToHost) -> Delta {
        match message {
            ToHost::State { rows, .. } => {
                let kept: BTreeSet<RowKey> = rows.iter().map(Row::key).collect();
                let gone = self.rows.keys().filter(|key| !kept.contains(*key));
                let gone: Vec<RowKey> = gone.cloned().collect();
                self.change(rows, &gone)
            }
            ToHost::Change { put, remove, .. } => self.change(put, remove),
        }
    }

    fn change(&mut self, put: &[Row], remove: &[RowKey]) -> Delta {
        let mut before: BTreeMap<RowKey, Option<Row>> = BTreeMap::new();
        for key in remove {
            if let Some(old) = self.rows.remove(key) {
                before.entry(key.clone()).or_insert(Some(old));
            }
        }
        for row in put {
            let key = row.key();
            if self.rows.get(&key) != Some(row) {
                let old = self.rows.insert(key.clone(), row.clone());
                before.entry(key).or_insert(old);
            }
        }
        self.index(&before);
        let mut delta = self.local_changes(&before);
        self.cut(&before, &mut delta);
        self.recount(&self.concerned(&before), &mut delta);
        delta
    }

    /// Who has which address, and who is here.
    fn index(&mut self, before: &BTreeMap<RowKey, Option<Row>>) {
        for old in before.values().flatten() {
            if let Row::Interface(old) = old {
                for address in rows::addresses(old) {
                    self.by_address.remove(&(old.vpc.clone(), address));
                }
                if let Some(local) = self.local.get_mut(&old.vpc) {
                    local.remove(&old.id);
                }
            }
        }
        for key in before.keys() {
            if let Some(Row::Interface(row)) = self.rows.get(key) {
                for address in rows::addresses(row) {
                    let at = (row.vpc.clone(), address);
                    self.by_address.insert(at, row.id.clone());
                }
                if row.host.is_none() {
                    let local = self.local.entry(row.vpc.clone()).or_default();
                    local.insert(row.id.clone());
                }
            }
        }
        self.local.retain(|_, interfaces| !interfaces.is_empty());
    }

    fn local_changes(&self, before: &BTreeMap<RowKey, Option<Row>>) -> Delta {
        let mut delta = Delta::default();
        for (key, old) in before {
            let Some(old) = old.as_ref().and_then(local_interface) else {
                continue;
            };
            match self.rows.get(key).and_then(local_interface) {
                Some(now) => delta.altered.push((old.clone(), now.clone())),
                None => delta.gone.push(old.clone()),
            }
        }
        delta
    }

    /// Flows that end because a rule went, or because an interface left a group.
    fn cut(&self, before: &BTreeMap<RowKey, Option<Row>>, delta: &mut Delta) {
        let set_of = |row: &InterfaceRow| RowKey::GroupSet(format!("{}/{}", row.vpc, row.groups));
        let changed_sets: BTreeSet<&RowKey> = before
            .keys()
            .filter(|key| matches!(key, RowKey::GroupSet(_)))
            .collect();
        let mut concerned = delta.altered.clone();
        if !changed_sets.is_empty() {
            for (vpc, ids) in &self.local {
                for id in ids {
                    let key = RowKey::Interface(id.clone());
                    let Some(row) = self.rows.get(&key).and_then(local_interface) else {
                        continue;
                    };
                    let set = RowKey::GroupSet(format!("{vpc}/{}", row.groups));
                    if changed_sets.contains(&set) && !before.contains_key(&key) {
                        concerned.push((row.clone(), row.clone()));
                    }
                }
            }
        }
        // Interfaces of the same groups lose the same flows: which, is asked once.
        let mut known: BTreeMap<(RowKey, RowKey), Vec<Cut>> = BTreeMap::new();
        for (old, now) in concerned {
            let sets = (set_of(&old), set_of(&now));
            let lost = known.entry(sets).or_insert_with_key(|(was, is)| {
                let was = match before.get(was) {
                    Some(old) => old.as_ref(),
                    None => self.rows.get(was),
                };
                let of = |was| cuts(was, group_set(self.rows.get(is)));
                group_set(was).map(of).unwrap_or_default()
            });
            delta
                .cuts
                .extend(lost.iter().map(|cut| (now.clone(), *cut)));
        }
    }

    /// The rows whose things may be others now.
    fn concerned(&self, before: &BTreeMap<RowKey, Option<Row>>) -> BTreeSet<RowKey> {
        let mut concerned: BTreeSet<RowKey> = before.keys().cloned().collect();
        let vpcs_changed = before.keys().any(|key| matches!(key, RowKey::Vpc(_)));
        let interfaces = before.keys().any(|key| matches!(key, RowKey::Interface(_)));
        let widely = before
            .keys()
            .any(|key| matches!(key, RowKey::Subnet(_) | RowKey::Host(_)));
        for (key, row) in &self.rows {
            let depends = match row {
                Row::Host(_) => vpcs_changed,
                Row::Subnet(row) => {
                    (interfaces || widely)
                        && row
                            .routes
                            .iter()
                            .any(|route| matches!(route.via, Destination::Interface { .. }))
                }
                Row::Interface(row) => {
                    widely
                        && (before.contains_key(&RowKey::Subnet(row.subnet.clone()))
                            || row.host.as_ref().is_some_and(|host| {
                                before.contains_key(&RowKey::Host(host.clone()))
                            }))
                }
                Row::Vpc(_) | Row::GroupSet(_) | Row::Name(_) | Row::Endpoint(_) => false,
            };
            if depends {
                concerned.insert(key.clone());
            }
            // Interfaces come last: without a wide change the rest is none of this message's business.
            if matches!(row, Row::Interface(_)) && !widely {
                break;
            }
        }
        concerned
    }

    fn recount(&mut self, concerned: &BTreeSet<RowKey>, delta: &mut Delta) {
        let mut touched: BTreeMap<(String, Item), bool> = BTreeMap::new();
        // Everything that goes before anything that comes: then each thing's first touch tells whether
        // it was held.
        let mut coming = Vec::new();
        for key in concerned {
            let before = self.items.remove(key).unwrap_or_default();
            let now = match self.rows.get(key) {
                Some(_) => self.items_of(key).unwrap_or_else(|why| {
                    delta.failures.push((key.clone(), why));
                    Vec::new()
                }),
                None => Vec::new(),
            };
            let (kept, old, new) = difference(&before, &now);
            for (vpc, item) in old {
                self.give_up(vpc, item);
                touched.entry((vpc.clone(), item.clone())).or_insert(true);
            }
            coming.extend_from_slice(new);
            if kept + new.len() > 0 {
                self.items.insert(key.clone(), now);
            }
        }
        for (vpc, item) in coming {
            let held = self.held.entry(vpc.clone()).or_default();
            let count = held.entry(item.clone()).or_default();
            let was = *count > 0;
            *count += 1;
            touched.entry((vpc, item)).or_insert(was);
        }
        self.held.retain(|_, held| !held.is_empty());
        for ((vpc, item), was) in touched {
            let held = self.held.get(&vpc);
            let is = held.is_some_and(|held| held.contains_key(&item));
            let change = match (was, is) {
                (false, true) => &mut delta.routers.entry(vpc).or_default().put,
                (true, false) => &mut delta.routers.entry(vpc).or_default().remove,
                _ => continue,
            };
            change.insert(item);
        }
    }

    fn items_of(&mut self, key: &RowKey) -> Result<Vec<(String, Item)>, String> {
        let view = View {
            rows: &self.rows,
            by_address: &self.by_address,
            endpoints: &self.endpoints,
            encrypts: self.encrypts,
        };
        let row = self.rows.get(key).ok_or("it is not there")?;
        rows::items(row, &view, &mut self.numbers)
    }

    fn give_up(&mut self, vpc: &str, item: &Item) {
        let Some(held) = self.held.get_mut(vpc) else {
            return;
        };
        if let Some(count) = held.get_mut(item) {
            *count -= 1;
            if *count == 0 {
                held.remove(item);
            }
        }
    }

    /// Everything that the router of the VPC shall hold.
    pub fn held(&self, vpc: &str) -> BTreeSet<Item> {
        let held = self.held.get(vpc).into_iter().flatten();
        held.map(|(item, _)| item.clone()).collect()
    }

    /// The VPCs that have interfaces on this host.
    pub fn local_vpcs(&self) -> BTreeSet<String> {
        self.local.keys().cloned().collect()
    }

    /// The interface, if it is one of this host's.
    pub fn local_interface(&self, id: &str) -> Option<&InterfaceRow> {
        let row = self.rows.get(&RowKey::Interface(id.to_owned()))?;
        local_interface(row)
    }

    /// The VPC of that id.
    pub fn vpc(&self, id: &str) -> Option<&VpcRow> {
        match self.rows.get(&RowKey::Vpc(id.to_owned()))? {
            Row::Vpc(row) => Some(row),
            _ => None,
        }
    }

    /// The rows as they depend on each other.
    pub fn view(&self) -> View<'_> {
        View {
            rows: &self.rows,
            by_address: &self.by_address,
            endpoints: &self.endpoints,
            encrypts: self.encrypts,
        }
    }

    /// Where the other hosts send VXLAN from, and how they encrypt it where this host does.
    pub fn underlays(&self) -> BTreeMap<Ipv4Addr, Option<Peer>> {
        let view = self.view();
        let hosts = self.rows.values().filter_map(|row| match row {
            Row::Host(row) if view.speaks_with(row).is_ok() => Some((row.underlay, peer(row))),
            _ => None,
        });
        hosts.collect()
    }
}

fn peer(row: &HostRow) -> Option<Peer> {
    let encryption = row.encryption.as_ref()?;
    Some(Peer {
        public_key: encryption.key()?,
        port: encryption.port,
    })
}

/// How many things stay at both ends, and what is between them before and now: of thousands of rules one
/// changes at a time.
fn difference<'a, T: PartialEq>(before: &'a [T], now: &'a [T]) -> (usize, &'a [T], &'a [T]) {
    let same = |(a, b): &(&T, &T)| a == b;
    let head = before.iter().zip(now).take_while(same).count();
    let (before, now) = (&before[head..], &now[head..]);
    let tail = before.iter().rev().zip(now.iter().rev());
    let tail = tail.take_while(same).count();
    let (before, now) = (&before[..before.len() - tail], &now[..now.len() - tail]);
    (head + tail, before, now)
}

fn group_set(row: Option<&Row>) -> Option<&GroupSetRow> {
    match row {
        Some(Row::GroupSet(found)) => Some(found),
        _ => None,
    }
}

fn local_interface(row: &Row) -> Option<&InterfaceRow> {
    match row {
        Row::Interface(row) if row.host.is_none() => Some(row),
        _ => None,
    }
}

#[cfg(test)]
#[path = "desired_tests.rs"]
mod tests;
