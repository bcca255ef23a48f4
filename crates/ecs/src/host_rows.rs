//! What a host shall hold of the VPCs, and what of it is news to the host. Pure.
//!
//! Nothing is remembered of what a write meant: all rows are computed and compared with what the host was
//! told, so nothing can be forgotten, and several writes are told as one.
//! Rule: design section 6, "Joining, and host sync".

use crate::connect;
use crate::records::TASKS;
use crate::records::connect::ENDPOINTS;
use crate::records::container_instance::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceKey,
};
use aws_api::agent::host_sync::{HostEncryption, HostRow, Row, RowKey, ToHost};
use aws_types::Timestamp;
use ec2::held;
use ec2::host::Hosts;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{Key, World};

/// The attribute with a host's address in the network between the hosts (`longshore agent --address`).
const UNDERLAY: &str = "longshore.address";

/// What a host was told in one session.
#[derive(Clone, Debug, Default)]
pub struct Told {
    rows: BTreeMap<RowKey, Row>,
    revision: u64,
    /// What it has applied.
    applied: u64,
    /// What is held for it ([`ec2::held`]), each with the revision that has nothing of it any more.
    held: BTreeMap<u32, u64>,
}

/// What a host shall hold at one moment.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// All of it.
    pub rows: Vec<Row>,
    /// Addresses that are held until it has applied that, by number.
    pub held: BTreeSet<u32>,
}

impl Told {
    /// The session's first message: everything.
    pub fn state(&mut self, wanted: Wanted) -> ToHost {
        self.rows = by_key(wanted.rows);
        self.revision += 1;
        self.hold(wanted.held);
        ToHost::State {
            revision: self.revision,
            rows: self.rows.values().cloned().collect(),
        }
    }

    /// What is other than it was told; `None` if nothing is.
    pub fn change(&mut self, wanted: Wanted) -> Option<ToHost> {
        let held = wanted.held;
        let wanted = by_key(wanted.rows);
        let (mut put, mut remove) = (Vec::new(), Vec::new());
        // Both are in the order of keys, and thousands of rows are the same: one walk over the two.
        let mut told = self.rows.iter().peekable();
        for (key, row) in &wanted {
            while let Some((gone, _)) = told.next_if(|(told, _)| *told < key) {
                remove.push(gone.clone());
            }
            let known = told.next_if(|(told, _)| *told == key);
            if known.is_none_or(|(_, known)| known != row) {
                put.push(row.clone());
            }
        }
        remove.extend(told.map(|(gone, _)| gone.clone()));
        self.rows = wanted;
        if put.is_empty() && remove.is_empty() {
            self.hold(held);
            return None;
        }
        self.revision += 1;
        self.hold(held);
        let revision = self.revision;
        Some(ToHost::Change {
            revision,
            put,
            remove,
        })
    }

    fn hold(&mut self, held: BTreeSet<u32>) {
        for number in held {
            self.held.entry(number).or_insert(self.revision);
        }
    }

    /// The host has applied everything up to this revision.
    pub fn applied(&mut self, revision: u64) {
        self.applied = self.applied.max(revision);
    }

    /// What need not be held for it any more; each once.
    pub fn confirmed(&mut self) -> BTreeSet<u32> {
        let applied = self.applied;
        let done = self.held.extract_if(.., |_, since| *since <= applied);
        done.map(|(number, _)| number).collect()
    }

    /// Everything that it was told and not told to forget.
    #[must_use]
    pub fn rows(&self) -> &BTreeMap<RowKey, Row> {
        &self.rows
    }
}

fn by_key(rows: Vec<Row>) -> BTreeMap<RowKey, Row> {
    rows.into_iter().map(|row| (row.key(), row)).collect()
}

/// Whether one of these rows, each named by its table and key, may change what a host shall hold.
pub fn concern<'a>(
    world: &World,
    mut changed: impl Iterator<Item = (&'static str, &'a Key)>,
) -> bool {
    let tables = [ec2::records::tables(), servicediscovery::records::tables()].concat();
    let is_one = |name: &str| tables.iter().any(|table| table.name() == name);
    changed.any(|(table, key)| match table {
        name if name == TASKS.name() => connect::rows::concerns(world, key),
        name if name == CONTAINER_INSTANCES.name() || name == ENDPOINTS.name() => true,
        name => is_one(name),
    })
}

