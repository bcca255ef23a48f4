//! Listings cut into pages.
//!
//! A token holds the key of the last item shown and a check over the listing it belongs to, so
//! that the next page starts after that key whatever was inserted or removed in between: nothing
//! is shown twice, and nothing that was there all the time is missed.

use aws_types::{AwsError, ErrorCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};
use store::Key;

const INVALID_PARAMETER: ErrorCode = ErrorCode::sender("InvalidParameterException", 400);

/// Bytes of the check in front of the key.
const CHECK_LEN: usize = 12;

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// At most `maxResults` items.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last page.
    pub next_token: Option<String>,
}

/// What a caller asked of a listing, read and checked.
#[derive(Clone, Debug)]
pub struct Request {
    check: Vec<u8>,
    /// The key of the last item already shown.
    pub after: Option<Key>,
    /// At most this many items.
    pub limit: usize,
}

impl Request {
    /// Reads `maxResults` (1 to `max`, `default` where absent) and `nextToken`. `listing` names the
    /// operation, the scope and every filter: a token of another listing is refused.
    ///
    /// # Errors
    /// `InvalidParameterException` for a number out of range or a token that is not of this
    /// listing.
    pub fn read(
        listing: &[&str],
        next_token: Option<&str>,
        max_results: Option<i32>,
        default: usize,
        max: usize,
    ) -> Result<Self, AwsError> {
        let limit = match max_results {
            None => default,
            Some(asked) => usize::try_from(asked)
                .ok()
                .filter(|asked| (1..=max).contains(asked))
                .ok_or_else(|| {
                    INVALID_PARAMETER.with(format!("Maximum results must be between 1 and {max}."))
                })?,
        };
        let check = Key::of(listing).as_bytes().to_vec();
        let after = match next_token {
            None | Some("") => None,
            Some(token) => Some(
                read_token(&check, token)
                    .ok_or_else(|| INVALID_PARAMETER.with("Invalid token."))?,
            ),
        };
        Ok(Self {
            check,
            after,
            limit,
        })
    }

    /// Takes one page of `rows`, which come in order of key, after `self.after`.
    pub fn page<T>(&self, rows: impl Iterator<Item = (Key, T)>) -> Page<T> {
        let mut rows = rows.peekable();
        let mut items = Vec::new();
        let mut last = None;
        while items.len() < self.limit
            && let Some((key, item)) = rows.next()
        {
            items.push(item);
            last = Some(key);
        }
        let next_token = match (last, rows.peek()) {
            (Some(last), Some(_)) => Some(write_token(&self.check, &last)),
            _ => None,
        };
        Page { items, next_token }
    }
}

fn check_of(listing: &[u8], key: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update((listing.len() as u64).to_be_bytes());
    hash.update(listing);
    hash.update(key);
    hash.finalize()[..CHECK_LEN].to_vec()
}

fn write_token(listing: &[u8], key: &Key) -> String {
    let mut bytes = check_of(listing, key.as_bytes());
    bytes.extend_from_slice(key.as_bytes());
    BASE64.encode(bytes)
}

fn read_token(listing: &[u8], token: &str) -> Option<Key> {
    let bytes = BASE64.decode(token).ok()?;
    let (check, key) = bytes.split_at_checked(CHECK_LEN)?;
    (check == check_of(listing, key)).then(|| Key::from_bytes(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ask(token: Option<&str>, max: Option<i32>) -> Result<Request, AwsError> {
        Request::read(&["ListThings", "a", "r"], token, max, 100, 100)
    }

    fn rows<'a>(
        names: &'a BTreeSet<String>,
        request: &Request,
    ) -> impl Iterator<Item = (Key, String)> + 'a {
        let after = request.after.clone();
        names
            .iter()
            .map(|name| (Key::of(&[name]), name.clone()))
            .filter(move |(key, _)| after.as_ref().is_none_or(|after| key > after))
    }

    #[test]
    fn max_results_outside_its_range_is_refused() {
        for (max, expected) in [
            (None, Some(100)),
            (Some(1), Some(1)),
            (Some(100), Some(100)),
            (Some(0), None),
            (Some(101), None),
            (Some(-1), None),
        ] {
            assert_eq!(ask(None, max).ok().map(|r| r.limit), expected, "{max:?}");
        }
    }

    #[test]
    fn a_token_of_another_listing_is_refused() {
        let token = write_token(Key::of(&["ListOthers"]).as_bytes(), &Key::of(&["x"]));
        let error = ask(Some(&token), None).unwrap_err();
        assert_eq!(error.code().name, "InvalidParameterException");
    }

    proptest! {
        #[test]
        fn garbage_is_refused(token in ".{1,80}") {
            prop_assert!(ask(Some(&token), None).is_err());
        }

        #[test]
        fn what_was_there_all_the_time_is_shown_once(
            mut names in prop::collection::btree_set("[a-f]{1,3}", 0..40),
            changes in prop::collection::vec(("[a-f]{1,3}", any::<bool>()), 0..10),
            limit in 1i32..7,
        ) {
            let mut steady = names.clone();
            let (mut shown, mut token) = (Vec::new(), None::<String>);
            let mut changes = changes.into_iter();
            loop {
                let request = ask(token.as_deref(), Some(limit)).unwrap();
                let page = request.page(rows(&names, &request));
                shown.extend(page.items);
                token = page.next_token;
                if token.is_none() {
                    break;
                }
                if let Some((name, add)) = changes.next() {
                    steady.remove(&name);
                    if add { names.insert(name); } else { names.remove(&name); }
                }
            }
            let distinct: BTreeSet<_> = shown.iter().cloned().collect();
            prop_assert_eq!(distinct.len(), shown.len());
            prop_assert!(steady.is_subset(&distinct));
        }
    }
}
