//! How often a container may ask: a bucket of tokens for each origin and path. Two VPCs may have one address.
//!
//! Rule: agent-protocol 6: 40 requests a second, 60 at once, unless ECS_TASK_METADATA_RPS_LIMIT says otherwise.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use super::Origin;

/// How often one may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Tokens that come back in a second.
    pub per_second: NonZeroU32,
    /// Tokens of a full bucket.
    pub burst: NonZeroU32,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            per_second: const { NonZeroU32::new(40).unwrap() },
            burst: const { NonZeroU32::new(60).unwrap() },
        }
    }
}

impl FromStr for Limit {
    type Err = NoLimit;

    /// `RATE,BURST`, each 1 or more.
    fn from_str(text: &str) -> Result<Self, NoLimit> {
        let (rate, burst) = text.split_once(',').ok_or(NoLimit)?;
        let number = |text: &str| text.trim().parse().map_err(|_| NoLimit);
        Ok(Self {
            per_second: number(rate)?,
            burst: number(burst)?,
        })
    }
}

/// A text that is no [`Limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RATE,BURST is expected, two numbers of 1 or more")]
pub struct NoLimit;

/// Paths are the askers' invention: beyond so many buckets only those that are not full are kept.
const BUCKETS_MAX: usize = 8192;

/// All buckets that are not full.
#[derive(Debug, Default)]
pub struct Rate {
    limit: Limit,
    buckets: HashMap<(Origin, String), Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn filled(&self, limit: Limit, now: Duration) -> f64 {
        let since = now.saturating_sub(self.at).as_secs_f64();
        (self.tokens + since * f64::from(limit.per_second.get())).min(full(limit))
    }
}

fn full(limit: Limit) -> f64 {
    f64::from(limit.burst.get())
}

impl Rate {
    /// All buckets are full.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        Self {
            limit,
            buckets: HashMap::new(),
        }
    }

    /// Takes a token; `false` where there is none. `now` counts from any fixed moment.
    pub fn admits(&mut self, from: &Origin, path: &str, now: Duration) -> bool {
        let limit = self.limit;
        if self.buckets.len() >= BUCKETS_MAX {
            let is_full = |bucket: &Bucket| bucket.filled(limit, now) >= full(limit);
            self.buckets.retain(|_, bucket| !is_full(bucket));
        }
        let key = (from.clone(), path.to_owned());
        let is_full = self.buckets.len() >= BUCKETS_MAX;
        let tokens = match self.buckets.get(&key) {
            Some(bucket) => bucket.filled(limit, now),
            None if is_full => return false,
            None => full(limit),
        };
        let is_admitted = tokens >= 1.0;
        let tokens = if is_admitted { tokens - 1.0 } else { tokens };
        self.buckets.insert(key, Bucket { tokens, at: now });
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::Place;

    fn origin(vpc: &str, last: u8) -> Origin {
        Origin {
            place: Place::Vpc(vpc.into()),
            address: [10, 0, 0, last].into(),
        }
    }

    fn admitted(rate: &mut Rate, from: &Origin, path: &str, at: Duration) -> usize {
        (0..100).filter(|_| rate.admits(from, path, at)).count()
    }

    #[test]
    fn sixty_at_once_then_forty_a_second_for_each_origin_and_path() {
        let mut rate = Rate::default();
        let one = &origin("vpc-1", 1);
        let begin = Duration::from_secs(5);
        assert_eq!(admitted(&mut rate, one, "/v4/a", begin), 60);
        assert_eq!(admitted(&mut rate, one, "/v4/a/task", begin), 60);
        for other in [origin("vpc-1", 2), origin("vpc-2", 1)] {
            assert_eq!(admitted(&mut rate, &other, "/v4/a", begin), 60);
        }
        let later = begin + Duration::from_secs(1);
        assert_eq!(admitted(&mut rate, one, "/v4/a", later), 40);
        let much_later = begin + Duration::from_secs(60);
        assert_eq!(admitted(&mut rate, one, "/v4/a", much_later), 60);
    }

    #[test]
    fn another_limit_counts_where_it_is_given_and_is_read_as_the_agents_variable_is() {
        let limit: Limit = " 2, 3".parse().unwrap();
        let mut rate = Rate::new(limit);
        let one = &origin("vpc-1", 1);
        assert_eq!(admitted(&mut rate, one, "/v4/a", Duration::ZERO), 3);
        let later = Duration::from_secs(1);
        assert_eq!(admitted(&mut rate, one, "/v4/a", later), 2);
        for text in [
            "", "40", "40,", "0,60", "40,0", "-1,60", "40,60,80", "40.5,60",
        ] {
            assert_eq!(text.parse::<Limit>(), Err(NoLimit), "{text:?}");
        }
    }

    #[test]
    fn invented_paths_take_no_more_than_so_much_memory_and_time_frees_it() {
        let mut rate = Rate::default();
        for number in 0..3 * BUCKETS_MAX {
            rate.admits(&origin("vpc-1", 1), &number.to_string(), Duration::ZERO);
        }
        assert!(rate.buckets.len() <= BUCKETS_MAX);
        assert!(rate.admits(&origin("vpc-1", 2), "/v4/a", Duration::from_secs(1)));
        assert_eq!(rate.buckets.len(), 1);
    }
}
