//! What a task set may ask for. Rule: API reference, CreateTaskSet, Scale.

use super::invalid_parameter;
use crate::records::service::Controller;
use aws_api::ecs::Scale;
use aws_types::AwsError;

/// API reference, Scale, `value`: percent.
const SCALE_MAX: f64 = 100.0;

/// `scale` in hundredths of a percent; none is 0.
///
/// # Errors
/// `InvalidParameterException`.
pub fn scale(given: Option<&Scale>) -> Result<u32, AwsError> {
    let Some(given) = given else { return Ok(0) };
    if given.unit.as_deref().is_some_and(|unit| unit != "PERCENT") {
        return Err(invalid_parameter("scale unit should be one of [PERCENT]"));
    }
    let value = given.value.unwrap_or(0.0);
    match (0.0..=SCALE_MAX).contains(&value) {
        // In range, so that nothing is cut off.
        true => Ok((value * 100.0).round() as u32),
        false => Err(invalid_parameter("scale value must be between 0 and 100.")),
    }
}

/// Only services whose controller is not ECS have task sets.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_controller(controller: Controller) -> Result<(), AwsError> {
    match controller.has_task_sets() {
        true => Ok(()),
        false => Err(invalid_parameter(
            "Task sets can only be used by services with an EXTERNAL or CODE_DEPLOY deployment \
             controller.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_0_to_100_percent() {
        let of = |value: f64, unit: Option<&str>| Scale {
            value: Some(value),
            unit: unit.map(Into::into),
        };
        assert_eq!(scale(None).ok(), Some(0));
        for (given, expected) in [
            (of(0.0, None), Some(0)),
            (of(50.0, Some("PERCENT")), Some(5_000)),
            (of(33.33, Some("PERCENT")), Some(3_333)),
            (of(100.0, None), Some(10_000)),
            (of(100.01, None), None),
            (of(-1.0, None), None),
            (of(f64::NAN, None), None),
            (of(1.0, Some("COUNT")), None),
        ] {
            assert_eq!(scale(Some(&given)).ok(), expected, "{given:?}");
        }
    }
}