/// Whether there is this registration. Without it nothing says which machine asks.
#[must_use]
pub fn is_known(world: &World, registration: &InstanceKey) -> bool {
    world.get(&CONTAINER_INSTANCES, registration).is_some()
}

/// What the host with this registration shall hold: the VPCs in which it has interfaces, with the names that
/// they resolve, and the endpoints that its tasks reach.
#[must_use]
pub fn wanted(world: &World, host: &str) -> Wanted {
    let hosts = hosts(world, host);
    let names = names(&hosts, host);
    Wanted {
        held: held::waiting(world, names.iter().map(String::as_str)),
        rows: rows_of(world, host, &hosts),
    }
}

/// The registrations of the machine that has this one.
#[must_use]
pub fn registrations(world: &World, host: &str) -> Vec<String> {
    names(&hosts(world, host), host)
}

fn names(hosts: &Hosts, host: &str) -> Vec<String> {
    let further = hosts.aliases.iter().filter(|(_, of)| *of == host);
    let further = further.map(|(name, _)| name.clone());
    further.chain([host.to_owned()]).collect()
}

/// Its rows alone.
#[must_use]
pub fn rows(world: &World, host: &str) -> Vec<Row> {
    rows_of(world, host, &hosts(world, host))
}

fn rows_of(world: &World, host: &str, hosts: &Hosts) -> Vec<Row> {
    let mut rows = ec2::host::rows(world, host, hosts);
    let vpcs = rows.iter().filter_map(|row| match row {
        Row::Vpc(vpc) if vpc.resolver => Some(vpc.id.clone()),
        _ => None,
    });
    let resolved: Vec<Row> = vpcs
        .flat_map(|vpc| servicediscovery::names(world, &vpc))
        .map(Row::Name)
        .collect();
    rows.extend(resolved);
    let registrations = names(hosts, host);
    let endpoints = connect::rows::rows(world, registrations.iter().map(String::as_str));
    rows.extend(endpoints.into_iter().map(Row::Endpoint));
    rows
}

/// All machines, as the one with this registration knows them. A machine may be registered more than once, such as
/// where it lends FARGATE capacity besides: it is told by the registration that asks, the others by their first.
fn hosts(world: &World, own: &str) -> Hosts {
    let mut hosts = Hosts::default();
    let mut known: BTreeMap<(&str, &str, &str), String> = BTreeMap::new();
    let instances = || world.scan(&CONTAINER_INSTANCES);
    // Machines without a name of their own cannot be told from each other.
    let named = || instances().filter(|instance| !instance.host.is_empty());
    let asking = named().find(|instance| instance.key.arn() == own);
    for instance in asking.into_iter().chain(named()) {
        let arn = instance.key.arn();
        let of = known.entry(name(instance)).or_insert_with(|| arn.clone());
        if *of != arn {
            hosts.aliases.insert(arn, of.clone());
        }
    }
    let speaking = instances().filter(|instance| !hosts.aliases.contains_key(&instance.key.arn()));
    hosts.underlays = by_address(speaking);
    hosts
}

/// An address is one machine's: of several that say it is theirs, that of the first that is connected. Who comes
/// later with another's address speaks for nobody.
fn by_address<'a>(all: impl Iterator<Item = &'a Arc<ContainerInstanceRecord>>) -> Vec<HostRow> {
    let mut found: BTreeMap<Ipv4Addr, ((bool, Timestamp), HostRow)> = BTreeMap::new();
    for instance in all {
        let Some(row) = row(instance) else { continue };
        let rank = (!instance.is_connected(), instance.registered_at);
        let known = found.entry(row.underlay).or_insert((rank, row.clone()));
        if rank < known.0 {
            *known = (rank, row);
        }
    }
    let mut rows: Vec<HostRow> = found.into_values().map(|(_, row)| row).collect();
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    rows
}

