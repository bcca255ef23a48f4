//! Instances in one order, with the greatest free resources of every part of it.
//!
//! A persistent treap: a copy is a pointer copy, and the first instance from some place on that has
//! enough free is found without a look at those that have not. An entry's priority is a hash of its
//! key, so that equal contents make equal trees, whatever happened before.

use std::cmp::Ordering;
use std::sync::Arc;

/// An instance's id, shared.
pub type Id = Arc<str>;

/// Free (or wanted) amounts that are compared by size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// 1,024 units are one vCPU.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// How many GPUs.
    pub gpus: u32,
}

impl Amounts {
    /// Whether each is at least the other's.
    #[must_use]
    pub fn covers(self, wanted: Self) -> bool {
        self.cpu_units >= wanted.cpu_units
            && self.memory_mib >= wanted.memory_mib
            && self.gpus >= wanted.gpus
    }

    fn max(self, other: Self) -> Self {
        Self {
            cpu_units: self.cpu_units.max(other.cpu_units),
            memory_mib: self.memory_mib.max(other.memory_mib),
            gpus: self.gpus.max(other.gpus),
        }
    }
}

/// One instance in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The order; ties are broken by id.
    pub rank: (u32, u32),
    /// The instance.
    pub id: Id,
    /// What is free of it.
    pub free: Amounts,
}

impl Entry {
    fn compare(&self, other: &Self) -> Ordering {
        let by_rank = self.rank.cmp(&other.rank);
        by_rank.then_with(|| self.id.cmp(&other.id))
    }
}

/// Instances in one order.
#[derive(Clone, Debug, Default)]
pub struct Tree(Option<Arc<Node>>);

#[derive(Clone, Debug)]
struct Node {
    entry: Entry,
    priority: u64,
    len: usize,
    greatest: Amounts,
    left: Tree,
    right: Tree,
}

impl Tree {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |node| node.len)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Adds an entry that is not there.
    pub fn insert(&mut self, entry: Entry) {
        let priority = priority(&entry);
        self.insert_at(entry, priority);
    }

    fn insert_at(&mut self, entry: Entry, priority: u64) {
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

    /// The entry of this rank and id.
    #[must_use]
    pub fn get(&self, rank: (u32, u32), id: &str) -> Option<&Entry> {
        let node = self.0.as_deref()?;
        let entry = &node.entry;
        match (rank, id).cmp(&(entry.rank, entry.id.as_ref())) {
            Ordering::Less => node.left.get(rank, id),
            Ordering::Equal => Some(entry),
            Ordering::Greater => node.right.get(rank, id),
        }
    }

    /// The first entry not before `from` that has enough free and is accepted.
    pub fn first(
        &self,
        from: (u32, u32),
        wanted: Amounts,
        accepts: &mut dyn FnMut(&Entry) -> bool,
    ) -> Option<&Entry> {
        let node = self.0.as_deref()?;
        if !node.greatest.covers(wanted) {
            return None;
        }
        if node.entry.rank >= from {
            if let Some(found) = node.left.first(from, wanted, accepts) {
                return Some(found);
            }
            if node.entry.free.covers(wanted) && accepts(&node.entry) {
                return Some(&node.entry);
            }
        }
        node.right.first(from, wanted, accepts)
    }

    /// The first entry at or after place `skip` that has enough free and is accepted.
    pub fn first_after(
        &self,
        skip: usize,
        wanted: Amounts,
        accepts: &mut dyn FnMut(&Entry) -> bool,
    ) -> Option<&Entry> {
        let node = self.0.as_deref()?;
        if skip >= node.len || !node.greatest.covers(wanted) {
            return None;
        }
        let before = node.left.len();
        if let Some(found) = node.left.first_after(skip, wanted, accepts) {
            return Some(found);
        }
        if skip <= before && node.entry.free.covers(wanted) && accepts(&node.entry) {
            return Some(&node.entry);
        }
        let skip = skip.saturating_sub(before + 1);
        node.right.first_after(skip, wanted, accepts)
    }

    fn node(entry: Entry, priority: u64, left: Self, right: Self) -> Self {
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
                self.greatest = self.greatest.max(node.greatest);
            }
        }
    }
}

/// FNV-1a over the key, mixed, so that neighbours differ in their high bits.
fn priority(entry: &Entry) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let ranks = [entry.rank.0, entry.rank.1];
    let bytes = ranks.into_iter().flat_map(u32::to_le_bytes);
    let hash = bytes.chain(entry.id.bytes()).fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Vec<(bool, Entry)>> {
        let one = (any::<bool>(), 0u32..5, 0u32..5, 0u32..20, 0u32..3).prop_map(
            |(add, cpu_units, memory_mib, id, gpus)| {
                let free = Amounts {
                    cpu_units,
                    memory_mib,
                    gpus,
                };
                let rank = (memory_mib, cpu_units);
                let id = format!("{id}").into();
                (add, Entry { rank, id, free })
            },
        );
        prop::collection::vec(one, 0..80)
    }

    proptest! {
        #[test]
        fn the_first_that_fits_is_the_first_of_a_sorted_list(
            steps in entries(), cpu_units in 0u32..6, memory_mib in 0u32..6, gpus in 0u32..3, skip in 0usize..20
        ) {
            let (mut tree, mut list) = (Tree::default(), Vec::<Entry>::new());
            for (add, entry) in steps {
                let known = list.iter().position(|e| e.compare(&entry) == Ordering::Equal);
                match known {
                    None if add => {
                        list.push(entry.clone());
                        tree.insert(entry);
                    }
                    known => {
                        let before = tree.clone();
                        prop_assert_eq!(tree.remove(&entry), known.is_some());
                        prop_assert_eq!(before.len(), list.len(), "a copy never changes");
                        if let Some(at) = known {
                            list.remove(at);
                        }
                    }
                }
                prop_assert_eq!(tree.len(), list.len());
            }
            list.sort_by(Entry::compare);
            let wanted = Amounts { cpu_units, memory_mib, gpus };
            let fits = |e: &&Entry| e.free.covers(wanted) && e.id.len() == 1;
            let mut accepts = |e: &Entry| e.id.len() == 1;
            let expected = list.iter().filter(|e| e.rank >= (memory_mib, 0)).find(fits);
            prop_assert_eq!(tree.first((memory_mib, 0), wanted, &mut accepts), expected);
            let expected = list.iter().skip(skip).find(fits);
            prop_assert_eq!(tree.first_after(skip, wanted, &mut accepts), expected);
        }
    }
}
