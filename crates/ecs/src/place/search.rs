//! The best instance of one class for a task.
//!
//! Where an order of the index is the strategy's, its first instance with room is the best. Spreading
//! over instances has two ways: through the instances in order of the group's tasks, of which those
//! without room are left out where that is known ([`super::rooms`]), and through those with room. The
//! one is short where many have room, the other where few have; both are gone in turn, a little further
//! each time.
//! What walks further: strategies after which many instances are still tied, `memberOf` that asks for
//! more than attributes, `distinctInstance` with `binpack`, and sizes that few tasks have.

use super::bits::Bits;
use super::choose::{Member, Question};
use super::constraint::Constraint;
use super::group::{ByCount, Group};
use super::index::{Class, Cluster};
use super::node::{ClassKey, Node};
use super::ports;
use super::query::Expression;
use super::strategy::Criterion;
use super::tree::{Amounts, Entry, Tree, Walk};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// As far the first time on each way.
const SHORT_WAY: u32 = 24;
/// Of as many that the strategy does not tell apart the one with the fewest tasks is taken.
const A_FEW: u32 = 8;
/// Each time as many times further.
const FURTHER: u32 = 4;

/// Where a way led.
enum Way {
    /// To the best, or to the end of it: there is none.
    Known(Option<u32>),
    /// It is longer.
    Longer,
}

