//! Samples put together: their count, sum and extremes, and how they lie.
//!
//! Values are kept one by one as long as they are few; more of them become bins of growing width, as
//! CloudWatch's own do, so that a percentile is off by a part in a hundred at most where values span
//! no more than some orders of magnitude. Statistics that a caller computed have no distribution, and
//! then no percentile, but where all samples are one value.
//! Rule: API reference, StatisticSet; user guide, "Percentiles".

use super::statistic::Statistic;

/// Values kept one by one, or bins.
const VALUES_MAX: usize = 250;
/// Width of the narrowest bins, as a ratio.
const RATIO: f64 = 1.01;

/// Samples of one period and unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// How many.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Values in order, with how often each came; `None` where that is not known.
    values: Option<Vec<(f64, f64)>>,
}

impl Samples {
    /// Values, with how often each came; `None` where nothing came.
    #[must_use]
    pub fn of(values: &[(f64, f64)]) -> Option<Self> {
        let came: Vec<_> = values.iter().copied().filter(|(_, n)| *n > 0.0).collect();
        let first = came.first()?.0;
        let mut all = Self {
            count: came.iter().map(|(_, n)| n).sum(),
            sum: came.iter().map(|(value, n)| value * n).sum(),
            min: came
                .iter()
                .fold(first, |least, (value, _)| least.min(*value)),
            max: came.iter().fold(first, |most, (value, _)| most.max(*value)),
            values: Some(came),
        };
        all.settle();
        Some(all)
    }

    /// What a caller computed of samples.
    #[must_use]
    pub fn computed(count: f64, sum: f64, min: f64, max: f64) -> Self {
        Self {
            count,
            sum,
            min,
            max,
            values: (min == max).then(|| vec![(min, count)]),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.values = match (self.values.take(), &other.values) {
            (Some(mut values), Some(others)) => {
                values.extend_from_slice(others);
                Some(values)
            }
            _ => None,
        };
        self.settle();
        self
    }

    /// Puts the values in order, equal ones together, into bins where they are too many.
    fn settle(&mut self) {
        let Some(values) = &mut self.values else {
            return;
        };
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        join(values, |value| value);
        let mut ratio = RATIO;
        while values.len() > VALUES_MAX {
            join(values, |value| bin(value, ratio));
            ratio *= ratio;
        }
    }

    /// A statistic of them; `None` for a percentile that is not known.
    #[must_use]
    pub fn statistic(&self, statistic: Statistic) -> Option<f64> {
        Some(match statistic {
            Statistic::SampleCount => self.count,
            Statistic::Sum => self.sum,
            Statistic::Average => self.sum / self.count,
            Statistic::Minimum => self.min,
            Statistic::Maximum => self.max,
            Statistic::Percentile(rank) => self.percentile(rank)?,
        })
    }

    /// The value at or below which this per cent of the samples lie: the nearest rank.
    fn percentile(&self, rank: f64) -> Option<f64> {
        let values = self.values.as_ref()?;
        let wanted = (rank / 100.0 * self.count).max(f64::MIN_POSITIVE);
        let mut seen = 0.0;
        let found = values.iter().find(|(_, count)| {
            seen += count;
            // Counts may be fractions: rounding must not push the last one out of reach.
            seen >= wanted * (1.0 - 1e-12)
        });
        let value = found.or(values.last())?.0;
        Some(value.clamp(self.min, self.max))
    }

    /// As the store keeps it: a version, then numbers of eight bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![1, u8::from(self.values.is_some())];
        let fixed = [self.count, self.sum, self.min, self.max];
        let values = self.values.iter().flatten();
        let numbers = fixed
            .into_iter()
            .chain(values.flat_map(|(value, n)| [*value, *n]));
        for number in numbers {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// What the store keeps; `None` for bytes that are none of ours.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [1, has_values, rest @ ..] = bytes else {
            return None;
        };
        let number = |bytes: &[u8]| bytes.try_into().ok().map(f64::from_le_bytes);
        let numbers: Option<Vec<f64>> = rest.chunks(8).map(number).collect();
        let numbers = numbers?;
        let (fixed, values) = numbers.split_at_checked(4)?;
        let pairs = values.chunks(2).map(|pair| match pair {
            [value, count] => Some((*value, *count)),
            _ => None,
        });
        let values: Option<Vec<_>> = pairs.collect();
        Some(Self {
            count: fixed[0],
            sum: fixed[1],
            min: fixed[2],
            max: fixed[3],
            values: values.filter(|_| *has_values == 1),
        })
    }
}

