//! When a registry is asked again: pauses, and what it says of them in `Retry-After`.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

/// Attempts without progress between them. Rule: the ECS agent's five pull attempts.
const TRIES_MAX: u32 = 5;
/// The longest pause of our own making.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A registry that wants a longer pause has refused: a task does not wait for it.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// Whether a later attempt may be answered better.
pub(super) fn passes(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// The pause after `failed` attempts (1 or more): what the registry asks for, else `first` doubled each
/// time. `None`: no further attempt.
pub(super) fn pause(failed: u32, first: Duration, asked_for: Option<Duration>) -> Option<Duration> {
    if failed >= TRIES_MAX {
        return None;
    }
    match asked_for {
        Some(pause) => (pause <= RETRY_AFTER_MAX).then_some(pause),
        None => {
            let doublings = failed.saturating_sub(1);
            Some(first.saturating_mul(1 << doublings).min(PAUSE_MAX))
        }
    }
}

/// `Retry-After`, in seconds or as a date. Rule: RFC 9110, 10.2.3.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(1100);

    #[test]
    fn pauses_double_follow_the_registry_and_end() {
        let second = Duration::from_secs(1);
        for (failed, asked_for, expected) in [
            (1, None, Some(FIRST)),
            (2, None, Some(2 * FIRST)),
            (3, None, Some(4 * FIRST)),
            (4, None, Some(5 * second)),
            (5, None, None),
            (u32::MAX, None, None),
            (1, Some(Duration::ZERO), Some(Duration::ZERO)),
            (4, Some(30 * second), Some(30 * second)),
            (1, Some(31 * second), None),
            (5, Some(second), None),
        ] {
            assert_eq!(
                pause(failed, FIRST, asked_for),
                expected,
                "{failed} {asked_for:?}"
            );
        }
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        for (status, expected) in [
            (429, true),
            (500, true),
            (503, true),
            (404, false),
            (401, false),
            (200, false),
        ] {
            assert_eq!(
                passes(StatusCode::from_u16(status).unwrap()),
                expected,
                "{status}"
            );
        }
    }

    fn read(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().ok()?);
        // Sun, 06 Nov 1994 08:49:37 GMT
        retry_after(
            &headers,
            SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
        )
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (text, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("99999999999999999999", None),
            ("-1", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(read(text), expected.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::UNIX_EPOCH), None);
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_a_pause_longer_than_the_longest(text in "\\PC{0,40}", failed in 1u32..) {
            if let Some(pause) = pause(failed, FIRST, read(&text)) {
                proptest::prop_assert!(pause <= RETRY_AFTER_MAX);
            }
        }
    }
}
