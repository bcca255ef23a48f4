//! PutAccountSetting: sets a value for the caller, or for the principal that the root user names.
//!
//! Rule: API reference, PutAccountSetting.

use crate::account_settings;
use aws_api::ecs::{PutAccountSettingRequest, PutAccountSettingResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:PutAccountSetting`, which has no resource.
#[must_use]
pub fn authorisation(_input: &PutAccountSettingRequest, _world: &World, _ctx: &Ctx) -> Vec<Ask> {
    vec![Ask::any("ecs:PutAccountSetting")]
}

/// The operation. What is set for the root user holds for everyone who set nothing.
///
/// # Errors
/// `InvalidParameterException`; `AccessDeniedException` for another's setting.
pub fn put_account_setting(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &PutAccountSettingRequest,
) -> Result<PutAccountSettingResponse, AwsError> {
    let principal = account_settings::principal(ctx, input.principal_arn.as_deref())?;
    let (name, value) = (input.name.as_deref(), input.value.as_deref());
    Ok(PutAccountSettingResponse {
        setting: Some(account_settings::put(txn, ctx, &principal, name, value)?),
    })
}
