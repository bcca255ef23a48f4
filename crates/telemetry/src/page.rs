//! Tokens: where a reading or a listing goes on.
//!
//! Opaque to callers, but stable: GetLogEvents' tokens name a position in the stream and a
//! direction (`f/…/s`, `b/…/s`), so that the token of an end stays the same until events arrive.

use crate::rules::invalid;
use aws_types::{AwsError, Timestamp};
use store::Position;

/// Which way a token of GetLogEvents goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To later events.
    Forward,
    /// To earlier events.
    Backward,
}

/// The token of a position: forward from it (itself included), or backward from before it.
#[must_use]
pub fn event_token(direction: Direction, position: Position) -> String {
    let letter = if direction == Direction::Forward {
        'f'
    } else {
        'b'
    };
    format!("{letter}/{}/s", digits(position))
}

/// Reads a token of GetLogEvents.
///
/// # Errors
/// `InvalidParameterException`.
pub fn parse_event_token(token: &str) -> Result<(Direction, Position), AwsError> {
    let wrong = || invalid("The specified nextToken is invalid.");
    let (direction, rest) = match token.split_once('/') {
        Some(("f", rest)) => (Direction::Forward, rest),
        Some(("b", rest)) => (Direction::Backward, rest),
        _ => return Err(wrong()),
    };
    let position = rest
        .strip_suffix("/s")
        .and_then(parse_digits)
        .ok_or_else(wrong)?;
    Ok((direction, position))
}

/// An event's id: 56 digits, unique in the account, ordered as events are.
#[must_use]
pub fn event_id(position: Position, stream: [u8; 16]) -> String {
    let salt = u64::from_le_bytes([
        stream[0], stream[1], stream[2], stream[3], stream[4], stream[5], 0, 0,
    ]);
    format!("{}{:016}", digits(position), salt % 10_u64.pow(16))
}

/// 20 digits of time, 20 of sequence.
fn digits(position: Position) -> String {
    format!(
        "{:020}{:020}",
        position.timestamp.millis().max(0),
        position.sequence
    )
}

fn parse_digits(text: &str) -> Option<Position> {
    if text.len() != 40 || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let timestamp = Timestamp::from_millis(text[..20].parse().ok()?);
    Some(Position {
        timestamp,
        sequence: text[20..].parse().ok()?,
    })
}

/// The token of a listing that goes on after a name: hexadecimal of the name.
#[must_use]
pub fn name_token(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a listing's token.
///
/// # Errors
/// `InvalidParameterException`.
pub fn parse_name_token(token: Option<&str>) -> Result<Option<String>, AwsError> {
    let Some(token) = token else { return Ok(None) };
    read_name_token(token)
        .map(Some)
        .ok_or_else(|| invalid("The specified nextToken is invalid."))
}

/// The name of a listing's token; `None` for what is none.
#[must_use]
pub fn read_name_token(token: &str) -> Option<String> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = token
        .len()
        .is_multiple_of(2)
        .then(|| token.as_bytes().chunks(2).map(byte).collect())
        .flatten();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_read_back_and_garbage_is_refused(millis in 0i64..i64::MAX, sequence: u64, name in ".{0,30}", garbage in ".{0,50}") {
            let position = Position { timestamp: Timestamp::from_millis(millis), sequence };
            for direction in [Direction::Forward, Direction::Backward] {
                let token = event_token(direction, position);
                prop_assert_eq!(parse_event_token(&token).unwrap(), (direction, position));
            }
            prop_assert_eq!(parse_name_token(Some(&name_token(&name))).unwrap(), Some(name));
            let _ = parse_event_token(&garbage);
            let _ = parse_name_token(Some(&garbage));
        }
    }
}
