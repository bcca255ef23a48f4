//! CreateLogStream.

use crate::records::{LOG_STREAMS, LogStreamRecord, StreamKey};
use crate::rules::{ask_stream, group};
use aws_api::Empty;
use aws_api::logs::{CreateLogStreamRequest, errors};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, Txn, World};

/// Asks for the stream.
pub fn authorisation(input: &CreateLogStreamRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    let group = input.log_group_name.as_deref().unwrap_or_default();
    ask_stream(
        ctx,
        "CreateLogStream",
        group,
        input.log_stream_name.as_deref().unwrap_or_default(),
    )
}

/// Makes the stream, with a new id for its events.
pub fn create_log_stream(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateLogStreamRequest,
) -> Result<Empty, AwsError> {
    let group_name = input.log_group_name.clone().unwrap_or_default();
    let name = input.log_stream_name.clone().unwrap_or_default();
    group(txn, &ctx.scope, &group_name)?;
    let key = StreamKey {
        scope: &ctx.scope,
        group: &group_name,
        name: &name,
    }
    .encode();
    if txn.get(&LOG_STREAMS, &key).is_some() {
        return Err(errors::RESOURCE_ALREADY_EXISTS_EXCEPTION
            .with("The specified log stream already exists"));
    }
    let mut id = [0; 16];
    id.copy_from_slice(&ctx.ids.bytes()[..16]);
    let scope = ctx.scope.clone();
    txn.put(
        &LOG_STREAMS,
        LogStreamRecord {
            scope,
            group: group_name,
            name,
            id,
            created_at: ctx.now,
        },
    );
    Ok(Empty {})
}