pub(super) struct Search<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) question: &'a Question<'a>,
    pub(super) group: Option<(u32, &'a Group)>,
    wanted: Amounts,
    /// Instances among which are all that have room, where few are known to be such.
    among: Option<&'a Bits>,
    /// The strategies that tell instances of one class apart.
    within: Vec<&'a Criterion>,
    is_distinct: bool,
    /// Expressions that ask for more than attributes.
    asked_each: Vec<&'a Expression>,
    member: Member<'a>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        question: &'a Question<'a>,
        member: Member<'a>,
    ) -> Self {
        let reserved = &question.requirement.reserved;
        let within = question.strategy.iter();
        let within = within.filter(|one| !matches!(one, Criterion::SpreadAttribute(_)));
        let asked_each = question.constraints.iter().filter_map(|one| match one {
            Constraint::MemberOf(asked) if !asked.asks_attributes_only() => Some(asked),
            Constraint::MemberOf(_) | Constraint::DistinctInstance => None,
        });
        let wanted = Amounts {
            cpu_units: reserved.cpu_units,
            memory_mib: reserved.memory_mib,
            gpus: question.requirement.gpus,
            interfaces: question.requirement.interfaces,
        };
        Self {
            cluster,
            question,
            group: cluster.group(question.group),
            wanted,
            among: cluster.among_room(wanted),
            within: within.collect(),
            is_distinct: question.constraints.contains(&Constraint::DistinctInstance),
            asked_each: asked_each.collect(),
            member,
        }
    }

    /// Its number.
    pub(super) fn best_of(&self, key: ClassKey, class: &Class) -> Option<u32> {
        let reserved = &self.question.requirement.reserved;
        let free =
            |ports: &[u16], used: &BTreeSet<u16>| ports.iter().all(|port| !used.contains(port));
        if !free(&reserved.tcp, &class.in_use.tcp) || !free(&reserved.udp, &class.in_use.udp) {
            return None;
        }
        let wanted = reserved.tcp.len() + reserved.udp.len();
        if wanted > 0 && wanted > ports::left(&class.in_use.tcp, &class.in_use.udp) {
            return None;
        }
        match self.within.first() {
            None | Some(Criterion::SpreadInstance) => self.spread(key, class),
            Some(Criterion::BinpackCpu) => self.packed(&class.by_cpu, self.wanted.cpu_units),
            Some(Criterion::Random | Criterion::SpreadAttribute(_)) => self.any(&class.by_memory),
            Some(Criterion::BinpackMemory) => self.packed(&class.by_memory, self.wanted.memory_mib),
        }
    }

    fn accepts(&self, entry: &Entry) -> bool {
        if self.is_distinct && self.of_group(entry.slot) > 0 {
            return false;
        }
        self.asked_each.is_empty()
            || self.cluster.node(entry.slot).is_some_and(|node| {
                let mut asked = self.asked_each.iter();
                asked.all(|expression| (self.member)(&node.id, expression))
            })
    }

    fn walk<'f>(&self, accepts: &'f mut dyn FnMut(&Entry) -> bool) -> Walk<'f> {
        Walk {
            from: (0, 0),
            wanted: self.wanted,
            left: u32::MAX,
            accepts,
        }
    }

    /// The least free; of those with as little, the one that the other strategies prefer.
    fn packed(&self, tree: &Tree, wanted: u32) -> Option<u32> {
        let accepts = &mut |entry: &Entry| self.accepts(entry);
        let from = (wanted, 0);
        let first = tree.walk(
            0,
            &mut Walk {
                from,
                ..self.walk(accepts)
            },
        )?;
        if self.is_decided_by_order() {
            return Some(first.slot);
        }
        let mut best = first.slot;
        let look = &mut |entry: &Entry| {
            if entry.rank.0 > first.rank.0 {
                return true;
            }
            if self.accepts(entry) && self.compare(entry.slot, best) == Ordering::Less {
                best = entry.slot;
            }
            false
        };
        let from = first.rank;
        tree.walk(
            0,
            &mut Walk {
                from,
                ..self.walk(look)
            },
        );
        Some(best)
    }

    /// The fewest tasks of the group; without another strategy, then the fewest tasks.
    fn spread(&self, key: ClassKey, class: &Class) -> Option<u32> {
        let mut length = SHORT_WAY;
        loop {
            if let Way::Known(slot) = self.by_order(key, class, length) {
                return slot;
            }
            if let Way::Known(slot) = self.by_room(&class.by_memory, length) {
                return slot;
            }
            length = length.saturating_mul(FURTHER);
        }
    }

    /// Through the instances that may have room, those with the fewest tasks of the group first.
    fn by_order(&self, key: ClassKey, class: &Class, length: u32) -> Way {
        let with_some = self.group.and_then(|(_, group)| group.by_class.get(&key));
        if with_some.map_or(0, ByCount::len) < class.by_tasks.len() {
            match self.with_none(class, with_some, length) {
                Way::Known(None) => {}
                known => return known,
            }
        }
        // Who has one of the group is refused then.
        let with_some = with_some.filter(|_| !self.is_distinct);
        let mut left = length;
        for instances in with_some.into_iter().flat_map(ByCount::levels) {
            let among = instances.passing(self.among, None);
            match self.best_among(among, &mut left, 1) {
                Way::Known(None) => {}
                known => return known,
            }
        }
        Way::Known(None)
    }

    /// The best of instances with as many tasks of the group. Without a strategy that tells them apart
    /// the best of the first few, `enough`, will do.
    fn best_among(&self, among: impl Iterator<Item = u32>, left: &mut u32, mut enough: u32) -> Way {
        let is_open = self.within.len() <= 1;
        let mut best = None;
        for slot in among {
            if *left == 0 {
                return Way::Longer;
            }
            *left -= 1;
            let node = self.cluster.node(slot);
            if !node.is_some_and(|node| self.has_room(node, slot)) {
                continue;
            }
            if best.is_none_or(|than| self.compare(slot, than) == Ordering::Less) {
                best = Some(slot);
            }
            enough = enough.saturating_sub(1);
            if is_open && enough == 0 {
                break;
            }
        }
        Way::Known(best)
    }

    /// The best of the instances that have no task of the group.
    fn with_none(&self, class: &Class, with_some: Option<&ByCount>, length: u32) -> Way {
        // Twice as far as other ways: its choice is the better, the one with the fewest tasks.
        if let Way::Known(best) = self.with_none_by_order(class, length.saturating_mul(2)) {
            return Way::Known(best);
        }
        // Those first in the order have a task of the group, or are refused.
        let with_some = with_some.and_then(ByCount::all);
        let among = class.members.passing(self.among, with_some);
        let mut left = length;
        self.best_among(among, &mut left, A_FEW)
    }

    fn with_none_by_order(&self, class: &Class, length: u32) -> Way {
        let tree = match self.within.get(1) {
            Some(Criterion::BinpackMemory) => &class.by_memory,
            Some(Criterion::BinpackCpu) => &class.by_cpu,
            _ => &class.by_tasks,
        };
        let by_order = self.is_decided_by_order();
        let mut best = None;
        let look = &mut |entry: &Entry| {
            if self.of_group(entry.slot) > 0 || !self.accepts(entry) {
                return false;
            }
            if best.is_none_or(|than| self.compare(entry.slot, than) == Ordering::Less) {
                best = Some(entry.slot);
            }
            by_order
        };
        let mut walk = Walk {
            left: length,
            ..self.walk(look)
        };
        let is_found = tree.walk(0, &mut walk).is_some();
        match walk.left == 0 && !is_found {
            true => Way::Longer,
            false => Way::Known(best),
        }
    }

    /// Through all instances with room.
    fn by_room(&self, by_memory: &Tree, length: u32) -> Way {
        let mut best = None;
        let look = &mut |entry: &Entry| {
            let better = |than| self.compare(entry.slot, than) == Ordering::Less;
            if self.accepts(entry) && best.is_none_or(better) {
                best = Some(entry.slot);
            }
            false
        };
        let mut walk = Walk {
            from: (self.wanted.memory_mib, 0),
            left: length,
            ..self.walk(look)
        };
        by_memory.walk(0, &mut walk);
        match walk.left {
            0 => Way::Longer,
            _ => Way::Known(best),
        }
    }

    /// Whether the first instance of the order that the strategies begin with is the best.
    fn is_decided_by_order(&self) -> bool {
        match self.within.get(1) {
            None => true,
            Some(Criterion::BinpackCpu | Criterion::BinpackMemory) => self.within.len() <= 2,
            Some(_) => false,
        }
    }

    fn has_room(&self, node: &Node, slot: u32) -> bool {
        let free = node.free();
        let rank = (0, 0);
        free.covers(self.wanted) && self.accepts(&Entry { rank, slot, free })
    }

    /// From a place by chance on, among those with as much memory.
    fn any(&self, by_memory: &Tree) -> Option<u32> {
        let accepts = &mut |entry: &Entry| self.accepts(entry);
        let mut walk = self.walk(accepts);
        walk.from = (self.wanted.memory_mib, 0);
        let first = by_memory.place(walk.from);
        let len = u64::from(by_memory.len() - first).max(1);
        let chance = u32::try_from(self.question.seed % len).unwrap_or(0);
        let later = by_memory.walk(first + chance, &mut walk);
        let found = later.or_else(|| by_memory.walk(first, &mut walk))?;
        Some(found.slot)
    }

    pub(super) fn of_group(&self, slot: u32) -> u32 {
        let counted = self.group.zip(self.cluster.node(slot));
        counted.map_or(0, |((group, _), node)| node.of_group(group))
    }

    /// Two instances of one class.
    fn compare(&self, one: u32, other: u32) -> Ordering {
        let mut by = self.within.iter();
        let order = by.find_map(|criterion| {
            let order = self.compare_by(criterion, one, other);
            (order != Ordering::Equal).then_some(order)
        });
        order.unwrap_or_else(|| self.compare_untold(one, other))
    }

    /// The better is the less.
    pub(super) fn compare_by(&self, criterion: &Criterion, one: u32, other: u32) -> Ordering {
        let of = |slot: u32| -> u64 {
            let free = || self.cluster.node(slot).map(Node::free).unwrap_or_default();
            match criterion {
                Criterion::BinpackCpu => free().cpu_units.into(),
                Criterion::BinpackMemory => free().memory_mib.into(),
                Criterion::SpreadInstance => self.of_group(slot).into(),
                Criterion::SpreadAttribute(_) => 0,
                Criterion::Random => mixed(self.question.seed, slot),
            }
        };
        of(one).cmp(&of(other))
    }

    /// Where the strategies leave it open: without one that looks at instances, the fewest tasks of
    /// the group; then the fewest tasks.
    pub(super) fn compare_untold(&self, one: u32, other: u32) -> Ordering {
        let of = |slot: u32| {
            let of_group = match self.within.is_empty() {
                true => self.of_group(slot),
                false => 0,
            };
            let tasks = self.cluster.node(slot).map_or(0, |node| node.tasks);
            (of_group, tasks, slot)
        };
        of(one).cmp(&of(other))
    }
}

fn mixed(seed: u64, slot: u32) -> u64 {
    let hash = (seed ^ u64::from(slot)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}
