//! A stream that a service of ours writes, made when it is first needed.

use crate::records::{LOG_STREAMS, LogStreamRecord, StreamKey};
use crate::rules::group;
use aws_types::{AwsError, Ctx};
use store::{LogStreamId, TableKey, Txn, World};

/// The stream's id, if it is there.
#[must_use]
pub fn find(world: &World, ctx: &Ctx, group: &str, stream: &str) -> Option<LogStreamId> {
    let key = StreamKey {
        scope: &ctx.scope,
        group,
        name: stream,
    };
    let found = world.get(&LOG_STREAMS, &key.encode());
    found.map(|stream| stream.log_stream_id())
}

/// The stream's id; makes the stream where it is missing.
///
/// # Errors
/// `ResourceNotFoundException`: there is no such group.
pub fn ensure(
    txn: &mut Txn,
    ctx: &mut Ctx,
    group_name: &str,
    stream: &str,
) -> Result<LogStreamId, AwsError> {
    group(txn, &ctx.scope, group_name)?;
    if let Some(id) = find(txn, ctx, group_name, stream) {
        return Ok(id);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&ctx.ids.bytes()[..16]);
    let record = LogStreamRecord {
        scope: ctx.scope.clone(),
        group: group_name.into(),
        name: stream.into(),
        id,
        created_at: ctx.now,
    };
    txn.put(&LOG_STREAMS, record);
    Ok(LogStreamId(id))
}
