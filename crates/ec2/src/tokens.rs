//! Client tokens: a request that comes again with its token makes nothing a second time.
//!
//! Rule: EC2 developer guide, "Ensuring idempotency in Amazon EC2 API requests".

use crate::errors::code;
use crate::records::ResourceKey;
use crate::records::token::{BY_USE, TOKENS, TokenKey, TokenRecord};
use crate::resource::Resource;
use aws_types::{AwsError, Ctx, Scope, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt::Debug;
use std::time::Duration;
use store::{Key, Txn, World};

/// How long a token is remembered: clients give up long before.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// Tokens that one request forgets: more than it adds, so that they do not pile up.
const FORGOTTEN_MAX: usize = 16;

/// What a request with a token makes, or changes.
pub trait Made: Sized {
    /// What it is: the tokens of each kind are its own.
    const TOKENS_OF: &'static str;
    /// By what it is found again within its scope.
    fn made_id(&self) -> String;
    /// What is found by that, as it is now.
    fn find_made(world: &World, scope: &Scope, id: &str) -> Option<Self>;
}

impl<R: Resource> Made for R {
    const TOKENS_OF: &'static str = R::KIND.prefix;
    fn made_id(&self) -> String {
        self.key().id.clone()
    }
    fn find_made(world: &World, scope: &Scope, id: &str) -> Option<Self> {
        let found = world.get(R::table(), &ResourceKey::new(scope, id));
        found.map(|found| found.as_ref().clone())
    }
}

/// What an earlier request with this token made, as it is now; else what `make` makes, which is
/// remembered with the token. Without a token, and where what was made is gone: made anew.
///
/// # Errors
/// `IdempotentParameterMismatch` for a token that other parameters came with; those of `make`.
pub fn once<R: Made>(
    txn: &mut Txn,
    ctx: &mut Ctx,
    token: Option<&String>,
    parameters: &impl Debug,
    make: impl FnOnce(&mut Txn, &mut Ctx) -> Result<R, AwsError>,
) -> Result<R, AwsError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return make(txn, ctx);
    };
    let key = TokenKey {
        scope: ctx.scope.clone(),
        kind: R::TOKENS_OF.into(),
        token: token.clone(),
    };
    let fingerprint = fingerprint(parameters);
    if let Some(found) = earlier::<R>(txn, &key, &fingerprint, ctx.now)? {
        return Ok(found);
    }
    let made = make(txn, ctx)?;
    for old in expired(txn, ctx.now) {
        txn.delete(&TOKENS, &old);
    }
    let record = TokenRecord {
        key,
        fingerprint,
        made: made.made_id(),
        used_at: ctx.now,
    };
    txn.put(&TOKENS, record);
    Ok(made)
}

fn earlier<R: Made>(
    world: &World,
    key: &TokenKey,
    fingerprint: &str,
    now: Timestamp,
) -> Result<Option<R>, AwsError> {
    let known = world.get(&TOKENS, key);
    let Some(known) = known.filter(|known| !is_expired(known, now)) else {
        return Ok(None);
    };
    let Some(found) = R::find_made(world, &key.scope, &known.made) else {
        return Ok(None);
    };
    match known.fingerprint == fingerprint {
        true => Ok(Some(found)),
        false => Err(code("IdempotentParameterMismatch").with(
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )),
    }
}

fn is_expired(token: &TokenRecord, now: Timestamp) -> bool {
    now.since(token.used_at) > KEPT_FOR
}

/// Some that need not be remembered any more, oldest first.
fn expired(world: &World, now: Timestamp) -> Vec<TokenKey> {
    let all = Key::empty();
    let by_use = world.find(&TOKENS, &BY_USE, &all);
    let old = by_use.take_while(|token| is_expired(token, now));
    old.take(FORGOTTEN_MAX)
        .map(|token| token.key.clone())
        .collect()
}

fn fingerprint(parameters: &impl Debug) -> String {
    let digest = Sha256::digest(format!("{parameters:?}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::gateway::{EGRESS_ONLY_GATEWAYS, EgressOnlyGatewayRecord};
    use crate::records::tables;
    use store::Schema;

    fn make(txn: &mut Txn, ctx: &mut Ctx, token: &str, vpc: &str) -> Result<String, AwsError> {
        let token = token.to_owned();
        let made = once(txn, ctx, Some(&token), &vpc, |txn, ctx| {
            let made = EgressOnlyGatewayRecord {
                key: ResourceKey::fresh(ctx, "eigw"),
                vpc: vpc.into(),
            };
            txn.put(&EGRESS_ONLY_GATEWAYS, made.clone());
            Ok(made)
        })?;
        Ok(made.key.id)
    }

    fn setting() -> (Txn, Ctx) {
        let txn = Txn::new(World::empty(&Schema::new(&tables())));
        (txn, Ctx::for_tests(1, Timestamp::from_millis(1_000)))
    }

    #[test]
    fn a_token_makes_one_thing_for_a_day_and_none_makes_one_each_time() {
        let (mut txn, mut ctx) = setting();
        let first = make(&mut txn, &mut ctx, "a", "vpc-1").unwrap();
        ctx.now = ctx.now.plus(KEPT_FOR);
        assert_eq!(make(&mut txn, &mut ctx, "a", "vpc-1").unwrap(), first);
        let error = make(&mut txn, &mut ctx, "a", "vpc-2").unwrap_err();
        assert_eq!(error.code().name, "IdempotentParameterMismatch");
        assert_ne!(make(&mut txn, &mut ctx, "b", "vpc-1").unwrap(), first);
        for _ in 0..2 {
            assert_ne!(make(&mut txn, &mut ctx, "", "vpc-1").unwrap(), first);
        }
        assert_eq!(txn.count(&EGRESS_ONLY_GATEWAYS), 4);
        ctx.now = ctx.now.plus(Duration::from_millis(1));
        assert_ne!(make(&mut txn, &mut ctx, "a", "vpc-2").unwrap(), first);
    }

    #[test]
    fn what_is_gone_is_made_again_and_what_failed_leaves_no_token() {
        let (mut txn, mut ctx) = setting();
        let first = make(&mut txn, &mut ctx, "a", "vpc-1").unwrap();
        let key = ResourceKey::new(&ctx.scope, &first);
        txn.delete(&EGRESS_ONLY_GATEWAYS, &key);
        assert_ne!(make(&mut txn, &mut ctx, "a", "vpc-1").unwrap(), first);
        let token = "c".to_owned();
        let failed =
            once::<EgressOnlyGatewayRecord>(&mut txn, &mut ctx, Some(&token), &1, |_, _| {
                Err(code("VpcLimitExceeded").with("no"))
            });
        assert_eq!(failed.unwrap_err().code().name, "VpcLimitExceeded");
        make(&mut txn, &mut ctx, "c", "vpc-1").unwrap();
    }

    #[test]
    fn old_tokens_are_forgotten_faster_than_new_ones_come() {
        let (mut txn, mut ctx) = setting();
        for number in 0..40 {
            make(&mut txn, &mut ctx, &format!("old-{number}"), "vpc-1").unwrap();
        }
        ctx.now = ctx.now.plus(KEPT_FOR).plus(Duration::from_secs(1));
        for number in 0..3 {
            make(&mut txn, &mut ctx, &format!("new-{number}"), "vpc-1").unwrap();
        }
        assert_eq!(txn.count(&TOKENS), 3);
    }
}
