//! Chooses an instance for one task, from the index: few instances are looked at, however many
//! there are.
//!
//! Pure; never over-commits; equal input gives an equal answer. Each class of equal instances names
//! its best one, and the best of these wins. What walks further: strategies after which many
//! instances are still tied, `memberOf` that asks for more than attributes, `distinctInstance` and
//! spreading over instances past those that already have a task of the group.
//! Rule: ECS developer guide, "Task placement": resources, attributes, constraints, strategies.

use super::constraint::Constraint;
use super::group::Group;
use super::index::{Attributes, Class, Cluster};
use super::node::{ClassKey, Level, Node};
use super::problem::Requirement;
use super::query::{Expression, Facts};
use super::strategy::Criterion;
use super::tree::{Amounts, Entry, Id, Tree};
use crate::records::container_instance::InstanceId;
use aws_types::Timestamp;
use std::collections::BTreeSet;

/// What is asked, but for the instances.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What the task needs.
    pub requirement: &'a Requirement,
    /// Its group.
    pub group: &'a str,
    /// Which instances may take it.
    pub constraints: &'a [Constraint],
    /// Which of them is best.
    pub strategy: &'a [Criterion],
    /// Decides where the strategy says random.
    pub seed: u64,
}

/// A task's instance, and what it had when it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The instance.
    pub instance: InstanceId,
    /// The GPUs that the task gets, by id.
    pub gpus: Vec<String>,
    /// Active tasks of the same group that it had.
    pub tasks_of_group: u32,
    /// Tasks that it had.
    pub tasks: u32,
}

/// Whether an instance, by id, is what an expression asks for.
pub type Member<'a> = &'a dyn Fn(&str, &Expression) -> bool;

/// The best instance that takes the task; `None` when none does.
#[must_use]
pub fn choose(cluster: &Cluster, question: &Question<'_>, member: Member<'_>) -> Option<Placement> {
    let search = Search::new(cluster, question, member);
    let mut best: Option<(Vec<u64>, &Entry)> = None;
    for (kind, found) in cluster.kinds() {
        if !search.admits_kind(&found.attributes) {
            continue;
        }
        let reached = cluster.classes_of(kind);
        for (key, class) in reached.filter(|(key, _)| key.level.reaches(search.level)) {
            let Some(entry) = search.best_of(key, class) else {
                continue;
            };
            let rank = search.rank(entry);
            let wins = best
                .as_ref()
                .is_none_or(|(least, of)| (&rank, &entry.id) < (least, &of.id));
            if wins {
                best = Some((rank, entry));
            }
        }
    }
    let (_, entry) = best?;
    let node = cluster.node(&entry.id)?;
    Some(Placement {
        instance: InstanceId(entry.id.to_string()),
        gpus: node
            .free_gpus()
            .take(question.requirement.gpus as usize)
            .cloned()
            .collect(),
        tasks_of_group: node.of_group(question.group),
        tasks: node.tasks,
    })
}

/// As many instances with room are compared one by one.
const FEW_LEN: usize = 16;

/// The instances of a class that have room.
enum Few<'a> {
    /// So few that the best is known.
    All(Option<&'a Entry>),
    /// More than that.
    More,
}

struct Search<'a> {
    cluster: &'a Cluster,
    question: &'a Question<'a>,
    wanted: Amounts,
    level: Level,
    group: Option<&'a Group>,
    /// The strategies that tell instances of one class apart.
    within: Vec<&'a Criterion>,
    is_distinct: bool,
    /// Expressions that ask for more than attributes.
    asked_each: Vec<&'a Expression>,
    member: Member<'a>,
}

impl<'a> Search<'a> {
    fn new(cluster: &'a Cluster, question: &'a Question<'a>, member: Member<'a>) -> Self {
        let reserved = &question.requirement.reserved;
        let within = question
            .strategy
            .iter()
            .filter(|criterion| match criterion {
                Criterion::SpreadAttribute(_) => false,
                Criterion::BinpackCpu
                | Criterion::BinpackMemory
                | Criterion::SpreadInstance
                | Criterion::Random => true,
            });
        let asked_each = question.constraints.iter().filter_map(|one| match one {
            Constraint::MemberOf(asked) if !asked.asks_attributes_only() => Some(asked),
            Constraint::MemberOf(_) | Constraint::DistinctInstance => None,
        });
        let wanted = Amounts {
            cpu_units: reserved.cpu_units,
            memory_mib: reserved.memory_mib,
            gpus: question.requirement.gpus,
        };
        Self {
            cluster,
            question,
            wanted,
            level: Level::of(wanted),
            group: cluster.group(question.group),
            within: within.collect(),
            is_distinct: question.constraints.contains(&Constraint::DistinctInstance),
            asked_each: asked_each.collect(),
            member,
        }
    }

