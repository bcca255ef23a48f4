//! Why a request is not authenticated, in each protocol's own words.
//!
//! Rule: API reference of ECS and of STS, "Common Errors".

use aws_api::Protocol;
use aws_types::{AwsError, ErrorCode};

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
    /// Rule: EC2 API reference, "Common client error codes".
    fn of_ec2(&self) -> AwsError {
        match self {
            Self::Missing => ErrorCode::sender("MissingAuthenticationToken", 403)
                .with("Request is missing Authentication Token"),
            Self::Incomplete(what) => {
                ErrorCode::sender("IncompleteSignature", 400).with(what.as_str())
            }
            Self::ExpiredToken => {
                ErrorCode::sender("RequestExpired", 400).with("Request has expired.")
            }
            Self::UnknownKey | Self::BadSignature(_) => ErrorCode::sender("AuthFailure", 401)
                .with("AWS was not able to validate the provided access credentials"),
        }
    }

    /// AWS's error in a protocol's own name and status.
    #[must_use]
    pub fn error(&self, protocol: Protocol) -> AwsError {
        let query = match protocol {
            Protocol::Ec2Query => return self.of_ec2(),
            Protocol::AwsQuery => true,
            Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RpcV2Cbor => false,
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
