//! DeleteAccountSetting: a principal goes back to the account's default, the root user to AWS's.
//!
//! Rule: API reference, DeleteAccountSetting.

use crate::account_settings;
use crate::records::account_setting::{ACCOUNT_SETTINGS, AccountSettingKey};
use crate::rules::account_settings as rules;
use aws_api::ecs::{DeleteAccountSettingRequest, DeleteAccountSettingResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:DeleteAccountSetting`, which has no resource.
#[must_use]
pub fn authorisation(_input: &DeleteAccountSettingRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    vec![Ask::any("ecs:DeleteAccountSetting")]
}

/// The operation. Answers the setting that was deleted, or, where none was, the one that holds.
///
/// # Errors
/// `InvalidParameterException`; `AccessDeniedException` for another's setting.
pub fn delete_account_setting(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteAccountSettingRequest,
) -> Result<DeleteAccountSettingResponse, AwsError> {
    let principal = account_settings::principal(ctx, input.principal_arn.as_deref())?;
    let setting = rules::named(input.name.as_deref())?;
    let shown = account_settings::effective(txn, &ctx.scope, &principal, setting);
    let key = AccountSettingKey::new(&ctx.scope, &principal, setting.name);
    txn.delete(&ACCOUNT_SETTINGS, &key);
    Ok(DeleteAccountSettingResponse {
        setting: Some(shown),
    })
}
