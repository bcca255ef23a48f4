//! What a request says of its signature, in the header `Authorization` or, presigned, in its query.

use super::ALGORITHM;
use crate::Head;
use crate::head::pairs;
use aws_api::Protocol;
use aws_types::{AwsError, ErrorCode};

/// The parts of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Which key signed.
    pub access_key_id: String,
    /// The scope's day, `YYYYMMDD`.
    pub day: String,
    /// The scope's region.
    pub region: String,
    /// The scope's service.
    pub service: String,
    /// Lower-case names, in the order given.
    pub signed_headers: Vec<String>,
    /// 64 hexadecimal digits.
    pub signature: String,
    /// The moment of signing, `YYYYMMDDTHHMMSSZ`.
    pub date: String,
    /// The session's token, if one came along.
    pub session_token: Option<String>,
    /// Where all this stood.
    pub place: Place,
}

/// Where a signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the header.
    Header,
    /// In the query: good for so many seconds from its date.
    Query {
        /// `X-Amz-Expires`.
        expires_s: u32,
    },
}

impl Authorization {
    /// Reads the header or the query.
    ///
    /// # Errors
    /// There is none, or it is malformed.
    pub fn of(head: &Head<'_>) -> Result<Self, AuthFault> {
        if let Some(header) = head.header("authorization") {
            return Self::from_header(head, header);
        }
        if head.query.contains("X-Amz-Algorithm=") {
            return Self::from_query(head);
        }
        Err(AuthFault::Missing)
    }

    /// `DAY/REGION/SERVICE/aws4_request`.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }

    fn from_header(head: &Head<'_>, header: &str) -> Result<Self, AuthFault> {
        let incomplete =
            |what: String| AuthFault::Incomplete(format!("{what} Authorization={header}"));
        let Some(rest) = header.strip_prefix(ALGORITHM) else {
            return Err(incomplete("Unsupported AWS 'algorithm'.".into()));
        };
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => {}
            }
        }
        let date = head.header("x-amz-date").map(str::to_owned);
        let mut missing = String::new();
        for (name, found) in [
            ("Credential", credential.is_some()),
            ("Signature", signature.is_some()),
            ("SignedHeaders", signed.is_some()),
        ] {
            if !found {
                missing.push_str(&format!(
                    "Authorization header requires '{name}' parameter. "
                ));
            }
        }
        if date.is_none() {
            missing.push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
        }
        let (Some(credential), Some(signed), Some(signature), Some(date)) =
            (credential, signed, signature, date)
        else {
            return Err(incomplete(missing.trim_end().to_owned()));
        };
        let scope = credential_parts(credential).ok_or_else(|| {
            incomplete(format!("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'."))
        })?;
        let token = head.header("x-amz-security-token").map(str::to_owned);
        Ok(Self::assemble(
            scope,
            signed,
            signature,
            date,
            token,
            Place::Header,
        ))
    }

    fn from_query(head: &Head<'_>) -> Result<Self, AuthFault> {
        let mut values: std::collections::BTreeMap<String, String> = pairs(head.query).collect();
        let mut take = |name: &str| {
            values.remove(name).ok_or_else(|| {
                AuthFault::Incomplete(format!(
                    "AWS query-string parameters must include '{name}'."
                ))
            })
        };
        if take("X-Amz-Algorithm")? != ALGORITHM {
            return Err(AuthFault::Incomplete("Unsupported AWS 'algorithm'.".into()));
        }
        let credential = take("X-Amz-Credential")?;
        let (signed, signature, date) = (
            take("X-Amz-SignedHeaders")?,
            take("X-Amz-Signature")?,
            take("X-Amz-Date")?,
        );
        let expires_s = take("X-Amz-Expires")
            .unwrap_or_else(|_| "900".into())
            .parse()
            .ok()
            .filter(|seconds| *seconds <= EXPIRES_MAX_S);
        let expires_s = expires_s.ok_or_else(|| {
            AuthFault::Incomplete(
                "X-Amz-Expires must be a number of at most 604800 seconds.".into(),
            )
        })?;
        let token = take("X-Amz-Security-Token").ok();
        let scope = credential_parts(&credential)
            .ok_or_else(|| AuthFault::Incomplete(format!("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'.")))?;
        Ok(Self::assemble(
            scope,
            &signed,
            &signature,
            date,
            token,
            Place::Query { expires_s },
        ))
    }

    fn assemble(
        scope: [&str; 4],
        signed: &str,
        signature: &str,
        date: String,
        session_token: Option<String>,
        place: Place,
    ) -> Self {
        let [key, day, region, service] = scope.map(str::to_owned);
        Self {
            access_key_id: key,
            day,
            region,
            service,
            signed_headers: signed
                .split(';')
                .filter(|name| !name.is_empty())
                .map(str::to_ascii_lowercase)
                .collect(),
            signature: signature.to_owned(),
            date,
            session_token,
            place,
        }
    }
}

/// Seven days, as AWS has it.
const EXPIRES_MAX_S: u32 = 604_800;

fn credential_parts(credential: &str) -> Option<[&str; 4]> {
    let parts: Vec<&str> = credential.split('/').collect();
    match parts[..] {
        [key, day, region, service, "aws4_request"] if !key.is_empty() => {
            Some([key, day, region, service])
        }
        _ => None,
    }
}

/// Why a request is not authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthFault {
    /// It carries no signature.
    Missing,
    /// Its signature's parts are malformed.
    Incomplete(String),
    /// Nobody has that key, or the token is not the key's.
    UnknownKey,
    /// The token's time is over.
    ExpiredToken,
    /// The signature is wrong, too old, or for another place.
    BadSignature(String),
}

impl AuthFault {
    /// AWS's error in a protocol's own name and status.
    #[must_use]
    pub fn error(&self, protocol: Protocol) -> AwsError {
        let query = match protocol {
            Protocol::AwsQuery => true,
            Protocol::AwsJson10 | Protocol::AwsJson11 => false,
        };
        let code = |json: &'static str, form: &'static str, form_status: u16| {
            if query {
                ErrorCode::sender(form, form_status)
            } else {
                ErrorCode::sender(json, 400)
            }
        };
        match self {
            Self::Missing => code(
                "MissingAuthenticationTokenException",
                "MissingAuthenticationToken",
                403,
            )
            .with(if query {
                "Request is missing Authentication Token"
            } else {
                "Missing Authentication Token"
            }),
            Self::Incomplete(what) => {
                code("IncompleteSignatureException", "IncompleteSignature", 400).with(what.as_str())
            }
            Self::UnknownKey => code("UnrecognizedClientException", "InvalidClientTokenId", 403)
                .with("The security token included in the request is invalid."),
            Self::ExpiredToken => code("ExpiredTokenException", "ExpiredToken", 403)
                .with("The security token included in the request is expired"),
            Self::BadSignature(what) => {
                code("InvalidSignatureException", "SignatureDoesNotMatch", 403).with(what.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(header in prop_oneof![".{0,80}", "AWS4-HMAC-SHA256 (Credential=[a/]{0,9}|SignedHeaders=[a;]{0,5}|Signature=.|, ){0,5}"], query in "(X-Amz-(Algorithm|Credential|Expires|Date)=[A-Z0-9a-z%/-]{0,20}&){0,4}") {
            let headers = [("authorization", header.as_str()), ("x-amz-date", "20240101T000000Z")];
            let _ = Authorization::of(&Head { method: "GET", path: "/", query: "", headers: &headers });
            let _ = Authorization::of(&Head { method: "GET", path: "/", query: &query, headers: &[] });
        }
    }
}
