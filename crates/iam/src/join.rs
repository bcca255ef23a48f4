//! Joining: a one-time token that root makes and a new host exchanges for its own key.
//!
//! Only the hash of a token's secret is kept. An exchange carries a nonce that the host made and
//! keeps: the same host may ask again (its first answer may have been lost) and gets the same key,
//! anyone else gets nothing.
//! Rule: design, "Joining, and host sync".

use crate::keys;
use crate::records::{ACCESS_KEYS, AccessKey, JOIN_TOKENS, JoinToken, Spent, access_key_key};
use aws_types::{AwsError, Ctx, Principal, Timestamp, codes};
use sha2::{Digest, Sha256};
use std::time::Duration;
use store::{Key, Txn, World};
use subtle::ConstantTimeEq;

const ID_DIGITS: usize = 12;
/// 192 random bits.
const SECRET_DIGITS: usize = 48;
/// A host's name, hexadecimal.
const HOST_DIGITS: usize = 16;
/// Rows removed in one step.
const TOKENS_PER_STEP: usize = 32;

/// A fresh token: the only moment at which its secret is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreshToken {
    /// Names the row.
    pub id: String,
    /// Proves the right.
    pub secret: String,
    /// Afterwards it is good for nothing.
    pub expires_at: Timestamp,
}

/// Makes a token that is good for `lifetime`.
pub fn create(txn: &mut Txn, ctx: &mut Ctx, lifetime: Duration) -> FreshToken {
    let token = FreshToken {
        id: ctx.ids.hex(ID_DIGITS),
        secret: ctx.ids.hex(SECRET_DIGITS),
        expires_at: ctx.now.plus(lifetime),
    };
    let record = JoinToken {
        id: token.id.clone(),
        secret_hash: hash(&token.secret),
        expires_at: token.expires_at,
        spent: None,
    };
    txn.put(&JOIN_TOKENS, record);
    token
}

/// Exchanges a token for a host's key; `nonce` is the host's own.
///
/// # Errors
/// `AccessDeniedException`, in the same words for a token that is unknown, wrong, expired or spent
/// by another, so that nothing can be learnt.
pub fn exchange(
    txn: &mut Txn,
    ctx: &mut Ctx,
    (id, secret): (&str, &str),
    nonce: &str,
) -> Result<AccessKey, AwsError> {
    let denied = || codes::ACCESS_DENIED.with("The join token is not valid.");
    let token = txn
        .get(&JOIN_TOKENS, &Key::of(&[id]))
        .cloned()
        .filter(|token| token.expires_at > ctx.now && same(&token.secret_hash, &hash(secret)))
        .ok_or_else(denied)?;
    if let Some(spent) = &token.spent {
        let known = txn.get(&ACCESS_KEYS, &access_key_key(&spent.access_key_id));
        let own = same(&spent.nonce_hash, &hash(nonce));
        let key = known.filter(|_| own).ok_or_else(denied)?;
        return Ok(key.as_ref().clone());
    }
    let host = format!("h-{}", ctx.ids.hex(HOST_DIGITS));
    let key = keys::create_host(txn, ctx, &host);
    let spent = Spent {
        nonce_hash: hash(nonce),
        access_key_id: key.access_key_id.clone(),
    };
    txn.put(
        &JOIN_TOKENS,
        JoinToken {
            spent: Some(spent),
            ..token.as_ref().clone()
        },
    );
    Ok(key)
}

/// Tokens that are good for nothing any more, some at a time.
#[must_use]
pub fn expired(world: &World, now: Timestamp) -> Vec<Key> {
    world
        .scan(&JOIN_TOKENS)
        .filter(|token| token.expires_at <= now)
        .map(|token| Key::of(&[&token.id]))
        .take(TOKENS_PER_STEP)
        .collect()
}

/// Removes tokens that [`expired`] named.
pub fn remove(txn: &mut Txn, keys: &[Key]) {
    for key in keys {
        txn.delete(&JOIN_TOKENS, key);
    }
}

/// The name of the host that a key belongs to.
#[must_use]
pub fn host_of(key: &AccessKey) -> Option<&str> {
    match &key.principal {
        Principal::Host { host } => Some(host),
        Principal::Root
        | Principal::Task { .. }
        | Principal::Execution { .. }
        | Principal::Other => None,
    }
}

fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tables;
    use store::Schema;

    const HOUR: Duration = Duration::from_secs(3600);

    fn start() -> (Txn, Ctx) {
        let txn = Txn::new(World::empty(&Schema::new(&tables())));
        (txn, Ctx::for_tests(1, Timestamp::from_millis(1_000)))
    }

    #[test]
    fn a_token_serves_one_host_which_may_ask_again() {
        let (mut txn, mut ctx) = start();
        let token = create(&mut txn, &mut ctx, HOUR);
        let pair = (token.id.as_str(), token.secret.as_str());
        let first = exchange(&mut txn, &mut ctx, pair, "n1").unwrap();
        assert!(host_of(&first).unwrap().starts_with("h-"));
        let again = exchange(&mut txn, &mut ctx, pair, "n1").unwrap();
        assert_eq!(again, first);
        assert!(exchange(&mut txn, &mut ctx, pair, "n2").is_err());
    }

    #[test]
    fn what_is_wrong_unknown_or_too_late_gets_the_same_answer() {
        let (mut txn, mut ctx) = start();
        let token = create(&mut txn, &mut ctx, HOUR);
        let wrong = exchange(&mut txn, &mut ctx, (&token.id, "x"), "n").unwrap_err();
        let unknown = exchange(&mut txn, &mut ctx, ("x", &token.secret), "n").unwrap_err();
        ctx.now = ctx.now.plus(HOUR);
        let late = exchange(&mut txn, &mut ctx, (&token.id, &token.secret), "n").unwrap_err();
        for error in [&wrong, &unknown, &late] {
            assert_eq!(error.code().name, "AccessDeniedException");
            assert_eq!(error.message(), wrong.message());
        }
        let (world, _) = txn.finish();
        let due = expired(&world, ctx.now);
        assert_eq!(due.len(), 1);
        let mut txn = Txn::new(world);
        remove(&mut txn, &due);
        assert_eq!(txn.scan(&JOIN_TOKENS).count(), 0);
        assert_eq!(txn.scan(&ACCESS_KEYS).count(), 0);
    }

    #[test]
    fn the_state_does_not_hold_the_secret() {
        let (mut txn, mut ctx) = start();
        let token = create(&mut txn, &mut ctx, HOUR);
        let (_, changes) = txn.finish();
        for change in changes {
            let bytes = change.value.unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(&token.secret));
        }
    }
}
