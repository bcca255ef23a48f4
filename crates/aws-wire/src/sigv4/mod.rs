//! AWS Signature Version 4.
//!
//! * [`Authorization`]: what a request says of its signature, in a header or in its query.
//! * [`verify`]: whether that signature is right, with AWS's own refusals.
//! * [`sign`]: signs requests of our own clients.
//!
//! Rule: IAM user guide, "AWS Signature Version 4 for API requests".

mod authorization;
mod canonical;
mod fault;
mod sign;
mod verify;

pub use authorization::{Authorization, Place};
pub use fault::AuthFault;
pub use sign::{Credentials, sign};
pub use verify::{Expected, verify};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The only algorithm served.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A secret key for one day, region and service; may be kept for that day.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// Derives the key; `date` is `YYYYMMDD`.
    #[must_use]
    pub fn derive(secret: &str, date: &str, region: &str, service: &str) -> Self {
        let mut key = Vec::with_capacity(4 + secret.len());
        key.extend_from_slice(b"AWS4");
        key.extend_from_slice(secret.as_bytes());
        let date = hmac(&key, date.as_bytes());
        let region = hmac(&date, region.as_bytes());
        let service = hmac(&region, service.as_bytes());
        Self(hmac(&service, b"aws4_request"))
    }

    fn signature(&self, string_to_sign: &str) -> String {
        hex(&hmac(&self.0, string_to_sign.as_bytes()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// Lower-case hexadecimal SHA-256.
#[must_use]
pub fn sha256_hex(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
