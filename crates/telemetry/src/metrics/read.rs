//! What was measured of a metric in a stretch of time, period by period.

use super::name::MetricName;
use super::point::{RESOLUTIONS, decode};
use super::put::TOO_NEW;
use super::rollup::KEPT;
use super::samples::Samples;
use aws_types::Timestamp;
use std::collections::BTreeMap;
use store::{MetricStore, MetricStoreError, PointRange, Resolution, SeriesView};

/// Points read from the store at once.
const PAGE: usize = 4_096;

/// Periods side by side, the first of which begins at `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The start of the first.
    pub from: Timestamp,
    /// The end of the last; what comes then is left out.
    pub until: Timestamp,
    /// The length of each, seconds.
    pub period: i32,
}

impl Window {
    fn period_millis(self) -> i64 {
        i64::from(self.period) * 1_000
    }

    /// The start of the period in which a moment of the window lies.
    #[must_use]
    pub fn slot(self, at: Timestamp) -> Timestamp {
        let since = at.millis().saturating_sub(self.from.millis());
        let period = self.period_millis();
        Timestamp::from_millis(self.from.millis() + since.div_euclid(period) * period)
    }

    /// How many periods it has; one that is cut short counts.
    #[must_use]
    pub fn periods(self) -> i64 {
        let millis = self
            .until
            .millis()
            .saturating_sub(self.from.millis())
            .max(0);
        let period = self.period_millis();
        millis.div_euclid(period) + i64::from(millis.rem_euclid(period) > 0)
    }

    /// What of a stretch of time there can be samples of: nothing is kept longer than [`KEPT`], nor put
    /// further ahead than two hours.
    #[must_use]
    pub fn kept(from: Timestamp, until: Timestamp, now: Timestamp) -> (Timestamp, Timestamp) {
        let (first, last) = (now.minus(KEPT), now.plus(TOO_NEW));
        (from.clamp(first, last), until.clamp(first, last))
    }

    /// Rule: API reference, GetMetricStatistics, `StartTime`: rounded down to what is kept of that age;
    /// below a minute to the period.
    #[must_use]
    pub fn rounded(from: Timestamp, until: Timestamp, period: i32, now: Timestamp) -> Self {
        const DAY_SECONDS: u64 = 24 * 60 * 60;
        let age = now.since(from).as_secs();
        let step = match period {
            1..60 => i64::from(period),
            _ if age > 63 * DAY_SECONDS => 3_600,
            _ if age > 15 * DAY_SECONDS => 300,
            _ => 60,
        };
        Self {
            from: super::point::start_of(from, step * 1_000),
            until,
            period,
        }
    }
}

/// Samples by start of period, then by unit. Points that stand for more than a period are left out: they
/// cannot be parted.
///
/// # Errors
/// The store cannot be read.
pub fn read(
    store: &dyn MetricStore,
    metric: &MetricName,
    window: Window,
) -> Result<BTreeMap<(Timestamp, String), Samples>, MetricStoreError> {
    // Of one moment: else what becomes a minute meanwhile is seen twice, or not at all.
    let view = store.view(&metric.series());
    let mut found = BTreeMap::new();
    let fits = |resolution: &&Resolution| i32::from(resolution.0) <= window.period;
    for resolution in RESOLUTIONS.iter().filter(fits) {
        add(&*view, *resolution, window, &mut found)?;
    }
    Ok(found)
}

fn add(
    view: &dyn SeriesView,
    resolution: Resolution,
    window: Window,
    found: &mut BTreeMap<(Timestamp, String), Samples>,
) -> Result<(), MetricStoreError> {
    let mut range = PointRange {
        resolution,
        from: window.from,
        until: window.until,
        points_max: PAGE,
    };
    loop {
        let mut points = view.read(range)?;
        let is_last = points.len() < range.points_max;
        if !is_last {
            // The moment at which the page ends may go on: it is read again, whole.
            let end = points[points.len() - 1].place.at;
            let whole = points.iter().position(|point| point.place.at == end);
            match whole.filter(|whole| *whole > 0) {
                Some(whole) => points.truncate(whole),
                // A page of one moment alone: a longer one is needed.
                None => {
                    range.points_max *= 2;
                    continue;
                }
            }
            range.from = end;
        }
        for point in points {
            let Some((unit, samples)) = decode(&point.value) else {
                continue;
            };
            let key = (window.slot(point.place.at), unit);
            let both = match found.remove(&key) {
                Some(before) => Samples::and(before, &samples),
                None => samples,
            };
            found.insert(key, both);
        }
        if is_last {
            return Ok(());
        }
        range.points_max = PAGE;
    }
}
