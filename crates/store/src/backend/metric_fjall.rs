//! Metric samples in an LSM store on disk (fjall): compressed, one keyspace for all points, one for the
//! names of series, one for the count of starts.
//!
//! A series has a number, and a point's key is (number, resolution, moment, sequence), so that the points
//! of a series and resolution lie side by side in order of time. The names are kept in memory besides:
//! they are looked up with every sample.

use super::metric_names::Names;
use crate::metric_store::{
    Held, LAST_ARRIVED_SLACK_SECONDS, MetricStore, MetricStoreError, NewPoint, PointPlace,
    PointRange, Resolution, SeriesName, SeriesState, SeriesView, StoredPoint, check_names,
};
use aws_types::Timestamp;
use fjall::{
    Database, Guard, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable,
    Snapshot, UserKey,
};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Memory of the block cache.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;
/// Memory of one keyspace's write buffer before it goes to disk.
const WRITE_BUFFER_BYTES: u64 = 2 * 1024 * 1024;
/// Journal on disk before old parts of it must be flushed away.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
const STARTS: &str = "starts";

/// The metric store of a server.
pub struct FjallMetricStore {
    database: Database,
    points: Keyspace,
    names: Keyspace,
    /// Held by whoever writes; `std` locks: a writer is on a thread that may wait.
    writing: Mutex<Numbers>,
    known: RwLock<Names<Series>>,
}

/// Numbers of which none is given twice: each start has a range of its own.
#[derive(Debug)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

#[derive(Clone, Copy, Debug)]
struct Series {
    number: u64,
    last_arrived: Timestamp,
}

/// One atomic write, and what it makes known once it is durable.
struct Writing<'a> {
    store: &'a FjallMetricStore,
    batch: OwnedWriteBatch,
    news: BTreeMap<SeriesName, Series>,
}

impl FjallMetricStore {
    /// Opens or makes the store in a directory.
    ///
    /// # Errors
    /// The directory cannot be opened, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, MetricStoreError> {
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .open()
            .map_err(failed)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(WRITE_BUFFER_BYTES);
        let points = database.keyspace("points", options).map_err(failed)?;
        let names = database.keyspace("series", options).map_err(failed)?;
        let starts = database.keyspace("starts", options).map_err(failed)?;
        let before = starts.get(STARTS).map_err(failed)?;
        let before = before.and_then(|bytes| number(&bytes, 0));
        let start = before.unwrap_or_default() + 1;
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&starts, STARTS, start.to_be_bytes());
        batch.commit().map_err(failed)?;
        let mut known = Names::default();
        for found in names.iter().map(decode_series) {
            let (name, series) = found?;
            known.insert(name, series);
        }
        Ok(Self {
            database,
            points,
            names,
            writing: Mutex::new(Numbers(start << 32)),
            known: RwLock::new(known),
        })
    }

    fn writing(&self) -> Writing<'_> {
        Writing {
            store: self,
            batch: self
                .database
                .batch()
                .durability(Some(PersistMode::SyncData)),
            news: BTreeMap::new(),
        }
    }

    fn known(&self, series: &SeriesName) -> Option<Series> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(series).copied()
    }
}

impl Writing<'_> {
    /// The series' number; its name and last arrival are written down where they are new.
    fn series(&mut self, name: &SeriesName, arrived: Timestamp, numbers: &mut Numbers) -> u64 {
        let found = self.news.get(name).copied();
        let found = found.or_else(|| self.store.known(name));
        let slack = Duration::from_secs(LAST_ARRIVED_SLACK_SECONDS);
        let is_fresh = |series: &Series| series.last_arrived.plus(slack) > arrived;
        if let Some(series) = found.filter(is_fresh) {
            return series.number;
        }
        let series = Series {
            number: found.map_or_else(|| numbers.next(), |series| series.number),
            last_arrived: arrived,
        };
        let mut value = series.number.to_be_bytes().to_vec();
        value.extend_from_slice(&sortable(arrived).to_be_bytes());
        self.batch.insert(&self.store.names, name.0.clone(), value);
        self.news.insert(name.clone(), series);
        series.number
    }

    fn put(&mut self, series: u64, point: &NewPoint, numbers: &mut Numbers) {
        let place = PointPlace {
            resolution: point.resolution,
            at: point.at,
            sequence: numbers.next(),
        };
        let key = point_key(series, place);
        self.batch
            .insert(&self.store.points, key, point.value.clone());
    }

    fn commit(self) -> Result<(), MetricStoreError> {
        self.batch.commit().map_err(failed)?;
        if !self.news.is_empty() {
            let known = &self.store.known;
            let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
            for (name, series) in self.news {
                known.insert(name, series);
            }
        }
        Ok(())
    }
}

