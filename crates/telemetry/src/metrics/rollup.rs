//! Old samples take less room: seconds become minutes after three hours, minutes five minutes after 15
//! days, those hours after 63 days, and hours go after 455 days. What arrived piece by piece within one
//! period is put together before.
//!
//! Rule: user guide, "Metrics retention".

use super::point::{FIVE_MINUTES, HOUR, MINUTE, SECOND, decode, encode, start_of};
use super::samples::Samples;
use aws_types::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use store::{
    MetricStore, MetricStoreError, NewPoint, PointRange, Resolution, SeriesName, SeriesState,
    StoredPoint,
};

const HOUR_SECONDS: u64 = 60 * 60;
const DAY_SECONDS: u64 = 24 * HOUR_SECONDS;
/// Nothing is kept longer.
pub const KEPT: Duration = Duration::from_secs(455 * DAY_SECONDS);
/// From which age on points of a resolution become points of another.
const STEPS: [(Resolution, Resolution, Duration); 3] = [
    (SECOND, MINUTE, Duration::from_secs(3 * HOUR_SECONDS)),
    (MINUTE, FIVE_MINUTES, Duration::from_secs(15 * DAY_SECONDS)),
    (FIVE_MINUTES, HOUR, Duration::from_secs(63 * DAY_SECONDS)),
];
/// Pieces of a minute this old are put together: later ones are rare.
const SETTLED: Duration = Duration::from_secs(15 * 60);
/// How far back pieces are looked for.
const UNSETTLED: Duration = Duration::from_secs(2 * HOUR_SECONDS);
/// Points that one step takes up.
const POINTS_PER_STEP: usize = 2_048;

/// Does what is due for one series.
///
/// # Errors
/// The store cannot be read or written; what was done before stays done.
pub fn roll(
    store: &dyn MetricStore,
    series: &SeriesState,
    now: Timestamp,
) -> Result<(), MetricStoreError> {
    let name = &series.name;
    let beginning = Timestamp::from_millis(i64::MIN);
    for (from, into, age) in STEPS {
        // Whole periods of the coarser resolution alone.
        let until = start_of(now.minus(age), i64::from(into.0) * 1_000);
        while put_together(store, name, (from, into), (beginning, until))? {}
    }
    let settled = (now.minus(UNSETTLED), start_of(now.minus(SETTLED), 60_000));
    settle(store, name, settled)?;
    let gone = PointRange {
        resolution: HOUR,
        from: beginning,
        until: now.minus(KEPT),
        points_max: POINTS_PER_STEP,
    };
    loop {
        let points = store.read(name, gone)?;
        let places: Vec<_> = points.iter().map(|point| point.place).collect();
        store.replace(name, &places, &[])?;
        if places.len() < POINTS_PER_STEP {
            break;
        }
    }
    if series.last_arrived.plus(KEPT) < now {
        while store.delete(name, POINTS_PER_STEP)? {}
    }
    Ok(())
}

/// Puts points of one resolution together into points of another; whether there may be more.
fn put_together(
    store: &dyn MetricStore,
    series: &SeriesName,
    (from, into): (Resolution, Resolution),
    (start, end): (Timestamp, Timestamp),
) -> Result<bool, MetricStoreError> {
    let range = PointRange {
        resolution: from,
        from: start,
        until: end,
        points_max: POINTS_PER_STEP,
    };
    let points = store.read(series, range)?;
    let (gone, come) = together(series, &points, into);
    if gone.is_empty() {
        return Ok(false);
    }
    let places: Vec<_> = gone.iter().map(|point| point.place).collect();
    store.replace(series, &places, &come)?;
    Ok(points.len() == POINTS_PER_STEP)
}

/// Puts the pieces of each minute together, a page of points at a time, to the end of the range.
fn settle(
    store: &dyn MetricStore,
    series: &SeriesName,
    (start, end): (Timestamp, Timestamp),
) -> Result<(), MetricStoreError> {
    let mut range = PointRange {
        resolution: MINUTE,
        from: start,
        until: end,
        points_max: POINTS_PER_STEP,
    };
    loop {
        let mut points = store.read(series, range)?;
        let is_last = points.len() < POINTS_PER_STEP;
        let last = points.last().map(|point| point.place.at);
        if let Some(last) = last.filter(|last| !is_last && points[0].place.at < *last) {
            // The last minute may go on: the next page begins with it.
            points.retain(|point| point.place.at < last);
        }
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for pieces in points.chunk_by(|one, next| one.place.at == next.place.at) {
            let (before, whole) = together(series, pieces, MINUTE);
            if whole.len() < before.len() {
                gone.extend(before.iter().map(|piece| piece.place));
                come.extend(whole);
            }
        }
        if !gone.is_empty() {
            store.replace(series, &gone, &come)?;
        }
        let Some(last) = last.filter(|_| !is_last) else {
            return Ok(());
        };
        // A page of one minute alone is read again: it has fewer pieces now.
        let goes_on = last > range.from || !gone.is_empty();
        range.from = match goes_on {
            true => last,
            false => Timestamp::from_millis(last.millis() + 1),
        };
    }
}

