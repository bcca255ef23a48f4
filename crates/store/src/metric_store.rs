//! Where metric samples lie: never in the World, but in a store of their own.
//!
//! The trait knows series, moments and bytes only; what a sample means, and how points of a finer
//! resolution become one of a coarser, is `telemetry`'s. All calls are synchronous and may wait for a
//! disk: they run on a thread that may wait, never in a transaction.
//!
//! Invariants: what `append` or `replace` has acknowledged is durable; `replace` is all or nothing, so
//! that no sample is counted twice or lost; points of one series and resolution come in order of time,
//! then of arrival.

use crate::key::TEXT_END;
use aws_types::Timestamp;
use std::fmt;

/// Names a series; listings keep the order of the bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName(pub Vec<u8>);

impl SeriesName {
    /// What names of one account and region begin with: their first two texts. A name without them is
    /// its own scope.
    #[must_use]
    pub fn scope(&self) -> &[u8] {
        let ends = self.0.windows(TEXT_END.len()).enumerate();
        let mut ends = ends.filter(|(_, two)| *two == TEXT_END);
        let second = ends.nth(1);
        second.map_or(&self.0, |(at, _)| &self.0[..at + TEXT_END.len()])
    }
}

/// How many series there are, and how long their names are together, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Series.
    pub series: usize,
    /// Bytes of their names.
    pub name_bytes: usize,
}

/// Longer names of series are refused: the store on disk takes no longer key.
pub const NAME_BYTES_MAX: usize = 65_535;

/// How long the period is that a point stands for, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resolution(pub u16);

/// A point to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPoint {
    /// Of which series; it need not exist yet.
    pub series: SeriesName,
    /// Of which resolution.
    pub resolution: Resolution,
    /// The start of its period.
    pub at: Timestamp,
    /// What it says.
    pub value: Vec<u8>,
}

/// The place of a point in its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointPlace {
    /// Of which resolution.
    pub resolution: Resolution,
    /// The start of its period.
    pub at: Timestamp,
    /// In order of arrival, in the whole store.
    pub sequence: u64,
}

/// A point as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPoint {
    /// Where it lies.
    pub place: PointPlace,
    /// What it says.
    pub value: Vec<u8>,
}

/// Which points to read: from the earliest on.
#[derive(Clone, Copy, Debug)]
pub struct PointRange {
    /// Of which resolution.
    pub resolution: Resolution,
    /// At this moment or after it.
    pub from: Timestamp,
    /// Before this moment.
    pub until: Timestamp,
    /// At most so many.
    pub points_max: usize,
}

/// What a store knows of a series without reading its points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesState {
    /// Its name.
    pub name: SeriesName,
    /// When points last arrived; up to [`LAST_ARRIVED_SLACK_SECONDS`] ago it may have been later.
    pub last_arrived: Timestamp,
}

/// The moment of a series' last arrival is written down no oftener than this.
pub const LAST_ARRIVED_SLACK_SECONDS: u64 = 600;

/// The store failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricStoreError(pub String);

impl fmt::Display for MetricStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metric store: {}", self.0)
    }
}

impl std::error::Error for MetricStoreError {}

/// A store of metric samples.
pub trait MetricStore: Send + Sync + fmt::Debug {
    /// Adds points; durable on return.
    ///
    /// # Errors
    /// None of them was stored, as far as any later call can tell; a name may be too long
    /// ([`NAME_BYTES_MAX`]).
    fn append(&self, points: &[NewPoint], arrived: Timestamp) -> Result<(), MetricStoreError>;

    /// A series as it is now: what is read of it is of one moment, whatever is written meanwhile. An
    /// unknown series has no points.
    fn view(&self, series: &SeriesName) -> Box<dyn SeriesView>;

    /// Points in order of time; an unknown series has none.
    ///
    /// # Errors
    /// The store cannot be read.
    fn read(
        &self,
        series: &SeriesName,
        range: PointRange,
    ) -> Result<Vec<StoredPoint>, MetricStoreError> {
        self.view(series).read(range)
    }

    /// Takes points of a series away and puts others of the same series in their place, in one.
    ///
    /// # Errors
    /// Nothing was changed, as far as any later call can tell.
    fn replace(
        &self,
        series: &SeriesName,
        gone: &[PointPlace],
        come: &[NewPoint],
    ) -> Result<(), MetricStoreError>;

    /// Series whose names start with these bytes, in order of name, after `after` (itself left out), at
    /// most `limit`.
    ///
    /// # Errors
    /// The store cannot be read.
    fn series(
        &self,
        prefix: &[u8],
        after: Option<&SeriesName>,
        limit: usize,
    ) -> Result<Vec<SeriesState>, MetricStoreError>;

    /// Whether there is such a series.
    fn has(&self, series: &SeriesName) -> bool;

    /// The series of all scopes; where a name is given, those of its scope.
    fn held(&self, of: Option<&SeriesName>) -> Held;

    /// Removes at most `limit` of a series' points, and the series when none is left. Whether more
    /// remains.
    ///
    /// # Errors
    /// The store cannot be written.
    fn delete(&self, series: &SeriesName, limit: usize) -> Result<bool, MetricStoreError>;
}

/// One series at one moment; let go of soon, since the store keeps what it shows.
pub trait SeriesView {
    /// Points in order of time.
    ///
    /// # Errors
    /// The store cannot be read.
    fn read(&self, range: PointRange) -> Result<Vec<StoredPoint>, MetricStoreError>;
}

/// Refuses names that are too long.
pub(crate) fn check_names(points: &[NewPoint]) -> Result<(), MetricStoreError> {
    let mut lengths = points.iter().map(|point| point.series.0.len());
    match lengths.find(|length| *length > NAME_BYTES_MAX) {
        Some(length) => Err(MetricStoreError(format!(
            "a series' name of {length} bytes is too long"
        ))),
        None => Ok(()),
    }
}
