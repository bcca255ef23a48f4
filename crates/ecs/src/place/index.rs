//! Every cluster's instances, arranged so that a placement looks at few of them.
//!
//! Instances that can only be told apart by amounts form a *class*: equal attributes (a *kind*) and
//! equal ports in use. A question is asked once of each class; within a class, trees ordered by
//! what is free find the best instance that has room. Per group it is known how many active tasks
//! each kind has (spread over an attribute's values) and each instance of a class (spread over
//! instances). Kept by [`super::feed`] with every write of an instance or a task, in any order.

use super::problem::{Candidate, Free, Standing};
use super::tree::{Amounts, Entry, Id, Tree};
use crate::records::container_instance::InstanceId;
use imbl::{OrdMap, OrdSet};
use std::collections::{BTreeMap, BTreeSet};
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
    classes: OrdMap<ClassKey, Class>,
    groups: OrdMap<Arc<str>, Group>,
}

/// What an instance offers, as registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Whether it takes tasks.
    pub standing: Standing,
    /// Its attributes.
    pub attributes: Attributes,
    /// CPU units and memory in MiB.
    pub size: Amounts,
    /// Its GPUs' ids.
    pub gpus: Vec<String>,
    /// TCP ports that it uses itself.
    pub tcp: Vec<u16>,
    /// UDP ports that it uses itself.
    pub udp: Vec<u16>,
}

/// What one task holds of its instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its group.
    pub group: Arc<str>,
    /// Whether it counts for its group: it is not asked to stop.
    pub is_active: bool,
    /// Whether it may still run though it counts as STOPPED.
    pub is_unconfirmed: bool,
    /// CPU units and memory in MiB.
    pub size: Amounts,
    /// GPUs' ids.
    pub gpus: Vec<String>,
    /// TCP ports.
    pub tcp: Vec<u16>,
    /// UDP ports.
    pub udp: Vec<u16>,
}

/// One instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    seat: Option<Arc<Seat>>,
    kind: u32,
    taken: (u32, u32),
    tasks: u32,
    unconfirmed: u32,
    gpus: Vec<String>,
    tcp: Vec<u16>,
    udp: Vec<u16>,
    in_use: Arc<Ports>,
    pub(super) groups: OrdMap<Arc<str>, u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ports {
    pub(super) tcp: BTreeSet<u16>,
    pub(super) udp: BTreeSet<u16>,
}

