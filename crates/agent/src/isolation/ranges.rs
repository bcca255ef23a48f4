//! Which of the host's ids are whose: one range for each task, none of them anybody else's. Pure.
//!
//! Ranges are 65,536 ids at multiples of that, from the first such above 100,000, where ids of people and services end.
//! What `/etc/subuid` and `/etc/subgid` give to users of the host is left to them.

use runtime::spec::IdRange;
use runtime::user_namespace::IDS;
use std::collections::BTreeSet;

/// The first multiple of [`IDS`] above 100,000.
const FIRST: u32 = 2 * IDS;
/// Some programs take an id for a signed number.
const BEYOND: u32 = 1 << 31;

/// The ranges of this host.
#[derive(Debug, Default)]
pub struct Ranges {
    taken: BTreeSet<u32>,
    /// First and last of ids that are others'.
    reserved: Vec<(u64, u64)>,
}

impl Ranges {
    /// `subordinate`: texts of `/etc/subuid` and `/etc/subgid`. Lines that are none are passed over, as the tools do
    /// that read them.
    pub fn new(subordinate: &[String]) -> Self {
        let line = |line: &str| {
            let mut fields = line.split(':').skip(1);
            let first: u64 = fields.next()?.trim().parse().ok()?;
            let count: u64 = fields.next()?.trim().parse().ok()?;
            let last = first.saturating_add(count.checked_sub(1)?);
            Some((first, last))
        };
        Self {
            taken: BTreeSet::new(),
            reserved: subordinate
                .iter()
                .flat_map(|text| text.lines().filter_map(line))
                .collect(),
        }
    }

    /// The lowest range that is free, from now on taken. `None`: there are as many tasks as there are ranges.
    pub fn take(&mut self) -> Option<IdRange> {
        let step = usize::try_from(IDS).ok()?;
        let first = (FIRST..BEYOND)
            .step_by(step)
            .find(|first| !self.taken.contains(first) && !self.is_reserved(*first))?;
        self.taken.insert(first);
        Some(IdRange { first })
    }

    /// One that a task has from an earlier agent.
    pub fn keep(&mut self, range: IdRange) {
        self.taken.insert(range.first);
    }

    /// Nothing has it any more.
    pub fn free(&mut self, range: IdRange) {
        self.taken.remove(&range.first);
    }

    fn is_reserved(&self, first: u32) -> bool {
        let (first, last) = (u64::from(first), u64::from(first) + u64::from(IDS) - 1);
        let mut reserved = self.reserved.iter();
        reserved.any(|(from, to)| *from <= last && first <= *to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(ranges: &mut Ranges, count: usize) -> Vec<u32> {
        let mut take = || ranges.take().expect("one is free").first;
        (0..count).map(|_| take()).collect()
    }

    #[test]
    fn no_two_have_the_same_and_what_is_freed_is_taken_again() {
        let mut ranges = Ranges::default();
        ranges.keep(IdRange { first: 3 * IDS });
        assert_eq!(firsts(&mut ranges, 3), [2 * IDS, 4 * IDS, 5 * IDS]);
        ranges.free(IdRange { first: 4 * IDS });
        assert_eq!(firsts(&mut ranges, 2), [4 * IDS, 6 * IDS]);
    }

    #[test]
    fn ids_of_the_hosts_users_are_left_to_them() {
        // 100000 to 165535 overlaps the first range, 262144 alone the third.
        let texts = [
            "me:100000:65536\n# none\nodd:x:1\nempty:400000:0\n".to_owned(),
            "you:262144:1\n".to_owned(),
        ];
        assert_eq!(
            firsts(&mut Ranges::new(&texts), 3),
            [3 * IDS, 5 * IDS, 6 * IDS]
        );
    }

    #[test]
    fn they_end_before_ids_are_negative_numbers() {
        let mut ranges = Ranges::default();
        let last = BEYOND - 2 * IDS;
        for first in (FIRST..last).step_by(IDS as usize) {
            ranges.keep(IdRange { first });
        }
        assert_eq!(firsts(&mut ranges, 2), [last, last + IDS]);
        assert!(ranges.take().is_none());
    }
}
