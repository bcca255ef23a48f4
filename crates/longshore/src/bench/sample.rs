//! Durations that were measured, and what is told of them.

use super::report::Row;
use std::time::Duration;

/// Measured durations.
#[derive(Debug, Default)]
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Adds one.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The nearest rank; zero of an empty sample. `per_cent` is within 0..=100.
    pub fn percentile_ms(&self, per_cent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * per_cent).div_ceil(100).max(1) - 1;
        sorted
            .get(rank)
            .map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
    }

    /// A row of `p50_ms`, `p99_ms`, `max_ms`, `n`.
    pub fn row(&self, what: impl Into<String>) -> Row {
        Row::new(what)
            .with("p50_ms", self.percentile_ms(50))
            .with("p99_ms", self.percentile_ms(99))
            .with("max_ms", self.percentile_ms(100))
            .with("n", self.0.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut sample = Sample::default();
        assert_eq!(sample.percentile_ms(50), 0.0);
        for millis in (1..=100).rev() {
            sample.push(Duration::from_millis(millis));
        }
        assert_eq!(sample.percentile_ms(50), 50.0);
        assert_eq!(sample.percentile_ms(99), 99.0);
        assert_eq!(sample.percentile_ms(100), 100.0);
    }
}
