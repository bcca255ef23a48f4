//! When a ROLLING deployment counts as successful before it is whole.
//!
//! Rule: semantics 6.5; API reference, DeploymentEarlySuccessCriteria: a share of the desired count
//! is healthy and, unless their end may come later, the tasks before it are gone.

use super::facts::Facts;
use super::side_by_side;
use crate::records::service::Deployment;

/// Whether the criteria are asked for and met.
#[must_use]
pub fn is_met(facts: &Facts<'_>, primary: &Deployment, desired: u32) -> bool {
    let Some(criteria) = &facts.configuration.early_success_criteria else {
        return false;
    };
    if !criteria.enable.unwrap_or(false) {
        return false;
    }
    let percent = u64::try_from(criteria.healthy_percent.unwrap_or(100)).unwrap_or(0);
    let needed = (u64::from(desired) * percent).div_ceil(100);
    let is_deferred = criteria.source_service_revision_cleanup.as_deref() == Some("DEFERRED");
    let mut members = facts.members.iter();
    let mut is_alone = || members.all(|member| member.of == primary.number);
    side_by_side::healthy(facts, primary) as u64 >= needed && (is_deferred || is_alone())
}
