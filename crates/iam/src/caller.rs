//! The identity behind an access key.

use crate::records::{ACCESS_KEYS, AccessKey, access_key_key};
use aws_types::{Caller, Principal, Scope};
use std::fmt;
use store::World;

/// A known access key: what is needed to verify a signature, and who then asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Known {
    /// The secret that must have signed.
    pub secret: String,
    /// The token that must have come along; `None` where none may.
    pub session_token: Option<String>,
    /// Who asks, once the signature is verified.
    pub caller: Caller,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secret and token stay out of logs.
        f.debug_struct("Known")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

/// The identity behind this access key; `None` for an unknown key.
#[must_use]
pub fn resolve(world: &World, scope: &Scope, access_key_id: &str) -> Option<Known> {
    let key = world.get(&ACCESS_KEYS, &access_key_key(access_key_id))?;
    Some(Known {
        secret: key.secret.clone(),
        session_token: key.session_token.clone(),
        caller: caller(key, scope),
    })
}

fn caller(key: &AccessKey, scope: &Scope) -> Caller {
    let scope = Scope {
        account: key.account.clone(),
        ..scope.clone()
    };
    let root = Caller::root(&scope, &key.access_key_id);
    let user = |path: &str| Caller {
        principal: key.principal.clone(),
        arn: format!("arn:{}:iam::{}:user/{path}", scope.partition, key.account),
        user_id: user_id(&key.access_key_id),
        ..root.clone()
    };
    match &key.principal {
        Principal::Root => root.clone(),
        Principal::Host { host } => user(&format!("longshore/hosts/{host}")),
        Principal::Other => user(&key.access_key_id),
    }
}

/// A user's id has the prefix `AIDA`; ours follows from its one key.
fn user_id(access_key_id: &str) -> String {
    format!(
        "AIDA{}",
        access_key_id.strip_prefix("AKIA").unwrap_or(access_key_id)
    )
}
