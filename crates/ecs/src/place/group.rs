//! The active tasks of a group, counted where placement asks for them.

use super::node::ClassKey;
use super::tree::Id;
use imbl::{OrdMap, OrdSet};

/// The active tasks of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// Instances with one at least that take tasks, by number of them.
    pub(super) by_class: OrdMap<ClassKey, OrdSet<(u32, Id)>>,
    /// How many each kind has, whether its instances take tasks or not.
    pub(super) of_kind: OrdMap<u32, u32>,
}

impl Group {
    pub(super) fn is_empty(&self) -> bool {
        self.by_class.is_empty() && self.of_kind.is_empty()
    }

    pub(super) fn note(
        &mut self,
        kind: Option<u32>,
        class: Option<&ClassKey>,
        count: u32,
        id: &Id,
    ) {
        if let Some(kind) = kind {
            *self.of_kind.entry(kind).or_default() += count;
        }
        if let Some(class) = class {
            let instances = self.by_class.entry(class.clone()).or_default();
            instances.insert((count, id.clone()));
        }
    }

    pub(super) fn forget(
        &mut self,
        kind: Option<u32>,
        class: Option<&ClassKey>,
        count: u32,
        id: &Id,
    ) {
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
