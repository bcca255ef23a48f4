//! When a rule fires by itself: `rate(5 minutes)` or `cron(0 12 * * ? *)`, in UTC, to the minute.
//!
//! Rule: EventBridge user guide, "Creating rules that run on a schedule".

mod cron;
mod days;
mod field;

use aws_types::Timestamp;
use cron::Cron;
use std::time::Duration;

/// A parsed `ScheduleExpression`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Each time so much time has passed since the rule was put or enabled.
    Rate(Duration),
    /// At the minutes that the six fields name.
    Cron(Box<Cron>),
}

impl Schedule {
    /// Reads an expression; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inner = |name: &str| {
            text.strip_prefix(name)?
                .strip_prefix('(')?
                .strip_suffix(')')
        };
        match (inner("rate"), inner("cron")) {
            (Some(rate), None) => period(rate).map(Self::Rate),
            (None, Some(fields)) => Cron::parse(fields).map(|cron| Self::Cron(Box::new(cron))),
            _ => None,
        }
    }

    /// The first moment after `after` at which it fires; `None` when there is none any more.
    /// A rate counts from `anchor`.
    #[must_use]
    pub fn next(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(cron) => cron.next(after),
            Self::Rate(period) => {
                let period = i64::try_from(period.as_millis()).ok()?;
                let passed = after.millis().checked_sub(anchor.millis())?;
                let count = passed.div_euclid(period).max(0).checked_add(1)?;
                let ahead = count.checked_mul(period)?;
                anchor
                    .millis()
                    .checked_add(ahead)
                    .map(Timestamp::from_millis)
            }
        }
    }
}

/// `1 minute`, `5 minutes`: the unit is singular for 1, and for 1 alone.
fn period(text: &str) -> Option<Duration> {
    let (count, unit) = text.split_once(' ')?;
    let count: u64 = count
        .bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| count.parse().ok())??;
    let seconds = match (count, unit) {
        (0, _) => return None,
        (1, "minute") | (2.., "minutes") => 60,
        (1, "hour") | (2.., "hours") => 60 * 60,
        (1, "day") | (2.., "days") => 24 * 60 * 60,
        _ => return None,
    };
    // Further than that no rule is kept; the product stays far from the type's end.
    (count <= 1_000_000).then(|| Duration::from_secs(count * seconds))
}

#[cfg(test)]
mod tests;