/// The middle of the bin in which a value lies.
fn bin(value: f64, ratio: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let width = ratio.ln();
    let step = (value.abs().ln() / width).floor();
    value.signum() * ((step + 0.5) * width).exp()
}

/// Neighbours of one kind become one, at the mean of what they were.
fn join(values: &mut Vec<(f64, f64)>, kind: impl Fn(f64) -> f64) {
    let mut joined: Vec<(f64, f64)> = Vec::with_capacity(values.len());
    for (value, count) in values.drain(..) {
        match joined.last_mut() {
            Some(last) if kind(last.0) == kind(value) => {
                let both = last.1 + count;
                if last.0 != value {
                    last.0 += (value - last.0) * (count / both);
                }
                last.1 = both;
            }
            _ => joined.push((value, count)),
        }
    }
    *values = joined;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn each(values: &[f64]) -> Samples {
        let each: Vec<_> = values.iter().map(|value| (*value, 1.0)).collect();
        Samples::of(&each).unwrap()
    }

    #[test]
    fn statistics_are_those_of_the_samples() {
        let samples = each(&[4.0, 1.0, 3.0, 2.0]);
        for (statistic, expected) in [
            (Statistic::SampleCount, 4.0),
            (Statistic::Sum, 10.0),
            (Statistic::Average, 2.5),
            (Statistic::Minimum, 1.0),
            (Statistic::Maximum, 4.0),
            (Statistic::Percentile(0.0), 1.0),
            (Statistic::Percentile(50.0), 2.0),
            (Statistic::Percentile(75.1), 4.0),
            (Statistic::Percentile(100.0), 4.0),
        ] {
            assert_eq!(
                samples.statistic(statistic),
                Some(expected),
                "{statistic:?}"
            );
        }
    }

    #[test]
    fn a_set_that_a_caller_computed_has_no_percentile_unless_it_is_one_value() {
        let median = Statistic::Percentile(50.0);
        assert_eq!(
            Samples::computed(3.0, 6.0, 1.0, 3.0).statistic(median),
            None
        );
        assert_eq!(
            Samples::computed(3.0, 6.0, 2.0, 2.0).statistic(median),
            Some(2.0)
        );
        let mixed = each(&[1.0]).and(&Samples::computed(3.0, 6.0, 1.0, 3.0));
        assert_eq!((mixed.statistic(median), mixed.count), (None, 4.0));
        assert_eq!(Samples::of(&[(1.0, 0.0)]), None);
    }

    #[test]
    fn a_percentile_of_many_samples_is_near_the_true_one() {
        let values: Vec<f64> = (1..=10_000).map(f64::from).collect();
        let samples = each(&values);
        for rank in [1.0, 50.0, 90.0, 99.0, 99.9] {
            let found = samples.statistic(Statistic::Percentile(rank)).unwrap();
            let truth = rank * 100.0;
            assert!((found / truth - 1.0).abs() < 0.03, "p{rank}: {found}");
        }
        assert!(samples.encode().len() < 8 * 2 * (VALUES_MAX + 3));
    }

    proptest! {
        #[test]
        fn what_is_stored_reads_back_and_order_does_not_matter(a in prop::collection::vec(-1e6..1e6f64, 1..40), b in prop::collection::vec(-1e6..1e6f64, 1..40)) {
            let (x, y) = (each(&a), each(&b));
            prop_assert_eq!(Samples::decode(&x.encode()), Some(x.clone()));
            let (one, other) = (x.clone().and(&y), y.and(&x));
            prop_assert_eq!(one.values, other.values);
            prop_assert_eq!((one.count, one.min, one.max), (other.count, other.min, other.max));
            prop_assert!((one.sum - other.sum).abs() < 1e-3);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Samples::decode(&bytes);
        }

        #[test]
        fn a_percentile_lies_between_the_extremes(values in prop::collection::vec(-1e300..1e300f64, 1..600), rank in 0.0..100.0f64) {
            let samples = each(&values);
            let found = samples.statistic(Statistic::Percentile(rank)).unwrap();
            prop_assert!(samples.min <= found && found <= samples.max);
        }
    }
}
