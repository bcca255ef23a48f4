//! Which instances have room for a task of a size, kept for the sizes that many tasks have.
//!
//! Tasks of a service are all of one size, and a cluster has few sizes. Where a task goes is then asked
//! of the instances with room alone: without, one would have to pass those that the strategy prefers
//! and that are full, which can be half of them. A size that few tasks have is not worth a set of its
//! own; for it the set of the next smaller size serves, as those with room are among these.

use super::bits::Bits;
use super::node::Spot;
use super::tree::Amounts;
use imbl::OrdMap;
use std::sync::Arc;

/// A size gets its set with this many tasks.
const KEPT_FROM: u32 = 8;
/// And loses it below this many, so that a size that comes and goes does not cost a look at every
/// instance each time.
const KEPT_UNTIL: u32 = 4;
/// As many sets at most: each change of an instance asks all of them.
const KEPT_MOST: usize = 32;

/// Sizes of tasks, and where they have room.
#[derive(Clone, Debug, Default)]
pub(super) struct Rooms {
    /// How many tasks are of a size.
    tasks: OrdMap<Amounts, u32>,
    kept: Arc<Vec<Room>>,
}

#[derive(Clone, Debug)]
struct Room {
    size: Amounts,
    /// Registered ones that have as much free, whether they take tasks or not.
    instances: Bits,
}

impl Rooms {
    /// Instances among which are all that have room; the fewest that are known to be such.
    pub(super) fn among(&self, wanted: Amounts) -> Option<&Bits> {
        let smaller = self.kept.iter().filter(|room| wanted.covers(room.size));
        let fewest = smaller.min_by_key(|room| room.instances.len());
        fewest.map(|room| &room.instances)
    }

    /// One task more is of this size. `spots` are all instances.
    pub(super) fn add<S: Iterator<Item = Spot>>(&mut self, size: Amounts, spots: impl Fn() -> S) {
        let tasks = self.tasks.entry(size).or_default();
        *tasks += 1;
        let is_due = *tasks >= KEPT_FROM && self.kept.len() < KEPT_MOST;
        if !is_due || self.kept.iter().any(|room| room.size == size) {
            return;
        }
        let mut instances = Bits::default();
        for spot in spots().filter(|spot| spot.has_room(size)) {
            instances.insert(spot.slot);
        }
        Arc::make_mut(&mut self.kept).push(Room { size, instances });
    }

    /// One task less is.
    pub(super) fn take_back(&mut self, size: Amounts) {
        let left = self.tasks.get(&size).map_or(0, |tasks| tasks - 1);
        match left {
            0 => self.tasks.remove(&size),
            left => self.tasks.insert(size, left),
        };
        if left < KEPT_UNTIL && self.kept.iter().any(|room| room.size == size) {
            Arc::make_mut(&mut self.kept).retain(|room| room.size != size);
        }
    }

    /// An instance has changed.
    pub(super) fn arrange(&mut self, before: &Spot, now: &Spot) {
        for at in 0..self.kept.len() {
            let size = self.kept[at].size;
            let has = now.has_room(size);
            if before.has_room(size) == has {
                continue;
            }
            let instances = &mut Arc::make_mut(&mut self.kept)[at].instances;
            match has {
                true => instances.insert(now.slot),
                false => instances.remove(now.slot),
            }
        }
    }
}
