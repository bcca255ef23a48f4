//! The SDK's own signer as an oracle: whatever it signs passes, and our signer writes the same.
#![allow(clippy::unwrap_used)]

use aws_credential_types::Credentials as SdkCredentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings,
};
use aws_sigv4::sign::v4;
use aws_types::Timestamp;
use aws_wire::Head;
use aws_wire::head::percent_encoded;
use aws_wire::sigv4::{AuthFault, Authorization, Credentials, Expected, SigningKey, sign, verify};
use proptest::prelude::*;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    secret: String,
    token: Option<String>,
    region: String,
    service: String,
    seconds: u64,
}

/// None ends in a dot segment: botocore and the SDK disagree whether a slash then remains.
fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => any::<String>().prop_map(|text| percent_encoded(&text)),
        1 => "[a-z:@!$&'()*,;=+~]{1,6}",
        1 => prop::sample::select(vec![String::new(), ".".into(), "..".into()]),
    ];
    let segments = prop::collection::vec(segment, 0..5);
    segments.prop_map(|mut segments| {
        if segments
            .last()
            .is_some_and(|last| last == "." || last == "..")
        {
            segments.push(String::new());
        }
        format!("/{}", segments.join("/"))
    })
}

fn query() -> impl Strategy<Value = String> {
    let text = || {
        prop_oneof![
            any::<String>().prop_map(|text| percent_encoded(&text)),
            "[a-c+]{0,3}",
        ]
    };
    let pair = prop_oneof![
        (text(), text()).prop_map(|(name, value)| format!("{name}={value}")),
        "[a-c]{1,2}",
    ];
    prop::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&"))
}

fn request() -> impl Strategy<Value = Request> {
    let value = "[!-~]{0,6}( {0,3}[!-~]{1,6}){0,3} {0,2}";
    let headers = (value, value, prop::bool::ANY).prop_map(|(first, second, twice)| {
        let mut headers = vec![
            ("host", "127.0.0.1:4566".to_owned()),
            ("x-amz-meta", first.clone()),
            ("x-other", second),
        ];
        headers.extend(twice.then_some(("x-amz-meta", first)));
        headers
    });
    let what = (
        prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"]),
        path(),
        query(),
        headers,
        prop::collection::vec(any::<u8>(), 0..200),
    );
    let whom = (
        "[A-Za-z0-9/+]{1,60}",
        prop::option::of("[A-Za-z0-9/+=]{1,80}"),
        "[a-z]{2}-[a-z]{4}-[1-9]",
        "(ecs|logs|sts|elasticloadbalancing)",
        1_000_000_000u64..4_000_000_000,
    );
    (what, whom).prop_map(|(what, whom)| {
        let (method, path, query, headers, body) = what;
        let (secret, token, region, service, seconds) = whom;
        Request {
            method,
            path,
            query,
            headers,
            body,
            secret,
            token,
            region,
            service,
            seconds,
        }
    })
}

/// The headers and parameters that the SDK's signer adds.
fn sdk_signed(request: &Request, location: SignatureLocation) -> [Vec<(String, String)>; 2] {
    let identity = SdkCredentials::new(
        "AKIDEXAMPLE",
        &request.secret,
        request.token.clone(),
        None,
        "test",
    )
    .into();
    let mut settings = SigningSettings::default();
    settings.signature_location = location;
    settings.expires_in = Some(Duration::from_secs(60));
    let params: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(&request.region)
        .name(&request.service)
        .time(UNIX_EPOCH + Duration::from_secs(request.seconds))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let uri = format!("http://127.0.0.1:4566{}?{}", request.path, request.query);
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let body = SignableBody::Bytes(&request.body);
    let signable = SignableRequest::new(request.method, uri, headers, body).unwrap();
    let (instructions, _) = aws_sigv4::http_request::sign(signable, &params)
        .unwrap()
        .into_parts();
    let headers = instructions
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let params = instructions
        .params()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    [headers.collect(), params.collect()]
}

fn verified(request: &Request, added: &[Vec<(String, String)>; 2]) -> Result<(), AuthFault> {
    let mut headers: Vec<(&str, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    headers.extend(
        added[0]
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let mut query = request.query.clone();
    for (name, value) in &added[1] {
        query.push_str(&format!("&{name}={}", percent_encoded(value)));
    }
    let head = Head {
        method: request.method,
        path: &request.path,
        query: &query,
        headers: &headers,
    };
    let authorization = Authorization::of(&head)?;
    let key = SigningKey::derive(
        &request.secret,
        &authorization.day,
        &request.region,
        &request.service,
    );
    let expected = Expected {
        regions: std::slice::from_ref(&request.region),
        service: &request.service,
        session_token: request.token.as_deref(),
        now: Timestamp::from_millis(request.seconds as i64 * 1000),
    };
    verify(&head, &request.body, &authorization, || key, expected)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_sdk_signs_in_headers_passes(request in request()) {
        let added = sdk_signed(&request, SignatureLocation::Headers);
        prop_assert_eq!(verified(&request, &added), Ok(()));
        let tampered = Request { body: [&request.body[..], b"x"].concat(), ..request };
        prop_assert!(verified(&tampered, &added).is_err());
    }

    #[test]
    fn what_the_sdk_presigns_passes(request in request()) {
        let added = sdk_signed(&request, SignatureLocation::QueryParams);
        prop_assert_eq!(verified(&request, &added), Ok(()));
        let tampered = Request { path: format!("{}/x", request.path), ..request };
        prop_assert!(verified(&tampered, &added).is_err());
    }

    #[test]
    fn our_signer_writes_what_the_sdk_writes(request in request()) {
        let [wanted, _] = sdk_signed(&request, SignatureLocation::Headers);
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let head = Head { method: request.method, path: &request.path, query: &request.query, headers: &headers };
        let credentials = Credentials { access_key_id: "AKIDEXAMPLE".into(), secret: request.secret.clone(), session_token: request.token.clone() };
        let now = Timestamp::from_millis(request.seconds as i64 * 1000);
        let ours = sign(&head, &request.body, &credentials, &request.region, &request.service, now);
        let mut ours: Vec<(String, String)> = ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut wanted = wanted;
        ours.sort();
        wanted.sort();
        prop_assert_eq!(ours, wanted);
    }
}
