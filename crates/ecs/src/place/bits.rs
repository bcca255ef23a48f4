//! Sets of instances by number, a bit for each, so that what several sets have in common is found a
//! thousand instances at a time.
//!
//! Persistent: a copy is a pointer copy, and a change of it copies one chunk and the list of chunks. A
//! chunk without a member is not kept. Within a chunk the order is scattered: instances registered one
//! after the other are often full together, and would have to be passed all.

use super::visits;
use std::sync::Arc;

const WORDS: usize = 16;
/// As many numbers share a chunk.
const SPAN: u32 = u64::BITS * WORDS as u32;

type Words = [u64; WORDS];

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
    words: Arc<Words>,
}

impl Bits {
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Adds a number; one that is there already stays.
    pub(super) fn insert(&mut self, number: u32) {
        let (at, word, bit) = place(number);
        let chunks = Arc::make_mut(&mut self.chunks);
        let found = chunks.binary_search_by_key(&at, |chunk| chunk.at);
        let index = found.unwrap_or_else(|index| {
            let words = Arc::new([0; WORDS]);
            chunks.insert(index, Chunk { at, words });
            index
        });
        let word = &mut Arc::make_mut(&mut chunks[index].words)[word];
        self.len += u32::from(*word & bit == 0);
        *word |= bit;
    }

    /// Takes a number out; one that is not there stays away.
    pub(super) fn remove(&mut self, number: u32) {
        let (at, word, bit) = place(number);
        let Ok(index) = self.chunks.binary_search_by_key(&at, |chunk| chunk.at) else {
            return;
        };
        if self.chunks[index].words[word] & bit == 0 {
            return;
        }
        self.len -= 1;
        let chunks = Arc::make_mut(&mut self.chunks);
        let words = Arc::make_mut(&mut chunks[index].words);
        words[word] &= !bit;
        if words.iter().all(|word| *word == 0) {
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

    fn words(&self, at: u32) -> Option<&Words> {
        let found = self.chunks.binary_search_by_key(&at, |chunk| chunk.at);
        found.ok().map(|index| &*self.chunks[index].words)
    }
}

impl Chunk {
    fn masked(&self, within: Option<&Bits>, without: Option<&Bits>) -> Words {
        let mut words = *self.words;
        if let Some(within) = within {
            let Some(mask) = within.words(self.at) else {
                return [0; WORDS];
            };
            for (word, mask) in words.iter_mut().zip(mask) {
                *word &= mask;
            }
        }
        if let Some(mask) = without.and_then(|without| without.words(self.at)) {
            for (word, mask) in words.iter_mut().zip(mask) {
                *word &= !mask;
            }
        }
        words
    }
}

/// The chunk, the word in it, and the bit.
fn place(number: u32) -> (u32, usize, u64) {
    let in_chunk = scattered(number % SPAN);
    let word = (in_chunk / u64::BITS) as usize;
    (number / SPAN, word, 1 << (in_chunk % u64::BITS))
}

/// Its own inverse.
fn scattered(in_chunk: u32) -> u32 {
    in_chunk.reverse_bits() >> SPAN.leading_zeros() >> 1
}

fn numbers(at: u32, mut words: Words) -> impl Iterator<Item = u32> {
    let mut index = 0;
    std::iter::from_fn(move || {
        while words.get(index) == Some(&0) {
            index += 1;
        }
        let word = words.get_mut(index)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some(at * SPAN + scattered(index as u32 * u64::BITS + bit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

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
