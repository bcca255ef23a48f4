//! Every cluster's instances, arranged so that a placement looks at few of them.
//!
//! Instances that differ by amounts alone form a *class*: equal attributes (a *kind*), equal ports in
//! use and roughly as much free. A question is asked once of each class; within a class, trees ordered by
//! what is free find the best instance that has room. Per group it is known how many active tasks
//! each kind has (spread over an attribute's values) and each instance of a class (spread over
//! instances). Kept by [`super::feed`] with every write of an instance or a task, in any order.

use super::group::Group;
use super::node::{ClassKey, InUse, Level, Node};
pub use super::node::{Hold, Seat};
use super::problem::{Candidate, Free};
use super::tree::{Id, Tree};
use crate::records::container_instance::InstanceId;
use imbl::OrdMap;
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
    /// A cluster that has, or had, instances.
    #[must_use]
    pub fn cluster(&self, key: &Key) -> Option<&Cluster> {
        self.clusters.get(key)
    }

    /// The same, to change it; made where there was none.
    pub fn cluster_mut(&mut self, key: Key) -> &mut Cluster {
        self.clusters.entry(key).or_default()
    }
}

/// The instances of one cluster.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    nodes: OrdMap<Id, Node>,
    kinds: OrdMap<u32, Kind>,
    kind_ids: OrdMap<Arc<Attributes>, u32>,
    next_kind: u32,
    /// Each once, and how many nodes share it.
    in_use: OrdMap<InUse, usize>,
    classes: OrdMap<ClassKey, Class>,
    groups: OrdMap<Arc<str>, Group>,
}

#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) attributes: Arc<Attributes>,
    members: usize,
}

