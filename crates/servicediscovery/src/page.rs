//! Listings cut into pages: the token is the id after which the next page begins, in hexadecimal.
//!
//! Rule: API reference, `MaxResults`: 100 where none is given.

use crate::errors::invalid;
use aws_types::AwsError;

const LEN: usize = 100;

/// One page, and where the next begins.
///
/// # Errors
/// `InvalidInput` for a token that is none.
pub fn page<T>(
    all: impl Iterator<Item = (String, T)>,
    token: Option<&str>,
    max: Option<i32>,
) -> Result<(Vec<T>, Option<String>), AwsError> {
    let after = token.map(read).transpose()?;
    let len = max.and_then(|max| usize::try_from(max).ok()).unwrap_or(LEN);
    let mut rest = all
        .skip_while(|(id, _)| after.as_ref().is_some_and(|after| id <= after))
        .peekable();
    let (mut items, mut last) = (Vec::new(), None);
    for (id, item) in rest.by_ref().take(len) {
        items.push(item);
        last = Some(id);
    }
    let next = last.filter(|_| rest.peek().is_some());
    Ok((items, next.map(|id| write(&id))))
}

fn write(id: &str) -> String {
    id.bytes().map(|byte| format!("{byte:02x}")).collect()
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
        .ok_or_else(|| invalid("The NextToken is invalid."))
}
