//! Sets of instances by number, a bit for each, so that what several sets have in common is found a
//! thousand instances at a time.
//!
//! Persistent: a copy is a pointer copy, and a change of it copies one chunk and the list of chunks. A
//! chunk without a member is not kept, and one with a few is a list of these: the tasks of most groups
//! are on few of the instances. Within a chunk the order is scattered: instances registered one after the
//! other are often full together, and would have to be passed all.

use super::visits;
use std::sync::Arc;

const WORDS: usize = 16;
/// As many numbers share a chunk.
const SPAN: u32 = u64::BITS * WORDS as u32;

type Words = [u64; WORDS];
/// As many members of a chunk are listed: no more than lie in it beside the pointer to words.
const FEW: usize = 6;
const _: () = assert!(size_of::<Chunk>() == 24);
/// The two counts of an `Arc`.
#[cfg(test)]
const COUNTS: usize = 2 * size_of::<usize>();

/// Numbers of instances.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    /// In order of number.
    chunks: Arc<Vec<Chunk>>,
    len: u32,
}

#[derive(Clone, Debug)]
struct Chunk {
    /// Its first number in units of [`SPAN`].
    at: u32,
    members: Members,
}

/// Members of a chunk, by scattered number.
#[derive(Clone, Debug)]
enum Members {
    Few(Few),
    Many(Arc<Words>),
}

/// In no order.
#[derive(Clone, Copy, Debug, Default)]
struct Few {
    len: u16,
    numbers: [u16; FEW],
}

impl Bits {
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        let (at, in_chunk) = place(number);
        let members = self.members(at);
        members.is_some_and(|members| members.contains(in_chunk))
    }

    /// Adds a number; one that is there already stays.
    pub(super) fn insert(&mut self, number: u32) {
        let (at, in_chunk) = place(number);
        let chunks = Arc::make_mut(&mut self.chunks);
        let found = chunks.binary_search_by_key(&at, |chunk| chunk.at);
        let index = found.unwrap_or_else(|index| {
            let members = Members::Few(Few::default());
            chunks.insert(index, Chunk { at, members });
            index
        });
        self.len += u32::from(chunks[index].members.insert(in_chunk));
    }

    /// Takes a number out; one that is not there stays away.
    pub(super) fn remove(&mut self, number: u32) {
        let (at, in_chunk) = place(number);
        let Ok(index) = self.chunks.binary_search_by_key(&at, |chunk| chunk.at) else {
            return;
        };
        if !self.chunks[index].members.contains(in_chunk) {
            return;
        }
        self.len -= 1;
        let chunks = Arc::make_mut(&mut self.chunks);
        if chunks[index].members.remove(in_chunk) == 0 {
            chunks.remove(index);
        }
    }

    /// The members that are in `within` too, where that is given, and not in `without`.
    pub(super) fn passing<'a>(
        &'a self,
        within: Option<&'a Self>,
        without: Option<&'a Self>,
    ) -> impl Iterator<Item = u32> + 'a {
        self.chunks.iter().flat_map(move |chunk| {
            visits::count();
            numbers(chunk.at, chunk.masked(within, without))
        })
    }

    /// What it takes up, in bytes, but for what two sets have in common.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let many = |chunk: &&Chunk| matches!(chunk.members, Members::Many(_));
        let many = self.chunks.iter().filter(many).count();
        self.chunks.capacity() * size_of::<Chunk>() + many * (size_of::<Words>() + COUNTS)
    }

    fn members(&self, at: u32) -> Option<&Members> {
        let found = self.chunks.binary_search_by_key(&at, |chunk| chunk.at);
        found.ok().map(|index| &self.chunks[index].members)
    }
}

impl Chunk {
    fn masked(&self, within: Option<&Bits>, without: Option<&Bits>) -> Words {
        let mut words = self.members.words();
        if let Some(within) = within {
            let Some(mask) = within.members(self.at).map(Members::words) else {
                return [0; WORDS];
            };
            for (word, mask) in words.iter_mut().zip(mask) {
                *word &= mask;
            }
        }
        if let Some(mask) = without.and_then(|without| without.members(self.at)) {
            let mask = mask.words();
            for (word, mask) in words.iter_mut().zip(mask) {
                *word &= !mask;
            }
        }
        words
    }
}

impl Members {
    fn words(&self) -> Words {
        match self {
            Self::Many(words) => **words,
            Self::Few(few) => {
                let mut words = [0; WORDS];
                for in_chunk in few.listed() {
                    let (word, bit) = word(*in_chunk);
                    words[word] |= bit;
                }
                words
            }
        }
    }

    fn contains(&self, in_chunk: u16) -> bool {
        match self {
            Self::Few(few) => few.listed().contains(&in_chunk),
            Self::Many(words) => {
                let (word, bit) = word(in_chunk);
                words[word] & bit != 0
            }
        }
    }

    /// Whether it is new.
    fn insert(&mut self, in_chunk: u16) -> bool {
        if self.contains(in_chunk) {
            return false;
        }
        if let Self::Few(few) = self {
            if let Some(place) = few.numbers.get_mut(usize::from(few.len)) {
                *place = in_chunk;
                few.len += 1;
                return true;
            }
            *self = Self::Many(Arc::new(self.words()));
        }
        if let Self::Many(words) = self {
            let (word, bit) = word(in_chunk);
            Arc::make_mut(words)[word] |= bit;
        }
        true
    }

