//! Requests signed by the real botocore (`vectors/generate.py` makes them): each passes as it is,
//! and each change of it is refused in AWS's own words.
#![allow(clippy::unwrap_used)]

use aws_types::Timestamp;
use aws_wire::Head;
use aws_wire::sigv4::{AuthFault, Authorization, Expected, SigningKey, verify};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// A request as it goes over the wire, and what the server knows.
#[derive(Clone)]
struct Case {
    name: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    secret: String,
    token: Option<String>,
    service: String,
    region: String,
    expires_s: Option<i64>,
    now_ms: i64,
}

fn cases() -> Vec<Case> {
    let file: Value = serde_json::from_str(include_str!("vectors/botocore.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let requests = file["requests"].as_array().unwrap();
    requests
        .iter()
        .map(|request| Case {
            name: text(&request["name"]),
            method: text(&request["method"]),
            path: text(&request["path"]),
            query: text(&request["query"]),
            headers: request["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| (text(&pair[0]), text(&pair[1])))
                .collect(),
            body: STANDARD.decode(text(&request["body"])).unwrap(),
            secret: text(&file["secret"]),
            token: request["token"].as_str().map(str::to_owned),
            service: text(&request["service"]),
            region: text(&request["region"]),
            expires_s: request["expires_s"].as_i64(),
            now_ms: file["now_ms"].as_i64().unwrap(),
        })
        .collect()
}

fn outcome(case: &Case) -> Result<(), AuthFault> {
    let headers: Vec<(&str, &str)> = case
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let head = Head {
        method: &case.method,
        path: &case.path,
        query: &case.query,
        headers: &headers,
    };
    let authorization = Authorization::of(&head)?;
    assert_eq!(authorization.access_key_id, "AKIAIOSFODNN7EXAMPLE");
    let key = SigningKey::derive(
        &case.secret,
        &authorization.day,
        &authorization.region,
        &authorization.service,
    );
    let expected = Expected {
        regions: std::slice::from_ref(&case.region),
        service: &case.service,
        session_token: case.token.as_deref(),
        now: Timestamp::from_millis(case.now_ms),
    };
    verify(&head, &case.body, &authorization, || key, expected)
}

fn refused(case: &Case, what: &str, expected: &str) {
    let fault = outcome(case)
        .err()
        .unwrap_or_else(|| panic!("{}: passed with {what}", case.name));
    assert_eq!(
        fault,
        AuthFault::BadSignature(expected.to_owned()),
        "{}: {what}",
        case.name
    );
}

/// Each case after a change; the change answers whether it applies.
fn each(change: impl Fn(&mut Case) -> bool) -> Vec<Case> {
    let changed: Vec<Case> = cases()
        .into_iter()
        .filter_map(|mut case| change(&mut case).then_some(case))
        .collect();
    assert!(!changed.is_empty(), "the change applies to no case");
    changed
}

#[test]
fn what_botocore_signed_passes() {
    assert!(cases().len() > 20);
    for case in cases() {
        assert_eq!(outcome(&case), Ok(()), "{}", case.name);
    }
}

#[test]
fn a_changed_request_is_refused() {
    let changes: [(&str, fn(&mut Case) -> bool); 8] = [
        ("another body", |case| {
            case.body.push(b' ');
            true
        }),
        ("another method", |case| {
            case.method = "PUT".into();
            true
        }),
        ("another path", |case| {
            case.path.push_str("more");
            true
        }),
        ("one more parameter", |case| {
            case.query.push_str("&zzz=1");
            true
        }),
        ("a parameter less", |case| {
            match case.query.split_once('&') {
                Some((_, rest)) if !rest.is_empty() && case.expires_s.is_none() => {
                    case.query = rest.into();
                    true
                }
                _ => false,
            }
        }),
        ("a plus sign for an encoded one", |case| {
            let changed = case.query.replace("1%2B2", "1+2");
            std::mem::replace(&mut case.query, changed) != case.query
        }),
        ("another secret", |case| {
            case.secret.push('x');
            true
        }),
        ("another signature", |case| {
            let text = case
                .headers
                .iter_mut()
                .find(|(name, _)| name == "authorization")
                .map_or(&mut case.query, |(_, value)| value);
            let last = if text.ends_with('0') { '1' } else { '0' };
            text.pop();
            text.push(last);
            true
        }),
    ];
    for (what, change) in changes {
        for case in each(change) {
            refused(&case, what, MISMATCH);
        }
    }
}

#[test]
fn a_signed_header_changed_or_gone_is_refused() {
    let mut tried = 0;
    for case in cases() {
        let listed = format!("{:?}{}", case.headers, case.query.replace("%3B", ";"));
        for at in 0..case.headers.len() {
            let name = case.headers[at].0.clone();
            let signed = [format!(";{name}"), format!("SignedHeaders={name}")];
            let apart = ["authorization", "x-amz-date", "date"].contains(&name.as_str());
            if apart || !signed.iter().any(|part| listed.contains(part)) {
                continue;
            }
            tried += 1;
            let mut changed = case.clone();
            changed.headers[at].1.push('x');
            refused(&changed, &name, MISMATCH);
            let mut gone = case.clone();
            gone.headers.remove(at);
            // An empty header leaves nothing behind that could be missed.
            if !case.headers[at].1.is_empty() {
                refused(&gone, &name, MISMATCH);
            }
        }
    }
    assert!(tried > 30, "{tried}");
}

#[test]
fn a_header_that_steers_must_be_signed() {
    for case in each(|case| {
        let absent = case.headers.iter().all(|(name, _)| name != "x-amz-target");
        case.headers
            .push(("x-amz-target".into(), "Any.Thing".into()));
        absent
    }) {
        refused(
            &case,
            "a target",
            "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
        );
    }
}

#[test]
fn another_region_or_service_is_refused() {
    for case in each(|case| {
        case.region = "mars-north-1".into();
        true
    }) {
        refused(
            &case,
            "a region",
            "Credential should be scoped to a valid region.",
        );
    }
    for case in each(|case| {
        case.service = "elasticmars".into();
        true
    }) {
        refused(
            &case,
            "a service",
            "Credential should be scoped to correct service: 'elasticmars'.",
        );
    }
}

#[test]
fn a_token_that_is_not_the_keys_is_refused() {
    for (token, what) in [(None, "no token"), (Some("other"), "another token")] {
        for case in each(|case| {
            let had = case.token.is_some();
            case.token = token.map(str::to_owned);
            had || token.is_some()
        }) {
            assert_eq!(
                outcome(&case),
                Err(AuthFault::UnknownKey),
                "{}: {what}",
                case.name
            );
        }
    }
}

#[test]
fn a_date_out_of_its_time_is_refused() {
    const SECOND: i64 = 1000;
    const SKEW: i64 = 300 * SECOND;
    for case in cases() {
        let at = |offset: i64| Case {
            now_ms: case.now_ms + offset,
            ..case.clone()
        };
        let good_for = case.expires_s.map_or(SKEW, |seconds| seconds * SECOND);
        for good in [-SKEW, 0, good_for] {
            assert_eq!(outcome(&at(good)), Ok(()), "{} {good}", case.name);
        }
        let late = match case.expires_s {
            None => {
                "Signature expired: 20260228T235859Z is now earlier than 20260228T235900Z (20260301T000400Z - 5 min.)"
            }
            Some(60) => {
                "Signature expired: 20260228T235859Z is now earlier than 20260228T235900Z (20260301T000000Z - 1 min.)"
            }
            Some(3600) => {
                "Signature expired: 20260228T235859Z is now earlier than 20260228T235900Z (20260301T005900Z - 60 min.)"
            }
            Some(_) => {
                "Signature expired: 20260228T235859Z is now earlier than 20260228T235900Z (20260307T235900Z - 10080 min.)"
            }
        };
        refused(&at(good_for + SECOND), "a late clock", late);
        refused(
            &at(-SKEW - SECOND),
            "an early clock",
            "Signature not yet current: 20260228T235859Z is still later than 20260228T235858Z (20260228T235358Z + 5 min.)",
        );
    }
}
