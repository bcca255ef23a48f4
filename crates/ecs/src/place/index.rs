//! Every cluster's instances, arranged so that a placement looks at few of them.
//!
//! Instances that differ by amounts alone form a *class*: equal attributes (a *kind*) and equal ports in
//! use. A question is asked once of each class; within a class, trees ordered by what is free find the
//! best instance that has room. Per group it is known how many active tasks each kind has (spread over
//! an attribute's values), and per class which instances have as many of them (spread over instances);
//! [`super::rooms`] tells which of these have room. Inside, instances and groups go by number. Kept by
//! [`super::feed`] with every write of an instance or a task, in any order.

use super::bits::Bits;
use super::group::Group;
use super::kinds::Kinds;
use super::node::{ClassKey, Node, Spot};
pub use super::node::{Hold, Seat};
use super::numbers::Numbers;
use super::ports::{InUse, PortSets};
use super::problem::{Candidate, Free};
use super::rooms::Rooms;
use super::tree::{Amounts, Tree};
use super::visits;
use crate::records::container_instance::InstanceId;
use imbl::{OrdMap, Vector};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Key;

/// Attributes by name.
pub type Attributes = BTreeMap<String, Option<String>>;

/// The instances of every cluster.
#[derive(Clone, Debug, Default)]
pub struct Index {
    clusters: OrdMap<Key, Cluster>,
}

impl Index {
    /// A cluster that has instances, or tasks that still hold something of one.
    #[must_use]
    pub fn cluster(&self, key: &Key) -> Option<&Cluster> {
        self.clusters.get(key)
    }

    /// Changes a cluster, made where there was none; one that is left with nothing is forgotten.
    pub fn change(&mut self, key: Key, with: impl FnOnce(&mut Cluster)) {
        let cluster = self.clusters.entry(key.clone()).or_default();
        with(cluster);
        if cluster.slots.is_empty() {
            self.clusters.remove(&key);
        }
    }

    /// How many clusters it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clusters.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }
}

/// The instances of one cluster.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    slots: Numbers,
    /// By slot; one that is vacant has none.
    nodes: Vector<Option<Arc<Node>>>,
    kinds: Kinds,
    ports: PortSets,
    classes: OrdMap<ClassKey, Class>,
    group_numbers: Numbers,
    groups: OrdMap<u32, Group>,
    rooms: Rooms,
}

/// The instances of a class that take tasks, in each order.
#[derive(Clone, Debug, Default)]
pub(super) struct Class {
    pub(super) in_use: InUse,
    /// By memory left, then CPU left.
    pub(super) by_memory: Tree,
    /// By CPU left, then memory left.
    pub(super) by_cpu: Tree,
    /// By tasks.
    pub(super) by_tasks: Tree,
    pub(super) members: Bits,
}

