//! Client tokens: the same token with the same parameters gets the same tasks; with others, a
//! conflict that names them.
//!
//! Rule: API reference, RunTask, `clientToken` and ConflictException.

use crate::records::run_token::{RUN_TOKENS, TOKENS_BY_USE, TokenKey, TokenRecord};
use crate::records::task::{TaskId, TaskKey};
use crate::rules::invalid_parameter;
use aws_types::{AwsError, Ctx, ErrorCode, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt::Debug;
use std::time::Duration;
use store::{Key, Txn, World};

const CONFLICT: ErrorCode = ErrorCode::sender("ConflictException", 400);
/// API reference: characters of a token.
const TOKEN_LEN_MAX: usize = 64;
/// How long a token is remembered: a safety window, the same in every timing table.
pub const TOKEN_KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// Tokens that one sweep removes.
const SWEEP_MAX: usize = 100;

/// The tasks of the call that used this token first; `None` for a new token, or none.
///
/// # Errors
/// `InvalidParameterException` for a malformed token, `ConflictException` with `resourceIds` for
/// other parameters than the first call's.
pub fn earlier(
    world: &World,
    key: Option<&TokenKey>,
    parameters: &impl Debug,
    now: Timestamp,
) -> Result<Option<Vec<TaskId>>, AwsError> {
    let Some(key) = key else { return Ok(None) };
    let printable = key.token.bytes().all(|b| (33..=126).contains(&b));
    if key.token.is_empty() || key.token.len() > TOKEN_LEN_MAX || !printable {
        return Err(invalid_parameter(format!(
            "Client token must be 1 to {TOKEN_LEN_MAX} printable ASCII characters."
        )));
    }
    let Some(known) = world.get(&RUN_TOKENS, key) else {
        return Ok(None);
    };
    if now.since(known.used_at) > TOKEN_KEPT_FOR {
        return Ok(None);
    }
    if known.fingerprint == fingerprint(parameters) {
        return Ok(Some(known.tasks.clone()));
    }
    let arn = |id: &TaskId| TaskKey::new(&key.scope, &key.cluster, &id.0).arn();
    Err(CONFLICT
        .with("The client token was already used with different parameters.")
        .list_member("resourceIds", known.tasks.iter().map(arn).collect()))
}

/// Remembers what a token was used for.
pub fn remember(
    txn: &mut Txn,
    ctx: &Ctx,
    key: TokenKey,
    parameters: &impl Debug,
    tasks: Vec<TaskId>,
) {
    txn.put(
        &RUN_TOKENS,
        TokenRecord {
            key,
            fingerprint: fingerprint(parameters),
            tasks,
            used_at: ctx.now,
        },
    );
}

/// Some tokens that need not be remembered any more, oldest first.
#[must_use]
pub fn expired(world: &World, now: Timestamp) -> Vec<TokenKey> {
    let all = Key::empty();
    world
        .find(&RUN_TOKENS, &TOKENS_BY_USE, &all)
        .take_while(|token| now.since(token.used_at) > TOKEN_KEPT_FOR)
        .take(SWEEP_MAX)
        .map(|token| token.key.clone())
        .collect()
}

/// Forgets tokens that [`expired`] named.
pub fn remove(txn: &mut Txn, keys: &[TokenKey]) {
    for key in keys {
        txn.delete(&RUN_TOKENS, key);
    }
}

/// The digest of what a call asked for.
pub(crate) fn fingerprint(parameters: &impl Debug) -> String {
    let digest = Sha256::digest(format!("{parameters:?}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
