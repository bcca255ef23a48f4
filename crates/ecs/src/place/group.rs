//! The active tasks of a group, counted where placement asks for them.

use super::node::{ClassKey, Spot};
use imbl::{OrdMap, OrdSet};
use std::sync::Arc;

/// Instances that take tasks and have one of the group at least, by number of its tasks.
///
/// Of those with as many the order is scattered: instances registered one after the other are often
/// full together, and would have to be passed all.
#[derive(Clone, Debug, Default)]
pub(super) struct ByCount(OrdSet<(u32, u32)>);

impl ByCount {
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// How many tasks, and the instance.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0
            .iter()
            .map(|(count, scattered)| (*count, scattered.reverse_bits()))
    }

    fn insert(&mut self, count: u32, slot: u32) {
        self.0.insert((count, slot.reverse_bits()));
    }

    fn remove(&mut self, count: u32, slot: u32) {
        self.0.remove(&(count, slot.reverse_bits()));
    }
}

/// The active tasks of a group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: Arc<str>,
    pub(super) by_class: OrdMap<ClassKey, ByCount>,
    /// How many each kind has, whether its instances take tasks or not.
    pub(super) of_kind: OrdMap<u32, u32>,
    /// Instances with one at least, registered or not.
    instances: usize,
}

impl Group {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            by_class: OrdMap::new(),
            of_kind: OrdMap::new(),
            instances: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.instances == 0
    }

    /// An instance has so many of its tasks.
    pub(super) fn note(&mut self, spot: &Spot, count: u32) {
        if count == 0 {
            return;
        }
        self.instances += 1;
        if let Some(kind) = spot.kind {
            *self.of_kind.entry(kind).or_default() += count;
        }
        if let Some(class) = spot.class {
            let instances = self.by_class.entry(class).or_default();
            instances.insert(count, spot.slot);
        }
    }

    /// What [`Self::note`] noted is no more so.
    pub(super) fn forget(&mut self, spot: &Spot, count: u32) {
        if count == 0 {
            return;
        }
        self.instances -= 1;
        if let Some(kind) = spot.kind {
            match self.of_kind.get(&kind).copied().unwrap_or(0) - count {
                0 => self.of_kind.remove(&kind),
                rest => self.of_kind.insert(kind, rest),
            };
        }
        let Some(class) = spot.class else {
            return;
        };
        if let Some(instances) = self.by_class.get_mut(&class) {
            instances.remove(count, spot.slot);
            if instances.len() == 0 {
                self.by_class.remove(&class);
            }
        }
    }
}
