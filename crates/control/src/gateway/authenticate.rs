//! Who sent a request, by its signature.

use super::Gateway;
use crate::clock;
use aws_types::{Caller, Scope, Timestamp};
use aws_wire::Head;
use aws_wire::sigv4::{AuthFault, Authorization, Expected, SigningKey, verify};
use ecs::task::credentials;
use iam::caller::Known;
use iam::session::SessionFault;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Derived keys kept; one per access key, day, region and service. When full, all are forgotten.
const SIGNING_KEYS_MAX: usize = 4096;

/// Derived signing keys by access key: deriving one costs as much as four verifications.
#[derive(Debug, Default)]
pub struct SigningKeys(RwLock<Derived>);

#[derive(Default)]
struct Derived {
    by_access_key: HashMap<String, Vec<Entry>>,
    count: usize,
}

/// The secret is part of it, so that a changed secret never meets an old key.
struct Entry {
    secret: String,
    day: String,
    region: String,
    service: String,
    key: SigningKey,
}

impl std::fmt::Debug for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secrets stay out of logs.
        f.debug_struct("Derived")
            .field("count", &self.count)
            .finish_non_exhaustive()
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
        region: authorization.region.clone().into_owned(),
        ..gateway.scope.clone()
    };
    let now = clock::now();
    let known = known(gateway, &scope, &authorization, now)?;
    let key = || {
        gateway
            .signing_keys
            .derive(&known.key.secret, &authorization)
    };
    let expected = Expected {
        regions: &gateway.regions,
        service,
        session_token: known.key.session_token.as_deref(),
        now,
    };
    verify(head, body, &authorization, key, expected)?;
    Ok(Identity {
        scope,
        caller: known.caller,
    })
}

/// The owner of an access key: one that is stored, or of a session that its token tells of and whose
/// task is alive.
fn known(
    gateway: &Gateway,
    scope: &Scope,
    authorization: &Authorization<'_>,
    now: Timestamp,
) -> Result<Known, AuthFault> {
    let world = gateway.state.snapshot();
    let access_key_id = &*authorization.access_key_id;
    let stored = iam::caller::resolve(&world, scope, access_key_id);
    match (stored, authorization.session_token.as_deref()) {
        (Some(known), _) => Ok(known),
        (None, None) => Err(AuthFault::UnknownKey),
        (None, Some(token)) => {
            let key = &gateway.sessions.session_key;
            let opened = key
                .open(access_key_id, token, now)
                .map_err(|fault| match fault {
                    SessionFault::Invalid => AuthFault::UnknownKey,
                    SessionFault::Expired => AuthFault::ExpiredToken,
                })?;
            match credentials::is_alive(&world, &opened.task_arn) {
                true => Ok(opened.known),
                false => Err(AuthFault::UnknownKey),
            }
        }
    }
}

impl SigningKeys {
    fn derive(&self, secret: &str, authorization: &Authorization<'_>) -> SigningKey {
        let (day, region, service) = (
            &*authorization.day,
            &*authorization.region,
            &*authorization.service,
        );
        let same = |entry: &&Entry| {
            entry.secret == secret
                && entry.day == day
                && entry.region == region
                && entry.service == service
        };
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let of_key = kept.by_access_key.get(&*authorization.access_key_id);
        if let Some(entry) = of_key.and_then(|entries| entries.iter().find(same)) {
            return entry.key.clone();
        }
        drop(kept);
        let key = SigningKey::derive(secret, day, region, service);
        let entry = Entry {
            secret: secret.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            key: key.clone(),
        };
        self.keep(&authorization.access_key_id, entry);
        key
    }

    fn keep(&self, access_key_id: &str, entry: Entry) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.count >= SIGNING_KEYS_MAX {
            *kept = Derived::default();
        }
        kept.count += 1;
        let of_key = kept.by_access_key.entry(access_key_id.to_owned());
        of_key.or_default().push(entry);
    }
}
