//! Whose turn it is among the services: in each cluster DAEMON services before the others.
//!
//! An instance that comes wakes both, and may have room for one of them: what is due no later than a
//! DAEMON of its cluster waits until that one's activation has ended. It waits for no further one, so
//! that a DAEMON which is woken again and again does not keep the others from their turn. Pure.
//! Rule: semantics 6.8 ("placed before replica tasks").

use super::queue::Queue;
use aws_types::Timestamp;
use ecs::records::ClusterKey;
use ecs::records::service::ServiceKey;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The services that wait for their activation, and those under way.
#[derive(Debug, Default)]
pub struct Turns {
    /// DAEMON services.
    first: Queue<ServiceKey>,
    rest: Queue<ServiceKey>,
    /// DAEMON services under way.
    working: BTreeSet<ServiceKey>,
    /// How many of them in each cluster.
    in_cluster: BTreeMap<ClusterKey, usize>,
    /// By cluster: what was due and waits until these have ended.
    held: BTreeMap<ClusterKey, Vec<ServiceKey>>,
    /// What has waited for them.
    freed: VecDeque<ServiceKey>,
}

impl Turns {
    /// The service is to be activated at this time, or earlier if it already is.
    pub fn add(&mut self, key: ServiceKey, is_daemon: bool, at: Timestamp) {
        match is_daemon {
            true => self.first.add(key, at),
            false => self.rest.add(key, at),
        }
    }

    /// The next service whose turn it is; it is under way from now on.
    pub fn take(&mut self, now: Timestamp) -> Option<ServiceKey> {
        if let Some(key) = self.first.take(now) {
            *self.in_cluster.entry(cluster(&key)).or_default() += 1;
            self.working.insert(key.clone());
            return Some(key);
        }
        if let Some(key) = self.freed.pop_front() {
            return Some(key);
        }
        while let Some(key) = self.rest.take(now) {
            let cluster = cluster(&key);
            if !self.in_cluster.contains_key(&cluster) {
                return Some(key);
            }
            self.held.entry(cluster).or_default().push(key);
        }
        None
    }

    /// An activation ended, and wants the next one at this time.
    pub fn done(&mut self, key: ServiceKey, wake_at: Option<Timestamp>) {
        if !self.working.remove(&key) {
            return self.rest.done(key, wake_at);
        }
        let cluster = cluster(&key);
        if let Some(count) = self.in_cluster.get_mut(&cluster) {
            *count -= 1;
            if *count == 0 {
                self.in_cluster.remove(&cluster);
                self.freed
                    .extend(self.held.remove(&cluster).into_iter().flatten());
            }
        }
        self.first.done(key, wake_at);
    }

    /// When it is the next one's turn; what waits for others' activations is not counted.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = [self.first.next_due(), self.rest.next_due()];
        due.into_iter().flatten().min()
    }
}

fn cluster(key: &ServiceKey) -> ClusterKey {
    ClusterKey::new(&key.scope, &key.cluster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::Scope;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn key(cluster: &str, name: &str) -> ServiceKey {
        ServiceKey::new(&Scope::new("000000000000", "us-east-1"), cluster, name)
    }

    /// Everything whose turn it is, by name.
    fn all(turns: &mut Turns, now: i64) -> Vec<String> {
        let taken = std::iter::from_fn(|| turns.take(at(now)));
        taken
            .map(|key| format!("{}/{}", key.cluster, key.name))
            .collect()
    }

    #[test]
    fn a_daemon_comes_before_the_others_of_its_cluster_and_nobody_elses() {
        let mut turns = Turns::default();
        turns.add(key("c", "a"), false, at(1));
        turns.add(key("c", "z"), true, at(2));
        turns.add(key("d", "b"), false, at(2));
        assert_eq!(all(&mut turns, 1), ["c/a"], "it alone is due");
        turns.done(key("c", "a"), Some(at(2)));
        assert_eq!(all(&mut turns, 2), ["c/z", "d/b"]);
        turns.add(key("c", "y"), false, at(3));
        assert!(all(&mut turns, 3).is_empty(), "the daemon is under way");
        turns.done(key("c", "z"), None);
        assert_eq!(all(&mut turns, 3), ["c/a", "c/y"]);
        turns.done(key("c", "a"), None);
        turns.done(key("c", "y"), None);
        turns.done(key("d", "b"), None);
        assert_eq!(turns.next_due(), None);
    }

    #[test]
    fn all_daemons_of_a_cluster_come_first() {
        let mut turns = Turns::default();
        for (name, is_daemon) in [("a", false), ("y", true), ("z", true)] {
            turns.add(key("c", name), is_daemon, at(1));
        }
        assert_eq!(all(&mut turns, 1), ["c/y", "c/z"]);
        turns.done(key("c", "z"), None);
        assert!(all(&mut turns, 1).is_empty(), "the other is under way");
        turns.done(key("c", "y"), None);
        assert_eq!(all(&mut turns, 1), ["c/a"]);
    }

    #[test]
    fn a_daemon_that_is_woken_again_keeps_nobody_from_a_turn() {
        let mut turns = Turns::default();
        turns.add(key("c", "a"), false, at(1));
        turns.add(key("c", "z"), true, at(1));
        assert_eq!(all(&mut turns, 1), ["c/z"]);
        turns.add(key("c", "z"), true, at(1));
        turns.done(key("c", "z"), Some(at(1)));
        assert_eq!(all(&mut turns, 1), ["c/z", "c/a"]);
        turns.done(key("c", "z"), Some(at(50)));
        turns.done(key("c", "a"), Some(at(60)));
        assert_eq!(turns.next_due(), Some(at(50)));
        assert_eq!(all(&mut turns, 60), ["c/z"]);
    }
}
