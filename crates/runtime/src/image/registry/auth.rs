//! Authority at a registry: challenges, tokens, and what is known for whom.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Uri, header};
use serde::Deserialize;

use super::Repository;
use crate::image::RegistryAuth;
use crate::image::error::ImageError;
use crate::image::reference::Reference;

/// Of a token whose answer does not say how long it lasts. Rule: token authentication, `expires_in`.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(60);
/// A token is not used in its last seconds: a request takes time.
const LIFETIME_MARGIN: Duration = Duration::from_secs(10);
/// Known authorities; all are dropped when there are more.
const KNOWN_MAX: usize = 1024;

/// What a registry asks for in `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Bearer {
        realm: String,
        service: Option<String>,
    },
    Basic,
}

/// The challenges that we can answer, in the registry's order.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter();
    values
        .filter_map(|value| challenge(value.to_str().ok()?))
        .collect()
}

fn challenge(text: &str) -> Option<Challenge> {
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut parameters = parameters(rest);
    let realm = parameters.remove("realm")?;
    Some(Challenge::Bearer {
        realm,
        service: parameters.remove("service"),
    })
}

/// `name="value", name=value`; a value in quotes may hold commas and escaped quotes.
fn parameters(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([',', ' ', '\t']).to_ascii_lowercase();
        let mut value = String::new();
        let after = after.trim_start();
        let mut end = after.len();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut escaped = false;
            for (at, c) in quoted.char_indices() {
                match c {
                    '"' if !escaped => {
                        end = at + 2;
                        break;
                    }
                    '\\' if !escaped => escaped = true,
                    c => {
                        escaped = false;
                        value.push(c);
                    }
                }
            }
        } else {
            end = after.find(',').unwrap_or(after.len());
            value = after[..end].trim().to_owned();
        }
        found.insert(name, value);
        rest = &after[end..];
    }
    found
}

/// Where the token for pulling this repository is asked for.
pub(super) fn token_url(realm: &str, service: Option<&str>, reference: &Reference) -> Option<Uri> {
    // What follows the sign of a fragment is never sent.
    let realm = realm.split('#').next().unwrap_or_default();
    let mut url = realm.to_owned();
    url.push(if realm.contains('?') { '&' } else { '?' });
    if let Some(service) = service {
        url += &format!("service={}&", escaped(service));
    }
    url += &format!(
        "scope={}",
        escaped(&format!("repository:{}:pull", reference.path()))
    );
    url.parse().ok()
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b':' => {
                out.push(char::from(byte));
            }
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}

/// `Basic` authority of a user.
pub(super) fn basic(auth: &RegistryAuth) -> Option<HeaderValue> {
    let text = STANDARD.encode(format!("{}:{}", auth.username, auth.password));
    secret(format!("Basic {text}"))
}

fn secret(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    host: String,
    path: String,
    auth: Option<RegistryAuth>,
}

struct Known {
    value: HeaderValue,
    until: Option<Instant>,
}

/// Authorities that worked, by repository and user.
#[derive(Default)]
pub(super) struct Tokens {
    /// `std` mutex: held for a look-up, never across an await.
    known: Mutex<HashMap<Key, Known>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Tokens {
    pub(super) fn known(&self, of: Repository<'_>) -> Option<HeaderValue> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&key(of))?;
        let fresh = found.until.is_none_or(|until| Instant::now() < until);
        fresh.then(|| found.value.clone())
    }

    pub(super) fn forget(&self, of: Repository<'_>) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key(of));
    }

    /// Keeps the token of a token server's answer.
    pub(super) fn learn(
        &self,
        of: Repository<'_>,
        answer: &[u8],
    ) -> Result<HeaderValue, ImageError> {
        let malformed = || {
            ImageError::malformed(
                "token",
                "authorization server did not include a token in the response",
            )
        };
        let answer: TokenAnswer = serde_json::from_slice(answer).map_err(|_| malformed())?;
        let token = answer
            .token
            .or(answer.access_token)
            .filter(|token| !token.is_empty());
        let value = token
            .and_then(|token| secret(format!("Bearer {token}")))
            .ok_or_else(malformed)?;
        let lifetime = answer
            .expires_in
            .map_or(LIFETIME_DEFAULT, Duration::from_secs);
        let until = Instant::now().checked_add(lifetime.saturating_sub(LIFETIME_MARGIN));
        self.keep(
            of,
            Known {
                value: value.clone(),
                until,
            },
        );
        Ok(value)
    }

    pub(super) fn learn_basic(&self, of: Repository<'_>, value: &HeaderValue) {
        self.keep(
            of,
            Known {
                value: value.clone(),
                until: None,
            },
        );
    }

    fn keep(&self, of: Repository<'_>, value: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key(of), value);
    }
}

fn key(of: Repository<'_>) -> Key {
    let (host, path) = (
        of.reference.host().to_owned(),
        of.reference.path().to_owned(),
    );
    Key {
        host,
        path,
        auth: of.auth.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_whatever_their_spacing_and_quoting() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.into(),
                service: service.map(str::to_owned),
            })
        };
        for (given, expected) in [
            (
                r#"Bearer realm="https://a/t",service="s, \"x\"",scope="repository:a:pull""#,
                bearer("https://a/t", Some("s, \"x\"")),
            ),
            (
                "bearer realm=https://a/t , service=s",
                bearer("https://a/t", Some("s")),
            ),
            (r#"Basic realm="x""#, Some(Challenge::Basic)),
            ("Basic", Some(Challenge::Basic)),
            (r#"Bearer service="s""#, None),
            ("Negotiate", None),
            (r#"Bearer realm="unended"#, bearer("unended", None)),
        ] {
            assert_eq!(challenge(given), expected, "{given}");
        }
    }

    fn learnt(answer: &str) -> Option<String> {
        let reference = Reference::parse("r.example/a").unwrap();
        let repository = Repository {
            reference: &reference,
            auth: None,
        };
        let tokens = Tokens::default();
        let learnt = tokens.learn(repository, answer.as_bytes()).ok()?;
        assert!(learnt.is_sensitive());
        Some(String::from_utf8_lossy(learnt.as_bytes()).into_owned())
    }

    #[test]
    fn a_token_is_taken_under_either_name() {
        for (answer, expected) in [
            (r#"{"token":"a"}"#, Some("Bearer a")),
            (r#"{"access_token":"b","expires_in":0}"#, Some("Bearer b")),
            (
                r#"{"token":"a","expires_in":18446744073709551615}"#,
                Some("Bearer a"),
            ),
            (r#"{"token":""}"#, None),
            (r#"{"token":"a\nX: y"}"#, None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(learnt(answer).as_deref(), expected, "{answer}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_realm_leads_to_another_scope(realm in "(https?://)?\\PC{0,30}", service in proptest::option::of("\\PC{0,30}")) {
            let reference = Reference::parse("r.example/team/app").unwrap();
            if let Some(url) = token_url(&realm, service.as_deref(), &reference) {
                proptest::prop_assert!(url.to_string().ends_with("scope=repository:team/app:pull"));
            }
        }

        #[test]
        fn no_token_answer_makes_the_reader_panic(text in "\\PC{0,80}") {
            let _ = learnt(&text);
            let _ = learnt(&serde_json::json!({"token": text, "expires_in": 1}).to_string());
        }

        #[test]
        fn no_challenge_makes_the_reader_panic(text in "\\PC{0,80}") {
            let _ = challenge(&text);
            let _ = challenge(&format!("Bearer {text}"));
        }
    }
}
