//! The account settings there are, their values, and what holds where nobody set one.
//!
//! Rule: API reference, PutAccountSetting; ECS developer guide, "Account settings".

use super::invalid_parameter;
use aws_types::{Arn, AwsError, Scope};

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    /// As the API names it.
    pub name: &'static str,
    /// Values that can be set.
    pub values: &'static [&'static str],
    /// What holds where nobody set it.
    pub default: &'static str,
    /// Who sets it.
    pub kind: Kind,
}

/// Who sets a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `user`.
    User,
    /// `user`, but AWS no longer lets anyone turn it off.
    LongArn,
    /// `aws_managed`: it can be read only.
    AwsManaged,
}

impl Kind {
    /// AWS's word for the `type` of a setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User | Self::LongArn => "user",
            Self::AwsManaged => "aws_managed",
        }
    }
}

/// Whether instances that register get a trunk.
pub const AWSVPC_TRUNKING: &str = "awsvpcTrunking";
/// The value of a new cluster's `containerInsights`.
pub const CONTAINER_INSIGHTS: &str = "containerInsights";
/// The `mode` of log drivers whose options name none.
pub const DEFAULT_LOG_DRIVER_MODE: &str = "defaultLogDriverMode";
/// Whether a task gets an IPv6 address where its subnet gives one.
pub const DUAL_STACK_IPV6: &str = "dualStackIPv6";
/// Whether tags given to a new resource need `ecs:TagResource`.
pub const TAG_RESOURCE_AUTHORIZATION: &str = "tagResourceAuthorization";

const SWITCH: &[&str] = &["enabled", "disabled"];

const fn user(
    name: &'static str,
    values: &'static [&'static str],
    default: &'static str,
) -> Definition {
    Definition {
        name,
        values,
        default,
        kind: Kind::User,
    }
}

const fn long_arn(name: &'static str) -> Definition {
    Definition {
        name,
        values: SWITCH,
        default: "enabled",
        kind: Kind::LongArn,
    }
}

/// Every setting, in the model's order; `dualStackIPv6` stands in its documentation only.
pub static ALL: &[Definition] = &[
    long_arn("serviceLongArnFormat"),
    long_arn("taskLongArnFormat"),
    long_arn("containerInstanceLongArnFormat"),
    user(AWSVPC_TRUNKING, SWITCH, "disabled"),
    user(
        CONTAINER_INSIGHTS,
        &["enabled", "disabled", "enhanced"],
        "disabled",
    ),
    user("fargateFIPSMode", SWITCH, "disabled"),
    user(TAG_RESOURCE_AUTHORIZATION, &["on", "off"], "on"),
    user("fargateTaskRetirementWaitPeriod", &["0", "7", "14"], "7"),
    Definition {
        name: "guardDutyActivate",
        values: &[],
        default: "off",
        kind: Kind::AwsManaged,
    },
    user(
        DEFAULT_LOG_DRIVER_MODE,
        &["blocking", "non-blocking"],
        "non-blocking",
    ),
    user("fargateEventWindows", SWITCH, "disabled"),
    // Recorded of an account that never set it.
    user(DUAL_STACK_IPV6, SWITCH, "enabled"),
];

/// The setting of this name.
///
/// # Errors
/// `InvalidParameterException`.
pub fn named(name: Option<&str>) -> Result<&'static Definition, AwsError> {
    let name = name.unwrap_or_default();
    ALL.iter().find(|known| known.name == name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|known| known.name).collect();
        invalid_parameter(format!("{name} should be one of [{}]", names.join(",")))
    })
}

/// A value that can be set.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_value(setting: &Definition, value: &str) -> Result<(), AwsError> {
    match setting.kind {
        Kind::LongArn if value == "disabled" => Err(invalid_parameter(
            "You can no longer disable Long Arn settings",
        )),
        _ if setting.values.contains(&value) => Ok(()),
        Kind::AwsManaged | Kind::User | Kind::LongArn => {
            Err(invalid_parameter("Invalid setting 'value'"))
        }
    }
}

/// The ARN of a user, a role or the root user of this account.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_principal(scope: &Scope, arn: &str) -> Result<(), AwsError> {
    let known = arn.parse::<Arn>().is_ok_and(|arn| {
        let kinds = ["user/", "role/"];
        let named = kinds.iter().any(|kind| arn.resource.starts_with(kind));
        let here = arn.partition == scope.partition && arn.account == scope.account;
        here && arn.service == "iam" && (named || arn.resource == "root")
    });
    match known {
        true => Ok(()),
        false => Err(invalid_parameter("Invalid principal ARN.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::ecs::enums;

    #[test]
    fn every_name_of_the_model_is_known() {
        let known: Vec<_> = ALL.iter().map(|setting| setting.name).collect();
        for name in enums::SETTING_NAME {
            assert!(known.contains(name), "{name}");
        }
        assert_eq!(known.len(), enums::SETTING_NAME.len() + 1, "dualStackIPv6");
    }

    #[test]
    fn defaults_can_be_set_unless_aws_manages_them() {
        for setting in ALL {
            let settable = check_value(setting, setting.default).is_ok();
            assert_eq!(settable, setting.kind != Kind::AwsManaged, "{setting:?}");
        }
    }

    #[test]
    fn each_setting_has_its_values() {
        for (name, value, refusal) in [
            ("taskLongArnFormat", "enabled", None),
            (
                "taskLongArnFormat",
                "disabled",
                Some("You can no longer disable Long Arn settings"),
            ),
            (
                "taskLongArnFormat",
                "ENABLED",
                Some("Invalid setting 'value'"),
            ),
            ("containerInsights", "enhanced", None),
            (
                "awsvpcTrunking",
                "enhanced",
                Some("Invalid setting 'value'"),
            ),
            (
                "tagResourceAuthorization",
                "enabled",
                Some("Invalid setting 'value'"),
            ),
            ("tagResourceAuthorization", "off", None),
            ("fargateTaskRetirementWaitPeriod", "14", None),
            (
                "fargateTaskRetirementWaitPeriod",
                "1",
                Some("Invalid setting 'value'"),
            ),
            ("guardDutyActivate", "on", Some("Invalid setting 'value'")),
            ("defaultLogDriverMode", "blocking", None),
        ] {
            let error = check_value(named(Some(name)).unwrap(), value).err();
            let text = error.as_ref().map(AwsError::message);
            assert_eq!(text, refusal, "{name} {value}");
        }
    }

    #[test]
    fn a_principal_is_of_this_account() {
        let scope = Scope::new("000000000000", "us-east-1");
        for (arn, accepted) in [
            ("arn:aws:iam::000000000000:root", true),
            ("arn:aws:iam::000000000000:user/team/ann", true),
            ("arn:aws:iam::000000000000:role/deploy", true),
            ("arn:aws:iam::000000000000:group/ops", false),
            ("arn:aws:iam::111111111111:root", false),
            ("arn:aws:sts::000000000000:assumed-role/deploy/x", false),
            ("ann", false),
        ] {
            assert_eq!(check_principal(&scope, arn).is_ok(), accepted, "{arn}");
        }
    }
}
