//! Which value of an account setting holds for whom: the principal's own, else the root user's,
//! which is the account's default, else AWS's.
//!
//! Rule: API reference, ListAccountSettings, `effectiveSettings`.

use crate::records::account_setting::{ACCOUNT_SETTINGS, AccountSettingKey, AccountSettingRecord};
use crate::rules::account_settings::{self as rules, Definition};
use aws_api::ecs::{Setting, Tag};
use aws_types::{AwsError, Ctx, Scope, codes};
use iam::Ask;
use store::{Txn, World};

/// What the principal set itself.
#[must_use]
pub fn own(
    world: &World,
    scope: &Scope,
    principal_arn: &str,
    setting: &Definition,
) -> Option<Setting> {
    let key = AccountSettingKey::new(scope, principal_arn, setting.name);
    world
        .get(&ACCOUNT_SETTINGS, &key)
        .map(|record| shape(setting, &record.value, principal_arn))
}

/// What holds for the principal.
#[must_use]
pub fn effective(
    world: &World,
    scope: &Scope,
    principal_arn: &str,
    setting: &Definition,
) -> Setting {
    let root = scope.root_arn();
    own(world, scope, principal_arn, setting)
        .or_else(|| own(world, scope, &root, setting))
        .unwrap_or_else(|| shape(setting, setting.default, &root))
}

/// The value that holds for the principal, of a setting by its name in [`rules`].
#[must_use]
pub fn value(world: &World, scope: &Scope, principal_arn: &str, name: &'static str) -> String {
    let setting = rules::ALL.iter().find(|setting| setting.name == name);
    setting
        .and_then(|setting| effective(world, scope, principal_arn, setting).value)
        .unwrap_or_default()
}

/// Sets a value for a principal; gives the setting as it now is.
///
/// # Errors
/// `InvalidParameterException` for a name or value that is not there.
pub fn put(
    txn: &mut Txn,
    ctx: &Ctx,
    principal_arn: &str,
    name: Option<&str>,
    value: Option<&str>,
) -> Result<Setting, AwsError> {
    let setting = rules::named(name)?;
    let value = value.unwrap_or_default();
    rules::check_value(setting, value)?;
    let record = AccountSettingRecord {
        scope: ctx.scope.clone(),
        principal_arn: principal_arn.into(),
        name: setting.name.into(),
        value: value.into(),
    };
    txn.put(&ACCOUNT_SETTINGS, record);
    Ok(shape(setting, value, principal_arn))
}

/// The principal that a request means: the caller, unless the root user names another.
///
/// # Errors
/// `InvalidParameterException` for what is no principal of the account; `AccessDeniedException`
/// where a caller who is not root names another.
pub fn principal(ctx: &Ctx, given: Option<&str>) -> Result<String, AwsError> {
    let caller = &ctx.caller.arn;
    let Some(arn) = given.filter(|arn| !arn.is_empty() && arn != caller) else {
        return Ok(caller.clone());
    };
    rules::check_principal(&ctx.scope, arn)?;
    match *caller == ctx.scope.root_arn() {
        true => Ok(arn.into()),
        false => Err(codes::ACCESS_DENIED.with(format!(
            "User: {caller} is not authorized to access the account settings of {arn}"
        ))),
    }
}

/// What tags given to a new resource need besides the action that makes it: `ecs:TagResource`,
/// unless `tagResourceAuthorization` is off for the caller.
#[must_use]
pub fn ask_to_tag(world: &World, ctx: &Ctx, resource: &str, tags: Option<&[Tag]>) -> Option<Ask> {
    let asked = || {
        let name = rules::TAG_RESOURCE_AUTHORIZATION;
        value(world, &ctx.scope, &ctx.caller.arn, name) == "on"
    };
    let given = tags.is_some_and(|tags| !tags.is_empty());
    (given && asked()).then(|| Ask::new("ecs:TagResource", resource))
}

fn shape(setting: &Definition, value: &str, principal_arn: &str) -> Setting {
    Setting {
        name: Some(setting.name.into()),
        value: Some(value.into()),
        principal_arn: Some(principal_arn.into()),
        r#type: Some(setting.kind.name().into()),
    }
}
