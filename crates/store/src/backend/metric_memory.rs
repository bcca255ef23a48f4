//! Metric samples in memory, for tests and the simulator.

use crate::metric_store::{
    MetricStore, MetricStoreError, NewPoint, PointPlace, PointRange, SeriesName, SeriesState,
    StoredPoint,
};
use aws_types::Timestamp;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Series in a map. `std` mutex: held for one call, never across a wait.
#[derive(Debug, Default)]
pub struct MemoryMetricStore(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sequence: u64,
    series: BTreeMap<SeriesName, Series>,
}

#[derive(Debug)]
struct Series {
    last_arrived: Timestamp,
    points: BTreeMap<PointPlace, Vec<u8>>,
}

impl MemoryMetricStore {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, point: &NewPoint, arrived: Option<Timestamp>) {
        self.sequence += 1;
        let place = PointPlace {
            resolution: point.resolution,
            at: point.at,
            sequence: self.sequence,
        };
        let series = self.series.entry(point.series.clone());
        let series = series.or_insert_with(|| Series {
            last_arrived: arrived.unwrap_or(point.at),
            points: BTreeMap::new(),
        });
        series.last_arrived = series
            .last_arrived
            .max(arrived.unwrap_or(series.last_arrived));
        series.points.insert(place, point.value.clone());
    }
}

impl MetricStore for MemoryMetricStore {
    fn append(&self, points: &[NewPoint], arrived: Timestamp) -> Result<(), MetricStoreError> {
        let mut inner = self.lock();
        for point in points {
            inner.put(point, Some(arrived));
        }
        Ok(())
    }

    fn read(
        &self,
        series: &SeriesName,
        range: PointRange,
    ) -> Result<Vec<StoredPoint>, MetricStoreError> {
        let inner = self.lock();
        let Some(series) = inner.series.get(series) else {
            return Ok(Vec::new());
        };
        let place = |at| PointPlace {
            resolution: range.resolution,
            at,
            sequence: 0,
        };
        if range.from >= range.until {
            return Ok(Vec::new());
        }
        let found = series.points.range(place(range.from)..place(range.until));
        let found = found.take(range.points_max);
        let stored = found.map(|(place, value)| StoredPoint {
            place: *place,
            value: value.clone(),
        });
        Ok(stored.collect())
    }

    fn replace(
        &self,
        series: &SeriesName,
        gone: &[PointPlace],
        come: &[NewPoint],
    ) -> Result<(), MetricStoreError> {
        let mut inner = self.lock();
        let Some(of) = inner.series.get_mut(series) else {
            return Ok(());
        };
        for place in gone {
            of.points.remove(place);
        }
        for point in come {
            inner.put(point, None);
        }
        Ok(())
    }

    fn series(
        &self,
        prefix: &[u8],
        after: Option<&SeriesName>,
        limit: usize,
    ) -> Result<Vec<SeriesState>, MetricStoreError> {
        let inner = self.lock();
        let start = SeriesName(prefix.to_vec());
        let start = match after.filter(|after| **after >= start) {
            Some(after) => Bound::Excluded(after.clone()),
            None => Bound::Included(start),
        };
        let found = inner.series.range((start, Bound::Unbounded));
        let found = found.take_while(|(name, _)| name.0.starts_with(prefix));
        let states = found.take(limit).map(|(name, series)| SeriesState {
            name: name.clone(),
            last_arrived: series.last_arrived,
        });
        Ok(states.collect())
    }

    fn series_count(&self) -> usize {
        self.lock().series.len()
    }

    fn delete(&self, series: &SeriesName, limit: usize) -> Result<bool, MetricStoreError> {
        let mut inner = self.lock();
        let Some(of) = inner.series.get_mut(series) else {
            return Ok(false);
        };
        let some: Vec<_> = of.points.keys().copied().take(limit).collect();
        for place in some {
            of.points.remove(&place);
        }
        let more = !of.points.is_empty();
        if !more {
            inner.series.remove(series);
        }
        Ok(more)
    }
}
