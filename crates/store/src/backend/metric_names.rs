//! The names of series, in order, with how many there are and how long they are together.

use crate::metric_store::{Held, SeriesName, SeriesState};
use aws_types::Timestamp;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What is known of each series, by name.
#[derive(Debug)]
pub struct Names<S> {
    known: BTreeMap<SeriesName, S>,
    all: Held,
    scopes: BTreeMap<Vec<u8>, Held>,
}

impl<S> Default for Names<S> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            all: Held::default(),
            scopes: BTreeMap::new(),
        }
    }
}

impl<S> Names<S> {
    pub fn get(&self, name: &SeriesName) -> Option<&S> {
        self.known.get(name)
    }

    pub fn get_mut(&mut self, name: &SeriesName) -> Option<&mut S> {
        self.known.get_mut(name)
    }

    pub fn insert(&mut self, name: SeriesName, series: S) {
        let (scope, bytes) = (name.scope().to_vec(), name.0.len());
        if self.known.insert(name, series).is_some() {
            return;
        }
        let of_scope = self.scopes.entry(scope).or_default();
        for held in [&mut self.all, of_scope] {
            held.series += 1;
            held.name_bytes += bytes;
        }
    }

    pub fn remove(&mut self, name: &SeriesName) {
        if self.known.remove(name).is_none() {
            return;
        }
        let less = |held: &mut Held| {
            held.series -= 1;
            held.name_bytes -= name.0.len();
        };
        less(&mut self.all);
        if let Some(held) = self.scopes.get_mut(name.scope()) {
            less(held);
            if held.series == 0 {
                self.scopes.remove(name.scope());
            }
        }
    }

    /// Of all scopes, or of the one of this name.
    pub fn held(&self, of: Option<&SeriesName>) -> Held {
        match of {
            None => self.all,
            Some(name) => self.scopes.get(name.scope()).copied().unwrap_or_default(),
        }
    }

    /// Those whose names start with these bytes, after `after`, at most `limit`.
    pub fn states(
        &self,
        prefix: &[u8],
        after: Option<&SeriesName>,
        limit: usize,
        last_arrived: impl Fn(&S) -> Timestamp,
    ) -> Vec<SeriesState> {
        let start = SeriesName(prefix.to_vec());
        let start = match after.filter(|after| **after >= start) {
            Some(after) => Bound::Excluded(after.clone()),
            None => Bound::Included(start),
        };
        let found = self.known.range((start, Bound::Unbounded));
        let found = found.take_while(|(name, _)| name.0.starts_with(prefix));
        let states = found.take(limit).map(|(name, series)| SeriesState {
            name: name.clone(),
            last_arrived: last_arrived(series),
        });
        states.collect()
    }
}
