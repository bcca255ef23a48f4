//! The canonical request and the string to sign.

use super::{ALGORITHM, Authorization, sha256_hex};
use crate::Head;
use crate::head::{percent_decoded, percent_encoded, push_percent_encoded};

/// The text whose HMAC is the signature.
pub fn string_to_sign(
    head: &Head<'_>,
    authorization: &Authorization<'_>,
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

fn canonical_request(
    head: &Head<'_>,
    authorization: &Authorization<'_>,
    payload_hash: &str,
) -> String {
    let mut request = String::with_capacity(512);
    request.push_str(head.method);
    request.push('\n');
    push_canonical_path(&mut request, head.path, &authorization.service);
    request.push('\n');
    push_canonical_query(&mut request, head.query);
    request.push('\n');
    for name in authorization.signed() {
        request.push_str(name);
        request.push(':');
        let values = head.headers.iter().filter(|(found, _)| *found == name);
        for (at, (_, value)) in values.enumerate() {
            if at > 0 {
                request.push(',');
            }
            push_trimmed(&mut request, value);
        }
        request.push('\n');
    }
    request.push('\n');
    for (at, name) in authorization.signed().enumerate() {
        if at > 0 {
            request.push(';');
        }
        request.push_str(name);
    }
    request.push('\n');
    request.push_str(payload_hash);
    request
}

/// Without blanks around, and with single spaces inside.
fn push_trimmed(out: &mut String, value: &str) {
    for (at, word) in value.split_ascii_whitespace().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
}

/// S3 signs the path as it is; everyone else normalises it and encodes what was sent once more.
fn push_canonical_path(out: &mut String, path: &str, service: &str) {
    if path.is_empty() || path == "/" {
        out.push('/');
        return;
    }
    if service == "s3" {
        out.push_str(path);
        return;
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
    out.push('/');
    for (at, segment) in segments.iter().enumerate() {
        if at > 0 {
            out.push('/');
        }
        push_percent_encoded(out, segment);
    }
    if path.ends_with('/') && !segments.is_empty() {
        out.push('/');
    }
}

/// Sorted by encoded name, then value; the signature itself left out. A plus sign is a space, as
/// it is to whoever reads the query: otherwise the two could be exchanged under one signature.
fn push_canonical_query(out: &mut String, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let encode = |text| percent_encoded(&percent_decoded(text, true));
            (encode(name), encode(value))
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
}