impl Cluster {
    /// Whether no instance is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// How many instances are registered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kinds.members()
    }

    /// An instance as a placement of a task of `group` sees it.
    #[must_use]
    pub fn candidate(&self, id: &str, group: &str) -> Option<Candidate> {
        let node = self.node_of(id)?;
        let seat = node.seat.as_ref()?;
        let free = node.free();
        let group = self.group_numbers.of(group);
        Some(Candidate {
            instance: InstanceId(id.into()),
            standing: node.standing()?,
            free: Free {
                cpu_units: free.cpu_units,
                memory_mib: free.memory_mib,
                gpus: node.free_gpus().cloned().collect(),
                interfaces: free.interfaces,
                tcp_used: node.in_use.tcp.clone(),
                udp_used: node.in_use.udp.clone(),
            },
            attributes: seat.attributes.clone(),
            tasks_of_group: group.map_or(0, |group| node.of_group(group)),
            tasks: node.tasks,
        })
    }

    /// Every registered instance, in order of id.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let is_seated = |slot| self.node(slot).is_some_and(|node| node.seat.is_some());
        let seated = self.slots.iter().filter(move |(_, slot)| is_seated(*slot));
        seated.map(|(id, _)| id.as_ref())
    }

    /// The groups of which an instance has active tasks.
    pub fn groups_on(&self, id: &str) -> impl Iterator<Item = &str> {
        let node = self.node_of(id);
        let groups = node.into_iter().flat_map(|node| &node.groups);
        groups.filter_map(|(group, _)| Some(self.groups.get(group)?.name.as_ref()))
    }

    /// An instance is registered so, or (`None`) is no more.
    pub fn seat(&mut self, id: &str, seat: Option<Seat>) {
        let kind = seat.as_ref().map(|seat| self.kinds.join(&seat.attributes));
        let seat = seat.map(Arc::new);
        let was = self.change(id, None, |node| node.seat(kind.unwrap_or_default(), seat));
        if let Some(was) = was {
            self.kinds.leave(was);
        }
    }

    /// A task begins to hold this of an instance.
    pub fn take(&mut self, id: &str, hold: &Hold) {
        let group = hold.is_active.then(|| self.group_of(&hold.group));
        self.change(id, group, |node| node.take(hold, group));
        let nodes = &self.nodes;
        let end = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        let spot = |slot| Some(node_at(nodes, slot)?.spot(slot));
        self.rooms.add(hold.wanted(), end, spot);
    }

    /// A task holds it no more.
    pub fn release(&mut self, id: &str, hold: &Hold) {
        let group = hold.is_active.then(|| self.group_of(&hold.group));
        self.change(id, group, |node| node.release(hold, group));
        self.rooms.take_back(hold.wanted());
    }

    pub(super) fn node_of(&self, id: &str) -> Option<&Node> {
        self.node(self.slots.of(id)?)
    }

    pub(super) fn node(&self, slot: u32) -> Option<&Node> {
        node_at(&self.nodes, slot)
    }

    /// A group of which some instance has active tasks, and its number.
    pub(super) fn group(&self, name: &str) -> Option<(u32, &Group)> {
        let number = self.group_numbers.of(name)?;
        Some((number, self.groups.get(&number)?))
    }

    /// Instances among which are all that have as much free, whatever their class, where few are known
    /// to be such.
    pub(super) fn among_room(&self, wanted: Amounts) -> Option<&Bits> {
        self.rooms.among(wanted)
    }

    pub(super) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    pub(super) fn classes_of(&self, kind: u32) -> impl Iterator<Item = (ClassKey, &Class)> {
        let key = |ports| ClassKey { kind, ports };
        let classes = self.classes.range(key(0)..=key(u32::MAX));
        classes.map(|(key, class)| (*key, class))
    }

    fn group_of(&mut self, name: &Arc<str>) -> u32 {
        let (number, known) = self.group_numbers.give(name);
        if !known {
            self.groups.insert(number, Group::new(name.clone()));
        }
        number
    }

    /// Changes a node, and its places in the orders with it; of the groups' counts only this group's.
    fn change<T>(&mut self, id: &str, group: Option<u32>, with: impl FnOnce(&mut Node) -> T) -> T {
        let slot = self.slot(id);
        let taken = self.nodes.get_mut(slot as usize).and_then(Option::take);
        let mut shared = taken.unwrap_or_else(|| {
            let in_use = self.ports.share(&InUse::default());
            Arc::new(Node::new(id.into(), in_use))
        });
        let node = Arc::make_mut(&mut shared);
        let (before, in_use) = (node.spot(slot), node.in_use.clone());
        let count = group.map(|group| (group, node.of_group(group)));
        let answer = with(node);
        if !node.in_use.is(&in_use) {
            node.in_use = self.ports.share(&node.in_use);
            self.ports.unshare(&in_use);
        }
        let now = node.spot(slot);
        self.arrange(node, &before, &now);
        self.count_groups(node, count, &before, &now);
        if node.seat.is_none() && node.tasks == 0 {
            self.ports.unshare(&node.in_use);
            self.slots.take_back(id);
        } else if let Some(place) = self.nodes.get_mut(slot as usize) {
            *place = Some(shared);
        }
        answer
    }

    /// The instance's place among the nodes, made now where it has none.
    fn slot(&mut self, id: &str) -> u32 {
        if let Some(slot) = self.slots.of(id) {
            return slot;
        }
        let (slot, _) = self.slots.give(&id.into());
        if slot as usize == self.nodes.len() {
            self.nodes.push_back(None);
        }
        slot
    }

    fn arrange(&mut self, node: &Node, before: &Spot, now: &Spot) {
        if before == now {
            return;
        }
        self.rooms.arrange(before, now);
        if let Some(key) = before.class
            && let Some(class) = self.classes.get_mut(&key)
        {
            class.by_memory.remove(&before.by_memory());
            class.by_cpu.remove(&before.by_cpu());
            class.by_tasks.remove(&before.by_tasks());
            if now.class != Some(key) {
                class.members.remove(before.slot);
            }
            if class.by_tasks.is_empty() && now.class != Some(key) {
                self.classes.remove(&key);
            }
        }
        if let Some(key) = now.class {
            let class = self.classes.entry(key).or_insert_with(|| Class {
                in_use: node.in_use.clone(),
                ..Class::default()
            });
            class.by_memory.insert(now.by_memory());
            class.by_cpu.insert(now.by_cpu());
            class.by_tasks.insert(now.by_tasks());
            if before.class != Some(key) {
                class.members.insert(now.slot);
            }
        }
    }

    /// `was` is the one group whose count has changed, and its count before.
    fn count_groups(&mut self, node: &Node, was: Option<(u32, u32)>, before: &Spot, now: &Spot) {
        if (before.class, before.kind) != (now.class, now.kind) {
            let others = node.groups.iter();
            for (number, count) in others.filter(|(of, _)| Some(*of) != was.map(|(of, _)| of)) {
                if let Some(group) = self.groups.get_mut(number) {
                    group.forget(before, *count);
                    group.note(now, *count);
                }
            }
        }
        let Some((number, count)) = was else {
            return;
        };
        let Some(group) = self.groups.get_mut(&number) else {
            return;
        };
        group.forget(before, count);
        group.note(now, node.of_group(number));
        if group.is_empty() {
            self.group_numbers.take_back(&group.name.clone());
            self.groups.remove(&number);
        }
    }
}

fn node_at(nodes: &Vector<Option<Arc<Node>>>, slot: u32) -> Option<&Node> {
    visits::count();
    nodes.get(slot as usize)?.as_deref()
}