#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) attributes: Arc<Attributes>,
    members: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassKey {
    pub(super) kind: u32,
    pub(super) in_use: Arc<Ports>,
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

/// The active tasks of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// Instances with one at least that take tasks, by number of them.
    pub(super) by_class: OrdMap<ClassKey, OrdSet<(u32, Id)>>,
    /// How many each kind has, whether its instances take tasks or not.
    pub(super) of_kind: OrdMap<u32, u32>,
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
        let was = self.change(id, |node| {
            let was = node.seat.is_some().then_some(node.kind);
            node.kind = kind.unwrap_or_default();
            node.seat = seat.map(Arc::new);
            node.sum_ports();
            was
        });
        if let Some(was) = was {
            self.leave_kind(was);
        }
    }

    /// A task begins to hold this of an instance.
    pub fn take(&mut self, id: &str, hold: &Hold) {
        self.change(id, |node| {
            node.taken.0 += hold.size.cpu_units;
            node.taken.1 += hold.size.memory_mib;
            node.tasks += 1;
            node.unconfirmed += u32::from(hold.is_unconfirmed);
            node.gpus.extend_from_slice(&hold.gpus);
            if hold.is_active {
                let count = node.of_group(&hold.group) + 1;
                node.groups.insert(hold.group.clone(), count);
            }
            if !hold.tcp.is_empty() || !hold.udp.is_empty() {
                node.tcp.extend_from_slice(&hold.tcp);
                node.udp.extend_from_slice(&hold.udp);
                node.sum_ports();
            }
        });
    }

    /// A task holds it no more.
    pub fn release(&mut self, id: &str, hold: &Hold) {
        self.change(id, |node| {
            node.taken.0 -= hold.size.cpu_units;
            node.taken.1 -= hold.size.memory_mib;
            node.tasks -= 1;
            node.unconfirmed -= u32::from(hold.is_unconfirmed);
            take_out(&mut node.gpus, &hold.gpus);
            if hold.is_active {
                match node.of_group(&hold.group) {
                    0 | 1 => node.groups.remove(&hold.group),
                    count => node.groups.insert(hold.group.clone(), count - 1),
                };
            }
            if !hold.tcp.is_empty() || !hold.udp.is_empty() {
                take_out(&mut node.tcp, &hold.tcp);
                take_out(&mut node.udp, &hold.udp);
                node.sum_ports();
            }
        });
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
            in_use: Arc::default(),
        };
        let from_it = self.classes.range(first..);
        from_it.take_while(move |(key, _)| key.kind == kind)
    }

    /// Changes a node, and its places in the orders with it.
    fn change<T>(&mut self, id: &str, with: impl FnOnce(&mut Node) -> T) -> T {
        let (id, mut node) = match self.nodes.get_key_value(id) {
            Some((id, node)) => (id.clone(), node.clone()),
            None => (id.into(), Node::default()),
        };
        let before = node.clone();
        let answer = with(&mut node);
        self.arrange(&id, &before, &node);
        self.count_groups(&id, &before, &node);
        if node.seat.is_none() && node.tasks == 0 {
            self.nodes.remove(&id);
        } else {
            self.nodes.insert(id, node);
        }
        answer
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

impl Node {
    pub(super) fn of_group(&self, name: &str) -> u32 {
        self.groups.get(name).copied().unwrap_or(0)
    }

    pub(super) fn tasks(&self) -> u32 {
        self.tasks
    }

    /// The GPUs that no task holds, in the order registered.
    pub(super) fn free_gpus(&self) -> impl Iterator<Item = &String> {
        let of_seat = self.seat.iter().flat_map(|seat| seat.gpus.iter());
        of_seat.filter(|gpu| !self.gpus.contains(gpu))
    }

    pub(super) fn free(&self) -> Amounts {
        let size = self.seat.as_ref().map(|seat| seat.size).unwrap_or_default();
        Amounts {
            cpu_units: size.cpu_units.saturating_sub(self.taken.0),
            memory_mib: size.memory_mib.saturating_sub(self.taken.1),
            gpus: u32::try_from(self.free_gpus().count()).unwrap_or(u32::MAX),
        }
    }

    fn standing(&self) -> Option<Standing> {
        let seat = self.seat.as_ref()?;
        Some(match seat.standing {
            // Tasks that counted as stopped while their host was lost may still run there.
            Standing::Ready if self.unconfirmed > 0 => Standing::AgentAway,
            other => other,
        })
    }

    fn counted_kind(&self) -> Option<u32> {
        self.seat.is_some().then_some(self.kind)
    }

    fn class(&self) -> Option<ClassKey> {
        (self.standing() == Some(Standing::Ready)).then(|| ClassKey {
            kind: self.kind,
            in_use: self.in_use.clone(),
        })
    }

    fn by_memory(&self, id: &Id) -> Entry {
        let free = self.free();
        entry((free.memory_mib, free.cpu_units), id, free)
    }

    fn by_cpu(&self, id: &Id) -> Entry {
        let free = self.free();
        entry((free.cpu_units, free.memory_mib), id, free)
    }

    fn by_tasks(&self, id: &Id) -> Entry {
        entry((self.tasks, 0), id, self.free())
    }

    fn sum_ports(&mut self) {
        let own = self.seat.as_deref();
        let all = |own: Option<&Vec<u16>>, tasks: &[u16]| {
            own.into_iter().flatten().chain(tasks).copied().collect()
        };
        self.in_use = Arc::new(Ports {
            tcp: all(own.map(|seat| &seat.tcp), &self.tcp),
            udp: all(own.map(|seat| &seat.udp), &self.udp),
        });
    }
}

impl Group {
    fn is_empty(&self) -> bool {
        self.by_class.is_empty() && self.of_kind.is_empty()
    }

    fn note(&mut self, kind: Option<u32>, class: Option<&ClassKey>, count: u32, id: &Id) {
        if let Some(kind) = kind {
            *self.of_kind.entry(kind).or_default() += count;
        }
        if let Some(class) = class {
            let instances = self.by_class.entry(class.clone()).or_default();
            instances.insert((count, id.clone()));
        }
    }

    fn forget(&mut self, kind: Option<u32>, class: Option<&ClassKey>, count: u32, id: &Id) {
        if let Some(kind) = kind {
            match self.of_kind.get(&kind).copied().unwrap_or(0) - count {
                0 => self.of_kind.remove(&kind),
                rest => self.of_kind.insert(kind, rest),
            };
        }
        let Some(class) = class else {
            return;
        };
        if let Some(instances) = self.by_class.get_mut(class) {
            instances.remove(&(count, id.clone()));
            if instances.is_empty() {
                self.by_class.remove(class);
            }
        }
    }
}

fn entry(rank: (u32, u32), id: &Id, free: Amounts) -> Entry {
    let id = id.clone();
    Entry { rank, id, free }
}

/// Takes each of these out once.
fn take_out<T: PartialEq>(from: &mut Vec<T>, these: &[T]) {
    for one in these {
        if let Some(at) = from.iter().position(|held| held == one) {
            from.swap_remove(at);
        }
    }
}
