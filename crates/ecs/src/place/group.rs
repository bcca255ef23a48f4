//! The active tasks of a group, counted where placement asks for them.

use super::bits::Bits;
use super::node::{ClassKey, Spot};
use imbl::OrdMap;
use std::sync::Arc;

/// Instances that take tasks and have one of the group at least, by number of its tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct ByCount {
    /// In order of that number; no set is empty.
    levels: Arc<Vec<(u32, Bits)>>,
    all: Bits,
}

impl ByCount {
    pub(super) fn len(&self) -> u32 {
        self.all.len()
    }

    /// Those that have one, however many.
    pub(super) fn all(&self) -> &Bits {
        &self.all
    }

    /// The instances with as many, those with the fewest first.
    pub(super) fn levels(&self) -> impl Iterator<Item = &Bits> {
        self.levels.iter().map(|(_, instances)| instances)
    }

    fn insert(&mut self, count: u32, slot: u32) {
        let levels = Arc::make_mut(&mut self.levels);
        let found = levels.binary_search_by_key(&count, |(of, _)| *of);
        let at = found.unwrap_or_else(|at| {
            levels.insert(at, (count, Bits::default()));
            at
        });
        levels[at].1.insert(slot);
        self.all.insert(slot);
    }

    fn remove(&mut self, count: u32, slot: u32) {
        let levels = Arc::make_mut(&mut self.levels);
        if let Ok(at) = levels.binary_search_by_key(&count, |(of, _)| *of) {
            levels[at].1.remove(slot);
            if levels[at].1.len() == 0 {
                levels.remove(at);
            }
        }
        self.all.remove(slot);
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
