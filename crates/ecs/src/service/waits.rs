//! The waits of a service that AWS imposes and no caller can set.

use aws_types::Timestamp;
use std::time::Duration;

/// The waits in force; the control plane's one table has AWS's and shorter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// A task without a health check counts as healthy once it has been RUNNING this long. Rule: API
    /// reference, `minimumHealthyPercent`: 40 seconds.
    pub healthy_after: Duration,
    /// The wait after a second failure in a row; each further one doubles it.
    pub retry_first: Duration,
    /// The longest such wait. Rule: developer guide, "service throttle logic": 15 minutes.
    pub retry_max: Duration,
    /// When a task that found no room is placed again, whatever woke the service in between.
    pub place_again: Duration,
    /// The longest wait before zones that could not be evened out are looked at again. No rule of AWS's: what may
    /// change it at once is not waited for.
    pub even_out_max: Duration,
    /// When what still holds is told again. Rule: developer guide, "service event messages": 6 hours.
    pub tell_again: Duration,
}

impl Waits {
    /// AWS's own.
    pub const AWS: Self = Self {
        healthy_after: Duration::from_secs(40),
        retry_first: Duration::from_secs(10),
        retry_max: Duration::from_secs(900),
        place_again: Duration::from_secs(15),
        even_out_max: Duration::from_secs(240),
        tell_again: Duration::from_secs(6 * 3600),
    };

    /// How long starts are held back after so many failures in a row, spread by `spread` so that
    /// services that failed together do not return together.
    #[must_use]
    pub fn retry(&self, rounds: u32, spread: u64) -> Duration {
        let Some(doublings) = rounds.checked_sub(2) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let wait = self.retry_first.saturating_mul(factor);
        let jitter = 1000 + u32::try_from(spread % 250).unwrap_or(0);
        (wait * jitter / 1000).min(self.retry_max)
    }

    /// How long after so many tries to even out the zones, one after another, there is no further one.
    #[must_use]
    pub fn even_out(&self, tries: u32) -> Duration {
        let factor = 1_u32.checked_shl(tries.saturating_sub(1));
        let wait = self.place_again.saturating_mul(factor.unwrap_or(u32::MAX));
        wait.min(self.even_out_max)
    }
}

/// The earlier of two moments, where there is any.
#[must_use]
pub fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (some, None) | (None, some) => some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_come_later_and_later_up_to_the_longest() {
        let waits = Waits::AWS;
        let seconds = |rounds| waits.retry(rounds, 0).as_secs();
        for (rounds, expected) in [
            (0, 0),
            (1, 0),
            (2, 10),
            (3, 20),
            (5, 80),
            (8, 640),
            (9, 900),
        ] {
            assert_eq!(seconds(rounds), expected, "{rounds}");
        }
        assert_eq!(waits.retry(u32::MAX, 7), waits.retry_max);
        assert!(waits.retry(3, 249) > waits.retry(3, 0));
        assert!(waits.retry(3, u64::MAX) < waits.retry(4, 0));
    }

    #[test]
    fn zones_that_cannot_be_evened_out_are_looked_at_less_and_less() {
        let seconds = |tries| Waits::AWS.even_out(tries).as_secs();
        for (tries, expected) in [
            (1, 15),
            (2, 30),
            (4, 120),
            (5, 240),
            (6, 240),
            (40, 240),
            (u32::MAX, 240),
        ] {
            assert_eq!(seconds(tries), expected, "{tries}");
        }
    }
}
