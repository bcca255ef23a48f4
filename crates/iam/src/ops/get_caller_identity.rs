//! `sts:GetCallerIdentity`: who the caller is.
//!
//! Rule: STS API reference: it needs no permission, and none can be denied.

use crate::evaluate::Ask;
use crate::operations::Operation;
use aws_api::sts;
use aws_types::{AwsError, Ctx};
use store::World;

pub(super) fn operation() -> Operation {
    Operation::read::<sts::operations::GetCallerIdentity>(authorisation, get_caller_identity)
}

fn authorisation(_: &sts::GetCallerIdentityRequest, _: &World, _: &Ctx) -> Vec<Ask> {
    vec![Ask::any("sts:GetCallerIdentity")]
}

fn get_caller_identity(
    _: &World,
    ctx: &mut Ctx,
    _: &sts::GetCallerIdentityRequest,
) -> Result<sts::GetCallerIdentityResponse, AwsError> {
    Ok(sts::GetCallerIdentityResponse {
        account: Some(ctx.caller.account.clone()),
        arn: Some(ctx.caller.arn.clone()),
        user_id: Some(ctx.caller.user_id.clone()),
    })
}
