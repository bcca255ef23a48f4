//! Operations: what was asked for is done when its call is answered, and so is its operation.
//!
//! Rule: API reference, GetOperation, ListOperations.

use crate::records::{BY_SCOPE, OPERATIONS, OperationKey, OperationRecord, base36, prefix};
use aws_api::servicediscovery as api;
use aws_types::{Ctx, Scope};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Txn, World};

/// Operations that are kept, of all scopes together; the oldest go.
pub const KEPT_MAX: usize = 1_000;
/// What an operation's id says of its moment: nine digits of base 36 hold more than 3,000 years.
const MOMENT_LEN: usize = 9;

/// Writes down that this was done; gives the operation's id.
pub fn done(txn: &mut Txn, ctx: &mut Ctx, kind: &str, targets: &[(&str, &str)]) -> String {
    let id = format!("{}-{}", base36(ctx, 32), moment(ctx.now.millis()));
    if txn.count(&OPERATIONS) >= KEPT_MAX {
        let oldest = all(txn, &ctx.scope).next();
        if let Some(key) = oldest.map(|operation| operation.key.clone()) {
            txn.delete(&OPERATIONS, &key);
        }
    }
    let targets = targets.iter();
    txn.put(
        &OPERATIONS,
        OperationRecord {
            key: key(&ctx.scope, &id),
            kind: kind.into(),
            targets: targets
                .map(|(kind, id)| ((*kind).into(), (*id).into()))
                .collect::<BTreeMap<String, String>>(),
            at: ctx.now,
        },
    );
    id
}

/// The key of the operation of this id.
#[must_use]
pub fn key(scope: &Scope, id: &str) -> OperationKey {
    OperationKey {
        scope: scope.clone(),
        id: id.into(),
    }
}

/// All operations of a scope, the oldest first.
pub fn all<'w>(
    world: &'w World,
    scope: &Scope,
) -> impl Iterator<Item = &'w Arc<OperationRecord>> + use<'w> {
    world.find_after(&OPERATIONS, &BY_SCOPE, &prefix(scope), None)
}

/// As the API shows it.
#[must_use]
pub fn shape(operation: &OperationRecord) -> api::Operation {
    api::Operation {
        id: Some(operation.key.id.clone()),
        owner_account: Some(operation.key.scope.account.clone()),
        r#type: Some(operation.kind.clone()),
        status: Some(SUCCESS.into()),
        create_date: Some(operation.at),
        update_date: Some(operation.at),
        targets: Some(operation.targets.clone()),
        ..api::Operation::default()
    }
}

/// `Status` of every operation.
pub const SUCCESS: &str = "SUCCESS";

/// Milliseconds since 1970 in base 36, all of one length, so that ids are in order of time.
fn moment(millis: i64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = u64::try_from(millis).unwrap_or_default();
    let mut digits = vec![b'0'; MOMENT_LEN];
    for digit in digits.iter_mut().rev() {
        // Below 36, so that it is an index.
        *digit = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_order_of_time() {
        assert_eq!(moment(0), "000000000");
        assert_eq!(moment(36), "000000010");
        let now = 1_707_741_897_431;
        assert!(moment(now) < moment(now + 1));
        assert!(moment(now) < moment(i64::from(u32::MAX) * 1_000));
    }
}
