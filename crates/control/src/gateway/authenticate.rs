//! Who sent a request, by its signature.

use super::Gateway;
use crate::clock;
use aws_types::{Caller, Scope};
use aws_wire::Head;
use aws_wire::sigv4::{AuthFault, Authorization, Expected, SigningKey, verify};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Derived keys kept; one per access key, day, region and service. When full, all are forgotten.
const SIGNING_KEYS_MAX: usize = 4096;

/// Derived signing keys: deriving one costs as much as four verifications.
#[derive(Debug, Default)]
pub struct SigningKeys(RwLock<HashMap<KeyName, SigningKey>>);

/// The secret is part of the name, so that a changed secret never meets an old key.
#[derive(PartialEq, Eq, Hash)]
struct KeyName {
    secret: String,
    day: String,
    region: String,
    service: String,
}

impl std::fmt::Debug for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyName")
    }
}

/// An authenticated request.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The region that was signed for, in our account.
    pub scope: Scope,
    /// Who signed.
    pub caller: Caller,
}

/// Verifies a request's signature for a service.
///
/// # Errors
/// As AWS refuses it.
pub fn authenticate(
    gateway: &Gateway,
    head: &Head<'_>,
    body: &[u8],
    service: &str,
) -> Result<Identity, AuthFault> {
    let authorization = Authorization::of(head)?;
    let scope = Scope {
        region: authorization.region.clone(),
        ..gateway.scope.clone()
    };
    let known = iam::caller::resolve(
        &gateway.state.snapshot(),
        &scope,
        &authorization.access_key_id,
    )
    .ok_or(AuthFault::UnknownKey)?;
    let key = gateway.signing_keys.derive(&known.secret, &authorization);
    let expected = Expected {
        regions: &gateway.regions,
        service,
        now: clock::now(),
    };
    verify(head, body, &authorization, &key, expected)?;
    if known.session_token != authorization.session_token {
        return Err(AuthFault::UnknownKey);
    }
    Ok(Identity {
        scope,
        caller: known.caller,
    })
}

impl SigningKeys {
    fn derive(&self, secret: &str, authorization: &Authorization) -> SigningKey {
        let name = KeyName {
            secret: secret.to_owned(),
            day: authorization.day.clone(),
            region: authorization.region.clone(),
            service: authorization.service.clone(),
        };
        if let Some(key) = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name)
        {
            return key.clone();
        }
        let key = SigningKey::derive(secret, &name.day, &name.region, &name.service);
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= SIGNING_KEYS_MAX {
            keys.clear();
        }
        keys.insert(name, key.clone());
        key
    }
}
