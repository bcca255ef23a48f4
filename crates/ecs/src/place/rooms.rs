//! Which instances have room for a task of a size, kept for the sizes that most tasks have.
//!
//! Tasks of a service are all of one size, and a cluster has few sizes. Where a task goes is then asked
//! of the instances with room alone: without, one would have to pass those that the strategy prefers
//! and that are full, which can be half of them. A size that few tasks have is not worth a set of its
//! own; for it the set of the next smaller size serves, as those with room are among these.
//!
//! A set begins as a copy of that next smaller one, which costs nothing, and is true from then on for
//! each instance that changes. Who else is in it without having room is taken out a few at a time: no
//! write looks at all instances. Once made it stays, whether or not there are tasks of its size, until a
//! size that more tasks have wants its place: jobs that come in waves find theirs again.

use super::bits::Bits;
use super::node::Spot;
use super::tree::Amounts;
use imbl::OrdMap;
use std::ops::Range;
use std::sync::Arc;

/// A size gets its set with this many tasks.
const KEPT_FROM: u32 = 8;
/// As many sets at most: each change of an instance asks all of them.
const KEPT_MOST: usize = 32;
/// As many times the tasks of the least used size that has a set must a size have that takes its place, so
/// that two which are about as frequent do not take it from each other.
const DISPLACES: u32 = 2;
/// As many numbers of instances are looked at with each task that comes.
const LOOKED_AT: u32 = 128;

/// Sizes of tasks, and where they have room.
#[derive(Clone, Debug, Default)]
pub(super) struct Rooms {
    /// How many tasks are of a size.
    tasks: OrdMap<Amounts, u32>,
    kept: Arc<Vec<Room>>,
    /// Every registered instance.
    all: Bits,
}

#[derive(Clone, Debug)]
struct Room {
    size: Amounts,
    /// Registered ones that have as much free, whether they take tasks or not.
    instances: Bits,
    /// Instances with these numbers may be among them without having as much.
    unsure: Range<u32>,
}

impl Rooms {
    /// Instances among which are all that have room; the fewest that are known to be such.
    pub(super) fn among(&self, wanted: Amounts) -> Option<&Bits> {
        let smaller = self.kept.iter().filter(|room| wanted.covers(room.size));
        let fewest = smaller.min_by_key(|room| room.instances.len());
        fewest.map(|room| &room.instances)
    }

    /// One task more is of this size. Instances have numbers below `end`; `spot` is where one stands.
    pub(super) fn add(&mut self, size: Amounts, end: u32, spot: impl Fn(u32) -> Option<Spot>) {
        let tasks = self.tasks.entry(size).or_default();
        *tasks += 1;
        let tasks = *tasks;
        if tasks >= KEPT_FROM && !self.kept.iter().any(|room| room.size == size) {
            self.keep(size, tasks, end);
        }
        // The nearest to its end first: it gets there even when sets are begun again and again.
        let unsure = self.kept.iter().map(|room| room.unsure.len()).enumerate();
        let unsure = unsure.filter(|(_, left)| *left > 0);
        if let Some((at, _)) = unsure.min_by_key(|(_, left)| *left) {
            Arc::make_mut(&mut self.kept)[at].look(spot);
        }
    }

    /// Makes a set for a size that has none, where there is a place for it.
    fn keep(&mut self, size: Amounts, tasks: u32, end: u32) {
        let room = Room {
            size,
            instances: self.among(size).unwrap_or(&self.all).clone(),
            unsure: 0..end,
        };
        if self.kept.len() < KEPT_MOST {
            Arc::make_mut(&mut self.kept).push(room);
            return;
        }
        let of = |room: &Room| self.tasks.get(&room.size).copied().unwrap_or(0);
        let least = self.kept.iter().map(of).enumerate();
        let least = least.min_by_key(|(_, tasks)| *tasks);
        if let Some((at, _)) = least.filter(|(_, least)| tasks / DISPLACES >= *least) {
            Arc::make_mut(&mut self.kept)[at] = room;
        }
    }

    /// One task less is.
    pub(super) fn take_back(&mut self, size: Amounts) {
        match self.tasks.get(&size).map_or(0, |tasks| tasks - 1) {
            0 => self.tasks.remove(&size),
            left => self.tasks.insert(size, left),
        };
    }

