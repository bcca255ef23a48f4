//! What is still to happen, in order of time; what is due at one moment, in the order in which it
//! was asked for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Things to come.
#[derive(Debug)]
pub struct Queue<T> {
    order: BinaryHeap<Reverse<(u64, u64)>>,
    waiting: BTreeMap<u64, T>,
    asked: u64,
}

impl<T> Queue<T> {
    /// Nothing to come.
    pub fn new() -> Self {
        Self {
            order: BinaryHeap::new(),
            waiting: BTreeMap::new(),
            asked: 0,
        }
    }

    /// Lets `what` happen at this moment.
    pub fn push(&mut self, at: u64, what: T) {
        self.asked += 1;
        self.order.push(Reverse((at, self.asked)));
        self.waiting.insert(self.asked, what);
    }

    /// The next thing, and its moment.
    pub fn pop(&mut self) -> Option<(u64, T)> {
        let Reverse((at, number)) = self.order.pop()?;
        self.waiting.remove(&number).map(|what| (at, what))
    }

    /// How much is still to happen.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_order_of_time_then_of_asking() {
        let mut queue = Queue::new();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            queue.push(at, what);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [(1, 'a'), (2, 'b'), (5, 'c'), (5, 'd')]);
        assert_eq!(queue.len(), 0);
    }
}
