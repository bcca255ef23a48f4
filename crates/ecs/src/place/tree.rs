//! Instances in one order, with the greatest free resources of every part of it.
//!
//! A persistent treap: a copy is a pointer copy, and the first instance from some place on that has
//! enough free is found without a look at those that have not. An entry's priority is a hash of its
//! key, so that equal contents make equal trees, whatever happened before.

use super::visits;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Free (or wanted) amounts that are compared by size. Their order means nothing: it is for maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Amounts {
    /// 1,024 units are one vCPU.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// How many GPUs.
    pub gpus: u32,
    /// How many interfaces of tasks; the greatest number without a limit.
    pub interfaces: u32,
}

impl Amounts {
    /// Whether each is at least the other's.
    #[must_use]
    pub fn covers(self, wanted: Self) -> bool {
        self.cpu_units >= wanted.cpu_units
            && self.memory_mib >= wanted.memory_mib
            && self.gpus >= wanted.gpus
            && self.interfaces >= wanted.interfaces
    }

    /// Of each the greater.
    #[must_use]
    pub fn each_max(self, other: Self) -> Self {
        Self {
            cpu_units: self.cpu_units.max(other.cpu_units),
            memory_mib: self.memory_mib.max(other.memory_mib),
            gpus: self.gpus.max(other.gpus),
            interfaces: self.interfaces.max(other.interfaces),
        }
    }
}

/// One instance in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The order; ties are broken by the instance's number.
    pub rank: (u32, u32),
    /// The instance's number in its cluster.
    pub slot: u32,
    /// What is free of it.
    pub free: Amounts,
}

impl Entry {
    fn compare(&self, other: &Self) -> Ordering {
        (self.rank, self.slot).cmp(&(other.rank, other.slot))
    }
}

/// A search in an order.
pub struct Walk<'f> {
    /// What it leaves out lies before this.
    pub from: (u32, u32),
    /// What an entry must have free.
    pub wanted: Amounts,
    /// As many parts of the tree may still be looked at.
    pub left: u32,
    /// Whether an entry that has enough is the one.
    pub accepts: &'f mut dyn FnMut(&Entry) -> bool,
}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Walk({:?}, {:?})", self.from, self.wanted)
    }
}

/// Instances in one order.
#[derive(Clone, Debug, Default)]
pub struct Tree(Option<Arc<Node>>);

#[derive(Clone, Debug)]
struct Node {
    entry: Entry,
    priority: u32,
    len: u32,
    greatest: Amounts,
    left: Tree,
    right: Tree,
}

impl Tree {
    /// How many.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.0.as_ref().map_or(0, |node| node.len)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Of each resource the most that one has free; nothing where there is none.
    #[must_use]
    pub fn greatest(&self) -> Amounts {
        let node = self.0.as_ref();
        node.map_or(Amounts::default(), |node| node.greatest)
    }

    /// Adds an entry that is not there.
    pub fn insert(&mut self, entry: Entry) {
        let priority = priority(&entry);
        self.insert_at(entry, priority);
    }

    fn insert_at(&mut self, entry: Entry, priority: u32) {
        match &mut self.0 {
            Some(node) if node.priority >= priority => {
                let node = Arc::make_mut(node);
                match entry.compare(&node.entry) {
                    Ordering::Less => node.left.insert_at(entry, priority),
                    Ordering::Equal | Ordering::Greater => node.right.insert_at(entry, priority),
                }
                node.sum_up();
            }
            _ => {
                let (left, right) = std::mem::take(self).split(&entry);
                *self = Self::node(entry, priority, left, right);
            }
        }
    }

    /// Takes an entry out, known by rank and id; whether it was there.
    pub fn remove(&mut self, entry: &Entry) -> bool {
        let Some(node) = &mut self.0 else {
            return false;
        };
        match entry.compare(&node.entry) {
            Ordering::Equal => {
                // Taken, not shared: joining then changes them in place.
                let node = Arc::make_mut(node);
                let left = std::mem::take(&mut node.left);
                let right = std::mem::take(&mut node.right);
                *self = left.join(right);
                true
            }
            side => {
                let node = Arc::make_mut(node);
                let was = match side {
                    Ordering::Less => node.left.remove(entry),
                    Ordering::Equal | Ordering::Greater => node.right.remove(entry),
                };
                node.sum_up();
                was
            }
        }
    }

    /// How many entries lie before `from`.
    #[must_use]
    pub fn place(&self, from: (u32, u32)) -> u32 {
        let Some(node) = self.0.as_deref() else {
            return 0;
        };
        visits::count();
        match node.entry.rank >= from {
            true => node.left.place(from),
            false => node.left.len() + 1 + node.right.place(from),
        }
    }

    /// The first entry at or after place `skip` that has enough free and is accepted, as far as
    /// the walk goes.
    pub fn walk(&self, skip: u32, walk: &mut Walk<'_>) -> Option<Entry> {
        let node = self.0.as_deref()?;
        if walk.left == 0 {
            return None;
        }
        walk.left -= 1;
        visits::count();
        if skip >= node.len || !node.greatest.covers(walk.wanted) {
            return None;
        }
        let before = node.left.len();
        if node.entry.rank >= walk.from {
            if skip < before
                && let Some(found) = node.left.walk(skip, walk)
            {
                return Some(found);
            }
            let fits = skip <= before && node.entry.free.covers(walk.wanted);
            if fits && walk.left > 0 && (walk.accepts)(&node.entry) {
                return Some(node.entry);
            }
        }
        node.right.walk(skip.saturating_sub(before + 1), walk)
    }

