//! Which target is next. Pure.
//!
//! Round robin over the targets as they are now; one that fails time after time rests for a while, but never
//! more than half of them at once. Rule: developer guide, "Service Connect configuration overview": round
//! robin, outlier detection (five failures, 30 seconds, at most 50 percent).

use aws_api::agent::host_sync::EndpointTarget;
use std::collections::BTreeMap;
use std::time::Duration;

/// Failures one after another.
const FAILURES_MAX: u32 = 5;
const REST: Duration = Duration::from_secs(30);

/// What a proxy remembers of an endpoint's targets, by their ids. Moments count from any one beginning.
#[derive(Debug, Default)]
pub struct Balancer {
    next: usize,
    known: BTreeMap<String, Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    failures: u32,
    rests_until: Option<Duration>,
}

impl Standing {
    fn rests(&self, now: Duration) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }
}

impl Balancer {
    /// The next target: one that was not tried and does not rest, else one that was not tried, else any.
    /// `None` only where there is none.
    pub fn pick<'t>(
        &mut self,
        targets: &'t [EndpointTarget],
        tried: &[String],
        now: Duration,
    ) -> Option<&'t EndpointTarget> {
        let count = targets.len();
        let turn = (0..count).map(|at| (self.next + at) % count);
        let rests = |id: &String| self.known.get(id).is_some_and(|of| of.rests(now));
        let is_fresh = |at: &usize| !tried.contains(&targets[*at].id);
        let best = turn
            .clone()
            .filter(is_fresh)
            .find(|at| !rests(&targets[*at].id));
        let chosen = best.or_else(|| turn.clone().find(is_fresh));
        let chosen = chosen.or_else(|| turn.clone().next())?;
        self.next = (chosen + 1) % count;
        targets.get(chosen)
    }

    /// What came of a try.
    pub fn report(&mut self, targets: &[EndpointTarget], id: &str, is_well: bool, now: Duration) {
        self.known
            .retain(|known, _| targets.iter().any(|target| target.id == *known));
        if is_well {
            // What it was given before it began to rest does not end the rest.
            if let Some(standing) = self.known.get_mut(id) {
                standing.failures = 0;
            }
            return;
        }
        if targets.iter().all(|target| target.id != id) {
            return;
        }
        let resting = self.known.values().filter(|of| of.rests(now)).count();
        let standing = self.known.entry(id.to_owned()).or_default();
        standing.failures = standing.failures.saturating_add(1);
        let is_over = standing.failures >= FAILURES_MAX && !standing.rests(now);
        if is_over && (resting + 1) * 2 <= targets.len() {
            standing.rests_until = Some(now + REST);
            standing.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn targets(count: usize) -> Vec<EndpointTarget> {
        let one = |at: usize| EndpointTarget {
            id: format!("t{at}"),
            address: Ipv4Addr::LOCALHOST,
            port: 80,
        };
        (0..count).map(one).collect()
    }

    fn second(at: u64) -> Duration {
        Duration::from_secs(at)
    }

    fn fail(balancer: &mut Balancer, all: &[EndpointTarget], id: &str, times: u32, at: u64) {
        for _ in 0..times {
            balancer.report(all, id, false, second(at));
        }
    }

    fn picks(
        balancer: &mut Balancer,
        all: &[EndpointTarget],
        at: u64,
        times: usize,
    ) -> Vec<String> {
        let one = |_| balancer.pick(all, &[], second(at)).unwrap().id.clone();
        (0..times).map(one).collect()
    }

    #[test]
    fn one_that_fails_five_times_rests_for_thirty_seconds() {
        let all = targets(2);
        let mut balancer = Balancer::default();
        fail(&mut balancer, &all, "t0", 4, 0);
        balancer.report(&all, "t0", true, second(0));
        fail(&mut balancer, &all, "t0", 4, 0);
        assert!(picks(&mut balancer, &all, 0, 4).contains(&"t0".into()));
        fail(&mut balancer, &all, "t0", 1, 0);
        assert_eq!(picks(&mut balancer, &all, 29, 3), ["t1", "t1", "t1"]);
        assert!(picks(&mut balancer, &all, 30, 2).contains(&"t0".into()));
    }

    #[test]
    fn the_only_one_never_rests_and_of_three_one_does() {
        for (count, resting) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
            let all = targets(count);
            let mut balancer = Balancer::default();
            for target in &all {
                fail(&mut balancer, &all, &target.id, 9, 0);
            }
            let mut seen = picks(&mut balancer, &all, 1, 20);
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), count - resting, "of {count}");
        }
    }

    #[test]
    fn a_further_try_is_at_another_as_long_as_there_is_one() {
        let all = targets(2);
        let mut balancer = Balancer::default();
        let tried = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        fail(&mut balancer, &all, "t1", 5, 0);
        let mut id = |tried: &[String]| balancer.pick(&all, tried, second(1)).unwrap().id.clone();
        assert_eq!(id(&tried(&["t0"])), "t1", "rather one that rests");
        assert_eq!(id(&tried(&["t0", "t1"])), "t0");
        assert_eq!(Balancer::default().pick(&[], &[], second(0)), None);
    }

    proptest! {
        #[test]
        fn each_has_its_turn(count in 1_usize..9, rounds in 1_usize..5) {
            let all = targets(count);
            let mut seen = picks(&mut Balancer::default(), &all, 0, count * rounds);
            seen.sort();
            for chunk in seen.chunks(rounds) {
                prop_assert!(chunk.iter().all(|id| *id == chunk[0]));
            }
        }

        #[test]
        fn half_of_them_serve_whatever_happens(
            count in 1_usize..7,
            steps in prop::collection::vec((0_usize..7, any::<bool>(), 0_u64..20), 0..120),
        ) {
            let all = targets(count);
            let mut balancer = Balancer::default();
            let mut now = 0;
            for (at, is_well, passed) in steps {
                now += passed;
                balancer.report(&all, &format!("t{at}"), is_well, second(now));
                let resting = balancer.known.values().filter(|of| of.rests(second(now)));
                prop_assert!(resting.count() * 2 <= count);
                prop_assert!(balancer.known.len() <= count, "nothing is kept of what is gone");
                prop_assert!(balancer.pick(&all, &[], second(now)).is_some());
            }
        }
    }
}
