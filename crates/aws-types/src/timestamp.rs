//! A moment in time, in milliseconds since 1970-01-01T00:00:00Z.
//!
//! AWS's JSON protocols send epoch seconds with a millisecond fraction; the codecs in `aws-wire`
//! do that conversion. Nothing here reads a clock: a moment comes in with the `Ctx`.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The epoch itself.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds since the epoch, as AWS's JSON carries them; rounded to a millisecond.
    #[must_use]
    pub fn from_seconds_f64(seconds: f64) -> Self {
        Self((seconds * 1000.0).round() as i64)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch with a millisecond fraction.
    #[must_use]
    pub fn seconds_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Time passed since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment moved forward.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// This moment moved back.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// ISO 8601 as the query protocols write it: `2024-02-12T12:44:57.431Z`.
    #[must_use]
    pub fn iso8601(self) -> String {
        let c = self.civil();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            c.year, c.month, c.day, c.hour, c.minute, c.second, c.millis
        )
    }

    /// The basic form that SigV4 uses: `20240212T124457Z`.
    #[must_use]
    pub fn sigv4(self) -> String {
        let c = self.civil();
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        )
    }

    /// Reads SigV4's basic form; `None` for anything else.
    #[must_use]
    pub fn parse_sigv4(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        if b.len() != 16 || b[8] != b'T' || b[15] != b'Z' {
            return None;
        }
        let n = |from: usize, to: usize| -> Option<i64> {
            let part = &b[from..to];
            part.iter()
                .all(u8::is_ascii_digit)
                .then(|| part.iter().fold(0, |sum, d| sum * 10 + i64::from(d - b'0')))
        };
        let (year, month, day) = (n(0, 4)?, n(4, 6)?, n(6, 8)?);
        let (hour, minute, second) = (n(9, 11)?, n(11, 13)?, n(13, 15)?);
        if !(1..=12).contains(&month)
            || !(1..=31).contains(&day)
            || hour > 23
            || minute > 59
            || second > 60
        {
            return None;
        }
        let days = days_from_civil(year, month, day);
        Some(Self(
            (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000,
        ))
    }

    /// Reads a date as HTTP writes it, `Mon, 12 Feb 2024 12:44:57 GMT`; `None` for anything else.
    /// Rule: RFC 9110, section 5.6.7 (IMF-fixdate); botocore writes `-0000` in place of `GMT`.
    #[must_use]
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let (weekday, rest) = text.split_once(", ")?;
        let rest = [" GMT", " -0000", " +0000"]
            .iter()
            .find_map(|zone| rest.strip_suffix(zone))?;
        let b = rest.as_bytes();
        if weekday.len() != 3 || b.len() != 20 || !rest.is_ascii() {
            return None;
        }
        let separated =
            [2, 6, 11].iter().all(|at| b[*at] == b' ') && b[14] == b':' && b[17] == b':';
        let month = MONTHS.iter().position(|month| *month == &rest[3..6])? + 1;
        let basic = format!(
            "{}{month:02}{}T{}{}{}Z",
            &rest[7..11],
            &rest[..2],
            &rest[12..14],
            &rest[15..17],
            &rest[18..20]
        );
        separated.then(|| Self::parse_sigv4(&basic)).flatten()
    }

    /// As HTTP writes a date: `Mon, 12 Feb 2024 12:44:57 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        let c = self.civil();
        let weekday = (self.0.div_euclid(86_400_000) + 4).rem_euclid(7);
        format!(
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
            WEEKDAYS[weekday as usize],
            c.day,
            MONTHS[(c.month - 1) as usize],
            c.year,
            c.hour,
            c.minute,
            c.second
        )
    }

    /// The date and time of day in UTC.
    #[must_use]
    pub fn civil(self) -> Civil {
        let days = self.0.div_euclid(86_400_000);
        let rest = self.0.rem_euclid(86_400_000);
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month,
            day,
            hour: rest / 3_600_000,
            minute: rest / 60_000 % 60,
            second: rest / 1000 % 60,
            millis: rest % 1000,
        }
    }
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// From Sunday on; the epoch was a Thursday.
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// A date and time of day in UTC, each field as a person writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year, e.g. 2024.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// 0 to 999.
    pub millis: i64,
}

/// Days since 1970-01-01 of a proleptic Gregorian date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_those_of_aws() {
        let t = Timestamp::from_millis(1_707_741_897_431);
        assert_eq!(t.iso8601(), "2024-02-12T12:44:57.431Z");
        assert_eq!(t.sigv4(), "20240212T124457Z");
        assert_eq!(t.http_date(), "Mon, 12 Feb 2024 12:44:57 GMT");
        assert_eq!(Timestamp::EPOCH.iso8601(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn dates_of_http_are_read_in_each_way_of_writing_utc() {
        let t = Timestamp::from_millis(1_707_741_897_000);
        for zone in ["GMT", "-0000", "+0000"] {
            let text = format!("Mon, 12 Feb 2024 12:44:57 {zone}");
            assert_eq!(Timestamp::parse_http_date(&text), Some(t), "{text}");
        }
        for text in [
            "Mon, 12 Feb 2024 12:44:57 PST",
            "Mon, 12 Foo 2024 12:44:57 GMT",
            "Mon, 12 Feb 2024 12-44-57 GMT",
            "12 Feb 2024 12:44:57 GMT",
        ] {
            assert_eq!(Timestamp::parse_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_malformed_sigv4_date_is_refused() {
        for text in [
            "",
            "20240212T124457",
            "2024-02-12T12:44:57Z",
            "20241312T124457Z",
            "2024021xT124457Z",
        ] {
            assert_eq!(Timestamp::parse_sigv4(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn sigv4_form_reads_back(seconds in 0i64..253_402_300_799) {
            let t = Timestamp::from_millis(seconds * 1000);
            prop_assert_eq!(Timestamp::parse_sigv4(&t.sigv4()), Some(t));
            prop_assert_eq!(Timestamp::parse_http_date(&t.http_date()), Some(t));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "(Mon, )?.{0,26}( GMT)?") {
            let _ = Timestamp::parse_sigv4(&text);
            let _ = Timestamp::parse_http_date(&text);
        }
    }
}
