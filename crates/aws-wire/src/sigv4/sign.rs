//! Signs requests of our own clients, in the header form.

use super::canonical::string_to_sign;
use super::{ALGORITHM, Authorization, Place, SigningKey, sha256_hex};
use crate::Head;
use aws_types::Timestamp;
use std::borrow::Cow;

/// A key pair, and for whom it signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret: String,
    /// The session's token, for temporary keys.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// The headers to add to a request: `x-amz-date`, `authorization`, and the token where there is
/// one. `head` holds `host` and whatever else is to be signed, names in lower case.
#[must_use]
pub fn sign(
    head: &Head<'_>,
    body: &[u8],
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let date = now.sigv4();
    let mut added = vec![("x-amz-date", date.clone())];
    added.extend(
        credentials
            .session_token
            .clone()
            .map(|token| ("x-amz-security-token", token)),
    );
    let mut headers: Vec<(&str, &str)> = head.headers.to_vec();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    // Stable: values of one name keep their order, as the receiver joins them in it.
    headers.sort_by_key(|(name, _)| *name);
    let mut signed_headers: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    signed_headers.dedup();
    let authorization = Authorization {
        access_key_id: Cow::Borrowed(&credentials.access_key_id),
        day: Cow::Borrowed(&date[..8]),
        region: Cow::Borrowed(region),
        service: Cow::Borrowed(service),
        signed_headers: Cow::Owned(signed_headers.join(";")),
        signature: Cow::Borrowed(""),
        date: Cow::Borrowed(&date),
        session_token: None,
        place: Place::Header,
    };
    let head = Head {
        headers: &headers,
        ..*head
    };
    let key = SigningKey::derive(&credentials.secret, &authorization.day, region, service);
    let signature = key.signature(&string_to_sign(&head, &authorization, &sha256_hex(body)));
    let value = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
        authorization.access_key_id,
        authorization.scope(),
        authorization.signed_headers,
    );
    added.push(("authorization", value));
    added
}
