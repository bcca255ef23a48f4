//! The values that are more than texts: versions and moments.

use aws_types::Timestamp;

/// The parts of a version; letters and what follows a `-` or `+` do not count.
pub(super) fn version(text: &str) -> Option<Vec<u64>> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers = text.split(['-', '+']).next()?;
    let mut parts: Vec<u64> = numbers
        .split('.')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    // 1.2 and 1.2.0 are the same version.
    while parts.last() == Some(&0) {
        parts.pop();
    }
    Some(parts)
}

/// `2018-06-18`, `2018-06-18T22:28:28`, and the latter with `Z` or an offset such as `+00:00`.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let (clock, offset_minutes) = match time.find(['Z', '+', '-']) {
        None => (time, 0),
        Some(at) => (&time[..at], offset(&time[at..])?),
    };
    let date = numbers(date, '-', &[4, 2, 2])?;
    let clock = numbers(clock, ':', &[2, 2, 2])?;
    let basic = format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        date[0], date[1], date[2], clock[0], clock[1], clock[2]
    );
    let local = Timestamp::parse_sigv4(&basic)?;
    Some(Timestamp::from_millis(
        local.millis() - offset_minutes * 60_000,
    ))
}

fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let parts = numbers(&text[1..], ':', &[2, 2])?;
    Some(sign * (i64::from(parts[0]) * 60 + i64::from(parts[1])))
}

/// Numbers of exactly these many digits.
fn numbers(text: &str, by: char, digits: &[usize]) -> Option<Vec<u32>> {
    let parts: Vec<&str> = text.split(by).collect();
    let fits = |(part, len): (&&str, &usize)| {
        part.len() == *len && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let all = parts.len() == digits.len() && parts.iter().zip(digits).all(fits);
    all.then(|| parts.iter().map(|part| part.parse().ok()).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_four_forms() {
        for (text, expected) in [
            ("1970-01-02", Some(86_400_000)),
            ("1970-01-01T00:00:01", Some(1000)),
            ("1970-01-01T00:00:01Z", Some(1000)),
            ("1970-01-01T01:00:01+01:00", Some(1000)),
            ("1969-12-31T23:00:01-01:00", Some(1000)),
            ("1970-1-2", None),
            ("yesterday", None),
            ("1970-01-01T25:00:00", None),
            ("1970-01-01T00:00:01+é", None),
        ] {
            assert_eq!(moment(text).map(Timestamp::millis), expected, "{text}");
        }
    }

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(version("1.9.0") < version("1.10.0"));
        assert_eq!(version("v1.2"), version("1.2.0-rc1"));
        assert_eq!(version("new"), None);
    }
}
