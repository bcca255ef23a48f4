//! The deployment circuit breaker: how many failed tasks one after another end a deployment.
//!
//! Rule: semantics 6.5; API reference, DeploymentCircuitBreaker and ThresholdConfiguration.

use crate::records::service::ServiceRecord;
use aws_api::ecs::DeploymentCircuitBreaker;

/// Developer guide, "deployment circuit breaker": half of the desired count, at least 3, at most 200.
const PERCENT_DEFAULT: u32 = 50;
const BOUNDS: (u32, u32) = (3, 200);

fn given(service: &ServiceRecord) -> Option<&DeploymentCircuitBreaker> {
    service.configuration.deployment_circuit_breaker.as_ref()
}

/// Whether failures end a deployment of this service.
#[must_use]
pub fn is_enabled(service: &ServiceRecord) -> bool {
    given(service).is_some_and(|breaker| breaker.enable.unwrap_or(false))
}

/// Whether a deployment that it ended is rolled back.
#[must_use]
pub fn rolls_back(service: &ServiceRecord) -> bool {
    given(service).is_some_and(|breaker| breaker.rollback.unwrap_or(false))
}

/// Whether a healthy task takes the failures back. API reference: the default is true.
#[must_use]
pub fn resets_on_healthy_task(service: &ServiceRecord) -> bool {
    given(service).is_none_or(|breaker| breaker.reset_on_healthy_task.unwrap_or(true))
}

/// Failures that end a deployment, of the service's desired count now.
#[must_use]
pub fn threshold(service: &ServiceRecord) -> u32 {
    let configuration = given(service).and_then(|breaker| breaker.threshold_configuration.as_ref());
    let Some(configuration) = configuration else {
        return bounded(share(service.desired, PERCENT_DEFAULT));
    };
    let value = u32::try_from(configuration.value.unwrap_or(0)).unwrap_or(0);
    match configuration.r#type.as_deref() {
        Some("COUNT") => value.max(1),
        Some("UNBOUNDED_PERCENT") => share(service.desired, value).max(1),
        _ => bounded(share(service.desired, value)),
    }
}

fn share(desired: u32, percent: u32) -> u32 {
    let share = (u64::from(desired) * u64::from(percent)).div_ceil(100);
    u32::try_from(share).unwrap_or(u32::MAX)
}

fn bounded(failures: u32) -> u32 {
    failures.clamp(BOUNDS.0, BOUNDS.1)
}
