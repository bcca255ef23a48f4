//! How often a container may ask: a bucket of tokens for each origin and path. Two VPCs may have one address.
//!
//! Rule: agent-protocol 6: 40 requests a second, 60 at once.

use std::collections::HashMap;
use std::time::Duration;

use super::Origin;

/// Tokens that come back in a second.
pub const PER_SECOND: f64 = 40.0;
/// Tokens of a full bucket.
pub const BURST: f64 = 60.0;
/// Paths are the askers' invention: beyond so many buckets only those that are not full are kept.
const BUCKETS_MAX: usize = 8192;

/// All buckets that are not full.
#[derive(Debug, Default)]
pub struct Rate {
    buckets: HashMap<(Origin, String), Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn filled(&self, now: Duration) -> f64 {
        let since = now.saturating_sub(self.at).as_secs_f64();
        (self.tokens + since * PER_SECOND).min(BURST)
    }
}

impl Rate {
    /// Takes a token; `false` where there is none. `now` counts from any fixed moment.
    pub fn admits(&mut self, from: &Origin, path: &str, now: Duration) -> bool {
        if self.buckets.len() >= BUCKETS_MAX {
            self.buckets.retain(|_, bucket| bucket.filled(now) < BURST);
        }
        let key = (from.clone(), path.to_owned());
        let is_full = self.buckets.len() >= BUCKETS_MAX;
        let tokens = match self.buckets.get(&key) {
            Some(bucket) => bucket.filled(now),
            None if is_full => return false,
            None => BURST,
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
