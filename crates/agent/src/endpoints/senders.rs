//! Connections counted by sender, so that one that opens many takes nobody else's.

use super::Origin;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What each sender has open of one kind.
#[derive(Debug)]
pub struct Senders {
    of_one_max: usize,
    of_all_max: usize,
    /// `std` mutex: held over map operations only.
    counts: Arc<Mutex<Counts>>,
}

/// By place, as it writes itself, and address: VPCs may have the same addresses.
type Counts = BTreeMap<(String, IpAddr), usize>;

/// One connection, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    counts: Arc<Mutex<Counts>>,
    sender: (String, IpAddr),
}

impl Senders {
    /// So many connections of one sender, and of all, at once.
    pub fn new(of_one_max: usize, of_all_max: usize) -> Self {
        Self {
            of_one_max,
            of_all_max,
            counts: Arc::default(),
        }
    }

    /// `None` where the sender, or all together, have as many as there may be.
    pub fn enter(&self, origin: &Origin) -> Option<Slot> {
        let sender = (format!("{:?}", origin.place), origin.address);
        let mut counts = lock(&self.counts);
        let own = counts.get(&sender).copied().unwrap_or(0);
        if own >= self.of_one_max || counts.values().sum::<usize>() >= self.of_all_max {
            return None;
        }
        counts.insert(sender.clone(), own + 1);
        Some(Slot {
            counts: self.counts.clone(),
            sender,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        match counts.get_mut(&self.sender) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => drop(counts.remove(&self.sender)),
            None => {}
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    const OF_ONE_MAX: usize = 64;
    const OF_ALL_MAX: usize = 1024;

    fn origin(place: Place, last: u8) -> Origin {
        Origin {
            place,
            address: IpAddr::from([10, 0, 0, last]),
        }
    }

    #[test]
    fn one_that_opens_many_takes_nobody_elses() {
        let senders = Senders::new(OF_ONE_MAX, OF_ALL_MAX);
        let greedy = origin(Place::Bridge, 1);
        let mut held: Vec<Slot> = (0..OF_ONE_MAX)
            .map(|_| senders.enter(&greedy).expect("there is room"))
            .collect();
        assert!(senders.enter(&greedy).is_none());
        assert!(senders.enter(&origin(Place::Bridge, 2)).is_some());
        let elsewhere = origin(Place::Api("vpc-1".into()), 1);
        assert!(senders.enter(&elsewhere).is_some());
        held.pop();
        let again = senders.enter(&greedy);
        assert!(again.is_some());
        drop((held, again));
        assert!(lock(&senders.counts).is_empty(), "nothing is left of them");
    }

    #[test]
    fn all_together_have_a_bound() {
        let senders = Senders::new(OF_ONE_MAX, OF_ALL_MAX);
        let held: Vec<Slot> = (0..=255)
            .flat_map(|last| (0..OF_ONE_MAX).map(move |_| origin(Place::Bridge, last)))
            .map_while(|origin| senders.enter(&origin))
            .collect();
        assert_eq!(held.len(), OF_ALL_MAX);
    }
}