impl MetricStore for FjallMetricStore {
    fn append(&self, points: &[NewPoint], arrived: Timestamp) -> Result<(), MetricStoreError> {
        check_names(points)?;
        let mut numbers = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writing = self.writing();
        for point in points {
            let series = writing.series(&point.series, arrived, &mut numbers);
            writing.put(series, point, &mut numbers);
        }
        writing.commit()
    }

    fn view(&self, series: &SeriesName) -> Box<dyn SeriesView> {
        Box::new(View {
            series: self.known(series),
            snapshot: self.database.snapshot(),
            points: self.points.clone(),
        })
    }

    fn replace(
        &self,
        series: &SeriesName,
        gone: &[PointPlace],
        come: &[NewPoint],
    ) -> Result<(), MetricStoreError> {
        let mut numbers = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of) = self.known(series) else {
            return Ok(());
        };
        let mut writing = self.writing();
        for place in gone {
            let key = point_key(of.number, *place);
            writing.batch.remove(&self.points, key);
        }
        for point in come {
            writing.put(of.number, point, &mut numbers);
        }
        writing.commit()
    }

    fn series(
        &self,
        prefix: &[u8],
        after: Option<&SeriesName>,
        limit: usize,
    ) -> Result<Vec<SeriesState>, MetricStoreError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Ok(known.states(prefix, after, limit, |series| series.last_arrived))
    }

    fn has(&self, series: &SeriesName) -> bool {
        self.known(series).is_some()
    }

    fn held(&self, of: Option<&SeriesName>) -> Held {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.held(of)
    }

    fn delete(&self, series: &SeriesName, limit: usize) -> Result<bool, MetricStoreError> {
        let _numbers = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of) = self.known(series) else {
            return Ok(false);
        };
        let found = self.points.prefix(of.number.to_be_bytes()).take(limit);
        let keys: Vec<UserKey> = found
            .map(Guard::key)
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let more = keys.len() == limit;
        let mut batch = self.database.batch();
        for key in keys {
            batch.remove(&self.points, key);
        }
        if !more {
            batch.remove(&self.names, series.0.clone());
        }
        batch.commit().map_err(failed)?;
        if !more {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.remove(series);
        }
        Ok(more)
    }
}

/// A series as it was when the snapshot was taken.
struct View {
    series: Option<Series>,
    snapshot: Snapshot,
    points: Keyspace,
}

impl SeriesView for View {
    fn read(&self, range: PointRange) -> Result<Vec<StoredPoint>, MetricStoreError> {
        let Some(series) = self.series.filter(|_| range.from < range.until) else {
            return Ok(Vec::new());
        };
        let bound = |at| {
            let place = PointPlace {
                resolution: range.resolution,
                at,
                sequence: 0,
            };
            point_key(series.number, place)
        };
        let bounds = bound(range.from)..bound(range.until);
        let found = self.snapshot.range(&self.points, bounds);
        found.take(range.points_max).map(decode_point).collect()
    }
}

impl fmt::Debug for FjallMetricStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallMetricStore").finish_non_exhaustive()
    }
}

fn failed(error: impl fmt::Display) -> MetricStoreError {
    MetricStoreError(error.to_string())
}

fn damaged(what: &str) -> MetricStoreError {
    MetricStoreError(format!("damaged {what}"))
}

fn point_key(series: u64, place: PointPlace) -> [u8; 26] {
    let mut key = [0; 26];
    key[..8].copy_from_slice(&series.to_be_bytes());
    key[8..10].copy_from_slice(&place.resolution.0.to_be_bytes());
    key[10..18].copy_from_slice(&sortable(place.at).to_be_bytes());
    key[18..].copy_from_slice(&place.sequence.to_be_bytes());
    key
}

/// Negative times sort before positive ones.
fn sortable(moment: Timestamp) -> u64 {
    (moment.millis() as u64) ^ (1 << 63)
}

fn moment(sortable: u64) -> Timestamp {
    Timestamp::from_millis((sortable ^ (1 << 63)) as i64)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn decode_point(guard: Guard) -> Result<StoredPoint, MetricStoreError> {
    let (key, value) = guard.into_inner().map_err(failed)?;
    let parts = || {
        let resolution = u16::from_be_bytes(key.get(8..10)?.try_into().ok()?);
        let place = PointPlace {
            resolution: Resolution(resolution),
            at: moment(number(&key, 10)?),
            sequence: number(&key, 18)?,
        };
        let value = value.to_vec();
        Some(StoredPoint { place, value })
    };
    parts().ok_or_else(|| damaged("point"))
}

fn decode_series(guard: Guard) -> Result<(SeriesName, Series), MetricStoreError> {
    let (key, value) = guard.into_inner().map_err(failed)?;
    let parts = || {
        let series = Series {
            number: number(&value, 0)?,
            last_arrived: moment(number(&value, 8)?),
        };
        Some((SeriesName(key.to_vec()), series))
    };
    parts().ok_or_else(|| damaged("series"))
}
