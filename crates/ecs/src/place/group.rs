//! The active tasks of a group, counted where placement asks for them.

use super::node::{ClassKey, Spot};
use imbl::{OrdMap, OrdSet};
use std::sync::Arc;

/// The active tasks of a group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: Arc<str>,
    /// Instances with one at least that take tasks, by number of them, then of the instance.
    pub(super) by_class: OrdMap<ClassKey, OrdSet<(u32, u32)>>,
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
            instances.insert((count, spot.slot));
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
            instances.remove(&(count, spot.slot));
            if instances.is_empty() {
                self.by_class.remove(&class);
            }
        }
    }
}