    fn admits_kind(&self, attributes: &Attributes) -> bool {
        let has = |(name, wanted): &(String, Option<String>)| match (attributes.get(name), wanted) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(has), Some(_)) => has == wanted,
        };
        self.question.requirement.attributes.iter().all(has)
            && self.question.constraints.iter().all(|one| match one {
                Constraint::MemberOf(asked) if asked.asks_attributes_only() => {
                    asked.holds(&OfKind(attributes))
                }
                Constraint::MemberOf(_) | Constraint::DistinctInstance => true,
            })
    }

    fn accepts(&self, entry: &Entry) -> bool {
        if self.is_distinct && self.of_group(entry) > 0 {
            return false;
        }
        let mut asked = self.asked_each.iter();
        asked.all(|expression| (self.member)(&entry.id, expression))
    }

    fn best_of(&self, key: &ClassKey, class: &'a Class) -> Option<&'a Entry> {
        let reserved = &self.question.requirement.reserved;
        let free =
            |ports: &[u16], used: &BTreeSet<u16>| ports.iter().all(|port| !used.contains(port));
        if !free(&reserved.tcp, &key.in_use.tcp) || !free(&reserved.udp, &key.in_use.udp) {
            return None;
        }
        match self.within.first() {
            None | Some(Criterion::SpreadInstance) => self.spread(key, class),
            Some(Criterion::BinpackMemory) => self.packed(&class.by_memory),
            Some(Criterion::BinpackCpu) => self.packed(&class.by_cpu),
            Some(Criterion::Random | Criterion::SpreadAttribute(_)) => self.any(&class.by_tasks),
        }
    }

    /// The least free; of those with as little, the one that the other strategies prefer.
    fn packed(&self, tree: &'a Tree) -> Option<&'a Entry> {
        let first = tree.first((0, 0), self.wanted, &mut |entry| self.accepts(entry))?;
        match self.within.get(1) {
            // The tree's own order is this one.
            None | Some(Criterion::BinpackCpu | Criterion::BinpackMemory)
                if self.within.len() <= 2 =>
            {
                Some(first)
            }
            _ => {
                let tied = |entry: &Entry| entry.rank.0 == first.rank.0;
                self.least(tree, first.rank, &tied)
            }
        }
    }

    /// The fewest tasks of the group; without another strategy, then the fewest tasks.
    fn spread(&self, key: &ClassKey, class: &'a Class) -> Option<&'a Entry> {
        let tree = match self.within.get(1) {
            Some(Criterion::BinpackMemory) => &class.by_memory,
            Some(Criterion::BinpackCpu) => &class.by_cpu,
            _ => &class.by_tasks,
        };
        if let Few::All(of) = self.few(tree) {
            return of;
        }
        let with_some = self.group.and_then(|group| group.by_class.get(key));
        if with_some.map_or(0, imbl::OrdSet::len) < tree.len() {
            let has_none = |entry: &Entry| self.of_group(entry) == 0;
            let accepts = &mut |entry: &Entry| has_none(entry) && self.accepts(entry);
            if let Some(first) = tree.first((0, 0), self.wanted, accepts) {
                return match self.is_decided_by_order() {
                    true => Some(first),
                    false => self.least(tree, (0, 0), &has_none),
                };
            }
        }
        let mut best: Option<(Vec<u64>, &Entry)> = None;
        let mut least = None;
        for (count, id) in with_some.into_iter().flatten() {
            if least.is_some_and(|least| *count > least) {
                break;
            }
            let node = self.cluster.node(id)?;
            let Some(entry) = self.entry_of(tree, node, id) else {
                continue;
            };
            if self.within.len() <= 1 {
                return Some(entry);
            }
            least = Some(*count);
            let rank = self.rank(entry);
            if best.as_ref().is_none_or(|(of, _)| rank < *of) {
                best = Some((rank, entry));
            }
        }
        best.map(|(_, entry)| entry)
    }

    /// Where hardly any instance has room, the best of them; the orders by number of tasks would
    /// lead past all the full ones.
    fn few(&self, tree: &'a Tree) -> Few<'a> {
        let mut len = 0;
        let count = &mut |entry: &Entry| {
            len += usize::from(self.accepts(entry));
            len > FEW_LEN
        };
        if tree.first((0, 0), self.wanted, count).is_some() {
            return Few::More;
        }
        let mut found: Vec<(Vec<u64>, (u32, u32), Id)> = Vec::new();
        let note = &mut |entry: &Entry| {
            if self.accepts(entry) {
                found.push((self.rank(entry), entry.rank, entry.id.clone()));
            }
            false
        };
        tree.first((0, 0), self.wanted, note);
        let best = found.into_iter().min();
        Few::All(best.and_then(|(_, rank, id)| tree.get(rank, &id)))
    }

    /// Whether the first entry of the tree that [`Self::spread`] goes through is the best.
    fn is_decided_by_order(&self) -> bool {
        match self.within.get(1) {
            None => true,
            Some(Criterion::BinpackCpu | Criterion::BinpackMemory) => self.within.len() <= 2,
            Some(_) => false,
        }
    }

    /// The tree's entry of a node, where it has room and is accepted.
    fn entry_of(&self, tree: &'a Tree, node: &Node, id: &str) -> Option<&'a Entry> {
        if !node.free().covers(self.wanted) {
            return None;
        }
        let rank = match self.within.get(1) {
            Some(Criterion::BinpackMemory) => (node.free().memory_mib, node.free().cpu_units),
            Some(Criterion::BinpackCpu) => (node.free().cpu_units, node.free().memory_mib),
            _ => (node.tasks, 0),
        };
        let found = tree.get(rank, id)?;
        self.accepts(found).then_some(found)
    }

    fn any(&self, tree: &'a Tree) -> Option<&'a Entry> {
        let len = u64::try_from(tree.len()).unwrap_or(1).max(1);
        let skip = usize::try_from(self.question.seed % len).unwrap_or(0);
        let accepts = &mut |entry: &Entry| self.accepts(entry);
        let later = tree.first_after(skip, self.wanted, accepts);
        later.or_else(|| tree.first((0, 0), self.wanted, accepts))
    }

    /// The best of all entries from `from` on that are accepted and `among`, which the first are.
    fn least(
        &self,
        tree: &'a Tree,
        from: (u32, u32),
        among: &dyn Fn(&Entry) -> bool,
    ) -> Option<&'a Entry> {
        let mut best: Option<(Vec<u64>, (u32, u32), Id)> = None;
        let look = &mut |entry: &Entry| {
            if among(entry) && self.accepts(entry) {
                let rank = self.rank(entry);
                if best.as_ref().is_none_or(|(least, _, _)| rank < *least) {
                    best = Some((rank, entry.rank, entry.id.clone()));
                }
            }
            false
        };
        tree.first(from, self.wanted, look);
        let (_, rank, id) = best?;
        tree.get(rank, &id)
    }

    fn of_group(&self, entry: &Entry) -> u32 {
        let node = self.cluster.node(&entry.id);
        node.map_or(0, |node| node.of_group(self.question.group))
    }

    /// The figures of an instance, one for each strategy; the least is the best.
    fn rank(&self, entry: &Entry) -> Vec<u64> {
        let of = |criterion: &Criterion| match criterion {
            Criterion::BinpackCpu => entry.free.cpu_units.into(),
            Criterion::BinpackMemory => entry.free.memory_mib.into(),
            Criterion::SpreadInstance => self.of_group(entry).into(),
            Criterion::SpreadAttribute(name) => self.of_value(entry, name),
            Criterion::Random => mixed(self.question.seed, &entry.id),
        };
        let mut rank: Vec<u64> = self.question.strategy.iter().map(of).collect();
        if self.within.is_empty() {
            let node = self.cluster.node(&entry.id);
            let tasks = node.map_or(0, |node| node.tasks);
            rank.extend([self.of_group(entry), tasks].map(u64::from));
        }
        rank
    }

    /// Tasks of the group on all instances that share this one's value of an attribute.
    fn of_value(&self, entry: &Entry, name: &str) -> u64 {
        let value = |attributes: &'a Attributes| attributes.get(name).and_then(Option::as_ref);
        let Some(group) = self.group else {
            return 0;
        };
        let own = self.cluster.attributes(&entry.id).and_then(value);
        let same = self
            .cluster
            .kinds()
            .filter(|(_, kind)| value(&kind.attributes) == own);
        same.map(|(id, _)| u64::from(group.of_kind.get(&id).copied().unwrap_or(0)))
            .sum()
    }
}

fn mixed(seed: u64, id: &str) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = id.bytes().fold(seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What is asked of attributes alone.
struct OfKind<'a>(&'a Attributes);

impl Facts for OfKind<'_> {
    fn agent_connected(&self) -> bool {
        false
    }
    fn agent_version(&self) -> Option<&str> {
        None
    }
    fn ec2_instance_id(&self) -> &str {
        ""
    }
    fn registered_at(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
    fn running_tasks(&self) -> u32 {
        0
    }
    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.0.get(name).map(Option::as_deref)
    }
    fn hosts_group(&self, _passes: &dyn Fn(&str) -> bool) -> bool {
        false
    }
}
