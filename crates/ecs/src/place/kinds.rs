//! Instances of equal attributes are of one kind.

use super::index::Attributes;
use imbl::OrdMap;
use std::sync::Arc;

/// The kinds that some instance is of.
#[derive(Clone, Debug, Default)]
pub(super) struct Kinds {
    kinds: OrdMap<u32, Kind>,
    ids: OrdMap<Arc<Attributes>, u32>,
    next: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) attributes: Arc<Attributes>,
    members: usize,
}

impl Kinds {
    /// How many instances.
    pub(super) fn members(&self) -> usize {
        self.kinds.values().map(|kind| kind.members).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Kind)> {
        self.kinds.iter().map(|(id, kind)| (*id, kind))
    }

    /// One instance more has these attributes; gives their kind.
    pub(super) fn join(&mut self, attributes: &Attributes) -> u32 {
        let known = self.ids.get(attributes).copied();
        let id = known.unwrap_or(self.next);
        if known.is_none() {
            self.next += 1;
            let attributes = Arc::new(attributes.clone());
            self.ids.insert(attributes.clone(), id);
            let members = 0;
            let kind = Kind {
                attributes,
                members,
            };
            self.kinds.insert(id, kind);
        }
        if let Some(kind) = self.kinds.get_mut(&id) {
            kind.members += 1;
        }
        id
    }

    /// One instance less is of this kind.
    pub(super) fn leave(&mut self, id: u32) {
        let Some(kind) = self.kinds.get_mut(&id) else {
            return;
        };
        kind.members -= 1;
        if kind.members == 0 {
            let attributes = kind.attributes.clone();
            self.kinds.remove(&id);
            self.ids.remove(&attributes);
        }
    }
}
