//! PutAccountSettingDefault: what holds for every principal of the account who set nothing.
//!
//! Rule: API reference, PutAccountSettingDefault; it is the root user's setting.

use crate::account_settings;
use aws_api::ecs::{PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// `ecs:PutAccountSettingDefault`, which has no resource.
#[must_use]
pub fn authorisation(
    _input: &PutAccountSettingDefaultRequest,
    _world: &World,
    _ctx: &Ctx,
) -> Vec<Ask> {
    vec![Ask::any("ecs:PutAccountSettingDefault")]
}

/// The operation.
///
/// # Errors
/// `InvalidParameterException` for a name or value that is not there.
pub fn put_account_setting_default(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &PutAccountSettingDefaultRequest,
) -> Result<PutAccountSettingDefaultResponse, AwsError> {
    let root = ctx.scope.root_arn();
    let (name, value) = (input.name.as_deref(), input.value.as_deref());
    Ok(PutAccountSettingDefaultResponse {
        setting: Some(account_settings::put(txn, ctx, &root, name, value)?),
    })
}
