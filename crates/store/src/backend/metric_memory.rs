//! Metric samples in memory, for tests and the simulator.

use super::metric_names::Names;
use crate::metric_store::{
    Held, MetricStore, MetricStoreError, NewPoint, PointPlace, PointRange, SeriesName, SeriesState,
    SeriesView, StoredPoint, check_names,
};
use aws_types::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Series in a map. `std` mutex: held for one call, never across a wait.
#[derive(Debug, Default)]
pub struct MemoryMetricStore(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sequence: u64,
    series: Names<Series>,
}

#[derive(Debug)]
struct Series {
    last_arrived: Timestamp,
    /// Views share them.
    points: Arc<BTreeMap<PointPlace, Vec<u8>>>,
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
        if self.series.get(&point.series).is_none() {
            let new = Series {
                last_arrived: arrived.unwrap_or(point.at),
                points: Arc::default(),
            };
            self.series.insert(point.series.clone(), new);
        }
        let Some(series) = self.series.get_mut(&point.series) else {
            return;
        };
        series.last_arrived = series
            .last_arrived
            .max(arrived.unwrap_or(series.last_arrived));
        Arc::make_mut(&mut series.points).insert(place, point.value.clone());
    }
}

impl MetricStore for MemoryMetricStore {
    fn append(&self, points: &[NewPoint], arrived: Timestamp) -> Result<(), MetricStoreError> {
        check_names(points)?;
        let mut inner = self.lock();
        for point in points {
            inner.put(point, Some(arrived));
        }
        Ok(())
    }

    fn view(&self, series: &SeriesName) -> Box<dyn SeriesView> {
        let found = self.lock();
        let found = found.series.get(series);
        Box::new(View(found.map(|of| of.points.clone()).unwrap_or_default()))
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
            Arc::make_mut(&mut of.points).remove(place);
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
        let of = &inner.series;
        Ok(of.states(prefix, after, limit, |series| series.last_arrived))
    }

    fn has(&self, series: &SeriesName) -> bool {
        self.lock().series.get(series).is_some()
    }

    fn held(&self, of: Option<&SeriesName>) -> Held {
        self.lock().series.held(of)
    }

    fn delete(&self, series: &SeriesName, limit: usize) -> Result<bool, MetricStoreError> {
        let mut inner = self.lock();
        let Some(of) = inner.series.get_mut(series) else {
            return Ok(false);
        };
        let some: Vec<_> = of.points.keys().copied().take(limit).collect();
        for place in some {
            Arc::make_mut(&mut of.points).remove(&place);
        }
        let more = !of.points.is_empty();
        if !more {
            inner.series.remove(series);
        }
        Ok(more)
    }
}

/// The points as they were.
struct View(Arc<BTreeMap<PointPlace, Vec<u8>>>);

impl SeriesView for View {
    fn read(&self, range: PointRange) -> Result<Vec<StoredPoint>, MetricStoreError> {
        if range.from >= range.until {
            return Ok(Vec::new());
        }
        let place = |at| PointPlace {
            resolution: range.resolution,
            at,
            sequence: 0,
        };
        let found = self.0.range(place(range.from)..place(range.until));
        let stored = found
            .take(range.points_max)
            .map(|(place, value)| StoredPoint {
                place: *place,
                value: value.clone(),
            });
        Ok(stored.collect())
    }
}
