//! Makes access keys. Ids and secrets come from `ctx.ids`, so they are as unguessable as its seed.

use crate::records::{ACCESS_KEYS, AccessKey};
use aws_types::{Ctx, Ids, Principal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use store::Txn;

/// The digits of AWS's ids.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// After the prefix `AKIA`.
const ID_DIGITS: usize = 16;
/// Characters of base64: 240 random bits.
const SECRET_LEN: usize = 40;

/// A key of the account's root user.
pub fn create_root(txn: &mut Txn, ctx: &mut Ctx) -> AccessKey {
    create(txn, ctx, Principal::Root)
}

/// A key of a host's agent. The host keeps its name over re-registration.
pub fn create_host(txn: &mut Txn, ctx: &mut Ctx, host: &str) -> AccessKey {
    create(txn, ctx, Principal::Host { host: host.into() })
}

/// A key of this principal in the account of `ctx.scope`.
pub fn create(txn: &mut Txn, ctx: &mut Ctx, principal: Principal) -> AccessKey {
    let key = AccessKey {
        access_key_id: access_key_id(&mut ctx.ids),
        secret: secret(&mut ctx.ids),
        principal,
        account: ctx.scope.account.clone(),
        created_at: ctx.now,
        session_token: None,
    };
    txn.put(&ACCESS_KEYS, key.clone());
    key
}

fn access_key_id(ids: &mut Ids) -> String {
    let digits = ids.bytes();
    let digits = digits[..ID_DIGITS]
        .iter()
        .map(|byte| char::from(BASE32[usize::from(byte % 32)]));
    "AKIA".chars().chain(digits).collect()
}

fn secret(ids: &mut Ids) -> String {
    let mut text = STANDARD_NO_PAD.encode(ids.bytes());
    text.truncate(SECRET_LEN);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller;
    use crate::records::tables;
    use aws_types::Timestamp;
    use store::{Schema, World};

    #[test]
    fn a_key_has_the_form_of_aws_and_resolves_to_its_principal() {
        let mut ctx = Ctx::for_tests(1, Timestamp::EPOCH);
        let mut txn = Txn::new(World::empty(&Schema::new(&tables())));
        let root = create_root(&mut txn, &mut ctx);
        let host = create_host(&mut txn, &mut ctx, "h1");
        for key in [&root, &host] {
            assert_eq!(key.access_key_id.len(), 20);
            assert!(key.access_key_id.starts_with("AKIA"));
            assert_eq!(key.secret.len(), 40);
        }
        let (world, _) = txn.finish();
        let known = caller::resolve(&world, &ctx.scope, &root.access_key_id).unwrap();
        assert_eq!(known.key.secret, root.secret);
        assert_eq!(known.caller.arn, "arn:aws:iam::000000000000:root");
        assert_eq!(known.caller.user_id, "000000000000");
        let known = caller::resolve(&world, &ctx.scope, &host.access_key_id).unwrap();
        assert_eq!(known.caller.host(), Some("h1"));
        assert_eq!(
            known.caller.arn,
            "arn:aws:iam::000000000000:user/longshore/hosts/h1"
        );
        assert_eq!(
            caller::resolve(&world, &ctx.scope, "AKIANOSUCHKEY0000000"),
            None
        );
        assert!(!format!("{root:?}").contains(&root.secret));
    }
}
