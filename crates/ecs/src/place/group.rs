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
    /// Those of all levels, where there is more than one.
    all: Option<Bits>,
}

impl ByCount {
    pub(super) fn len(&self) -> u32 {
        self.all().map_or(0, Bits::len)
    }

    /// Those that have one, however many.
    pub(super) fn all(&self) -> Option<&Bits> {
        self.all.as_ref().or_else(|| self.levels().next())
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
        if self.all.is_none() && levels.len() > 1 {
            // The new level is of this one instance.
            let other = levels.iter().find(|(of, _)| *of != count);
            self.all = other.map(|(_, instances)| instances.clone());
        }
        if let Some(all) = &mut self.all {
            all.insert(slot);
        }
    }

    fn remove(&mut self, count: u32, slot: u32) {
        let levels = Arc::make_mut(&mut self.levels);
        if let Ok(at) = levels.binary_search_by_key(&count, |(of, _)| *of) {
            levels[at].1.remove(slot);
            if levels[at].1.len() == 0 {
                levels.remove(at);
            }
        }
        self.all = self.all.take().filter(|_| levels.len() > 1);
        if let Some(all) = &mut self.all {
            all.remove(slot);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn members(set: &Bits) -> BTreeSet<u32> {
        set.passing(None, None).collect()
    }

    proptest! {
        #[test]
        fn levels_are_those_of_a_plain_list(
            steps in prop::collection::vec((0u32..12, 0u32..4), 0..80)
        ) {
            let (mut by_count, mut model) = (ByCount::default(), BTreeMap::<u32, u32>::new());
            for (slot, count) in steps {
                if let Some(was) = model.remove(&slot) {
                    by_count.remove(was, slot);
                }
                if count > 0 {
                    by_count.insert(count, slot);
                    model.insert(slot, count);
                }
                let mut levels = BTreeMap::<u32, BTreeSet<u32>>::new();
                for (slot, count) in &model {
                    levels.entry(*count).or_default().insert(*slot);
                }
                let found: Vec<_> = by_count.levels().map(members).collect();
                prop_assert_eq!(found, levels.into_values().collect::<Vec<_>>());
                let all = by_count.all().map(members).unwrap_or_default();
                prop_assert_eq!(all, model.keys().copied().collect::<BTreeSet<_>>());
                prop_assert_eq!(by_count.len() as usize, model.len());
            }
        }
    }

    #[test]
    fn an_instance_far_from_others_of_its_group_takes_up_little() {
        let bytes = |by_count: &ByCount| {
            let sets = by_count.levels().chain(&by_count.all);
            sets.map(Bits::bytes).sum::<usize>()
        };
        let mut by_count = ByCount::default();
        (0..1000).for_each(|number| by_count.insert(1, number * 2000));
        assert!(bytes(&by_count) <= 1000 * 48, "{}", bytes(&by_count));
        by_count.insert(2, 1);
        assert!(bytes(&by_count) <= 1000 * 96, "{}", bytes(&by_count));
        by_count.remove(2, 1);
        assert!(by_count.all.is_none(), "one level is all there is");
    }
}
