//! Whether a request's signature is right.

use super::canonical::string_to_sign;
use super::{AuthFault, Authorization, Place, SigningKey, sha256_hex};
use crate::Head;
use aws_types::Timestamp;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How far a request's date may be from ours.
const SKEW_MAX: Duration = Duration::from_secs(5 * 60);
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What the signature must be for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The regions served.
    pub regions: &'a [String],
    /// The service's name in the scope.
    pub service: &'a str,
    /// The token of the key, where it is of a session; the same must have come along.
    pub session_token: Option<&'a str>,
    /// Our time.
    pub now: Timestamp,
}

/// Verifies a signature with the derived key of its scope, and that the key's own token came along.
/// `key` is asked for only where scope and date are good, so that it may keep what it derives.
///
/// # Errors
/// As AWS refuses it.
pub fn verify(
    head: &Head<'_>,
    body: &[u8],
    authorization: &Authorization<'_>,
    key: impl FnOnce() -> SigningKey,
    expected: Expected<'_>,
) -> Result<(), AuthFault> {
    check_scope(authorization, expected)?;
    check_date(authorization, expected.now)?;
    check_signed_headers(head, authorization)?;
    let payload_hash = payload_hash(head, body, authorization)?;
    let ours = key().signature(&string_to_sign(head, authorization, &payload_hash));
    let same = ours.as_bytes().ct_eq(authorization.signature.as_bytes());
    if !bool::from(same) {
        return Err(AuthFault::BadSignature(MISMATCH.into()));
    }
    check_token(authorization, expected.session_token)
}

fn check_token(authorization: &Authorization<'_>, wanted: Option<&str>) -> Result<(), AuthFault> {
    let same = match (authorization.session_token.as_deref(), wanted) {
        (None, None) => true,
        (Some(found), Some(wanted)) => found.as_bytes().ct_eq(wanted.as_bytes()).into(),
        _ => false,
    };
    if same {
        Ok(())
    } else {
        Err(AuthFault::UnknownKey)
    }
}

fn check_scope(authorization: &Authorization<'_>, expected: Expected<'_>) -> Result<(), AuthFault> {
    if authorization.service != expected.service {
        return Err(AuthFault::BadSignature(format!(
            "Credential should be scoped to correct service: '{}'.",
            expected.service
        )));
    }
    if !expected
        .regions
        .iter()
        .any(|region| *region == authorization.region)
    {
        return Err(AuthFault::BadSignature(
            "Credential should be scoped to a valid region.".into(),
        ));
    }
    Ok(())
}

fn check_date(authorization: &Authorization<'_>, now: Timestamp) -> Result<(), AuthFault> {
    let signed = Timestamp::parse_sigv4(&authorization.date)
        .ok_or_else(|| AuthFault::Incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601", authorization.date)))?;
    if authorization.date.get(..8) != Some(&*authorization.day) {
        return Err(AuthFault::BadSignature(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{}'.",
            authorization.day,
            &authorization.date[..8],
            authorization.date
        )));
    }
    let latest = now.plus(SKEW_MAX);
    // A presigned URL is good for the time it states, to the second.
    let good_for = match authorization.place {
        Place::Header => SKEW_MAX,
        Place::Query { expires_s } => Duration::from_secs(expires_s.into()),
    };
    let earliest = now.minus(good_for);
    if signed < earliest {
        return Err(AuthFault::BadSignature(format!(
            "Signature expired: {} is now earlier than {} ({} - {})",
            authorization.date,
            earliest.sigv4(),
            now.sigv4(),
            minutes(good_for)
        )));
    }
    if signed > latest {
        return Err(AuthFault::BadSignature(format!(
            "Signature not yet current: {} is still later than {} ({} + 5 min.)",
            authorization.date,
            latest.sigv4(),
            now.sigv4()
        )));
    }
    Ok(())
}

/// `5 min.`, as AWS writes it.
fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 60 == 0 => format!("{} min.", seconds / 60),
        seconds => format!("{seconds} sec."),
    }
}

/// `host`, and every `x-amz-` header that came along, must be signed: what is not could be changed.
fn check_signed_headers(
    head: &Head<'_>,
    authorization: &Authorization<'_>,
) -> Result<(), AuthFault> {
    let signed = |name: &str| authorization.signed().any(|signed| signed == name);
    if !signed("host") {
        return Err(AuthFault::BadSignature(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into(),
        ));
    }
    // The token may be added after signing, as IoT's clients do; the key's own token is compared.
    let must = |name: &str| name.starts_with("x-amz-") && name != "x-amz-security-token";
    match head
        .headers
        .iter()
        .find(|(name, _)| must(name) && !signed(name))
    {
        Some((name, _)) => Err(AuthFault::BadSignature(format!(
            "'{name}' must be a 'SignedHeader' in the AWS Authorization."
        ))),
        None => Ok(()),
    }
}

/// The hash that the signature covers. Where the client states one, it must be the body's own.
fn payload_hash(
    head: &Head<'_>,
    body: &[u8],
    authorization: &Authorization<'_>,
) -> Result<String, AuthFault> {
    let stated = head.header("x-amz-content-sha256");
    if stated == Some(UNSIGNED) && authorization.service == "s3" {
        return Ok(UNSIGNED.into());
    }
    let actual = sha256_hex(body);
    match stated {
        Some(stated) if stated != actual => Err(AuthFault::BadSignature(MISMATCH.into())),
        _ => Ok(actual),
    }
}
