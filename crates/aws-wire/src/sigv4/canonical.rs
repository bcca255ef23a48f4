//! The canonical request and the string to sign.

use super::{ALGORITHM, Authorization, sha256_hex};
use crate::Head;
use crate::head::{percent_decoded, percent_encoded};

/// The text whose HMAC is the signature.
pub fn string_to_sign(
    head: &Head<'_>,
    authorization: &Authorization,
    payload_hash: &str,
) -> String {
    let request = canonical_request(head, authorization, payload_hash);
    format!(
        "{ALGORITHM}\n{}\n{}\n{}",
        authorization.date,
        authorization.scope(),
        sha256_hex(request.as_bytes())
    )
}

fn canonical_request(head: &Head<'_>, authorization: &Authorization, payload_hash: &str) -> String {
    let mut request = String::with_capacity(512);
    request.push_str(head.method);
    request.push('\n');
    request.push_str(&canonical_path(head.path, &authorization.service));
    request.push('\n');
    request.push_str(&canonical_query(head.query));
    request.push('\n');
    for name in &authorization.signed_headers {
        request.push_str(name);
        request.push(':');
        let mut values = head
            .headers
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| *value);
        if let Some(first) = values.next() {
            push_trimmed(&mut request, first);
        }
        for value in values {
            request.push(',');
            push_trimmed(&mut request, value);
        }
        request.push('\n');
    }
    request.push('\n');
    request.push_str(&authorization.signed_headers.join(";"));
    request.push('\n');
    request.push_str(payload_hash);
    request
}

/// Without spaces around, and with single spaces inside.
fn push_trimmed(out: &mut String, value: &str) {
    let mut words = value.split(' ').filter(|word| !word.is_empty());
    out.extend(words.next());
    for word in words {
        out.push(' ');
        out.push_str(word);
    }
}

/// S3 signs the path as it is; everyone else normalises it and encodes what was sent once more.
fn canonical_path(path: &str, service: &str) -> String {
    if path.is_empty() || path == "/" {
        return "/".into();
    }
    if service == "s3" {
        return path.into();
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut out = String::from("/");
    for (at, segment) in segments.iter().enumerate() {
        if at > 0 {
            out.push('/');
        }
        out.push_str(&percent_encoded(segment));
    }
    if path.ends_with('/') && !segments.is_empty() {
        out.push('/');
    }
    out
}

/// Sorted by encoded name, then value; the signature itself left out.
fn canonical_query(query: &str) -> String {
    if query.is_empty() {
        return String::new();
    }
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let encode = |text| percent_encoded(&percent_decoded(text, false));
            (encode(name), encode(value))
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}