/// The points that take the place of these. What cannot be read goes.
fn together<'p>(
    series: &SeriesName,
    points: &'p [StoredPoint],
    into: Resolution,
) -> (Vec<&'p StoredPoint>, Vec<NewPoint>) {
    let mut sums: BTreeMap<(Timestamp, String), Samples> = BTreeMap::new();
    for point in points {
        let Some((unit, samples)) = decode(&point.value) else {
            continue;
        };
        let at = start_of(point.place.at, i64::from(into.0) * 1_000);
        let key = (at, unit);
        let sum = match sums.remove(&key) {
            Some(before) => Samples::and(before, &samples),
            None => samples,
        };
        sums.insert(key, sum);
    }
    let come = sums.into_iter().map(|((at, unit), samples)| NewPoint {
        series: series.clone(),
        resolution: into,
        at,
        value: encode(&unit, &samples),
    });
    (points.iter().collect(), come.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::name::MetricName;
    use crate::metrics::read::{Window, read};
    use crate::metrics::statistic::Statistic;
    use aws_types::Scope;
    use store::backend::MemoryMetricStore;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn metric() -> MetricName {
        let scope = Scope::new("000000000000", "us-east-1");
        MetricName::new(&scope, "n", "m", BTreeMap::new())
    }

    fn put(store: &MemoryMetricStore, resolution: Resolution, at: Timestamp, value: f64) {
        let samples = Samples::of(&[(value, 1.0)]).unwrap();
        let point = NewPoint {
            series: metric().series(),
            resolution,
            at,
            value: encode("None", &samples),
        };
        store.append(&[point], NOW).unwrap();
    }

    fn roll_at(store: &MemoryMetricStore, now: Timestamp) {
        let all = store.series(&[], None, 9).unwrap();
        for series in &all {
            roll(store, series, now).unwrap();
        }
    }

    /// Sum and count by start of period.
    fn sums(store: &MemoryMetricStore, period: i32) -> Vec<(i64, f64, f64)> {
        let window = Window {
            from: NOW.minus(Duration::from_secs(3_600)),
            until: NOW.plus(Duration::from_secs(3_600)),
            period,
        };
        let found = read(store, &metric(), window).unwrap().into_iter();
        let shown = found.map(|((at, _), samples)| {
            let sum = samples.statistic(Statistic::Sum).unwrap();
            (at.millis() - NOW.millis(), sum, samples.count)
        });
        shown.collect()
    }

    fn points(store: &MemoryMetricStore, resolution: Resolution) -> usize {
        let range = PointRange {
            resolution,
            from: Timestamp::from_millis(0),
            until: NOW.plus(KEPT),
            points_max: 99_999,
        };
        store.read(&metric().series(), range).unwrap().len()
    }

    #[test]
    fn samples_grow_coarser_with_age_and_none_is_lost_or_counted_twice() {
        let store = MemoryMetricStore::default();
        for second in 0..120 {
            let at = NOW.plus(Duration::from_secs(second));
            put(&store, SECOND, at, 1.0);
        }
        assert_eq!(sums(&store, 10).len(), 12);
        assert_eq!(sums(&store, 60), [(0, 60.0, 60.0), (60_000, 60.0, 60.0)]);
        let day = Duration::from_secs(DAY_SECONDS);
        for (age, expected) in [
            (Duration::from_secs(2 * HOUR_SECONDS), [120, 0, 0, 0]),
            (Duration::from_secs(4 * HOUR_SECONDS), [0, 2, 0, 0]),
            (16 * day, [0, 0, 1, 0]),
            (64 * day, [0, 0, 0, 1]),
        ] {
            roll_at(&store, NOW.plus(age));
            let kept = [SECOND, MINUTE, FIVE_MINUTES, HOUR].map(|r| points(&store, r));
            assert_eq!(kept, expected, "{age:?}");
            assert_eq!(sums(&store, 3_600), [(0, 120.0, 120.0)], "{age:?}");
        }
        assert_eq!(sums(&store, 60), [], "an hour cannot be parted");
        roll_at(&store, NOW.plus(457 * day));
        assert_eq!(store.held(None).series, 0);
    }

    #[test]
    fn pieces_of_one_minute_are_put_together_once_it_is_over_for_long() {
        let store = MemoryMetricStore::default();
        for value in [1.0, 2.0, 3.0] {
            put(&store, MINUTE, NOW, value);
        }
        roll_at(&store, NOW.plus(Duration::from_secs(60)));
        assert_eq!(points(&store, MINUTE), 3);
        roll_at(&store, NOW.plus(Duration::from_secs(20 * 60)));
        assert_eq!(points(&store, MINUTE), 1);
        assert_eq!(sums(&store, 60), [(0, 6.0, 3.0)]);
    }

    #[test]
    fn all_pieces_of_two_hours_are_put_together_however_many() {
        let store = MemoryMetricStore::default();
        let minutes = 30;
        for minute in 0..minutes {
            // One minute has more pieces than a page, others have a few hundred.
            for piece in 0..if minute == 3 { 5_000 } else { 300 } {
                put(
                    &store,
                    MINUTE,
                    NOW.plus(Duration::from_secs(minute * 60)),
                    f64::from(piece % 2),
                );
            }
        }
        roll_at(&store, NOW.plus(Duration::from_secs(60 * 60)));
        assert_eq!(points(&store, MINUTE), minutes as usize);
        let sums = sums(&store, 60);
        assert_eq!(sums[3], (180_000, 2_500.0, 5_000.0));
        assert_eq!(sums[29], (29 * 60_000, 150.0, 300.0));
    }
}
