//! `HttpParameters` of a target: what they add to a call of an HTTP endpoint.
//!
//! The operator's URL stays the operator's: values fill the `*` of its path, percent-encoded as one
//! segment each, and query strings are added to its own. Headers that EventBridge sets or strips are not the
//! target's to give.
//! Rule: EventBridge API reference, HttpParameters; user guide, "API destinations", "Headers".

use aws_api::events::HttpParameters;
use std::fmt::Write;

/// User guide, "API destinations": headers that are stripped, in lower case.
const STRIPPED: [&str; 32] = [
    "a-im",
    "accept-charset",
    "accept-datetime",
    "accept-encoding",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-md5",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// One call: where to, and with which headers besides those of every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The URL.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
}

/// How many values the path of a URL takes.
#[must_use]
pub fn wildcards(url: &str) -> usize {
    let (_, path, _) = parts(url);
    path.matches('*').count()
}

/// The call of this URL; `None` where its path takes another number of values than are given.
#[must_use]
pub fn call(url: &str, given: Option<&HttpParameters>) -> Option<Call> {
    let Some(given) = given else {
        return Some(Call {
            url: url.into(),
            headers: Vec::new(),
        });
    };
    let values = given.path_parameter_values.as_deref().unwrap_or_default();
    if values.len() != wildcards(url) {
        return None;
    }
    let (origin, path, query) = parts(url);
    let mut values = values.iter();
    let mut filled = String::from(origin);
    for char in path.chars() {
        match char {
            '*' => encode(values.next()?, &mut filled),
            other => filled.push(other),
        }
    }
    let mut separator = if query.is_empty() { '?' } else { '&' };
    filled.push_str(query);
    for (name, value) in given.query_string_parameters.iter().flatten() {
        filled.push(separator);
        encode(name, &mut filled);
        filled.push('=');
        encode(value, &mut filled);
        separator = '&';
    }
    let headers = given.header_parameters.iter().flatten();
    let kept = headers.filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        !STRIPPED.contains(&name.as_str())
    });
    let headers = kept.map(|(name, value)| (name.clone(), value.trim().to_owned()));
    Some(Call {
        url: filled,
        headers: headers.collect(),
    })
}

/// Scheme and authority, path, and the query with its question mark; a fragment goes nowhere.
fn parts(url: &str) -> (&str, &str, &str) {
    let url = url.split('#').next().unwrap_or_default();
    let authority = url.find("://").map_or(0, |at| at + 3);
    let path = url[authority..].find(['/', '?']);
    let (origin, rest) = url.split_at(path.map_or(url.len(), |at| authority + at));
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    (origin, path, query)
}

/// RFC 3986: everything but unreserved characters, so that a value stays one segment, name or value.
fn encode(text: &str, into: &mut String) {
    // A segment of dots alone would climb.
    let is_dots = text == "." || text == "..";
    for byte in text.bytes() {
        match byte {
            b'.' if is_dots => into.push_str("%2E"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                into.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            other => drop(write!(into, "%{other:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn map(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
        let pairs = pairs.iter();
        Some(
            pairs
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn values_fill_the_path_and_the_query_and_nothing_else() {
        for (url, values, query, expected) in [
            ("http://h/a/*/b", vec!["1"], vec![], Some("http://h/a/1/b")),
            ("http://h", vec![], vec![("q", "1")], Some("http://h?q=1")),
            (
                "http://h/*?x=1",
                vec!["a/../b?c#d"],
                vec![("k 1", "ü&=")],
                Some("http://h/a%2F..%2Fb%3Fc%23d?x=1&k%201=%C3%BC%26%3D"),
            ),
            (
                "http://h/*/x",
                vec![".."],
                vec![],
                Some("http://h/%2E%2E/x"),
            ),
            ("http://*.h/p", vec![], vec![], Some("http://*.h/p")),
            ("http://h/*/*", vec!["1"], vec![], None),
            ("http://h/", vec!["1"], vec![], None),
        ] {
            let given = HttpParameters {
                path_parameter_values: Some(values.iter().map(ToString::to_string).collect()),
                query_string_parameters: map(&query),
                ..HttpParameters::default()
            };
            let found = call(url, Some(&given)).map(|call| call.url);
            assert_eq!(found.as_deref(), expected, "{url}");
        }
        assert_eq!(call("http://h/*", None).unwrap().url, "http://h/*");
    }

    #[test]
    fn headers_that_are_not_the_targets_are_stripped() {
        let given = HttpParameters {
            header_parameters: map(&[
                ("X-Key", " secret "),
                ("Content-Type", "text/plain"),
                ("HOST", "elsewhere"),
                ("Transfer-Encoding", "chunked"),
                ("User-Agent", "me"),
            ]),
            ..HttpParameters::default()
        };
        let expected = [("Content-Type", "text/plain"), ("X-Key", "secret")];
        let expected = expected.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(call("http://h/", Some(&given)).unwrap().headers, expected);
    }
}
