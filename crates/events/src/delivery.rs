//! When a delivery is tried again, and when it is given up.
//!
//! Rule: EventBridge user guide, "Retrying event delivery": exponential backoff with jitter, 185 tries
//! and 24 hours unless the target says otherwise.

use crate::records::DeliveryRecord;
use aws_api::events::RetryPolicy;
use aws_types::Timestamp;
use std::time::Duration;

const RETRIES: u32 = 185;
const AGE_SECONDS: u64 = 86_400;
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(600);

/// What follows from a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is tried again then.
    At(Timestamp),
    /// It was tried as often as the target allows.
    TooOften,
    /// The event is older than the target allows.
    TooOld,
}

/// What follows from one more failed try. `random` spreads tries over half of the wait.
#[must_use]
pub fn after_failure(
    delivery: &DeliveryRecord,
    policy: Option<&RetryPolicy>,
    now: Timestamp,
    random: u64,
) -> Next {
    let retries = policy
        .and_then(|policy| policy.maximum_retry_attempts)
        .and_then(|retries| u32::try_from(retries).ok())
        .unwrap_or(RETRIES);
    if delivery.failures >= retries {
        return Next::TooOften;
    }
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(delivery.failures).unwrap_or(u32::MAX));
    let wait = doubled.min(LONGEST);
    let half = wait / 2;
    let jitter = half.mul_f64((random % 1_000) as f64 / 1_000.0);
    let at = now.plus(half + jitter);
    match is_too_old(delivery, policy, at) {
        true => Next::TooOld,
        false => Next::At(at),
    }
}

/// Whether the event is older than the target allows.
#[must_use]
pub fn is_too_old(delivery: &DeliveryRecord, policy: Option<&RetryPolicy>, at: Timestamp) -> bool {
    let seconds = policy
        .and_then(|policy| policy.maximum_event_age_in_seconds)
        .and_then(|seconds| u64::try_from(seconds).ok())
        .unwrap_or(AGE_SECONDS);
    at > delivery.key.at.plus(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{DeliveryKey, RuleKey, TargetKey};
    use aws_types::Scope;
    use proptest::prelude::*;

    fn delivery(failures: u32, at: i64) -> DeliveryRecord {
        DeliveryRecord {
            key: DeliveryKey {
                target: TargetKey {
                    rule: RuleKey::new(&Scope::new("000000000000", "us-east-1"), "r"),
                    id: "t".into(),
                },
                at: Timestamp::from_millis(at),
                event: "e".into(),
            },
            input: "{}".into(),
            failures,
            due: Timestamp::from_millis(at),
        }
    }

    fn policy(retries: i32, age: i32) -> RetryPolicy {
        RetryPolicy {
            maximum_retry_attempts: Some(retries),
            maximum_event_age_in_seconds: Some(age),
        }
    }

    #[test]
    fn a_delivery_is_given_up_by_count_and_by_age() {
        let now = Timestamp::from_millis(1_000_000);
        let young = delivery(3, 1_000_000);
        assert_eq!(
            after_failure(&young, Some(&policy(3, 60)), now, 0),
            Next::TooOften
        );
        assert!(matches!(
            after_failure(&young, Some(&policy(4, 60)), now, 0),
            Next::At(_)
        ));
        let old = delivery(0, 1_000_000 - 60_000);
        assert_eq!(
            after_failure(&old, Some(&policy(9, 60)), now, 0),
            Next::TooOld
        );
        assert_eq!(
            after_failure(&delivery(185, 1_000_000), None, now, 0),
            Next::TooOften
        );
    }

    proptest! {
        #[test]
        fn waits_double_up_to_ten_minutes(failures in 0u32..185, random: u64) {
            let now = Timestamp::from_millis(5_000);
            let Next::At(at) = after_failure(&delivery(failures, 5_000), None, now, random) else {
                return Err(TestCaseError::fail("given up"));
            };
            let wait = at.since(now);
            let full = Duration::from_secs(1 << failures.min(20)).min(Duration::from_secs(600));
            prop_assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
        }
    }
}