    /// An instance has changed.
    pub(super) fn arrange(&mut self, before: &Spot, now: &Spot) {
        match (before.kind.is_some(), now.kind.is_some()) {
            (false, true) => self.all.insert(now.slot),
            (true, false) => self.all.remove(now.slot),
            (true, true) | (false, false) => {}
        }
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

impl Room {
    /// Takes out the next few that have no room.
    fn look(&mut self, spot: impl Fn(u32) -> Option<Spot>) {
        let next = self.unsure.end.min(self.unsure.start + LOOKED_AT);
        for slot in self.unsure.start..next {
            let has_room = || spot(slot).is_some_and(|spot| spot.has_room(self.size));
            if self.instances.contains(slot) && !has_room() {
                self.instances.remove(slot);
            }
        }
        self.unsure.start = next;
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::{Node, Seat};
    use super::super::ports::InUse;
    use super::super::problem::Standing;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// More than are looked at at once.
    const SLOTS: u32 = 3 * LOOKED_AT;

    fn amounts(cpu_units: u32, memory_mib: u32) -> Amounts {
        Amounts {
            cpu_units,
            memory_mib,
            ..Amounts::default()
        }
    }

    /// An instance that has as much free; `None` for a vacant number.
    fn spot(slot: u32, free: Option<Amounts>) -> Spot {
        let mut node = Node::new("".into(), InUse::default());
        let seat = free.map(|size| Seat {
            standing: Standing::Ready,
            attributes: Default::default(),
            size,
            gpus: Vec::new(),
            tcp: Vec::new(),
            udp: Vec::new(),
        });
        node.seat(0, seat.map(Arc::new));
        node.spot(slot)
    }

    /// Rooms, and what each number has free.
    #[derive(Default)]
    struct House {
        rooms: Rooms,
        free: Vec<Option<Amounts>>,
    }

    impl House {
        fn of(free: impl IntoIterator<Item = Option<Amounts>>) -> Self {
            let mut house = Self::default();
            for (slot, free) in (0..).zip(free) {
                house.free.push(None);
                house.change(slot, free);
            }
            house
        }

        fn change(&mut self, slot: u32, free: Option<Amounts>) {
            let before = std::mem::replace(&mut self.free[slot as usize], free);
            self.rooms.arrange(&spot(slot, before), &spot(slot, free));
        }

        fn add(&mut self, size: Amounts, tasks: u32) {
            let free = &self.free;
            let stands = |slot: u32| Some(spot(slot, Some(free[slot as usize]?)));
            for _ in 0..tasks {
                self.rooms.add(size, free.len() as u32, stands);
            }
        }

        fn with_room(&self, size: Amounts) -> BTreeSet<u32> {
            let has = |free: &Option<Amounts>| free.is_some_and(|free| free.covers(size));
            let all = (0..).zip(&self.free);
            all.filter(|(_, free)| has(free))
                .map(|(slot, _)| slot)
                .collect()
        }

        fn has_set(&self, size: Amounts) -> bool {
            self.rooms.kept.iter().any(|room| room.size == size)
        }
    }

    fn members(set: &Bits) -> BTreeSet<u32> {
        set.passing(None, None).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Change(u32, Option<Amounts>),
        Add(Amounts, u32),
        TakeBack(Amounts),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let some = || (0u32..9, 0u32..9).prop_map(|(cpu, memory)| amounts(cpu, memory));
        let one = prop_oneof![
            4 => (0..SLOTS, prop::option::weighted(0.8, some())).prop_map(|(slot, free)| Step::Change(slot, free)),
            4 => (some(), 1u32..20).prop_map(|(size, tasks)| Step::Add(size, tasks)),
            1 => some().prop_map(Step::TakeBack),
        ];
        prop::collection::vec(one, 1..120)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn no_set_lacks_an_instance_with_room_and_in_the_end_each_is_exact(
            free in prop::collection::vec(prop::option::weighted(0.9, (0u32..9, 0u32..9)), SLOTS as usize),
            steps in steps(),
        ) {
            let free = free.into_iter().map(|of| of.map(|(cpu, memory)| amounts(cpu, memory)));
            let mut house = House::of(free);
            for step in steps {
                match step {
                    Step::Change(slot, free) => house.change(slot, free),
                    Step::Add(size, tasks) => house.add(size, tasks),
                    Step::TakeBack(size) if house.rooms.tasks.contains_key(&size) => {
                        house.rooms.take_back(size);
                    }
                    Step::TakeBack(_) => {}
                }
                prop_assert!(house.rooms.kept.len() <= KEPT_MOST);
                for room in house.rooms.kept.iter() {
                    prop_assert!(house.with_room(room.size).is_subset(&members(&room.instances)));
                }
            }
            let passes = SLOTS / LOOKED_AT * KEPT_MOST as u32 + KEPT_FROM;
            house.add(amounts(1, 1), passes);
            for room in house.rooms.kept.iter() {
                prop_assert_eq!(house.with_room(room.size), members(&room.instances));
            }
            let all = house.with_room(Amounts::default());
            prop_assert_eq!(members(&house.rooms.all), all);
        }
    }

    /// Sizes of which none is smaller than another.
    fn apart(number: u32) -> Amounts {
        amounts(1 + number, 100 - number)
    }

    #[test]
    fn the_sizes_that_most_tasks_have_get_the_sets_whichever_came_first() {
        let most = KEPT_MOST as u32;
        let often = apart(most);
        for came_first in [false, true] {
            let mut house = House::of([Some(amounts(100, 100))]);
            if came_first {
                house.add(often, 1000);
            }
            (0..most).for_each(|number| house.add(apart(number), KEPT_FROM));
            if !came_first {
                assert!(house.has_set(apart(0)));
                house.add(often, KEPT_FROM * DISPLACES - 1);
                assert!(!house.has_set(often), "not yet");
                house.add(often, 1);
            }
            assert!(house.has_set(often), "{came_first}");
            let others = (0..most).filter(|number| house.has_set(apart(*number)));
            assert_eq!(others.count(), KEPT_MOST - 1);
        }
    }

    #[test]
    fn a_set_stays_without_tasks_until_another_size_wants_its_place() {
        let mut house = House::of([Some(amounts(100, 100))]);
        house.add(apart(0), KEPT_FROM);
        (0..KEPT_FROM).for_each(|_| house.rooms.take_back(apart(0)));
        assert!(house.rooms.tasks.is_empty());
        (1..KEPT_MOST as u32).for_each(|number| house.add(apart(number), KEPT_FROM));
        assert!(house.has_set(apart(0)));
        house.add(apart(KEPT_MOST as u32), KEPT_FROM);
        assert!(!house.has_set(apart(0)));
    }
}
