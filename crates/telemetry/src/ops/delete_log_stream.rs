//! DeleteLogStream: the stream's record; its events follow, in the background.

use crate::records::{LOG_STREAMS, StreamKey};
use crate::rules::{ask_stream, stream};
use aws_api::Empty;
use aws_api::logs::DeleteLogStreamRequest;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{TableKey, Txn, World};

/// Asks for the stream.
pub fn authorisation(input: &DeleteLogStreamRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    let group = input.log_group_name.as_deref().unwrap_or_default();
    ask_stream(
        ctx,
        "DeleteLogStream",
        group,
        input.log_stream_name.as_deref().unwrap_or_default(),
    )
}

/// Removes the record.
pub fn delete_log_stream(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteLogStreamRequest,
) -> Result<Empty, AwsError> {
    let group = input.log_group_name.as_deref().unwrap_or_default();
    let name = input.log_stream_name.as_deref().unwrap_or_default();
    stream(txn, &ctx.scope, group, name)?;
    txn.delete(
        &LOG_STREAMS,
        &StreamKey {
            scope: &ctx.scope,
            group,
            name,
        }
        .encode(),
    );
    Ok(Empty {})
}
