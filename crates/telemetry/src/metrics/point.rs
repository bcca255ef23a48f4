//! A point of the store: samples of one unit, in the period that begins at its moment.
//!
//! Rule: user guide, "Metrics retention": points of a second, a minute, five minutes and an hour.

use super::samples::Samples;
use aws_types::Timestamp;
use store::Resolution;

/// A metric of high resolution.
pub const SECOND: Resolution = Resolution(1);
/// A metric of standard resolution.
pub const MINUTE: Resolution = Resolution(60);
/// What a minute becomes after 15 days.
pub const FIVE_MINUTES: Resolution = Resolution(300);
/// What five minutes become after 63 days.
pub const HOUR: Resolution = Resolution(3_600);
/// From the finest on.
pub const RESOLUTIONS: [Resolution; 4] = [SECOND, MINUTE, FIVE_MINUTES, HOUR];

/// `Unit` of samples that were given none.
pub const NO_UNIT: &str = "None";

/// The start of the period of this length in which a moment lies.
#[must_use]
pub fn start_of(at: Timestamp, period_millis: i64) -> Timestamp {
    let millis = at.millis();
    Timestamp::from_millis(millis.saturating_sub(millis.rem_euclid(period_millis)))
}

/// What a point says, as the store keeps it: the unit's length, the unit, the samples.
#[must_use]
pub fn encode(unit: &str, samples: &Samples) -> Vec<u8> {
    // Units are AWS's words, of at most 16 letters.
    let mut bytes = vec![unit.len() as u8];
    bytes.extend_from_slice(unit.as_bytes());
    bytes.extend_from_slice(&samples.encode());
    bytes
}

/// What the store keeps; `None` for bytes that are none of ours.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<(String, Samples)> {
    let (len, rest) = bytes.split_first()?;
    let (unit, samples) = rest.split_at_checked(usize::from(*len))?;
    let unit = String::from_utf8(unit.to_vec()).ok()?;
    Some((unit, Samples::decode(samples)?))
}
