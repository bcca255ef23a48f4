//! What a request says of its signature, in the header `Authorization` or, presigned, in its query.

use super::{ALGORITHM, AuthFault};
use crate::Head;
use crate::head::pairs;
use aws_types::Timestamp;
use std::borrow::Cow;

/// The parts of a signature, as far as possible borrowed from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Which key signed.
    pub access_key_id: Cow<'a, str>,
    /// The scope's day, `YYYYMMDD`.
    pub day: Cow<'a, str>,
    /// The scope's region.
    pub region: Cow<'a, str>,
    /// The scope's service.
    pub service: Cow<'a, str>,
    /// The names of the signed headers as they were given: lower case, between semicolons.
    pub signed_headers: Cow<'a, str>,
    /// 64 hexadecimal digits.
    pub signature: Cow<'a, str>,
    /// The moment of signing, `YYYYMMDDTHHMMSSZ`.
    pub date: Cow<'a, str>,
    /// The session's token, if one came along.
    pub session_token: Option<Cow<'a, str>>,
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

impl<'a> Authorization<'a> {
    /// Reads the header or the query.
    ///
    /// # Errors
    /// There is none, or it is malformed.
    pub fn of(head: &Head<'a>) -> Result<Self, AuthFault> {
        if let Some(header) = head.header("authorization") {
            return Self::from_header(head, header);
        }
        if head.query.contains("X-Amz-Algorithm=") {
            return Self::from_query(head.query);
        }
        Err(AuthFault::Missing)
    }

    /// `DAY/REGION/SERVICE/aws4_request`.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }

    /// The names of the signed headers, in the order given.
    pub fn signed(&self) -> impl Iterator<Item = &str> {
        self.signed_headers
            .split(';')
            .filter(|name| !name.is_empty())
    }

    fn from_header(head: &Head<'a>, header: &'a str) -> Result<Self, AuthFault> {
        let incomplete =
            |what: String| AuthFault::Incomplete(format!("{what} Authorization={header}"));
        let parts = header.strip_prefix(ALGORITHM);
        let Some(parts) = parts.filter(|rest| rest.is_empty() || rest.starts_with(' ')) else {
            return Err(incomplete("Unsupported AWS 'algorithm'.".into()));
        };
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in parts.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => {}
            }
        }
        let date = header_date(head);
        let (Some(credential), Some(signed_headers), Some(signature), Some(date)) =
            (credential, signed, signature, &date)
        else {
            let missing = missing_parts(
                credential.is_some(),
                signature.is_some(),
                signed.is_some(),
                date.is_some(),
            );
            return Err(incomplete(missing));
        };
        let scope = credential_parts(credential).ok_or_else(|| {
            incomplete(format!("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'."))
        })?;
        let [access_key_id, day, region, service] = scope.map(Cow::Borrowed);
        Ok(Self {
            access_key_id,
            day,
            region,
            service,
            signed_headers: Cow::Borrowed(signed_headers),
            signature: Cow::Borrowed(signature),
            date: date.clone(),
            session_token: head.header("x-amz-security-token").map(Cow::Borrowed),
            place: Place::Header,
        })
    }

    fn from_query(query: &str) -> Result<Self, AuthFault> {
        let mut values: std::collections::BTreeMap<String, String> = pairs(query).collect();
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
        let signed_headers = take("X-Amz-SignedHeaders")?;
        let signature = take("X-Amz-Signature")?;
        let date = take("X-Amz-Date")?;
        let expires = take("X-Amz-Expires").unwrap_or_else(|_| EXPIRES_DEFAULT.into());
        let expires_s = expires.parse().ok();
        let expires_s = expires_s
            .filter(|seconds| *seconds <= EXPIRES_MAX_S)
            .ok_or_else(|| {
                AuthFault::Incomplete(
                    "X-Amz-Expires must be a number of at most 604800 seconds.".into(),
                )
            })?;
        let session_token = take("X-Amz-Security-Token").ok().map(Cow::Owned);
        let scope = credential_parts(&credential)
            .ok_or_else(|| AuthFault::Incomplete(format!("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'.")))?;
        let [access_key_id, day, region, service] = scope.map(|part| Cow::Owned(part.to_owned()));
        Ok(Self {
            access_key_id,
            day,
            region,
            service,
            signed_headers: Cow::Owned(signed_headers),
            signature: Cow::Owned(signature),
            date: Cow::Owned(date),
            session_token,
            place: Place::Query { expires_s },
        })
    }
}

