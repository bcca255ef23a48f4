//! How few and how many tasks a service may have while it changes.
//!
//! Rule: API reference, DeploymentConfiguration: the minimum is rounded up, the maximum down.

use crate::records::service::ServiceRecord;

/// The bounds for a desired count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Healthy tasks are not stopped below this.
    pub lower: u32,
    /// No task is started above this.
    pub upper: u32,
}

impl Limits {
    /// The bounds of this service for this desired count.
    #[must_use]
    pub fn of(service: &ServiceRecord, desired: u32) -> Self {
        Self::new(
            desired,
            service.minimum_healthy_percent(),
            service.maximum_percent(),
        )
    }

    /// The bounds of a desired count and two percentages.
    #[must_use]
    pub fn new(desired: u32, minimum_healthy_percent: u32, maximum_percent: u32) -> Self {
        let lower = (u64::from(desired) * u64::from(minimum_healthy_percent)).div_ceil(100);
        let upper = u64::from(desired) * u64::from(maximum_percent) / 100;
        let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            lower: narrow(lower),
            upper: narrow(upper),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_rounds_up_and_the_maximum_down() {
        for (desired, minimum, maximum, lower, upper) in [
            (4, 50, 200, 2, 8),
            (1, 50, 100, 1, 1),
            (3, 50, 150, 2, 4),
            (1, 100, 200, 1, 2),
            (0, 100, 200, 0, 0),
            (7, 0, 125, 0, 8),
        ] {
            assert_eq!(
                Limits::new(desired, minimum, maximum),
                Limits { lower, upper },
                "{desired} {minimum} {maximum}"
            );
        }
    }
}
