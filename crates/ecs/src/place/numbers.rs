//! Short numbers in place of long names: they are compared and stored many times for each decision.

use imbl::{OrdMap, Vector};
use std::sync::Arc;

/// Names, each with a number of its own; one that is given back is given again.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    by_name: OrdMap<Arc<str>, u32>,
    vacant: Vector<u32>,
}

impl Numbers {
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(super) fn of(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The name's number, given now where it has none, and whether it had one.
    pub(super) fn give(&mut self, name: &Arc<str>) -> (u32, bool) {
        if let Some(number) = self.of(name) {
            return (number, true);
        }
        let in_use = self.by_name.len();
        let number = self
            .vacant
            .pop_back()
            .unwrap_or_else(|| u32::try_from(in_use).expect("names fit memory, of 16 bytes each"));
        self.by_name.insert(name.clone(), number);
        (number, false)
    }

    pub(super) fn take_back(&mut self, name: &str) {
        if let Some(number) = self.by_name.remove(name) {
            self.vacant.push_back(number);
        }
    }

    /// In order of name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        self.by_name.iter().map(|(name, number)| (name, *number))
    }
}
