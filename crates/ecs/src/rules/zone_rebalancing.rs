//! Whether a service may have its Availability Zones evened out, and whether it has unasked.
//!
//! Rule: API reference, CreateService, `availabilityZoneRebalancing`; developer guide, "Balancing an
//! Amazon ECS service across Availability Zones"; semantics 6.10.

use super::invalid_parameter;
use crate::place::strategy::Criterion;
use crate::records::service::{Controller, Scheduling, ServiceRecord};
use crate::service::launch::ZONE;
use aws_types::AwsError;

/// The value of the member.
///
/// # Errors
/// `InvalidParameterException`.
pub fn read(given: Option<&str>) -> Result<Option<bool>, AwsError> {
    match given {
        None => Ok(None),
        Some("ENABLED") => Ok(Some(true)),
        Some("DISABLED") => Ok(Some(false)),
        Some(_) => Err(invalid_parameter(
            "availabilityZoneRebalancing should be one of [ENABLED,DISABLED]",
        )),
    }
}

/// What holds for a new service: on where it can be, unless it was asked for otherwise.
///
/// # Errors
/// `InvalidParameterException` where it is asked for and cannot be.
pub fn of_new(
    service: &ServiceRecord,
    strategy: &[Criterion],
    asked: Option<bool>,
) -> Result<bool, AwsError> {
    match (asked, obstacle(service, strategy)) {
        (None, obstacle) => Ok(obstacle.is_none()),
        (Some(true), Some(obstacle)) => Err(refused(obstacle)),
        (Some(asked), _) => Ok(asked),
    }
}

/// What holds for a changed service: as before, unless it is asked for otherwise.
///
/// # Errors
/// `InvalidParameterException` where it would hold and cannot.
pub fn of_changed(
    service: &ServiceRecord,
    strategy: &[Criterion],
    asked: Option<bool>,
) -> Result<bool, AwsError> {
    let wanted = asked.unwrap_or(service.rebalances_zones);
    match obstacle(service, strategy).filter(|_| wanted) {
        Some(obstacle) => Err(refused(obstacle)),
        None => Ok(wanted),
    }
}

fn refused(obstacle: &str) -> AwsError {
    invalid_parameter(format!(
        "Availability Zone rebalancing cannot be enabled for services {obstacle}."
    ))
}

fn obstacle(service: &ServiceRecord, strategy: &[Criterion]) -> Option<&'static str> {
    if service.scheduling == Scheduling::Daemon {
        return Some("with the DAEMON scheduling strategy");
    }
    if service.controller != Controller::Ecs {
        return Some("whose deployment controller is not ECS");
    }
    if service.maximum_percent() <= 100 {
        return Some("whose maximumPercent is 100 or less");
    }
    match strategy.first() {
        None => None,
        Some(Criterion::SpreadAttribute(name)) if name == ZONE => None,
        Some(_) => Some("whose first placement strategy is not spread by Availability Zone"),
    }
}
