//! `cron(minutes hours day-of-month month day-of-week year)`.

use super::days::{Day, Days};
use super::field::Domain;
use aws_types::Timestamp;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

const MINUTES: Domain = Domain {
    min: 0,
    max: 59,
    names: &[],
};
const HOURS: Domain = Domain {
    min: 0,
    max: 23,
    names: &[],
};
const MONTHS: Domain = Domain {
    min: 1,
    max: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
};
const YEARS: Domain = Domain {
    min: 1970,
    max: 2199,
    names: &[],
};

/// The minutes that a cron expression names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Vec<u32>,
    hours: Vec<u32>,
    days: Days,
    months: Vec<u32>,
    years: Vec<u32>,
}

impl Cron {
    /// Reads the six fields; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields.as_slice() else {
            return None;
        };
        Some(Self {
            minutes: MINUTES.set(minutes)?,
            hours: HOURS.set(hours)?,
            days: Days::parse(of_month, of_week)?,
            months: MONTHS.set(months)?,
            years: YEARS.set(years)?,
        })
    }

    /// The first such minute after this moment. Goes day by day, to the last year there is: some
    /// 84,000 steps at most, for a day that never comes.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let first = (after.millis().div_euclid(MINUTE_MS) + 1) * MINUTE_MS;
        let mut midnight = first.div_euclid(DAY_MS) * DAY_MS;
        let last_year = i64::from(*self.years.last()?);
        loop {
            let (day, month, year) = day(midnight);
            if year > last_year {
                return None;
            }
            let is_named = self.years.iter().any(|named| i64::from(*named) == year)
                && self.months.contains(&month)
                && self.days.contain(day);
            if is_named && let Some(found) = self.on_day(midnight, first) {
                return Some(found);
            }
            midnight += DAY_MS;
        }
    }

    /// The first minute of this day that is not before `first`.
    fn on_day(&self, midnight: i64, first: i64) -> Option<Timestamp> {
        let minutes = self.hours.iter().flat_map(|hour| {
            let hour = midnight + i64::from(*hour) * HOUR_MS;
            let minutes = self.minutes.iter();
            minutes.map(move |minute| hour + i64::from(*minute) * MINUTE_MS)
        });
        let mut left = minutes.skip_while(|moment| *moment < first);
        left.next().map(Timestamp::from_millis)
    }
}

/// The day that begins at this midnight, its month and its year.
fn day(midnight: i64) -> (Day, u32, i64) {
    let civil = Timestamp::from_millis(midnight).civil();
    let small = |number: i64| u32::try_from(number).unwrap_or_default();
    // The epoch was a Thursday.
    let of_week = (midnight.div_euclid(DAY_MS) + 4).rem_euclid(7) + 1;
    let day = Day {
        of_month: small(civil.day),
        of_week: small(of_week),
        month_len: month_len(civil.year, civil.month),
    };
    (day, small(civil.month), civil.year)
}

fn month_len(year: i64, month: i64) -> u32 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
