//! Listings cut into pages: the token is the id after which the next page begins, in hexadecimal.

use crate::errors::{code, invalid_parameter};
use aws_types::AwsError;
use std::ops::RangeInclusive;

/// `MaxResults` of most calls. Rule: EC2 API reference, "Pagination".
const RANGE: RangeInclusive<i32> = 5..=1000;

/// One page of things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// At most `MaxResults` things.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next_token: Option<String>,
}

/// Cuts a page out of things in order of id; all where no `MaxResults` is given.
///
/// # Errors
/// `InvalidNextToken`; `InvalidParameterValue` for `MaxResults` out of 5 to 1000.
pub fn page<T>(
    all: impl Iterator<Item = (String, T)>,
    token: Option<&String>,
    max_results: Option<i32>,
) -> Result<Page<T>, AwsError> {
    page_within(RANGE, all, token, max_results)
}

/// The same for a call whose `MaxResults` has a range of its own.
///
/// # Errors
/// `InvalidNextToken`; `InvalidParameterValue` for `MaxResults` out of the range.
pub fn page_within<T>(
    range: RangeInclusive<i32>,
    all: impl Iterator<Item = (String, T)>,
    token: Option<&String>,
    max_results: Option<i32>,
) -> Result<Page<T>, AwsError> {
    if let Some(max) = max_results.filter(|max| !range.contains(max)) {
        let (least, most) = range.into_inner();
        let why = format!("Expecting a value between {least} and {most}.");
        return Err(invalid_parameter("maxResults", &max.to_string(), &why));
    }
    let after = match token.map(|token| read(token)) {
        Some(None) => {
            return Err(code("InvalidNextToken").with("The specified NextToken is not valid."));
        }
        Some(after) => after,
        None => None,
    };
    let limit = max_results.and_then(|limit| usize::try_from(limit).ok());
    let mut rest = all
        .skip_while(|(id, _)| after.as_ref().is_some_and(|after| id <= after))
        .peekable();
    let (mut items, mut last) = (Vec::new(), None);
    while limit.is_none_or(|limit| items.len() < limit)
        && let Some((id, item)) = rest.next()
    {
        items.push(item);
        last = Some(id);
    }
    let next_token = last.filter(|_| rest.peek().is_some()).map(|id| write(&id));
    Ok(Page { items, next_token })
}

fn write(id: &str) -> String {
    id.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn read(token: &str) -> Option<String> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_even = token.len().is_multiple_of(2) && !token.is_empty();
    let bytes: Option<Vec<u8>> = is_even.then(|| token.as_bytes().chunks(2).map(byte).collect())?;
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pages_show_everything_once(names in prop::collection::btree_set("[a-e]{1,4}", 0..30), limit in 5i32..9) {
            let (mut seen, mut token) = (Vec::new(), None);
            loop {
                let all = names.iter().map(|name| (name.clone(), name.clone()));
                let shown = page(all, token.as_ref(), Some(limit)).unwrap();
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

    #[test]
    fn a_page_out_of_range_and_a_token_that_is_none_are_refused() {
        for (token, max, code) in [
            (None, Some(4), "InvalidParameterValue"),
            (None, Some(1001), "InvalidParameterValue"),
            (Some("xyz".to_owned()), None, "InvalidNextToken"),
        ] {
            let all = std::iter::empty::<(String, ())>();
            let error = page(all, token.as_ref(), max).unwrap_err();
            assert_eq!(error.code().name, code);
        }
    }
}