    fn node(entry: Entry, priority: u32, left: Self, right: Self) -> Self {
        let mut node = Node {
            greatest: entry.free,
            entry,
            priority,
            len: 1,
            left,
            right,
        };
        node.sum_up();
        Self(Some(Arc::new(node)))
    }

    /// What lies before the entry, and what after.
    fn split(self, at: &Entry) -> (Self, Self) {
        let Some(mut shared) = self.0 else {
            return (Self(None), Self(None));
        };
        let node = Arc::make_mut(&mut shared);
        if at.compare(&node.entry) == Ordering::Less {
            let (left, right) = std::mem::take(&mut node.left).split(at);
            node.left = right;
            node.sum_up();
            (left, Self(Some(shared)))
        } else {
            let (left, right) = std::mem::take(&mut node.right).split(at);
            node.right = left;
            node.sum_up();
            (Self(Some(shared)), right)
        }
    }

    /// Both, where all of `self` lies before all of `after`.
    fn join(self, after: Self) -> Self {
        let (mut left, mut right) = match (self.0, after.0) {
            (Some(left), Some(right)) => (left, right),
            (one, other) => return Self(one.or(other)),
        };
        if left.priority >= right.priority {
            let node = Arc::make_mut(&mut left);
            node.right = std::mem::take(&mut node.right).join(Self(Some(right)));
            node.sum_up();
            Self(Some(left))
        } else {
            let node = Arc::make_mut(&mut right);
            node.left = Self(Some(left)).join(std::mem::take(&mut node.left));
            node.sum_up();
            Self(Some(right))
        }
    }
}

impl Node {
    fn sum_up(&mut self) {
        self.len = 1 + self.left.len() + self.right.len();
        self.greatest = self.entry.free;
        for side in [&self.left, &self.right] {
            if let Some(node) = &side.0 {
                self.greatest = self.greatest.each_max(node.greatest);
            }
        }
    }
}

/// The key, mixed, so that neighbours differ in their high bits.
fn priority(entry: &Entry) -> u32 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (first, second) = entry.rank;
    let rank = (u64::from(first) << 32 | u64::from(second)).wrapping_mul(ODD);
    let mixed = (rank ^ (rank >> 32) ^ u64::from(entry.slot)).wrapping_mul(ODD);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(ODD);
    (mixed >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Vec<(bool, Entry)>> {
        let one = (any::<bool>(), 0u32..5, 0u32..5, 0u32..20, 0u32..3, 0u32..3).prop_map(
            |(add, cpu_units, memory_mib, slot, gpus, interfaces)| {
                let free = Amounts {
                    cpu_units,
                    memory_mib,
                    gpus,
                    interfaces,
                };
                let rank = (memory_mib, cpu_units);
                (add, Entry { rank, slot, free })
            },
        );
        prop::collection::vec(one, 0..80)
    }

    proptest! {
        #[test]
        fn the_first_that_fits_is_the_first_of_a_sorted_list(
            steps in entries(), cpu_units in 0u32..6, memory_mib in 0u32..6, gpus in 0u32..3,
            interfaces in 0u32..3, skip in 0usize..20,
        ) {
            let (mut tree, mut list) = (Tree::default(), Vec::<Entry>::new());
            for (add, entry) in steps {
                let known = list.iter().position(|e| e.compare(&entry) == Ordering::Equal);
                match known {
                    None if add => {
                        list.push(entry);
                        tree.insert(entry);
                    }
                    known => {
                        let before = tree.clone();
                        prop_assert_eq!(tree.remove(&entry), known.is_some());
                        prop_assert_eq!(before.len() as usize, list.len(), "a copy never changes");
                        if let Some(at) = known {
                            list.remove(at);
                        }
                    }
                }
                prop_assert_eq!(tree.len() as usize, list.len());
            }
            list.sort_by(Entry::compare);
            let wanted = Amounts { cpu_units, memory_mib, gpus, interfaces };
            let from = (memory_mib, 0);
            prop_assert_eq!(tree.place(from) as usize, list.iter().filter(|e| e.rank < from).count());
            let even = |e: &Entry| e.slot.is_multiple_of(2);
            let (mut looked_at, left) = (0, 1000);
            let accepts = &mut |e: &Entry| { looked_at += 1; even(e) };
            let found = tree.walk(skip as u32, &mut Walk { from, wanted, left, accepts });
            let reached = list.iter().skip(skip).filter(|e| e.rank >= from && e.free.covers(wanted));
            prop_assert_eq!(found, reached.clone().find(|e| even(e)).copied());
            let until = reached.take_while(|e| !even(e)).count();
            prop_assert_eq!(looked_at, until + usize::from(found.is_some()), "each asked once");
            let accepts = &mut |_: &Entry| true;
            prop_assert_eq!(tree.walk(0, &mut Walk { from, wanted, left: 0, accepts }), None);
        }
    }
}