/// Seven days, as AWS has it.
const EXPIRES_MAX_S: u32 = 604_800;
/// A presigned URL that states no time is good for this many seconds.
const EXPIRES_DEFAULT: &str = "900";

/// `X-Amz-Date`, else `Date`, in the basic form; a `Date` may be written as HTTP writes it.
fn header_date<'a>(head: &Head<'a>) -> Option<Cow<'a, str>> {
    if let Some(date) = head.header("x-amz-date") {
        return Some(Cow::Borrowed(date));
    }
    let date = head.header("date")?;
    Some(match Timestamp::parse_http_date(date) {
        Some(moment) => Cow::Owned(moment.sigv4()),
        None => Cow::Borrowed(date),
    })
}

fn missing_parts(credential: bool, signature: bool, signed_headers: bool, date: bool) -> String {
    let mut missing = Vec::new();
    for (name, found) in [
        ("Credential", credential),
        ("Signature", signature),
        ("SignedHeaders", signed_headers),
    ] {
        if !found {
            missing.push(format!("Authorization header requires '{name}' parameter."));
        }
    }
    if !date {
        missing.push(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                .into(),
        );
    }
    missing.join(" ")
}

fn credential_parts(credential: &str) -> Option<[&str; 4]> {
    let mut parts = credential.split('/');
    let four = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let closed = parts.next() == Some("aws4_request") && parts.next().is_none();
    (closed && !four[0].is_empty()).then_some(four)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn incomplete(headers: &[(&str, &str)], query: &str) -> String {
        let head = Head {
            method: "GET",
            path: "/",
            query,
            headers,
        };
        match Authorization::of(&head) {
            Err(AuthFault::Incomplete(what)) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_missing_is_named_in_the_words_of_aws() {
        let date = ("x-amz-date", "20240101T000000Z");
        fn header(value: &str) -> (&str, &str) {
            ("authorization", value)
        }
        assert_eq!(
            incomplete(&[header("AWS4-HMAC-SHA256 x")], ""),
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256 x"
        );
        assert!(incomplete(&[header("Bearer x"), date], "").starts_with("Unsupported"));
        assert!(incomplete(&[header("AWS4-HMAC-SHA256X Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0"), date], "").starts_with("Unsupported"));
        for credential in [
            "a",
            "a/b/c/d/aws4",
            "/b/c/d/aws4_request",
            "a/b/c/d/aws4_request/e",
        ] {
            let value = format!(
                "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"
            );
            let what = incomplete(&[header(&value), date], "");
            assert!(
                what.starts_with("Credential must have exactly 5 slash-delimited elements"),
                "{what}"
            );
        }
        assert_eq!(
            incomplete(&[], "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a"),
            "AWS query-string parameters must include 'X-Amz-SignedHeaders'."
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(header in prop_oneof![".{0,80}", "AWS4-HMAC-SHA256 (Credential=[a/]{0,9}|SignedHeaders=[a;]{0,5}|Signature=.|, ){0,5}"], query in "(X-Amz-(Algorithm|Credential|Expires|Date)=[A-Z0-9a-z%/-]{0,20}&){0,4}") {
            let headers = [("authorization", header.as_str()), ("x-amz-date", "20240101T000000Z")];
            let _ = Authorization::of(&Head { method: "GET", path: "/", query: "", headers: &headers });
            let _ = Authorization::of(&Head { method: "GET", path: "/", query: &query, headers: &[] });
        }

        #[test]
        fn the_parts_of_a_header_are_read_as_they_were_written(key in "[A-Z0-9]{1,20}", day in "[0-9]{8}", region in "[a-z0-9-]{0,12}", service in "[a-z]{0,9}", signed in "[a-z-]{1,8}(;[a-z-]{1,8}){0,3}", signature in "[0-9a-f]{64}", gap in "(, |,| , )") {
            let header = format!("AWS4-HMAC-SHA256 Credential={key}/{day}/{region}/{service}/aws4_request{gap}SignedHeaders={signed}{gap}Signature={signature}");
            let headers = [("authorization", header.as_str()), ("x-amz-date", "20240101T000000Z")];
            let read = Authorization::of(&Head { method: "GET", path: "/", query: "", headers: &headers }).unwrap();
            prop_assert_eq!([&*read.access_key_id, &*read.day, &*read.region, &*read.service], [&*key, &*day, &*region, &*service]);
            prop_assert_eq!((&*read.signed_headers, &*read.signature), (&*signed, &*signature));
            prop_assert_eq!(read.signed().collect::<Vec<_>>().join(";"), signed);
        }
    }
}
