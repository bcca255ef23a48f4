//! Listings cut into pages: the token is the name after which the next page begins, in hexadecimal.

use crate::rules::not_valid;
use aws_types::AwsError;

/// API reference, `Limit`: the most, and what is taken where none is given.
const LIMIT: usize = 100;

/// One page of named things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// At most `Limit` things.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next_token: Option<String>,
}

/// Cuts a page out of things in order of name.
///
/// # Errors
/// `ValidationException` for a token that is none.
pub fn page<T>(
    all: impl Iterator<Item = (String, T)>,
    token: Option<&str>,
    limit: Option<i32>,
) -> Result<Page<T>, AwsError> {
    let after = token.map(read).transpose()?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let mut rest = all
        .skip_while(|(name, _)| after.as_ref().is_some_and(|after| name <= after))
        .peekable();
    let (mut items, mut last) = (Vec::new(), None);
    for (name, item) in rest.by_ref().take(limit.unwrap_or(LIMIT)) {
        items.push(item);
        last = Some(name);
    }
    let next_token = last
        .filter(|_| rest.peek().is_some())
        .map(|name| write(&name));
    Ok(Page { items, next_token })
}

fn write(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn read(token: &str) -> Result<String, AwsError> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = token
        .len()
        .is_multiple_of(2)
        .then(|| token.as_bytes().chunks(2).map(byte).collect())
        .flatten();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| not_valid("NextToken", "Provided token is invalid."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pages_show_everything_once(names in prop::collection::btree_set("[a-e]{1,4}", 0..30), limit in 1i32..9) {
            let (mut seen, mut token) = (Vec::new(), None);
            loop {
                let all = names.iter().map(|name| (name.clone(), name.clone()));
                let shown = page(all, token.as_deref(), Some(limit)).unwrap();
                seen.extend(shown.items);
                token = shown.next_token;
                if token.is_none() {
                    break;
                }
            }
            prop_assert_eq!(seen, names.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn no_token_makes_it_panic(token in ".{0,20}") {
            let _ = page(std::iter::empty::<(String, ())>(), Some(&token), None);
        }
    }
}
