//! Which days a cron expression names: by day of the month or by day of the week, never by both.

use super::field::{Domain, number};

const OF_MONTH: Domain = Domain {
    min: 1,
    max: 31,
    names: &[],
};
const OF_WEEK: Domain = Domain {
    min: 1,
    max: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};
const SUNDAY: u32 = 1;
const SATURDAY: u32 = 7;

/// A day in its month.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    /// From 1 on.
    pub of_month: u32,
    /// 1 (Sunday) to 7.
    pub of_week: u32,
    /// Days that the month has.
    pub month_len: u32,
}

/// The two fields together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Days {
    OfMonth(Vec<DayOfMonth>),
    OfWeek(Vec<DayOfWeek>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DayOfMonth {
    Any(Vec<u32>),
    /// `L`.
    Last,
    /// `3W`: the weekday nearest to the 3rd, within the month.
    Weekday(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DayOfWeek {
    Any(Vec<u32>),
    /// `5L`: the last Thursday.
    Last(u32),
    /// `3#2`: the second Tuesday.
    Nth(u32, u32),
}

impl Days {
    /// Reads both fields; one of them, and only one, is `?`.
    pub(super) fn parse(of_month: &str, of_week: &str) -> Option<Self> {
        match (of_month, of_week) {
            ("?", "?") => None,
            (of_month, "?") => {
                let items: Option<_> = of_month.split(',').map(DayOfMonth::parse).collect();
                items.map(Self::OfMonth)
            }
            ("?", of_week) => {
                let items: Option<_> = of_week.split(',').map(DayOfWeek::parse).collect();
                items.map(Self::OfWeek)
            }
            _ => None,
        }
    }

    pub(super) fn contain(&self, day: Day) -> bool {
        match self {
            Self::OfMonth(items) => items.iter().any(|item| item.contains(day)),
            Self::OfWeek(items) => items.iter().any(|item| item.contains(day)),
        }
    }
}

impl DayOfMonth {
    fn parse(text: &str) -> Option<Self> {
        if text == "L" {
            return Some(Self::Last);
        }
        match text.strip_suffix('W') {
            Some(day) => OF_MONTH.one(day).map(Self::Weekday),
            None => OF_MONTH.item(text).map(Self::Any),
        }
    }

    fn contains(&self, day: Day) -> bool {
        match self {
            Self::Any(days) => days.contains(&day.of_month),
            Self::Last => day.of_month == day.month_len,
            Self::Weekday(wanted) => nearest_weekday(*wanted, day) == Some(day.of_month),
        }
    }
}

/// The weekday nearest to a day of this day's month; `None` where the month has no such day.
fn nearest_weekday(wanted: u32, day: Day) -> Option<u32> {
    if wanted > day.month_len {
        return None;
    }
    // The weekday of `wanted`, from the one of `day`; both are at most 31 days apart.
    let of_week = (day.of_week + 34 + wanted - day.of_month) % 7 + 1;
    Some(match of_week {
        SATURDAY if wanted == 1 => 3,
        SATURDAY => wanted - 1,
        SUNDAY if wanted == day.month_len => wanted - 2,
        SUNDAY => wanted + 1,
        _ => wanted,
    })
}

impl DayOfWeek {
    fn parse(text: &str) -> Option<Self> {
        if text == "L" {
            return Some(Self::Any(vec![SATURDAY]));
        }
        if let Some((day, nth)) = text.split_once('#') {
            let nth = number(nth).filter(|nth| (1..=5).contains(nth))?;
            return Some(Self::Nth(OF_WEEK.one(day)?, nth));
        }
        match text.strip_suffix('L').and_then(|day| OF_WEEK.one(day)) {
            Some(day) => Some(Self::Last(day)),
            None => OF_WEEK.item(text).map(Self::Any),
        }
    }

    fn contains(&self, day: Day) -> bool {
        match self {
            Self::Any(days) => days.contains(&day.of_week),
            Self::Last(wanted) => *wanted == day.of_week && day.of_month + 7 > day.month_len,
            Self::Nth(wanted, nth) => *wanted == day.of_week && day.of_month.div_ceil(7) == *nth,
        }
    }
}