/// The instances of a class that take tasks, in each order.
#[derive(Clone, Debug, Default)]
pub(super) struct Class {
    /// By memory left, then CPU left.
    pub(super) by_memory: Tree,
    /// By CPU left, then memory left.
    pub(super) by_cpu: Tree,
    /// By tasks.
    pub(super) by_tasks: Tree,
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
        self.kinds.values().map(|kind| kind.members).sum()
    }

    /// An instance as a placement of a task of `group` sees it.
    #[must_use]
    pub fn candidate(&self, id: &str, group: &str) -> Option<Candidate> {
        let node = self.nodes.get(id)?;
        let seat = node.seat.as_ref()?;
        let free = node.free();
        Some(Candidate {
            instance: InstanceId(id.into()),
            standing: node.standing()?,
            free: Free {
                cpu_units: free.cpu_units,
                memory_mib: free.memory_mib,
                gpus: node.free_gpus().cloned().collect(),
                tcp_used: node.in_use.tcp.clone(),
                udp_used: node.in_use.udp.clone(),
            },
            attributes: seat.attributes.clone(),
            tasks_of_group: node.of_group(group),
            tasks: node.tasks,
        })
    }

    /// Every registered instance, in order of id.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let seated = self.nodes.iter().filter(|(_, node)| node.seat.is_some());
        seated.map(|(id, _)| id.as_ref())
    }

    /// The groups of which an instance has active tasks.
    pub fn groups_on(&self, id: &str) -> impl Iterator<Item = &str> {
        let node = self.nodes.get(id).into_iter();
        node.flat_map(|node| node.groups.keys().map(AsRef::as_ref))
    }

    /// An instance is registered so, or (`None`) is no more.
    pub fn seat(&mut self, id: &str, seat: Option<Seat>) {
        let kind = seat.as_ref().map(|seat| self.join_kind(&seat.attributes));
        let seat = seat.map(Arc::new);
        let was = self.change(id, |node| node.seat(kind.unwrap_or_default(), seat));
        if let Some(was) = was {
            self.leave_kind(was);
        }
    }

    /// A task begins to hold this of an instance.
    pub fn take(&mut self, id: &str, hold: &Hold) {
        self.change(id, |node| node.take(hold));
    }

    /// A task holds it no more.
    pub fn release(&mut self, id: &str, hold: &Hold) {
        self.change(id, |node| node.release(hold));
    }

    pub(super) fn attributes(&self, id: &str) -> Option<&Attributes> {
        let node = self.nodes.get(id)?;
        self.kinds
            .get(&node.kind)
            .map(|kind| kind.attributes.as_ref())
    }

    pub(super) fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub(super) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = (u32, &Kind)> {
        self.kinds.iter().map(|(id, kind)| (*id, kind))
    }

    pub(super) fn classes_of(&self, kind: u32) -> impl Iterator<Item = (&ClassKey, &Class)> {
        let first = ClassKey {
            kind,
            level: Level::default(),
            in_use: InUse::default(),
        };
        let from_it = self.classes.range(first..);
        from_it.take_while(move |(key, _)| key.kind == kind)
    }

    /// Changes a node, and its places in the orders with it.
    fn change<T>(&mut self, id: &str, with: impl FnOnce(&mut Node) -> T) -> T {
        let (id, mut node) = match self.nodes.get_key_value(id) {
            Some((id, node)) => (id.clone(), node.clone()),
            None => {
                let mut node = Node::default();
                node.in_use = self.share(&node.in_use);
                (id.into(), node)
            }
        };
        let before = node.clone();
        let answer = with(&mut node);
        if !node.in_use.is(&before.in_use) {
            node.in_use = self.share(&node.in_use);
            self.unshare(&before.in_use);
        }
        self.arrange(&id, &before, &node);
        self.count_groups(&id, &before, &node);
        if node.seat.is_none() && node.tasks == 0 {
            self.unshare(&node.in_use);
            self.nodes.remove(&id);
        } else {
            self.nodes.insert(id, node);
        }
        answer
    }

    /// The value that stands for all equal ones.
    fn share(&mut self, in_use: &InUse) -> InUse {
        let known = self.in_use.get_key_value(in_use);
        let (shared, count) = match known {
            Some((shared, count)) => (shared.clone(), *count),
            None => (in_use.clone(), 0),
        };
        self.in_use.insert(shared.clone(), count + 1);
        shared
    }

    /// One node less shares it.
    fn unshare(&mut self, in_use: &InUse) {
        match self.in_use.get(in_use).copied() {
            None => {}
            Some(0 | 1) => drop(self.in_use.remove(in_use)),
            Some(count) => drop(self.in_use.insert(in_use.clone(), count - 1)),
        }
    }

    fn arrange(&mut self, id: &Id, before: &Node, now: &Node) {
        if let Some(class) = before.class() {
            let mut is_empty = false;
            if let Some(trees) = self.classes.get_mut(&class) {
                trees.by_memory.remove(&before.by_memory(id));
                trees.by_cpu.remove(&before.by_cpu(id));
                trees.by_tasks.remove(&before.by_tasks(id));
                is_empty = trees.by_tasks.is_empty();
            }
            if is_empty && now.class().as_ref() != Some(&class) {
                self.classes.remove(&class);
            }
        }
        if let Some(class) = now.class() {
            let trees = self.classes.entry(class).or_default();
            trees.by_memory.insert(now.by_memory(id));
            trees.by_cpu.insert(now.by_cpu(id));
            trees.by_tasks.insert(now.by_tasks(id));
        }
    }

    fn count_groups(&mut self, id: &Id, before: &Node, now: &Node) {
        let (was, is) = (before.class(), now.class());
        let moved = was != is || before.counted_kind() != now.counted_kind();
        for (name, count) in &before.groups {
            if !moved && now.groups.get(name) == Some(count) {
                continue;
            }
            let Some(group) = self.groups.get_mut(name) else {
                continue;
            };
            group.forget(before.counted_kind(), was.as_ref(), *count, id);
            if group.is_empty() {
                self.groups.remove(name);
            }
        }
        for (name, count) in &now.groups {
            if !moved && before.groups.get(name) == Some(count) {
                continue;
            }
            let group = self.groups.entry(name.clone()).or_default();
            group.note(now.counted_kind(), is.as_ref(), *count, id);
        }
    }

    fn join_kind(&mut self, attributes: &Attributes) -> u32 {
        let known = self.kind_ids.get(attributes).copied();
        let id = known.unwrap_or(self.next_kind);
        if known.is_none() {
            self.next_kind += 1;
            let attributes = Arc::new(attributes.clone());
            self.kind_ids.insert(attributes.clone(), id);
            let members = 0;
            self.kinds.insert(
                id,
                Kind {
                    attributes,
                    members,
                },
            );
        }
        if let Some(kind) = self.kinds.get_mut(&id) {
            kind.members += 1;
        }
        id
    }

    fn leave_kind(&mut self, id: u32) {
        let Some(kind) = self.kinds.get_mut(&id) else {
            return;
        };
        kind.members -= 1;
        if kind.members == 0 {
            let attributes = kind.attributes.clone();
            self.kinds.remove(&id);
            self.kind_ids.remove(&attributes);
        }
    }
}
