//! AWS's long waits for services, kept on the virtual clock: tasks without a health check count after
//! 40 seconds, starts that fail are held back for up to 15 minutes, a steady state is told again after
//! 6 hours.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use sim::{Load, Plan};

#[test]
fn services_wait_as_long_as_aws_says() {
    let plan = Plan {
        seed: 1,
        minutes: 20 * 60,
        load: Load::TwoServices,
        mutation: None,
    };
    let outcome = sim::run(plan).unwrap();
    assert_eq!(outcome.violation, None);
    let seen = outcome.seen;
    assert_eq!(seen.held_longest_ms, 15 * 60_000, "{seen:?}");
    let youngest = seen.counted_youngest_ms.unwrap();
    assert!((40_000..42_000).contains(&youngest), "{seen:?}");
    assert_eq!(
        seen.steady_again, 3,
        "after 6, 12 and 18 of 20 hours: {seen:?}"
    );
}