    /// Takes out one that is there; gives how many are left.
    fn remove(&mut self, in_chunk: u16) -> usize {
        match self {
            Self::Few(few) => {
                few.remove(in_chunk);
                few.len.into()
            }
            Self::Many(words) => {
                let (word, bit) = word(in_chunk);
                let words = Arc::make_mut(words);
                words[word] &= !bit;
                let left = words.iter().map(|word| word.count_ones() as usize).sum();
                // Half as many, so that one which comes and goes does not move them all each time.
                if left <= FEW / 2 {
                    let mut few = Few::default();
                    for (place, number) in few.numbers.iter_mut().zip(set_bits(*words)) {
                        *place = number;
                        few.len += 1;
                    }
                    *self = Self::Few(few);
                }
                left
            }
        }
    }
}

impl Few {
    fn listed(&self) -> &[u16] {
        &self.numbers[..usize::from(self.len)]
    }

    fn remove(&mut self, in_chunk: u16) {
        if let Some(at) = self.listed().iter().position(|listed| *listed == in_chunk) {
            self.len -= 1;
            self.numbers[at] = self.numbers[usize::from(self.len)];
        }
    }
}

/// The chunk, and the scattered number in it.
fn place(number: u32) -> (u32, u16) {
    (number / SPAN, scattered(number % SPAN) as u16)
}

/// The word, and the bit in it.
fn word(in_chunk: u16) -> (usize, u64) {
    let in_chunk = u32::from(in_chunk);
    let word = (in_chunk / u64::BITS) as usize;
    (word, 1 << (in_chunk % u64::BITS))
}

/// Its own inverse.
fn scattered(in_chunk: u32) -> u32 {
    in_chunk.reverse_bits() >> SPAN.leading_zeros() >> 1
}

fn numbers(at: u32, words: Words) -> impl Iterator<Item = u32> {
    set_bits(words).map(move |in_chunk| at * SPAN + scattered(in_chunk.into()))
}

fn set_bits(mut words: Words) -> impl Iterator<Item = u16> {
    let mut index = 0;
    std::iter::from_fn(move || {
        while words.get(index) == Some(&0) {
            index += 1;
        }
        let word = words.get_mut(index)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some((index as u32 * u64::BITS + bit) as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_member_takes_up_little_whether_it_has_neighbours_or_not() {
        // Within a chunk and beyond it; a list doubles when it grows.
        for (apart, most) in [(SPAN, 48), (SPAN / FEW as u32, 10), (100, 24), (2, 1)] {
            let members = 5000;
            let mut set = Bits::default();
            (0..members).for_each(|number| set.insert(number * apart));
            let each = set.bytes() / members as usize;
            assert!(each <= most, "{each} bytes, {apart} apart");
            // What is taken out is given back.
            (0..members).for_each(|number| set.insert(number * apart + 1));
            (1..members).for_each(|number| set.remove(number * apart));
            (0..members).for_each(|number| set.remove(number * apart + 1));
            assert_eq!(set.chunks.len(), 1);
            assert!(matches!(set.chunks[0].members, Members::Few(_)));
        }
    }

    fn numbers() -> impl Strategy<Value = BTreeSet<u32>> {
        let number = prop_oneof![0..70u32, 0..4 * SPAN, u32::MAX - 70..=u32::MAX];
        prop::collection::btree_set(number, 0..60)
    }

    fn bits(of: &BTreeSet<u32>) -> Bits {
        let mut bits = Bits::default();
        of.iter().rev().for_each(|number| bits.insert(*number));
        bits
    }

    fn sorted(numbers: impl Iterator<Item = u32>) -> BTreeSet<u32> {
        let mut sorted = BTreeSet::new();
        numbers.for_each(|number| assert!(sorted.insert(number), "{number} comes once"));
        sorted
    }

    proptest! {
        #[test]
        fn sets_meet_as_plain_sets_do(
            one in numbers(), within in numbers(), without in numbers(), gone in numbers(),
        ) {
            let mut set = bits(&one);
            let before = set.clone();
            one.union(&gone).for_each(|number| set.insert(*number));
            gone.iter().for_each(|number| set.remove(*number));
            gone.iter().for_each(|number| set.remove(*number));
            let left: BTreeSet<u32> = one.difference(&gone).copied().collect();
            prop_assert_eq!(set.len() as usize, left.len());
            prop_assert!(one.union(&gone).all(|number| set.contains(*number) == left.contains(number)));
            prop_assert_eq!(sorted(set.passing(None, None)), left.clone());
            let chunks: BTreeSet<u32> = left.iter().map(|number| number / SPAN).collect();
            prop_assert_eq!(set.chunks.len(), chunks.len(), "an empty chunk is not kept");
            let met = sorted(set.passing(Some(&bits(&within)), Some(&bits(&without))));
            let passes = |number: &&u32| within.contains(number) && !without.contains(number);
            prop_assert_eq!(met, left.iter().filter(passes).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(sorted(before.passing(None, None)), one, "a copy never changes");
        }
    }
}
