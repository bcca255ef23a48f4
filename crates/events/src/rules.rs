//! Limits and wording that several operations share.
//!
//! Source: EventBridge API reference and quotas; texts as recorded from AWS. Lengths and patterns of
//! members are checked before, from the model.

use crate::records::{BUS, RULES, RuleKey, RuleRecord};
use aws_api::events::{Tag, errors};
use aws_types::{Arn, AwsError, Ctx, ErrorCode, Scope};
use iam::Ask;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::World;

/// Rules of a bus. Quotas: 300 in most regions.
pub const RULES_MAX: usize = 300;
/// Targets of a rule.
pub const TARGETS_MAX: usize = 5;
/// Tags of a rule.
const TAGS_MAX: usize = 50;

const VALIDATION: ErrorCode = ErrorCode::sender("ValidationException", 400);

/// `ValidationException`.
#[must_use]
pub fn invalid(message: impl Into<String>) -> AwsError {
    VALIDATION.with(message)
}

/// A parameter that is not valid, with the reason.
#[must_use]
pub fn not_valid(parameter: &str, reason: &str) -> AwsError {
    invalid(format!(
        "Parameter {parameter} is not valid. Reason: {reason}"
    ))
}

/// `LimitExceededException`.
#[must_use]
pub fn limit_exceeded() -> AwsError {
    errors::LIMIT_EXCEEDED_EXCEPTION
        .with("The requested resource exceeds the maximum number allowed.")
}

/// The bus that a request names must be the one there is, by name or ARN.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn check_bus(scope: &Scope, given: Option<&str>) -> Result<(), AwsError> {
    let Some(given) = given else { return Ok(()) };
    match given == BUS || given == bus_arn(scope) {
        true => Ok(()),
        false => {
            let name = given.rsplit('/').next().unwrap_or(given);
            Err(errors::RESOURCE_NOT_FOUND_EXCEPTION
                .with(format!("Event bus {name} does not exist.")))
        }
    }
}

/// `arn:PARTITION:events:REGION:ACCOUNT:event-bus/default`.
#[must_use]
pub fn bus_arn(scope: &Scope) -> String {
    scope.arn("events", &format!("event-bus/{BUS}")).to_string()
}

/// The rule of this name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn rule<'w>(world: &'w World, key: &RuleKey) -> Result<&'w Arc<RuleRecord>, AwsError> {
    world.get(&RULES, key).ok_or_else(|| {
        errors::RESOURCE_NOT_FOUND_EXCEPTION.with(format!(
            "Rule {} does not exist on EventBus {BUS}.",
            key.name
        ))
    })
}

/// The rule that an ARN names.
///
/// # Errors
/// `ValidationException`, `ResourceNotFoundException`.
pub fn rule_of_arn(world: &World, scope: &Scope, arn: &str) -> Result<RuleKey, AwsError> {
    let wrong = || not_valid(arn, "Provided Arn is not in correct format.");
    let parsed: Arn = arn.parse().map_err(|_| wrong())?;
    let name = parsed.resource.strip_prefix("rule/").ok_or_else(wrong)?;
    let name = name.strip_prefix("default/").unwrap_or(name);
    let key = RuleKey::new(scope, name);
    rule(world, &key)?;
    Ok(key)
}

/// Tags with those given put over them.
///
/// # Errors
/// `ValidationException`, `LimitExceededException`.
pub fn tagged(
    mut tags: BTreeMap<String, String>,
    given: &[Tag],
) -> Result<BTreeMap<String, String>, AwsError> {
    for tag in given {
        let key = tag.key.clone().unwrap_or_default();
        if key
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
        {
            return Err(not_valid("Tags", "Tag keys cannot start with aws:."));
        }
        tags.insert(key, tag.value.clone().unwrap_or_default());
    }
    match tags.len() <= TAGS_MAX {
        true => Ok(tags),
        false => Err(limit_exceeded()),
    }
}

/// The question whether the caller may do `action` to a rule.
#[must_use]
pub fn ask_rule(ctx: &Ctx, action: &str, name: Option<&str>) -> Vec<Ask> {
    let rule = RuleKey::new(&ctx.scope, name.unwrap_or_default());
    vec![Ask::new(format!("events:{action}"), rule.arn())]
}

/// The question whether the caller may do `action` to the bus.
#[must_use]
pub fn ask_bus(ctx: &Ctx, action: &str) -> Vec<Ask> {
    vec![Ask::new(format!("events:{action}"), bus_arn(&ctx.scope))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_bus_by_name_and_by_arn() {
        let scope = Scope::new("000000000000", "us-east-1");
        for (given, is_there) in [
            (None, true),
            (Some("default"), true),
            (
                Some("arn:aws:events:us-east-1:000000000000:event-bus/default"),
                true,
            ),
            (
                Some("arn:aws:events:eu-west-1:000000000000:event-bus/default"),
                false,
            ),
            (Some("orders"), false),
        ] {
            assert_eq!(check_bus(&scope, given).is_ok(), is_there, "{given:?}");
        }
        let error = check_bus(&scope, Some("orders")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ResourceNotFoundException: Event bus orders does not exist."
        );
    }
}
