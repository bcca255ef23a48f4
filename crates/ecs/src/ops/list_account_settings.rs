//! ListAccountSettings: what a principal set, or what holds for it, in order of name, by page.
//!
//! Rule: API reference, ListAccountSettings.

use crate::account_settings;
use crate::page::Request;
use crate::rules::account_settings::{self as rules, Definition};
use crate::rules::invalid_parameter;
use aws_api::ecs::{ListAccountSettingsRequest, ListAccountSettingsResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Key, World};

/// API reference, ListAccountSettings, `maxResults`: the default and the most.
const PAGE_LEN: usize = 10;

/// `ecs:ListAccountSettings`, which has no resource.
#[must_use]
pub fn authorisation(_input: &ListAccountSettingsRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    vec![Ask::any("ecs:ListAccountSettings")]
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException`; `AccessDeniedException` for another's settings.
pub fn list_account_settings(
    world: &World,
    ctx: &mut Ctx,
    input: &ListAccountSettingsRequest,
) -> Result<ListAccountSettingsResponse, AwsError> {
    let principal = account_settings::principal(ctx, input.principal_arn.as_deref())?;
    let mut asked = asked(input)?;
    asked.sort_by_key(|setting| setting.name);
    let effective = input.effective_settings.unwrap_or(false);
    let value = input.value.as_deref();
    let listing = [
        "ListAccountSettings",
        &ctx.scope.account,
        &ctx.scope.region,
        &principal,
        input.name.as_deref().unwrap_or_default(),
        value.unwrap_or_default(),
        if effective { "effective" } else { "own" },
    ];
    let token = input.next_token.as_deref();
    // A plain Integer in the model: clients that set nothing may send 0.
    let max_results = input.max_results.filter(|max| *max != 0);
    let request = Request::read(&listing, token, max_results, PAGE_LEN, PAGE_LEN)?;
    let shown = asked.into_iter().filter_map(|setting| {
        let shown = match effective {
            true => Some(account_settings::effective(
                world, &ctx.scope, &principal, setting,
            )),
            false => account_settings::own(world, &ctx.scope, &principal, setting),
        };
        let shown = shown.filter(|shown| value.is_none() || shown.value.as_deref() == value);
        shown.map(|shown| (Key::of(&[setting.name]), shown))
    });
    let after = request.after.as_ref();
    let rest = shown.filter(|(key, _)| after.is_none_or(|after| key > after));
    let page = request.page(rest);
    Ok(ListAccountSettingsResponse {
        settings: Some(page.items),
        next_token: page.next_token,
    })
}

/// The settings that the request is about.
fn asked(input: &ListAccountSettingsRequest) -> Result<Vec<&'static Definition>, AwsError> {
    match input.name.as_deref() {
        Some(name) => Ok(vec![rules::named(Some(name))?]),
        None if input.value.is_some() => Err(invalid_parameter(
            "You must specify an account setting name to filter by value.",
        )),
        None => Ok(rules::ALL.iter().collect()),
    }
}