fn name(instance: &ContainerInstanceRecord) -> (&str, &str, &str) {
    let scope = &instance.key.scope;
    (&scope.account, &scope.region, &instance.host)
}

fn row(instance: &ContainerInstanceRecord) -> Option<HostRow> {
    let underlay: Ipv4Addr = instance.attribute(UNDERLAY)??.parse().ok()?;
    let encryption = instance.attribute(HostEncryption::ATTRIBUTE).flatten();
    Some(HostRow {
        id: instance.key.arn(),
        underlay,
        encryption: encryption.and_then(HostEncryption::from_attribute),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(id: &str, last: u8) -> Row {
        Row::Host(HostRow {
            id: id.into(),
            underlay: Ipv4Addr::new(10, 0, 0, last),
            encryption: None,
        })
    }

    fn wanted(rows: Vec<Row>, held: &[u32]) -> Wanted {
        Wanted {
            rows,
            held: held.iter().copied().collect(),
        }
    }

    #[test]
    fn an_address_is_held_until_the_host_has_applied_what_came_with_it() {
        let mut told = Told::default();
        told.state(wanted(vec![host("a", 1)], &[1]));
        assert!(told.confirmed().is_empty());
        // Nothing of the second concerns its rows, and it has not even applied the first.
        assert_eq!(told.change(wanted(vec![host("a", 1)], &[1, 2])), None);
        assert!(
            told.change(wanted(vec![host("a", 2)], &[1, 2, 3]))
                .is_some()
        );
        told.applied(1);
        assert_eq!(told.confirmed(), BTreeSet::from([1, 2]));
        assert!(told.confirmed().is_empty());
        told.applied(2);
        assert_eq!(told.confirmed(), BTreeSet::from([3]));
        // It has applied everything already.
        assert_eq!(told.change(wanted(vec![host("a", 2)], &[4])), None);
        assert_eq!(told.confirmed(), BTreeSet::from([4]));
    }

    #[test]
    fn whatever_comes_and_goes_is_told_as_it_is() {
        // Each of four hosts there or not; of those that are, half with one address or another.
        const STATES: u8 = 32;
        let all = |state: u8| {
            let is_there = move |bit: &u8| state & (1 << bit) != 0;
            let address = move |bit: u8| 1 + bit + state / 16 * 10 * (bit % 2);
            let bits = (0..4).filter(is_there);
            bits.map(move |bit| host(&bit.to_string(), address(bit)))
        };
        for before in 0..STATES {
            for after in 0..STATES {
                let mut told = Told::default();
                let _ = told.state(wanted(all(before).collect(), &[]));
                let (was, is) = (by_key(all(before).collect()), by_key(all(after).collect()));
                let news: Vec<Row> = all(after)
                    .filter(|row| was.get(&row.key()) != Some(row))
                    .collect();
                let gone: Vec<RowKey> = was
                    .keys()
                    .filter(|key| !is.contains_key(key))
                    .cloned()
                    .collect();
                let expected = (!news.is_empty() || !gone.is_empty()).then_some(ToHost::Change {
                    revision: 2,
                    put: news,
                    remove: gone,
                });
                let after = wanted(all(after).collect(), &[]);
                assert_eq!(told.change(after), expected);
                assert_eq!(told.rows(), &is);
            }
        }
    }

    #[test]
    fn only_news_is_told_and_nothing_twice() {
        let mut told = Told::default();
        let state = told.state(wanted(vec![host("a", 1), host("b", 2)], &[]));
        let all = vec![host("a", 1), host("b", 2)];
        assert_eq!(
            state,
            ToHost::State {
                revision: 1,
                rows: all.clone()
            }
        );
        assert_eq!(told.change(wanted(all, &[])), None);
        let change = told.change(wanted(vec![host("b", 3), host("c", 4)], &[]));
        let expected = ToHost::Change {
            revision: 2,
            put: vec![host("b", 3), host("c", 4)],
            remove: vec![RowKey::Host("a".into())],
        };
        assert_eq!(change, Some(expected));
        assert_eq!(told.rows().len(), 2);
    }
}
