//! The identity behind an access key.

use crate::records::{ACCESS_KEYS, AccessKey, access_key_key};
use aws_types::{Caller, Principal, Scope};
use std::sync::Arc;
use store::World;

/// A known access key, whose secret verifies a signature, and who then asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its secret must have signed; its token, if it has one, must have come along.
    pub key: Arc<AccessKey>,
    /// Who asks, once the signature is verified.
    pub caller: Caller,
}

/// The identity behind this access key; `None` for an unknown key.
#[must_use]
pub fn resolve(world: &World, scope: &Scope, access_key_id: &str) -> Option<Known> {
    let key = world.get(&ACCESS_KEYS, &access_key_key(access_key_id))?;
    Some(Known {
        caller: caller(key, scope),
        key: key.clone(),
    })
}

fn caller(key: &AccessKey, scope: &Scope) -> Caller {
    let path = match &key.principal {
        Principal::Root => {
            let scope = Scope {
                account: key.account.clone(),
                ..scope.clone()
            };
            return Caller::root(&scope, &key.access_key_id);
        }
        Principal::Host { host } => format!("longshore/hosts/{host}"),
        // No such key is stored: a task's keys are derived (`session`).
        Principal::Task { .. } | Principal::Execution { .. } | Principal::Other => {
            key.access_key_id.clone()
        }
    };
    Caller {
        principal: key.principal.clone(),
        account: key.account.clone(),
        arn: format!("arn:{}:iam::{}:user/{path}", scope.partition, key.account),
        user_id: user_id(&key.access_key_id),
        access_key_id: key.access_key_id.clone(),
    }
}

/// A user's id has the prefix `AIDA`; ours follows from its one key.
fn user_id(access_key_id: &str) -> String {
    format!(
        "AIDA{}",
        access_key_id.strip_prefix("AKIA").unwrap_or(access_key_id)
    )
}
